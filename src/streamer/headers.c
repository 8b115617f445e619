/*
 * headers.c - a row's headers: the members of one JSON object.
 *
 * A strict reader of RFC 8259 that only finds where values begin and end.
 * The text normally comes from a jsonb column and is well-formed, but a
 * logical message can be written by anybody who may log in.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "headers.h"

#define DEPTH_MAX	64

struct cursor
{
	char	   *pos;
	char	   *end;
	bool		too_deep;		/* why nothing could be taken */
};

static void
skip_space(struct cursor *c)
{
	while (c->pos < c->end &&
		   (*c->pos == ' ' || *c->pos == '\t' || *c->pos == '\n' || *c->pos == '\r'))
		c->pos++;
}

static bool
take(struct cursor *c, char octet)
{
	if (c->pos == c->end || *c->pos != octet)
		return false;
	c->pos++;
	return true;
}

static bool
take_word(struct cursor *c, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (c->end - c->pos) < len || memcmp(c->pos, word, len) != 0)
		return false;
	c->pos += len;
	return true;
}

/* Four hexadecimal digits, or -1. */
static long
take_hex4(struct cursor *c)
{
	static const char digits[] = "0123456789abcdef";
	long		value = 0;

	if (c->end - c->pos < 4)
		return -1;
	for (int i = 0; i < 4; i++, c->pos++)
	{
		const char *digit = *c->pos ? strchr(digits, *c->pos | 0x20) : NULL;

		if (!digit || (*c->pos < '0'))
			return -1;
		value = value * 16 + (digit - digits);
	}
	return value;
}

/* The code point behind \u, surrogate pairs joined; -1 if there is none. */
static long
take_code_point(struct cursor *c)
{
	long		high = take_hex4(c);
	long		low;

	if (high < 0xD800 || high > 0xDFFF)
		return high;
	if (high > 0xDBFF || !take_word(c, "\\u"))
		return -1;
	low = take_hex4(c);
	if (low < 0xDC00 || low > 0xDFFF)
		return -1;
	return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static char *
put_utf8(char *out, long code)
{
	if (code < 0x80)
		*out++ = (char) code;
	else if (code < 0x800)
	{
		*out++ = (char) (0xC0 | code >> 6);
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else
	{
		if (code < 0x10000)
			*out++ = (char) (0xE0 | code >> 12);
		else
		{
			*out++ = (char) (0xF0 | code >> 18);
			*out++ = (char) (0x80 | (code >> 12 & 0x3F));
		}
		*out++ = (char) (0x80 | (code >> 6 & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	return out;
}

/* What follows a reverse solidus; the shortest form in UTF-8 is never longer
 * than the escape. */
static bool
take_escape(struct cursor *c, char **out)
{
	static const char forms[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *form;
	long		code;

	if (c->pos == c->end)
		return false;
	if (take(c, 'u'))
	{
		code = take_code_point(c);
		if (code < 0)
			return false;
		*out = put_utf8(*out, code);
		return true;
	}
	form = *c->pos ? strchr(forms, *c->pos) : NULL;
	if (!form)
		return false;
	c->pos++;
	*(*out)++ = values[form - forms];
	return true;
}

static bool
take_string(struct cursor *c, struct slice *string, bool unescape)
{
	char	   *start = c->pos + 1;
	char	   *out = start;
	char		unused[4] = {0};	/* what an escape stands for, if not unescaping */

	if (!take(c, '"'))
		return false;
	while (c->pos < c->end && *c->pos != '"')
	{
		if ((unsigned char) *c->pos < 0x20)
			return false;
		if (*c->pos != '\\')
		{
			if (unescape)
				*out++ = *c->pos;
			c->pos++;
			continue;
		}
		c->pos++;
		if (!take_escape(c, unescape ? &out : &(char *) {unused}))
			return false;
	}
	*string = (struct slice) {start, (size_t) (out - start)};
	return take(c, '"');
}

static bool
take_digits(struct cursor *c)
{
	char	   *start = c->pos;

	while (c->pos < c->end && *c->pos >= '0' && *c->pos <= '9')
		c->pos++;
	return c->pos > start;
}

static bool
take_number(struct cursor *c)
{
	take(c, '-');
	if (!take(c, '0') && !take_digits(c))
		return false;
	if (take(c, '.') && !take_digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E'))
	{
		if (!take(c, '+'))
			take(c, '-');
		return take_digits(c);
	}
	return true;
}

/* Any value but for its meaning; depth bounds the recursion. */
static bool
skip_value(struct cursor *c, int depth)
{
	struct slice ignored;
	char		close;
	bool		object;

	skip_space(c);
	c->too_deep = depth > DEPTH_MAX;
	if (c->pos == c->end || c->too_deep)
		return false;
	if (*c->pos == '"')
		return take_string(c, &ignored, false);
	if (*c->pos != '{' && *c->pos != '[')
		return take_word(c, "true") || take_word(c, "false") ||
			take_word(c, "null") || take_number(c);
	object = *c->pos++ == '{';
	close = object ? '}' : ']';
	skip_space(c);
	if (take(c, close))
		return true;
	do
	{
		skip_space(c);
		if (object && !take_string(c, &ignored, false))
			return false;
		skip_space(c);
		if ((object && !take(c, ':')) || !skip_value(c, depth + 1))
			return false;
		skip_space(c);
	} while (take(c, ','));
	return take(c, close);
}

static bool
take_member(struct cursor *c, struct header *header)
{
	char	   *start;

	skip_space(c);
	if (!take_string(c, &header->name, true))
		return false;
	skip_space(c);
	if (!take(c, ':'))
		return false;
	skip_space(c);
	start = c->pos;
	if (start < c->end && *start == '"')
		return take_string(c, &header->value, true);
	if (!skip_value(c, 0))
		return false;
	header->value = (struct slice) {start, (size_t) (c->pos - start)};
	if (slice_equal(header->value, slice_of("null")))
		header->value = (struct slice) {NULL, 0};
	return true;
}

int
headers_read(struct slice text, struct header *out, int most, const char **reason)
{
	struct cursor c = {(char *) text.data, (char *) text.data + text.len, false};
	int			n = 0;

	*reason = "headers are no JSON object";
	skip_space(&c);
	if (!take(&c, '{'))
		return -1;
	skip_space(&c);
	if (!take(&c, '}'))
	{
		do
		{
			if (n == most)
			{
				*reason = "more than 64 headers";
				return -1;
			}
			if (!take_member(&c, &out[n++]))
			{
				if (c.too_deep)
					*reason = "headers are nested more than 64 deep";
				return -1;
			}
			skip_space(&c);
		} while (take(&c, ','));
		if (!take(&c, '}'))
			return -1;
	}
	skip_space(&c);
	return c.pos == c.end ? n : -1;
}
