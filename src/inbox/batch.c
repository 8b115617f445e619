/*
 * batch.c - messages that are applied in one transaction, in their order.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "batch.h"

#include <stdlib.h>

bool
batch_init(struct batch *batch, size_t max_messages, size_t max_octets, void (*release) (void *owner))
{
	*batch = (struct batch) {.max_messages = max_messages, .max_octets = max_octets, .release = release};
	batch->messages = calloc(max_messages, sizeof(*batch->messages));
	return batch->messages != NULL;
}

void
batch_free(struct batch *batch)
{
	batch_cut(batch, 0);
	free(batch->messages);
	batch->messages = NULL;
}

bool
batch_has_room(const struct batch *batch)
{
	return batch->n < batch->max_messages && batch->octets < batch->max_octets;
}

void
batch_add(struct batch *batch, const struct message *message)
{
	batch->messages[batch->n++] = *message;
	batch->octets += message_octets(message);
}

void
batch_cut(struct batch *batch, size_t n)
{
	while (batch->n > n)
	{
		struct message *message = &batch->messages[--batch->n];

		batch->octets -= message_octets(message);
		batch->release(message->owner);
	}
}
