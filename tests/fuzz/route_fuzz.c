/*
 * route_fuzz.c - any pattern and any event.
 *
 * The input is lines: the pattern, commit time, index, then the members of a
 * head in their order ("-" = absent), and what is left is the payload.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>

#include "route.h"

#define NOW_MS	INT64_C(1760000000000)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line, in a copy of its own with an octet behind it that is no NUL. */
static struct slice
next_line(struct slice *rest)
{
	const char *lf = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	size_t		len = lf ? (size_t) (lf - rest->data) : rest->len;
	char	   *copy = malloc(len + 1);

	memcpy(copy, rest->data, len);
	copy[len] = '!';
	rest->data += lf ? len + 1 : len;
	rest->len -= lf ? len + 1 : len;
	return (struct slice) {copy, len};
}

static int64_t
number(struct slice line)
{
	uint64_t	value = 0;

	for (size_t i = 0; i < line.len; i++)
		value = value * 10 + (uint64_t) (line.data[i] - '0');
	return (int64_t) value;
}

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_message(const struct message *message, const struct wire_event *event)
{
	must(topic_name_valid(message->topic, message->topic_len));
	must(strlen(message->topic) == message->topic_len);
	must(message->timestamp_ms > 0 && message->timestamp_ms <= NOW_MS + 3600000);
	must(message->nheaders > 0 && message->nheaders <= MESSAGE_HEADERS_MAX);
	for (int i = 0; i < message->nheaders; i++)
	{
		size_t		sum = 0;

		/* every octet can be read */
		for (size_t j = 0; j < message->headers[i].name.len; j++)
			sum += (unsigned char) message->headers[i].name.data[j];
		for (size_t j = 0; j < message->headers[i].value.len; j++)
			sum += (unsigned char) message->headers[i].value.data[j];
		must(sum < SIZE_MAX);
	}
	must(slice_equal(message->key, event->member[OUTBOX_WIRE_KEY].data ?
					 event->member[OUTBOX_WIRE_KEY] : event->member[OUTBOX_WIRE_AGGREGATEID]));
	must(slice_equal(message->payload, event->payload));
	must(message->has_partition_key == (event->member[OUTBOX_WIRE_PARTITION_KEY].data != NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct timeline timeline = {.current = 2, .npast = 1, .past = {{1, 0x1000}}};
	struct slice rest = {(const char *) data, size};
	struct slice line[3 + OUTBOX_WIRE_NMEMBERS];
	struct wire_transaction transaction = {0};
	struct wire_event event = {0};
	struct err	err = {0};
	struct router *router;

	for (int i = 0; i < 3 + OUTBOX_WIRE_NMEMBERS; i++)
		line[i] = next_line(&rest);
	((char *) line[0].data)[line[0].len] = '\0';
	transaction.time_us = number(line[1]);
	transaction.lsn = (lsn_t) transaction.time_us;
	event.n = (uint32_t) number(line[2]);
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		if (!slice_equal(line[3 + i], slice_of("-")))
			event.member[i] = line[3 + i];
	event.payload = rest;

	router = route_new(line[0].data, &err);
	must(router || (err.class == ERR_CONFIG && err.hint[0]));
	if (router)
	{
		struct message message;
		enum err_class class = route_event(router, &timeline, &transaction, &event, NOW_MS, &message, &err);

		must(strlen(message.position) == POSITION_LEN);
		must(class == ERR_NONE || class == ERR_DATA);
		must(class == ERR_NONE || !event.member[OUTBOX_WIRE_ERROR].data || err.message[0]);
		if (class == ERR_NONE)
			check_message(&message, &event);
		route_free(router);
	}
	for (int i = 0; i < 3 + OUTBOX_WIRE_NMEMBERS; i++)
		free((char *) line[i].data);
	return 0;
}
