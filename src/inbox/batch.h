/*
 * batch.h - messages that are applied in one transaction, in their order.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_BATCH_H
#define INBOX_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

struct batch
{
	struct message *messages;
	size_t		n;
	size_t		octets;
	size_t		max_messages;
	size_t		max_octets;
	void		(*release) (void *owner);	/* ends a message */
};

extern bool batch_init(struct batch *batch, size_t max_messages, size_t max_octets,
					   void (*release) (void *owner));
extern void batch_free(struct batch *batch);

/* It takes one more. */
extern bool batch_has_room(const struct batch *batch);

/* The message is the batch's from now on. */
extern void batch_add(struct batch *batch, const struct message *message);

/* Keeps the first n messages, releases the others. */
extern void batch_cut(struct batch *batch, size_t n);

#endif							/* INBOX_BATCH_H */
