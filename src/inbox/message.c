/*
 * message.c - a message of Kafka's, as everything here sees it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "message.h"

#define OVERHEAD	200			/* what the client and this struct need besides */

struct slice
message_header(const struct message *message, const char *name)
{
	struct slice wanted = slice_of(name);

	for (size_t i = message->nheaders; i > 0; i--)
	{
		if (slice_equal(message->headers[i - 1].name, wanted))
			return message->headers[i - 1].value;
	}
	return (struct slice) {NULL, 0};
}

size_t
message_octets(const struct message *message)
{
	size_t		octets = OVERHEAD + message->key.len + message->payload.len;

	for (size_t i = 0; i < message->nheaders; i++)
		octets += sizeof(message->headers[i]) + message->headers[i].name.len + message->headers[i].value.len;
	return octets;
}

bool
message_same_key(const struct message *a, const struct message *b)
{
	return a->key.data != NULL && slice_equal(a->key, b->key) && strcmp(a->topic, b->topic) == 0;
}
