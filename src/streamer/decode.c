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

struct member_name
{
	const char *text;			/* name":" as it stands behind ," */
	size_t		len;
};

static const struct member_name member_names[OUTBOX_WIRE_NMEMBERS] = {
#define MEMBER_NAME(symbol, name) {name "\":\"", sizeof(name "\":\"") - 1},
	OUTBOX_WIRE_MEMBERS(MEMBER_NAME)
#undef MEMBER_NAME
};

static bool
take(struct decoder *d, const char *text, size_t len)
{
	if ((size_t) (d->end - d->pos) < len || memcmp(d->pos, text, len) != 0)
		return false;
	d->pos += len;
	return true;
}

#define TAKE(d, literal) take(d, literal, sizeof(literal) - 1)

/* A decimal without sign or leading zeros, at most max. */
static bool
take_number(struct decoder *d, uint64_t max, uint64_t *number)
{
	const char *start = d->pos;
	uint64_t	value = 0;

	while (d->pos < d->end && *d->pos >= '0' && *d->pos <= '9')
	{
		unsigned	digit = (unsigned) (*d->pos - '0');

		if (value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
		d->pos++;
	}
	if (d->pos == start || (*start == '0' && d->pos - start > 1))
		return false;
	*number = value;
	return true;
}

/* An LSN and its closing quotation mark. */
static bool
take_lsn(struct decoder *d, lsn_t *lsn)
{
	size_t		room = (size_t) (d->end - d->pos);
	const char *quote = memchr(d->pos, '"', room < 18 ? room : 18);

	if (!quote || !lsn_parse(d->pos, (size_t) (quote - d->pos), lsn))
		return false;
	d->pos += quote - d->pos + 1;
	return true;
}

/* The octet that an escape sequence stands for, or -1; moves past it. */
static int
take_escape(struct decoder *d)
{
	static const char short_forms[] = "\"\\bfnrt";
	static const char values[] = "\"\\\b\f\n\r\t";
	const char *form;
	int			high,
				low;

	if (d->end - d->pos < 2)
		return -1;
	if (d->pos[1] != 'u')
	{
		form = d->pos[1] ? strchr(short_forms, d->pos[1]) : NULL;
		if (!form)
			return -1;
		d->pos += 2;
		return (unsigned char) values[form - short_forms];
	}
	if (d->end - d->pos < 6 || d->pos[2] != '0' || d->pos[3] != '0')
		return -1;
	high = d->pos[4] - '0';
	low = d->pos[5] >= 'a' && d->pos[5] <= 'f' ? d->pos[5] - 'a' + 10 :
		d->pos[5] >= '0' && d->pos[5] <= '9' ? d->pos[5] - '0' : -1;
	if (high < 0 || high > 1 || low < 0)
		return -1;
	d->pos += 6;
	return high * 16 + low;
}

/*
 * The rest of a string whose opening quotation mark has been read.  Unescaped
 * in place: what comes out is never longer than what went in.
 */
static bool
take_string(struct decoder *d, struct slice *out)
{
	char	   *start = d->pos;
	char	   *write;

	while (d->pos < d->end && *d->pos != '"' && *d->pos != '\\' &&
		   (unsigned char) *d->pos >= 0x20)
		d->pos++;
	write = d->pos;
	while (d->pos < d->end && *d->pos != '"')
	{
		int			octet = (unsigned char) *d->pos;

		if (octet < 0x20)
			return false;
		if (octet == '\\')
			octet = take_escape(d);
		else
			d->pos++;
		if (octet < 0)
			return false;
		*write++ = (char) octet;
	}
	if (d->pos == d->end)
		return false;
	d->pos++;
	*out = (struct slice) {start, (size_t) (write - start)};
	return true;
}

/* Everything between the index and the size: members in their order. */
static bool
take_members(struct decoder *d)
{
	int			next = 0;

	memset(d->event.member, 0, sizeof(d->event.member));
	for (;;)
	{
		if (!TAKE(d, ","))
			return false;
		if (TAKE(d, OUTBOX_WIRE_SIZE))
			return true;
		if (!TAKE(d, "\""))
			return false;
		while (next < OUTBOX_WIRE_NMEMBERS &&
			   !take(d, member_names[next].text, member_names[next].len))
			next++;
		if (next == OUTBOX_WIRE_NMEMBERS ||
			!take_string(d, &d->event.member[next]))
			return false;
		next++;
	}
}

/* The size and the payload behind it. */
static bool
take_payload(struct decoder *d)
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
	if (!TAKE(d, "}\n") || (size_t) (d->end - d->pos) < size)
		return false;
	d->event.payload = (struct slice) {present ? d->pos : NULL, size};
	d->pos += size;
	return TAKE(d, "\n");
}

static bool
take_event(struct decoder *d)
{
	uint64_t	n;

	if (!take_number(d, UINT32_MAX - 1, &n) || n != d->transaction.events ||
		!take_members(d) || !take_payload(d))
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

	if (!take_lsn(d, &d->transaction.lsn) || d->transaction.lsn == LSN_INVALID ||
		!TAKE(d, ",\"wire\":") || !take_number(d, OUTBOX_WIRE_VERSION, &wire) ||
		wire < OUTBOX_WIRE_OLDEST ||
		!TAKE(d, ",\"xid\":") || !take_number(d, UINT32_MAX, &xid) ||
		!TAKE(d, ",\"time\":") || !take_number(d, INT64_MAX, &time) ||
		!TAKE(d, "}\n"))
		return false;
	d->transaction.xid = (uint32_t) xid;
	d->transaction.time_us = (int64_t) time;
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
		events != d->transaction.events || !TAKE(d, "}\n"))
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
			if (take_event(d))
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
