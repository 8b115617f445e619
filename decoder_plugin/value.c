/*
 * value.c - column values as octets in UTF-8
 *
 * No output function of the server is called: what they give may depend on
 * settings, they allocate, and some raise ERROR.  Sizes are compared before
 * anything is detoasted.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* text is escaped and converted in pieces of at most this many octets */
#define PIECE			8192

/* room for any integer as text */
#define INTEGER_SPACE	24

#define UUID_TEXT		36

/*
 * Octets of a stored jsonb for each octet of its text, at most: a one-digit
 * number takes 12 and is written, with its separator, in 3.
 */
#define JSONB_OVERHEAD	4
#define JSONB_SLACK		64

/* text can become this much shorter in UTF-8 */
#define CONVERSION_SHRINK	2

#define UNIX_EPOCH_USECS \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

static inline char *
reserve(StringInfo out, Size n)
{
	if ((Size) (out->maxlen - out->len) <= n)
		enlargeStringInfo(out, (int) n);
	return out->data + out->len;
}

/* ---------- varlena ---------- */

/* size of the value without its header, however it is stored */
static inline Size
raw_size(const struct varlena *value)
{
	if (!VARATT_IS_EXTENDED(value) || VARATT_IS_SHORT(value))
		return VARSIZE_ANY_EXHDR(value);
	return toast_raw_datum_size(PointerGetDatum(value)) - VARHDRSZ;
}

/*
 * The value's octets, detoasted where needed.  Decoding hands over toasted
 * values by pointers to memory; one that still points to disk has no chunks in
 * the WAL, and the table on disk is not of this time.
 */
static OutboxResult
open_varlena(Datum datum, Size limit, const char **data, Size *size)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);

	while (VARATT_IS_EXTERNAL_INDIRECT(value))
	{
		struct varatt_indirect redirect;

		VARATT_EXTERNAL_GET_POINTER(redirect, value);
		value = redirect.pointer;
	}
	if (VARATT_IS_EXTERNAL(value))
		return OUTBOX_BAD_TYPE;
	if (raw_size(value) > limit)
		return OUTBOX_TOO_LARGE;
	if (VARATT_IS_COMPRESSED(value))
		value = detoast_attr(value);
	*data = VARDATA_ANY(value);
	*size = VARSIZE_ANY_EXHDR(value);
	return OUTBOX_OK;
}

/* ---------- escaping ---------- */

static const char escapes[128] = {
	['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	['"'] = '"', ['\\'] = '\\',
};

/* has any octet of the word to be escaped? */
static inline bool
needs_escape(uint64 word)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	const uint64 highs = UINT64CONST(0x8080808080808080);
	const uint64 quote = word ^ (ones * '"');
	const uint64 backslash = word ^ (ones * '\\');

	return ((((word - ones * 0x20) & ~word) |
			 ((quote - ones) & ~quote) |
			 ((backslash - ones) & ~backslash)) & highs) != 0;
}

/*
 * The last octets, fewer than a word, with blanks in place of what is missing.
 * Two loads that overlap do for any number: most strings are short, so this is
 * where most time would go.
 */
static inline uint64
load_rest(const char *src, Size n)
{
	uint64		word = UINT64CONST(0x2020202020202020);

#ifdef WORDS_BIGENDIAN
	memcpy(&word, src, n);
#else
	if (n >= 4)
	{
		uint32		first;
		uint32		last;

		memcpy(&first, src, sizeof(first));
		memcpy(&last, src + n - sizeof(last), sizeof(last));
		word = word << (n * BITS_PER_BYTE) | (uint64) last << ((n - sizeof(last)) * BITS_PER_BYTE) | first;
	}
	else if (n > 0)
	{
		uint64		first = (unsigned char) src[0];
		uint64		middle = (unsigned char) src[n / 2];
		uint64		last = (unsigned char) src[n - 1];

		word = word << (n * BITS_PER_BYTE) | last << ((n - 1) * BITS_PER_BYTE) |
			middle << (n / 2 * BITS_PER_BYTE) | first;
	}
#endif
	return word;
}

static inline char *
escape_octet(char *dst, unsigned char c)
{
	if (likely(c >= 0x20 && c != '"' && c != '\\'))
	{
		*dst++ = (char) c;
		return dst;
	}
	*dst++ = '\\';
	if (escapes[c] != '\0')
	{
		*dst++ = escapes[c];
		return dst;
	}
	*dst++ = 'u';
	*dst++ = '0';
	*dst++ = '0';
	*dst++ = "0123456789abcdef"[c >> 4];
	*dst++ = "0123456789abcdef"[c & 0xF];
	return dst;
}

/* up to a word's octets, some of which may have to be escaped */
static pg_noinline char *
escape_slowly(char *dst, const char *src, Size n)
{
	while (n-- > 0)
		dst = escape_octet(dst, (unsigned char) *src++);
	return dst;
}

