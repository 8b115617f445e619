/*
 * window.h - how many events are worth having in flight.
 *
 * What the broker client needs to fill its batches makes it fast; what is in its
 * queues beyond that only waits there, until the processor's caches have lost it.
 * How many are needed depends on how many partitions the events go to, on their size,
 * and on the broker; the batches that come back tell.  As long as they are full, fewer
 * in flight would do; where they aren't, more may fill them.
 *
 * The configured limit holds in any case.  Plain data.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_WINDOW_H
#define OUTBOX_WINDOW_H

#include <stddef.h>
#include <stdint.h>

struct window
{
	uint32_t	full;			/* messages of a full batch */
	uint32_t	events;			/* that are worth having in flight; 0 = as many as may be */
};

/* Full batches that it has room for at least. */
#define WINDOW_LEAST		6

/* It grows that much faster than it shrinks: too few in flight cost more than too many. */
#define WINDOW_SHRINK		8

static inline void
window_init(struct window *window, uint32_t full)
{
	window->full = full;
	window->events = full * WINDOW_LEAST;
}

/* A batch of that many messages was acknowledged; most: the configured limit. */
static inline void
window_acknowledged(struct window *window, size_t messages, uint32_t most)
{
	uint64_t	events = window->events;
	uint64_t	least = (uint64_t) window->full * WINDOW_LEAST;
	uint64_t	less = messages / WINDOW_SHRINK;

	events = messages < window->full ? events + messages : events > less ? events - less : 0;
	if (events < least)
		events = least;
	window->events = events < most ? (uint32_t) events : most;
}

/* The limit that holds, if the configured one is most. */
static inline uint64_t
window_limit(const struct window *window, uint64_t most)
{
	return window->events > 0 && window->events < most ? window->events : most;
}

#endif							/* OUTBOX_WINDOW_H */
