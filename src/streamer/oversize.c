/*
 * oversize.c - which sizes a topic has refused, so that no more are tried.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "oversize.h"

#include <string.h>

/* attributes, and the differences to the batch's first time and offset: 0 */
#define RECORD_FIXED	3

/* A length as a varint: zigzag, seven bits to an octet. */
static size_t
varint_octets(size_t length)
{
	uint64_t	value = (uint64_t) length * 2;
	size_t		octets = 1;

	while (value >>= 7)
		octets++;
	return octets;
}

/* A length of -1 stands for none. */
static size_t
field_octets(struct slice field)
{
	return field.data ? varint_octets(field.len) + field.len : 1;
}

size_t
oversize_octets(const struct message *message)
{
	size_t		octets = RECORD_FIXED + field_octets(message->key) + field_octets(message->payload) +
		varint_octets((size_t) message->nheaders);

	for (int i = 0; i < message->nheaders; i++)
		octets += field_octets(message->headers[i].name) + field_octets(message->headers[i].value);
	return varint_octets(octets) + octets;
}

/* Its place, or ntopics. */
static int
find(const struct oversize *oversize, const char *topic)
{
	int			i = 0;

	while (i < oversize->ntopics && strcmp(oversize->topics[i].topic, topic) != 0)
		i++;
	return i;
}

/* A place for a topic that has none. */
static int
add(struct oversize *oversize, const char *topic)
{
	int			i;

	/* more than can be told apart: the oldest is found out again */
	if (oversize->ntopics == OVERSIZE_TOPICS)
		memmove(oversize->topics, oversize->topics + 1,
				sizeof(oversize->topics[0]) * (size_t) --oversize->ntopics);
	i = oversize->ntopics++;
	memcpy(oversize->topics[i].topic, topic, strlen(topic) + 1);
	oversize->topics[i].until = 0;
	return i;
}

static void
learn(struct oversize *oversize, const char *topic, size_t octets, int64_t now)
{
	int			i = find(oversize, topic);

	if (i == oversize->ntopics)
		i = add(oversize, topic);
	if (octets < oversize->topics[i].octets || now >= oversize->topics[i].until)
		oversize->topics[i].octets = octets;
	oversize->topics[i].until = now + OVERSIZE_MS;
}

void
oversize_limit(struct oversize *oversize, const char *topic, int64_t octets, int64_t now)
{
	learn(oversize, topic, (size_t) octets + 1, now);
}

void
oversize_note(struct oversize *oversize, const struct message *message, int64_t now)
{
	learn(oversize, message->topic, oversize_octets(message), now);
}

bool
oversize_refuses(struct oversize *oversize, const struct message *message, int64_t now)
{
	int			i = find(oversize, message->topic);

	return i < oversize->ntopics && now < oversize->topics[i].until &&
		oversize_octets(message) >= oversize->topics[i].octets;
}