char *
outbox_escape(char *dst, const char *src, Size len)
{
	uint64		word;

	for (; len >= sizeof(word); src += sizeof(word), len -= sizeof(word))
	{
		memcpy(&word, src, sizeof(word));
		if (likely(!needs_escape(word)))
		{
			memcpy(dst, &word, sizeof(word));
			dst += sizeof(word);
		}
		else
			dst = escape_slowly(dst, src, sizeof(word));
	}
	word = load_rest(src, len);
	if (unlikely(needs_escape(word)))
		return escape_slowly(dst, src, len);
	/* a whole word: there is room, and what is too much is written over */
	memcpy(dst, &word, sizeof(word));
	return dst + len;
}

void
outbox_append_escaped(StringInfo out, const char *text, Size len)
{
	do
	{
		Size		piece = Min(len, PIECE);
		char	   *p = reserve(out, piece * OUTBOX_ESCAPE_GROWTH + OUTBOX_ESCAPE_SLACK);

		out->len = (int) (outbox_escape(p, text, piece) - out->data);
		text += piece;
		len -= piece;
	} while (len > 0);
}

/* ---------- encoding ---------- */

static bool
is_ascii(const char *text, Size len)
{
	uint64		high = 0;

	for (; len >= sizeof(uint64); len -= sizeof(uint64), text += sizeof(uint64))
	{
		uint64		word;

		memcpy(&word, text, sizeof(word));
		high |= word;
	}
	for (; len > 0; len--)
		high |= (unsigned char) *text++;
	return (high & UINT64CONST(0x8080808080808080)) == 0;
}

/* the server's default conversion to UTF-8, looked up once */
static Oid
find_conversion(OutboxState *state)
{
	if (!state->conversion_known)
	{
		state->conversion = FindDefaultConversionProc(state->encoding, PG_UTF8);
		state->conversion_known = true;
	}
	return state->conversion;
}

/*
 * Converts piece by piece, stopping without ERROR at what has no counterpart.
 * A character may be cut at the end of a piece: it is then the next one's first.
 */
static OutboxResult
convert(OutboxState *state, StringInfo out, const char *text, Size len, Size limit)
{
	const int	before = out->len;
	Oid			proc = find_conversion(state);

	if (!OidIsValid(proc))
		return OUTBOX_NOT_UTF8;
	while (len > 0)
	{
		int			piece = (int) Min(len, PIECE);
		int			space = piece * MAX_CONVERSION_GROWTH + 1;
		char	   *dst = reserve(out, space);
		int			done = pg_do_encoding_conversion_buf(proc, state->encoding, PG_UTF8,
														 (unsigned char *) unconstify(char *, text),
														 piece, (unsigned char *) dst, space, true);

		if (done <= 0 || (Size) (out->len - before) > limit)
		{
			out->len = before;
			out->data[before] = '\0';
			return done <= 0 ? OUTBOX_NOT_UTF8 : OUTBOX_TOO_LARGE;
		}
		out->len += (int) strlen(dst);
		text += done;
		len -= done;
	}
	if ((Size) (out->len - before) > limit)
	{
		out->len = before;
		return OUTBOX_TOO_LARGE;
	}
	return OUTBOX_OK;
}

static OutboxResult
append_utf8(StringInfo out, const char *text, Size len, Size limit, bool escape)
{
	if (len > limit)
		return OUTBOX_TOO_LARGE;
	if (escape)
		outbox_append_escaped(out, text, len);
	else
	{
		char	   *p = reserve(out, len);

		memcpy(p, text, len);
		out->len += (int) len;
	}
	return OUTBOX_OK;
}

OutboxResult
outbox_append_text(OutboxState *state, StringInfo out, const char *text, Size len,
				   Size limit, bool escape)
{
	OutboxResult result;

	if (likely(state->encoding == PG_UTF8) || is_ascii(text, len))
		return append_utf8(out, text, len, limit, escape);

	if (state->encoding == PG_SQL_ASCII)
	{
		if (len > limit)
			return OUTBOX_TOO_LARGE;
		if (pg_encoding_verifymbstr(PG_UTF8, text, (int) len) != (int) len)
			return OUTBOX_NOT_UTF8;
		return append_utf8(out, text, len, limit, escape);
	}
	if (!escape)
		return convert(state, out, text, len, limit);

	resetStringInfo(&state->scratch);
	result = convert(state, &state->scratch, text, len, limit);
	if (result != OUTBOX_OK)
		return result;
	return append_utf8(out, state->scratch.data, state->scratch.len, limit, true);
}

/* ---------- by kind ---------- */

static OutboxResult
append_jsonb(OutboxState *state, StringInfo out, Datum value, Size limit, bool escape)
{
	StringInfoData text;
	const char *data;
	Size		size;
	OutboxResult result = open_varlena(value, limit * JSONB_OVERHEAD + JSONB_SLACK, &data, &size);

	if (result != OUTBOX_OK)
		return result;
	if (!escape && state->encoding == PG_UTF8)
		return outbox_append_jsonb(out, data, size, limit);

	initStringInfo(&text);
	result = outbox_append_jsonb(&text, data, size, limit);
	if (result == OUTBOX_OK)
		result = outbox_append_text(state, out, text.data, text.len, limit, escape);
	pfree(text.data);
	return result;
}

