/*
 * stream_figures.h - what the stream counts.
 *
 * Plain fields that the loop adds to as it goes; nothing is formatted, and no
 * clock is read, until somebody asks.  Counters never go back.  Whoever adds one
 * adds a line to the table of stream_metrics.c, which is README's, too.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_STREAM_FIGURES_H
#define OUTBOX_STREAM_FIGURES_H

#include "../common/err.h"
#include "../common/lsn.h"
#include "../common/metrics.h"

#define ERR_CLASSES		(ERR_DATA + 1)

struct stream_figures
{
	/* from PostgreSQL; what is repeated after a reconnect isn't counted again,
	 * what is sent again because the sink had to begin again is */
	uint64_t	transactions_received;
	uint64_t	events_received;

	/* to the sink */
	uint64_t	events_produced;
	uint64_t	octets_produced;	/* keys and payloads */

	/* durable */
	uint64_t	transactions_acknowledged;
	uint64_t	events_acknowledged;
	uint64_t	events_released;	/* delivered, but the Kafka transaction is open */
	struct metrics_histogram latency;	/* commit to acknowledgement */

	/* what went wrong; by enum err_class */
	uint64_t	postgres_errors[ERR_CLASSES];
	uint64_t	delivery_errors[ERR_CLASSES];
	uint64_t	starts;			/* of replication */

	/* times: clock_now() */
	int64_t		began_at;		/* something is in flight since then */
	int64_t		acknowledged_at;
	int64_t		status_at;		/* the last status update that was looked at */

	/* clock_wall(), when all that was received was last known to be confirmed, or
	 * more of it was; 0 = not yet */
	int64_t		confirmed_at;

	lsn_t		wal_end;		/* the farthest that the server has told */
	lsn_t		confirmed;		/* what it has been told */

	/*
	 * Commit times of the transactions in flight, by sequence number as the ring
	 * of inflight; NULL if nobody could ask.  Up to observed they have been counted.
	 */
	int64_t    *commit_at;
	uint32_t	observed;
};

#endif							/* OUTBOX_STREAM_FIGURES_H */
