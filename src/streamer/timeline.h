/*
 * timeline.h - which timeline owns a WAL position.
 *
 * Pure.  Reads what the replication command TIMELINE_HISTORY gives (one line
 * for each past timeline: number, tab, switch point, tab, reason; see "Timeline
 * history files" in PostgreSQL's documentation).
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TIMELINE_H
#define OUTBOX_TIMELINE_H

#include "../common/err.h"
#include "../common/lsn.h"
#include "../common/slice.h"

/* Far more failovers than a cluster sees; older ones are forgotten. */
#define TIMELINE_MAX	256

struct timeline
{
	uint32_t	current;
	size_t		npast;			/* in ascending order */
	struct
	{
		uint32_t	id;
		lsn_t		end;		/* it owns positions below this */
	}			past[TIMELINE_MAX];
};

/* history may be absent (timeline 1).  ERR_FATAL if it can't be read. */
extern enum err_class timeline_read(struct timeline *timeline, uint32_t current,
									struct slice history, struct err *err);

/* The timeline that a transaction with this commit end LSN belongs to. */
extern uint32_t timeline_of(const struct timeline *timeline, lsn_t end);

#endif							/* OUTBOX_TIMELINE_H */
