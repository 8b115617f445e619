/*
 * wire_encode.h - what the plugin would write: an encoder of wire.h for tests.
 *
 * Written from the grammar, slow and simple, and sharing nothing with plugin
 * or decoder but the structs: names and order of the members stand here once
 * more, so that a change of wire.h that is no new version gets noticed.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TEST_WIRE_ENCODE_H
#define OUTBOX_TEST_WIRE_ENCODE_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode.h"

/* Grows; zero it before use, free(data) at the end, len = 0 to use it again. */
struct wire_out
{
	char	   *data;
	size_t		len;
	size_t		room;
};

static const char *const wire_member_names[] = {
	"table", "id", "aggregatetype", "aggregateid", "type", "topic", "key",
	"partition_key", "headers", "traceparent", "timestamp", "error"
};

_Static_assert(sizeof(wire_member_names) / sizeof(wire_member_names[0]) == OUTBOX_WIRE_NMEMBERS,
			   "members of a head");

__attribute__((unused)) static void
wire_put(struct wire_out *out, const void *data, size_t len)
{
	if (out->room - out->len < len || !out->data)
	{
		out->room = 2 * (out->len + len) + 256;
		out->data = realloc(out->data, out->room);
		if (!out->data)
			abort();
	}
	if (len > 0)
		memcpy(out->data + out->len, data, len);
	out->len += len;
}

__attribute__((unused, format(printf, 2, 3))) static void
wire_printf(struct wire_out *out, const char *fmt,...)
{
	char		text[256];
	va_list		args;
	int			len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0 || (size_t) len >= sizeof(text))
		abort();
	wire_put(out, text, (size_t) len);
}

__attribute__((unused)) static void
wire_put_string(struct wire_out *out, struct slice string)
{
	wire_put(out, "\"", 1);
	for (size_t i = 0; i < string.len; i++)
	{
		unsigned char octet = (unsigned char) string.data[i];

		switch (octet)
		{
			case '"':
				wire_put(out, "\\\"", 2);
				break;
			case '\\':
				wire_put(out, "\\\\", 2);
				break;
			case '\b':
				wire_put(out, "\\b", 2);
				break;
			case '\f':
				wire_put(out, "\\f", 2);
				break;
			case '\n':
				wire_put(out, "\\n", 2);
				break;
			case '\r':
				wire_put(out, "\\r", 2);
				break;
			case '\t':
				wire_put(out, "\\t", 2);
				break;
			default:
				if (octet < 0x20)
					wire_printf(out, "\\u%04x", octet);
				else
					wire_put(out, &octet, 1);
		}
	}
	wire_put(out, "\"", 1);
}

__attribute__((unused)) static void
wire_put_begin(struct wire_out *out, const struct wire_transaction *transaction)
{
	wire_printf(out, "{\"begin\":\"%X/%X\",\"wire\":1,\"xid\":%" PRIu32 ",\"time\":%" PRId64 "}\n",
				LSN_ARGS(transaction->lsn), transaction->xid, transaction->time_us);
}

__attribute__((unused)) static void
wire_put_event(struct wire_out *out, const struct wire_event *event)
{
	wire_printf(out, "{\"n\":%" PRIu32, event->n);
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		if (event->member[i].data)
		{
			wire_printf(out, ",\"%s\":", wire_member_names[i]);
			wire_put_string(out, event->member[i]);
		}
	if (event->payload.data)
		wire_printf(out, ",\"size\":%10zu}\n", event->payload.len);
	else
		wire_printf(out, ",\"size\":null}\n");
	wire_put(out, event->payload.data, event->payload.len);
	wire_put(out, "\n", 1);
}

/* transaction->events is what the line says. */
__attribute__((unused)) static void
wire_put_commit(struct wire_out *out, const struct wire_transaction *transaction)
{
	wire_printf(out, "{\"commit\":\"%X/%X\",\"events\":%" PRIu32 "}\n",
				LSN_ARGS(transaction->lsn), transaction->events);
}

#endif							/* OUTBOX_TEST_WIRE_ENCODE_H */