static OutboxResult
append_varlena_text(OutboxState *state, StringInfo out, Datum value, Size limit, bool escape)
{
	const char *data;
	Size		size;
	OutboxResult result;

	result = open_varlena(value, state->encoding == PG_UTF8 ? limit : limit * CONVERSION_SHRINK,
						  &data, &size);
	if (result != OUTBOX_OK)
		return result;
	return outbox_append_text(state, out, data, size, limit, escape);
}

static OutboxResult
append_bytea(StringInfo out, Datum value, Size limit)
{
	const char *data;
	Size		size;
	OutboxResult result = open_varlena(value, limit, &data, &size);

	if (result != OUTBOX_OK)
		return result;
	return append_utf8(out, data, size, limit, false);
}

static OutboxResult
append_numeric(StringInfo out, Datum value, Size limit)
{
	const char *data;
	Size		size;
	Size		space;
	OutboxResult result = open_varlena(value, limit, &data, &size);
	const int	before = out->len;

	if (result != OUTBOX_OK)
		return result;
	space = outbox_numeric_space(data, size);
	if (space == 0)
		return OUTBOX_BAD_TYPE;
	out->len = (int) (outbox_numeric_text(reserve(out, space), data, size) - out->data);
	if ((Size) (out->len - before) <= limit)
		return OUTBOX_OK;
	out->len = before;
	return OUTBOX_TOO_LARGE;
}

static OutboxResult
append_integer(StringInfo out, int64 value, Size limit)
{
	char		text[INTEGER_SPACE];

	return append_utf8(out, text, pg_lltoa(value, text), limit, false);
}

/* infinity becomes the largest number there is, -infinity the smallest */
static OutboxResult
append_timestamp(StringInfo out, Timestamp value, Size limit)
{
	if (!TIMESTAMP_NOT_FINITE(value))
		value += UNIX_EPOCH_USECS;
	return append_integer(out, value, limit);
}

/* the two digits of every octet */
#define HEX_ROW(d) \
	d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"
static const char hex_pairs[] =
HEX_ROW("0") HEX_ROW("1") HEX_ROW("2") HEX_ROW("3") HEX_ROW("4") HEX_ROW("5") HEX_ROW("6") HEX_ROW("7")
HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b") HEX_ROW("c") HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");

static inline char *
put_hex(char *dst, const unsigned char *src, int n)
{
	for (int i = 0; i < n; i++, dst += 2)
		memcpy(dst, hex_pairs + 2 * src[i], 2);
	return dst;
}

static OutboxResult
append_uuid(StringInfo out, Datum value, Size limit)
{
	const unsigned char *src = DatumGetUUIDP(value)->data;
	char	   *p;

	if (limit < UUID_TEXT)
		return OUTBOX_TOO_LARGE;
	p = put_hex(reserve(out, UUID_TEXT), src, 4);
	for (int i = 4; i < 10; i += 2)
	{
		*p++ = '-';
		p = put_hex(p, src + i, 2);
	}
	*p++ = '-';
	put_hex(p, src + 10, 6);
	out->len += UUID_TEXT;
	return OUTBOX_OK;
}

static OutboxResult
append_enum(OutboxState *state, StringInfo out, Datum value, Size limit, bool escape)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, value);
	const char *label;
	OutboxResult result;

	if (!HeapTupleIsValid(tuple))
		return OUTBOX_BAD_TYPE;
	label = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	result = outbox_append_text(state, out, label, strlen(label), limit, escape);
	ReleaseSysCache(tuple);
	return result;
}

OutboxResult
outbox_append_value(OutboxState *state, StringInfo out, OutboxKind kind, Datum value,
					Size limit, bool escape)
{
	switch (kind)
	{
		case OUTBOX_KIND_TEXT:
			return append_varlena_text(state, out, value, limit, escape);
		case OUTBOX_KIND_JSONB:
			return append_jsonb(state, out, value, limit, escape);
		case OUTBOX_KIND_UUID:
			return append_uuid(out, value, limit);
		case OUTBOX_KIND_BYTEA:
			return append_bytea(out, value, limit);
		case OUTBOX_KIND_NAME:
			return outbox_append_text(state, out, NameStr(*DatumGetName(value)),
									  strlen(NameStr(*DatumGetName(value))), limit, escape);
		case OUTBOX_KIND_INT2:
			return append_integer(out, DatumGetInt16(value), limit);
		case OUTBOX_KIND_INT4:
			return append_integer(out, DatumGetInt32(value), limit);
		case OUTBOX_KIND_INT8:
			return append_integer(out, DatumGetInt64(value), limit);
		case OUTBOX_KIND_NUMERIC:
			return append_numeric(out, value, limit);
		case OUTBOX_KIND_TIMESTAMP:
			return append_timestamp(out, DatumGetTimestamp(value), limit);
		case OUTBOX_KIND_ENUM:
			return append_enum(state, out, value, limit, escape);
		case OUTBOX_KIND_NULL:
		case OUTBOX_KIND_LITERAL:
		case OUTBOX_KIND_UNSUPPORTED:
			break;
	}
	return OUTBOX_BAD_TYPE;
}
