/*
 * decode.c - frames to events: a strict reader of decoder_plugin/wire.h.
 *
 * Every octet of a head is looked at once, and the payload's not at all.
 * All reading goes through a cursor that knows the end of the frame; nothing
 * is NUL-terminated.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "decode.h"

#include <endian.h>

static inline bool
take(struct decoder *d, const char *text, size_t len)
{
	if ((size_t) (d->end - d->pos) < len || memcmp(d->pos, text, len) != 0)
		return false;
	d->pos += len;
	return true;
}

#define TAKE(d, literal) take(d, literal, sizeof(literal) - 1)

/* A decimal without sign or leading zeros, at most max (below 10^19). */
static bool
take_number(struct decoder *d, uint64_t max, uint64_t *number)
{
	const char *start = d->pos;
	char	   *pos = d->pos;
	uint64_t	value = 0;

	/* 19 digits always fit */
	for (; pos < d->end && *pos >= '0' && *pos <= '9' && pos - start < 19; pos++)
		value = value * 10 + (uint64_t) (*pos - '0');
	d->pos = pos;
	*number = value;
	return pos > start && (*start != '0' || pos - start == 1) && value <= max;
}

/* Half of an LSN: %X, so no lower case and no leading zeros. */
static bool
take_half(struct decoder *d, uint32_t *half)
{
	const char *start = d->pos;
	char	   *pos = d->pos;
	uint32_t	value = 0;

	for (; pos < d->end && pos - start < 8; pos++)
	{
		uint32_t	octet = (unsigned char) *pos;

		if (octet >= '0' && octet <= '9')
			value = value << 4 | (octet - '0');
		else if (octet >= 'A' && octet <= 'F')
			value = value << 4 | (octet - 'A' + 10);
		else
			break;
	}
	d->pos = pos;
	*half = value;
	return pos > start && (*start != '0' || pos - start == 1);
}

/* An LSN and its closing quotation mark. */
static bool
take_lsn(struct decoder *d, lsn_t *lsn)
{
	uint32_t	high;
	uint32_t	low;

	if (!take_half(d, &high) || !TAKE(d, "/") || !take_half(d, &low) || !TAKE(d, "\""))
		return false;
	/* the analyzer takes high for an int once it knows its value */
	*lsn = (lsn_t) high << 32 | low;	/* NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	return true;
}

/*
 * The octet that an escape sequence stands for, or -1; moves past it.  \u is
 * for those only that have no short form.
 */
static int
take_escape(struct decoder *d)
{
	const char *pos = d->pos;
	int			high,
				low;

	if (d->end - pos < 2)
		return -1;
	d->pos += 2;
	switch (pos[1])
	{
		case '"':
		case '\\':
			return pos[1];
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		case 'u':
			break;
		default:
			return -1;
	}
	if (d->end - pos < 6 || pos[2] != '0' || pos[3] != '0')
		return -1;
	d->pos += 4;
	high = pos[4] - '0';
	low = pos[5] >= 'a' && pos[5] <= 'f' ? pos[5] - 'a' + 10 :
		pos[5] >= '0' && pos[5] <= '9' ? pos[5] - '0' : -1;
	if (high < 0 || high > 1 || low < 0 ||
		memchr("\b\f\n\r\t", high * 16 + low, 5))
		return -1;
	return high * 16 + low;
}

/* Not zero if one of the eight octets is a quotation mark, a reverse solidus
 * or a control character; the lowest bit set is in the first of them. */
static inline uint64_t
special_octets(uint64_t octets)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t	quote = octets ^ ones * '"';
	uint64_t	solidus = octets ^ ones * '\\';

	/* a subtraction borrows into the top bit of each octet that is too small */
	return (((quote - ones) & ~quote) | ((solidus - ones) & ~solidus) |
			((octets - ones * 0x20) & ~octets)) & ones * 0x80;
}

/* Where the octets end that stand for themselves, at the latest at the end. */
static char *
plain_end(char *pos, const char *end)
{
	for (; end - pos >= 8; pos += 8)
	{
		uint64_t	octets;
		uint64_t	special;

		memcpy(&octets, pos, 8);
		special = special_octets(le64toh(octets));
		if (special)
			return pos + __builtin_ctzll(special) / 8;
	}
	while (pos < end && *pos != '"' && *pos != '\\' && (unsigned char) *pos >= 0x20)
		pos++;
	return pos;
}

/*
 * The rest of a string whose opening quotation mark has been read.  Unescaped
 * in place: what comes out is never longer than what went in.
 */
static bool
take_string(struct decoder *d, struct slice *out)
{
	char	   *start = d->pos;
	char	   *write = plain_end(start, d->end);

	d->pos = write;
	while (d->pos < d->end && *d->pos == '\\')
	{
		int			octet = take_escape(d);
		char	   *plain = d->pos;

		if (octet < 0)
			return false;
		*write++ = (char) octet;
		d->pos = plain_end(plain, d->end);
		memmove(write, plain, (size_t) (d->pos - plain));
		write += d->pos - plain;
	}
	*out = (struct slice) {start, (size_t) (write - start)};
	return TAKE(d, "\"");
}

