/*
 * numeric_text.c - numeric as text, as numeric_out gives it
 *
 * Reads the stored form: a header word, in the long form a weight word, then
 * base-10000 digits.  Writes straight into the frame, with a bound that is
 * known before a digit is written.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

/* the header word */
#define FORM_MASK		0xC000
#define FORM_NEGATIVE	0x4000	/* long form, below zero */
#define FORM_SHORT		0x8000
#define FORM_SPECIAL	0xC000
#define SPECIAL_MASK	0xF000
#define SPECIAL_NAN		0xC000
#define SPECIAL_PINF	0xD000
#define SPECIAL_NINF	0xF000
#define SHORT_NEGATIVE	0x2000
#define SHORT_SCALE(h)	(((h) & 0x1F80) >> 7)
#define SHORT_WEIGHT(h) (((h) & 0x0040) ? (int) ((h) & 0x003F) - 64 : (int) ((h) & 0x003F))
#define LONG_SCALE(h)	((h) & 0x3FFF)

#define DIGIT_OCTETS	2		/* stored */
#define DIGIT_CHARS		4		/* written */

/* octets of the longest special value and of a sign, a zero and a point */
#define SPECIAL_SPACE	9
#define SIGN_SPACE		4

typedef struct Number
{
	bool		negative;
	int			weight;			/* of the first digit, in base 10000 */
	int			scale;			/* decimal digits after the point */
	int			ndigits;
	const char *digits;			/* in any alignment */
} Number;

static inline uint16
load_word(const char *src)
{
	uint16		word;

	memcpy(&word, src, sizeof(word));
	return word;
}

static inline bool
is_special(const char *data)
{
	return (load_word(data) & FORM_MASK) == FORM_SPECIAL;
}

/* not for special values; false: too short to be a numeric */
static inline bool
unpack(const char *data, Size size, Number *number)
{
	uint16		header = load_word(data);
	Size		header_size = 2;

	if ((header & FORM_MASK) == FORM_SHORT)
	{
		number->negative = (header & SHORT_NEGATIVE) != 0;
		number->scale = SHORT_SCALE(header);
		number->weight = SHORT_WEIGHT(header);
	}
	else
	{
		if (size < 4)
			return false;
		number->negative = (header & FORM_MASK) == FORM_NEGATIVE;
		number->scale = LONG_SCALE(header);
		number->weight = (int16) load_word(data + 2);
		header_size = 4;
	}
	number->digits = data + header_size;
	number->ndigits = (int) ((size - header_size) / DIGIT_OCTETS);
	return true;
}

Size
outbox_numeric_space(const char *data, Size size)
{
	Number		number;

	if (size < 2)
		return 0;
	if (is_special(data))
		return SPECIAL_SPACE;
	if (!unpack(data, size, &number))
		return 0;
	/* whole groups of four are written, also at the end */
	return (Size) (number.weight < 0 ? 0 : number.weight + 1) * DIGIT_CHARS +
		(Size) number.scale + DIGIT_CHARS + SIGN_SPACE;
}

static inline unsigned
digit_at(const Number *number, int i)
{
	if (i < 0 || i >= number->ndigits)
		return 0;
	return load_word(number->digits + (Size) i * DIGIT_OCTETS);
}

/* the two digits of every number below a hundred */
#define DECIMAL_ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"
static const char decimal_pairs[] =
DECIMAL_ROW("0") DECIMAL_ROW("1") DECIMAL_ROW("2") DECIMAL_ROW("3") DECIMAL_ROW("4")
DECIMAL_ROW("5") DECIMAL_ROW("6") DECIMAL_ROW("7") DECIMAL_ROW("8") DECIMAL_ROW("9");

/* four decimal digits; what can't be a base-10000 digit must not reach beyond the table */
static inline char *
put_group(char *dst, unsigned digit)
{
	memcpy(dst, decimal_pairs + 2 * (digit / 100 % 100), 2);
	memcpy(dst + 2, decimal_pairs + 2 * (digit % 100), 2);
	return dst + DIGIT_CHARS;
}

/* the first group of the integer part, without leading zeros */
static inline char *
put_first(char *dst, unsigned digit)
{
	char		group[DIGIT_CHARS];
	int			skip = digit >= 1000 ? 0 : digit >= 100 ? 1 : digit >= 10 ? 2 : 3;

	if (digit < 10)
	{
		*dst++ = (char) ('0' + digit);
		return dst;
	}
	put_group(group, digit);
	for (; skip < DIGIT_CHARS; skip++)
		*dst++ = group[skip];
	return dst;
}

static char *
put_special(char *dst, const char *data)
{
	const char *text = "NaN";

	if ((load_word(data) & SPECIAL_MASK) == SPECIAL_PINF)
		text = "Infinity";
	else if ((load_word(data) & SPECIAL_MASK) == SPECIAL_NINF)
		text = "-Infinity";
	memcpy(dst, text, strlen(text));
	return dst + strlen(text);
}

char *
outbox_numeric_text(char *dst, const char *data, Size size)
{
	Number		number;
	char	   *point;
	int			i = 0;

	if (is_special(data))
		return put_special(dst, data);
	if (!unpack(data, size, &number))
		return dst;

	if (number.negative)
		*dst++ = '-';
	if (number.weight < 0)
	{
		*dst++ = '0';
		i = number.weight + 1;
	}
	else
	{
		dst = put_first(dst, digit_at(&number, 0));
		for (i = 1; i <= number.weight; i++)
			dst = put_group(dst, digit_at(&number, i));
	}
	if (number.scale == 0)
		return dst;

	*dst++ = '.';
	point = dst;
	while (dst - point < number.scale)
		dst = put_group(dst, digit_at(&number, i++));
	return point + number.scale;
}
