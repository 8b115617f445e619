/*
 * parked.c - which keys have a dead letter.
 *
 * Open addressing with linear probing; removal moves what follows back, so
 * that no tombstones pile up.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "parked.h"

#include <stdlib.h>

#define FIRST_CAPACITY	64

/* FNV-1a, 64 bits (Fowler, Noll, Vo) */
#define HASH_SEED		UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME		UINT64_C(0x100000001b3)

static uint64_t
hash_octets(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *octets = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ octets[i]) * HASH_PRIME;
	return hash;
}

/* All bits depend on all octets (the finalizer of MurmurHash3). */
static uint64_t
finish(uint64_t hash)
{
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	hash ^= hash >> 33;
	return hash != 0 ? hash : 1;
}

uint64_t
parked_queue_of_key(const char *topic, size_t topic_len, struct slice key)
{
	uint64_t	hash = hash_octets(HASH_SEED, topic, topic_len);

	/* no topic's name holds the separator */
	hash = hash_octets(hash, "\n", 1);
	return finish(hash_octets(hash, key.data, key.len));
}

uint64_t
parked_queue_of_event(const struct parked_position *position)
{
	uint64_t	hash = hash_octets(HASH_SEED, &position->timeline, sizeof(position->timeline));

	hash = hash_octets(hash, &position->lsn, sizeof(position->lsn));
	return finish(hash_octets(hash, &position->n, sizeof(position->n)));
}

int
parked_compare(const struct parked_position *a, const struct parked_position *b)
{
	if (a->timeline != b->timeline)
		return a->timeline < b->timeline ? -1 : 1;
	if (a->lsn != b->lsn)
		return a->lsn < b->lsn ? -1 : 1;
	return a->n == b->n ? 0 : a->n < b->n ? -1 : 1;
}

void
parked_init(struct parked *p, size_t most)
{
	*p = (struct parked) {.most = most};
}

void
parked_clear(struct parked *p)
{
	free(p->entries);
	p->entries = NULL;
	p->capacity = p->count = 0;
}

/* Where the queue is, or would be put. */
static struct parked_entry *
place(const struct parked *p, uint64_t queue)
{
	size_t		i = (size_t) queue & (p->capacity - 1);

	while (p->entries[i].queue != 0 && p->entries[i].queue != queue)
		i = (i + 1) & (p->capacity - 1);
	return &p->entries[i];
}

static bool
grow(struct parked *p)
{
	struct parked old = *p;

	p->capacity = old.capacity > 0 ? old.capacity * 2 : FIRST_CAPACITY;
	p->entries = calloc(p->capacity, sizeof(*p->entries));
	if (!p->entries)
	{
		*p = old;
		return false;
	}
	for (size_t i = 0; i < old.capacity; i++)
		if (old.entries[i].queue != 0)
			*place(p, old.entries[i].queue) = old.entries[i];
	free(old.entries);
	return true;
}

struct parked_entry *
parked_find(const struct parked *p, uint64_t queue)
{
	struct parked_entry *entry;

	if (p->count == 0)
		return NULL;
	entry = place(p, queue);
	return entry->queue != 0 ? entry : NULL;
}

struct parked_entry *
parked_add(struct parked *p, uint64_t queue, const struct parked_position *since)
{
	struct parked_entry *entry = parked_find(p, queue);

	if (!entry)
	{
		if (p->count >= p->most || ((p->count + 1) * 2 > p->capacity && !grow(p)))
			return NULL;
		entry = place(p, queue);
		*entry = (struct parked_entry) {.queue = queue, .since = *since};
		p->count++;
	}
	else if (parked_compare(since, &entry->since) < 0)
		entry->since = *since;
	return entry;
}

bool
parked_holds(const struct parked *p, uint64_t queue, const struct parked_position *position)
{
	const struct parked_entry *entry = parked_find(p, queue);

	return entry && parked_compare(position, &entry->since) >= 0;
}

void
parked_remove(struct parked *p, uint64_t queue)
{
	struct parked_entry *entry = parked_find(p, queue);
	size_t		mask = p->capacity - 1;
	size_t		hole,
				i;

	if (!entry)
		return;
	hole = (size_t) (entry - p->entries);
	for (i = (hole + 1) & mask; p->entries[i].queue != 0; i = (i + 1) & mask)
	{
		size_t		home = (size_t) p->entries[i].queue & mask;

		/* it may move back if its home doesn't lie between */
		if (((i - home) & mask) >= ((i - hole) & mask))
		{
			p->entries[hole] = p->entries[i];
			hole = i;
		}
	}
	p->entries[hole].queue = 0;
	p->count--;
}
