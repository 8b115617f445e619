/*
 * parked.h - which keys have a dead letter, so that their later events wait.
 *
 * An exact set of 64-bit numbers, each with the position from which on it
 * holds: what lies before the first dead letter of a key has been delivered,
 * and is when it is read again.  Two keys with the same number share a queue
 * of dead letters: they wait for each other, and nothing is lost or out of
 * order by that, so a key's text need not be kept.  32 octets for an entry, and
 * room for twice as many: 64 MB for a million keys.  A Bloom filter would take
 * a thirtieth, but can't forget, and would ask the database about innocent
 * events.
 *
 * Pure.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_PARKED_H
#define OUTBOX_PARKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/lsn.h"
#include "../common/slice.h"

struct parked_position
{
	uint32_t	timeline;
	uint32_t	n;
	lsn_t		lsn;
};

struct parked_entry
{
	uint64_t	queue;			/* 0 = free */
	struct parked_position since;
	uint64_t	touched;		/* the caller's: when something was put there last */
};

struct parked
{
	struct parked_entry *entries;
	size_t		capacity;		/* a power of two */
	size_t		count;
	size_t		most;			/* that may be in it */
};

/* most: keys that it may hold; it grows up to that. */
extern void parked_init(struct parked *parked, size_t most);
extern void parked_clear(struct parked *parked);

/* The number of a key, or of a single event; never 0. */
extern uint64_t parked_queue_of_key(const char *topic, size_t topic_len, struct slice key);
extern uint64_t parked_queue_of_event(const struct parked_position *position);

/* From this position on; an earlier one that is known stays.  NULL: it is full,
 * or memory is out.  The entry is valid until the next change. */
extern struct parked_entry *parked_add(struct parked *parked, uint64_t queue,
									   const struct parked_position *since);

/* NULL: it isn't there. */
extern struct parked_entry *parked_find(const struct parked *parked, uint64_t queue);

/* Whether an event of this queue at this position has to wait. */
extern bool parked_holds(const struct parked *parked, uint64_t queue,
						 const struct parked_position *position);

extern void parked_remove(struct parked *parked, uint64_t queue);

/* <0, 0, >0 */
extern int	parked_compare(const struct parked_position *a, const struct parked_position *b);

#endif							/* OUTBOX_PARKED_H */
