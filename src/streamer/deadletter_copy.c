/*
 * deadletter_copy.c - what the dead-letter topic is told: a logical message of
 * the transaction that stores the row.
 *
 * So the copy and the row are there both or neither, and the stream delivers the
 * copy like any event, with the order and the guarantees of its mode.  The
 * payload is not in here: the statement takes it from the row.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "../common/utf8.h"
#include "deadletter_parts.h"

/* A row's further headers that are longer than this stay in the table: with all
 * else, and escaped, they might be more than a head may have. */
#define ROW_HEADERS_MAX		(256 * 1024)

/* A string as JSON; text that is no UTF-8 to its end is cut there. */
static void
add_string(struct text *out, struct slice text)
{
	text_add(out, "\"", 1);
	for (size_t i = 0, n; i < text.len; i += n)
	{
		n = utf8_sequence((const unsigned char *) text.data + i, text.len - i);
		if (n == 0)
			break;
		if ((unsigned char) text.data[i] < 0x20)
			text_print(out, "\\u%04x", (unsigned) text.data[i]);
		else
		{
			if (text.data[i] == '"' || text.data[i] == '\\')
				text_add(out, "\\", 1);
			text_add(out, text.data + i, n);
		}
	}
	text_add(out, "\"", 1);
}

static void
add_header(struct text *out, const char *name, struct slice value)
{
	text_print(out, "%s\"%s\":", out->len == 0 ? "{" : ",", name);
	add_string(out, value);
}

/* The members of the row's own object, if they can be sent at all. */
static void
add_row_headers(struct deadletter *d, struct text *out, struct slice headers)
{
	struct text *scratch = &d->copy.content;	/* reading changes it */
	const char *open = headers.data;

	text_clear(scratch);
	if (open && headers.len <= ROW_HEADERS_MAX)
		text_add(scratch, open, headers.len);
	if (!open || scratch->len == 0 ||
		route_count_headers((struct slice) {scratch->data, scratch->len}) <= 0)
	{
		text_add(out, "}", 1);
		out->failed |= scratch->failed;
		return;
	}
	while (*open != '{')
		open++;
	text_add(out, ",", 1);
	text_add(out, open + 1, headers.len - (size_t) (open + 1 - headers.data));
}

static void
add_field(struct text *out, struct slice field)
{
	if (!field.data)
	{
		text_add(out, "-,", 2);
		return;
	}
	text_print(out, "%zu:", field.len);
	text_add(out, field.data, field.len);
	text_add(out, ",", 1);
}

/* Not of what only waits, and of what is a copy itself. */
static bool
is_copied(const struct deadletter *d, const struct deadletter_copied *copied)
{
	return d->settings->dead_letter_topic[0] != '\0' && strcmp(copied->code, DEADLETTER_BEHIND) != 0 &&
		!slice_equal(copied->member[OUTBOX_WIRE_TABLE], slice_of(OUTBOX_DEAD_LETTER_TABLE));
}

bool
deadletter_copy(struct deadletter *d, const struct deadletter_copied *copied,
				struct slice *content)
{
	static const enum outbox_wire_member first[] = {
		OUTBOX_WIRE_ID, OUTBOX_WIRE_AGGREGATETYPE, OUTBOX_WIRE_AGGREGATEID, OUTBOX_WIRE_TYPE
	};
	struct text *headers = &d->copy.headers;
	struct text *out = &d->copy.content;
	char		version = OUTBOX_MESSAGE_VERSION;

	*content = (struct slice) {NULL, 0};
	if (!is_copied(d, copied))
		return true;
	text_clear(headers);
	add_header(headers, HEADER_DEAD_LETTER_CODE, slice_of(copied->code));
	add_header(headers, HEADER_DEAD_LETTER_REASON, slice_of(copied->reason));
	if (copied->topic.data)
		add_header(headers, HEADER_DEAD_LETTER_TOPIC, copied->topic);
	add_header(headers, HEADER_DEAD_LETTER_POSITION, copied->position);
	add_header(headers, HEADER_DEAD_LETTER_SLOT, slice_of(d->settings->slot));
	if (!copied->complete)
		add_header(headers, HEADER_DEAD_LETTER_PAYLOAD, slice_of(DEAD_LETTER_PAYLOAD_OMITTED));
	add_row_headers(d, headers, copied->headers);

	text_clear(out);
	text_add(out, &version, 1);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		add_field(out, copied->member[first[i]]);
	add_field(out, slice_of(d->settings->dead_letter_topic));
	add_field(out, copied->key);
	add_field(out, copied->member[OUTBOX_WIRE_PARTITION_KEY]);
	add_field(out, (struct slice) {headers->data, headers->len});
	add_field(out, copied->member[OUTBOX_WIRE_TRACEPARENT]);
	*content = (struct slice) {out->data, out->len};
	return !headers->failed && !out->failed;
}
