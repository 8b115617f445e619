/*
 * inflight.c - which transactions are not yet durable.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inflight.h"

#include <assert.h>
#include <stdlib.h>

struct inflight_transaction
{
	lsn_t		end;			/* of its commit record */
	lsn_t		flush;			/* what may be confirmed once this and all before
								 * it are durable: its end, or a later keepalive */
	uint32_t	pending;		/* events out */
};

static struct inflight_transaction *
at(const struct inflight *in, uint32_t sequence)
{
	return &in->ring[sequence & in->mask];
}

/* Drops the durable prefix: the only place where the flush LSN moves up. */
static void
advance(struct inflight *in)
{
	uint32_t	closed = in->next - (in->open ? 1 : 0);

	while (in->first != closed && at(in, in->first)->pending == 0)
	{
		if (at(in, in->first)->flush > in->flush)
			in->flush = at(in, in->first)->flush;
		in->first++;
	}
}

bool
inflight_init(struct inflight *in, size_t transactions)
{
	size_t		capacity = 16;

	while (capacity < transactions && capacity < (size_t) 1 << 30)
		capacity *= 2;
	*in = (struct inflight) {0};
	in->ring = calloc(capacity, sizeof(*in->ring));
	in->mask = (uint32_t) (capacity - 1);
	return in->ring != NULL;
}

void
inflight_free(struct inflight *in)
{
	free(in->ring);
	in->ring = NULL;
}

void
inflight_reset(struct inflight *in, lsn_t floor)
{
	in->first = in->next;
	in->open = false;
	in->flush = floor;
	in->newest = LSN_INVALID;
	in->events = in->octets = 0;
}

bool
inflight_full(const struct inflight *in)
{
	return in->next - in->first > in->mask;
}

uint32_t
inflight_begin(struct inflight *in, lsn_t end)
{
	assert(!in->open && !inflight_full(in) && end > in->newest);
	in->open = true;
	in->newest = end;
	*at(in, in->next) = (struct inflight_transaction) {.end = end, .flush = end};
	return in->next++;
}

void
inflight_sent(struct inflight *in, size_t octets)
{
	assert(in->open);
	at(in, in->next - 1)->pending++;
	in->events++;
	in->octets += octets;
}

lsn_t
inflight_end(const struct inflight *in, uint32_t sequence)
{
	return at(in, sequence)->end;
}

void
inflight_commit(struct inflight *in)
{
	assert(in->open);
	in->open = false;
	advance(in);
}

void
inflight_released(struct inflight *in, size_t octets)
{
	assert(in->events > 0 && in->octets >= octets);
	in->events--;
	in->octets -= octets;
}

void
inflight_acked(struct inflight *in, uint32_t sequence, size_t octets)
{
	assert(sequence - in->first < in->next - in->first);
	assert(at(in, sequence)->pending > 0);
	inflight_released(in, octets);
	at(in, sequence)->pending--;
	if (sequence == in->first)
		advance(in);
}

void
inflight_durable(struct inflight *in, uint32_t sequence)
{
	assert(sequence - in->first < in->next - (in->open ? 1 : 0) - in->first);
	for (uint32_t i = in->first; i != sequence + 1; i++)
		at(in, i)->pending = 0;
	advance(in);
}

void
inflight_keepalive(struct inflight *in, lsn_t wal_end)
{
	lsn_t	   *flush = inflight_empty(in) ? &in->flush : &at(in, in->next - 1)->flush;

	if (!in->open && wal_end > *flush)
		*flush = wal_end;
}
