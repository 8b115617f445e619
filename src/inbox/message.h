/*
 * message.h - a message of Kafka's, as everything here sees it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_MESSAGE_H
#define INBOX_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/slice.h"

#define MESSAGE_MAX_HEADERS	256	/* more are no headers of ours; they are left out */

struct message_header
{
	struct slice name;
	struct slice value;			/* data == NULL: a null header */
};

/* Everything belongs to whoever holds "owner". */
struct message
{
	const char *topic;
	int32_t		partition;
	int64_t		offset;
	int64_t		time;			/* ms since the epoch; -1 = none */
	struct slice key;			/* data == NULL: none */
	struct slice payload;		/* data == NULL: a tombstone */
	const struct message_header *headers;
	size_t		nheaders;
	const char *stored_headers; /* all of them as parameters_headers() wrote them; NULL:
								 * they are in headers */
	void	   *owner;			/* of the Kafka client */
};

/* The value of the last header of this name, or data == NULL. */
extern struct slice message_header(const struct message *message, const char *name);

/* Octets that it counts for in limits. */
extern size_t message_octets(const struct message *message);

/* Both have the same topic and key; messages without key are never alike. */
extern bool message_same_key(const struct message *a, const struct message *b);

#endif							/* INBOX_MESSAGE_H */
