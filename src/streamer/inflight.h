/*
 * inflight.h - which transactions are not yet durable, and the one number
 * that follows from it: the flush LSN.
 *
 * The ack rule: the flush LSN is the commit end LSN of the longest unbroken
 * prefix of transactions of which every event is durable elsewhere.  Never a
 * change's own LSN, never the last LSN received, never the last callback's.
 * It never moves back.
 *
 * Pure: a ring of transactions in commit order, each with the count of its
 * events that are out.  A transaction is named by a sequence number that
 * wraps; it is what travels through the broker client with each message.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_INFLIGHT_H
#define OUTBOX_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/lsn.h"

struct inflight_transaction;

struct inflight
{
	struct inflight_transaction *ring;
	uint32_t	mask;			/* capacity - 1; capacity is a power of two */
	uint32_t	first;			/* sequence number of the oldest one kept */
	uint32_t	next;			/* of the next one to begin */
	bool		open;			/* the newest has not seen its commit */
	lsn_t		flush;			/* what may be confirmed */
	lsn_t		newest;			/* end LSN of the newest that began; 0 = none */
	uint64_t	events;			/* in the sink's memory */
	uint64_t	octets;			/* of these events */
};

/* At least that many transactions can be in flight.  False: out of memory. */
extern bool inflight_init(struct inflight *inflight, size_t transactions);
extern void inflight_free(struct inflight *inflight);

/*
 * Forgets all transactions; whatever is still on its way must not be
 * acknowledged any more (sequence numbers go on, so that it can't pass for one
 * that is new).  floor is what is known to be confirmed: the flush LSN starts
 * there.
 */
extern void inflight_reset(struct inflight *inflight, lsn_t floor);

/* No room for another transaction: the caller stops reading. */
extern bool inflight_full(const struct inflight *inflight);

/* A transaction begins; its end LSN lies above all before it.  Returns its
 * sequence number.  The ring must not be full, the last one be committed. */
extern uint32_t inflight_begin(struct inflight *inflight, lsn_t end);

/* One event of the open transaction has been handed to the sink. */
extern void inflight_sent(struct inflight *inflight, size_t octets);

/* The end LSN of a transaction that is in flight. */
extern lsn_t inflight_end(const struct inflight *inflight, uint32_t sequence);

/* The open transaction is complete. */
extern void inflight_commit(struct inflight *inflight);

/* One event of that transaction is durable. */
extern void inflight_acked(struct inflight *inflight, uint32_t sequence, size_t octets);

/* One event is out of memory; whether it is durable is told later. */
extern void inflight_released(struct inflight *inflight, size_t octets);

/* All events of that transaction and of those before it are durable.  They must
 * have been released. */
extern void inflight_durable(struct inflight *inflight, uint32_t sequence);

/*
 * The server says, behind all that it has sent so far, that its WAL has been
 * decoded up to wal_end.  Counts once everything before it is durable; while
 * a transaction is open it says nothing new and is ignored.
 */
extern void inflight_keepalive(struct inflight *inflight, lsn_t wal_end);

/* Every transaction that has seen its commit is durable. */
static inline bool
inflight_settled(const struct inflight *inflight)
{
	return inflight->next - inflight->first == (inflight->open ? 1 : 0);
}

/* Everything that began is durable and committed. */
static inline bool
inflight_empty(const struct inflight *inflight)
{
	return inflight->first == inflight->next;
}

#endif							/* OUTBOX_INFLIGHT_H */
