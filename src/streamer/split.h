/*
 * split.h - a PostgreSQL transaction that is split over several Kafka transactions.
 *
 * One that is larger than a Kafka transaction should be can't be delivered in
 * one; with outbox.large_transactions = split it is in parts, all of size events
 * but the last.  The number of events has to be known before the first of them is
 * sent, so that each can say "part n of m"; and how many have been sent has to be
 * kept with the progress, so that a restart goes on with the rest.  Plain data.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SPLIT_H
#define OUTBOX_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/lsn.h"

struct split
{
	lsn_t		lsn;			/* commit end LSN of the transaction; LSN_INVALID: none */
	uint32_t	total;			/* its events */
	uint32_t	size;			/* events of each part but the last */
	uint32_t	sent;			/* of its events, those that are committed in Kafka */
};

/* Of which part event n is, from 1. */
static inline uint32_t
split_part(const struct split *split, uint32_t n)
{
	return n / split->size + 1;
}

static inline uint32_t
split_parts(const struct split *split)
{
	return split_part(split, split->total - 1);
}

/* Event n is the last one of a part; the transaction's end ends the last part. */
static inline bool
split_ends_part(const struct split *split, uint32_t n)
{
	return (n + 1) % split->size == 0 && n + 1 < split->total;
}

/* What holds of every split whose parts have begun to be committed. */
static inline bool
split_is_sane(const struct split *split)
{
	return split->lsn != LSN_INVALID && split->size > 0 && split->sent > 0 &&
		split->sent < split->total && split->sent % split->size == 0;
}

#endif							/* OUTBOX_SPLIT_H */