/*
 * The name of a member and the mark that opens its value; next is the first
 * that may come.  Those that were left out are absent, all if none is found.
 */
static int
take_name(struct decoder *d, int next)
{
	switch (next)
	{
#define TRY_MEMBER(symbol, name) \
		case OUTBOX_WIRE_##symbol: \
			if (TAKE(d, name "\":\"")) \
				return OUTBOX_WIRE_##symbol; \
			d->event.member[OUTBOX_WIRE_##symbol] = (struct slice) {NULL, 0}; \
			__attribute__((fallthrough));
		OUTBOX_WIRE_MEMBERS(TRY_MEMBER)
#undef TRY_MEMBER
		default:
			return OUTBOX_WIRE_NMEMBERS;
	}
}

/* Everything between the index and the size: members in their order. */
static bool
take_members(struct decoder *d)
{
	int			next = 0;

	for (;;)
	{
		if (!TAKE(d, ",\""))
			return false;
		next = take_name(d, next);
		if (next == OUTBOX_WIRE_NMEMBERS)
			return TAKE(d, "size\":");
		if (!take_string(d, &d->event.member[next++]))
			return false;
	}
}

/* The size, the end of the head line and the payload behind it. */
static bool
take_payload(struct decoder *d, const char *line)
{
	uint64_t	size = 0;
	bool		present = !TAKE(d, "null");

	if (present)
	{
		const char *field = d->pos;

		while (d->pos < d->end && *d->pos == ' ')
			d->pos++;
		if (!take_number(d, UINT32_MAX, &size) ||
			d->pos - field != OUTBOX_WIRE_SIZE_WIDTH)
			return false;
	}
	if (!TAKE(d, "}\n") || d->pos - 1 - line > OUTBOX_WIRE_MAX_HEAD ||
		(present && d->event.member[OUTBOX_WIRE_ERROR].data))
		return false;
	if ((size_t) (d->end - d->pos) < size)
		return false;
	d->event.payload = (struct slice) {present ? d->pos : NULL, size};
	d->pos += size;
	return TAKE(d, "\n");
}

static bool
take_event(struct decoder *d, const char *line)
{
	uint64_t	n;

	if (!take_number(d, UINT32_MAX - 1, &n) || n != d->transaction.events ||
		!take_members(d) || !take_payload(d, line))
		return false;
	d->event.n = (uint32_t) n;
	d->transaction.events++;
	return true;
}

static bool
take_begin(struct decoder *d)
{
	uint64_t	wire,
				xid,
				time;
	bool		negative;

	if (!take_lsn(d, &d->transaction.lsn) || d->transaction.lsn == LSN_INVALID ||
		!TAKE(d, ",\"wire\":") || !take_number(d, OUTBOX_WIRE_VERSION, &wire) ||
		wire < OUTBOX_WIRE_OLDEST ||
		!TAKE(d, ",\"xid\":") || !take_number(d, UINT32_MAX, &xid) ||
		!TAKE(d, ",\"time\":"))
		return false;
	negative = TAKE(d, "-");
	if (!take_number(d, INT64_MAX, &time) || (negative && time == 0) || !TAKE(d, "}\n"))
		return false;
	d->transaction.xid = (uint32_t) xid;
	d->transaction.time_us = negative ? -(int64_t) time : (int64_t) time;
	d->transaction.events = 0;
	d->in_transaction = true;
	return true;
}

static bool
take_commit(struct decoder *d)
{
	lsn_t		lsn;
	uint64_t	events;

	if (!take_lsn(d, &lsn) || lsn != d->transaction.lsn ||
		!TAKE(d, ",\"events\":") || !take_number(d, UINT32_MAX, &events) ||
		events != d->transaction.events || events == 0 || !TAKE(d, "}\n"))
		return false;
	d->in_transaction = false;
	return true;
}

void
decode_reset(struct decoder *d)
{
	memset(d, 0, sizeof(*d));
}

void
decode_feed(struct decoder *d, char *data, size_t len)
{
	d->pos = data;
	d->end = data + len;
}

enum decode_item
decode_next(struct decoder *d, struct err *err)
{
	const char *line = d->pos;

	if (d->pos == d->end)
		return DECODE_END;
	if (d->in_transaction)
	{
		if (TAKE(d, OUTBOX_WIRE_HEAD))
		{
			if (take_event(d, line))
				return DECODE_EVENT;
		}
		else if (TAKE(d, OUTBOX_WIRE_COMMIT) && take_commit(d))
			return DECODE_COMMIT;
	}
	else if (TAKE(d, OUTBOX_WIRE_BEGIN) && take_begin(d))
		return DECODE_BEGIN;

	err_set(err, ERR_FATAL, "wire-format",
			"unexpected output of the plugin, %zu octets into %s: \"%.*s\"",
			(size_t) (d->pos - line),
			d->in_transaction ? "a line of a transaction" : "a begin line",
			(int) (d->end - line < 80 ? d->end - line : 80), line);
	err_hint(err, "the plugin of the server and this program must be of neighbouring versions (wire %d to %d)",
			 OUTBOX_WIRE_OLDEST, OUTBOX_WIRE_VERSION);
	return DECODE_ERROR;
}
