/*
 * inbox_parts.h - what the files of inbox share.
 *
 * inbox.c       the loop
 * inbox_http.c  what it answers over HTTP
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_INBOX_PARTS_H
#define INBOX_INBOX_PARTS_H

#include "../common/notify.h"
#include "../common/probes.h"
#include "../common/signals.h"
#include "apply.h"
#include "consume.h"
#include "inbox.h"

enum phase
{
	PHASE_RUN,
	PHASE_DRAIN,				/* the batch under way is finished, no other begun */
	PHASE_DONE
};

/* What is counted since the start. */
struct inbox_figures
{
	uint64_t	messages;
	uint64_t	repeated;
	uint64_t	dead;
	uint64_t	batches;
	uint64_t	fenced;
	uint64_t	database_errors;
	int64_t		batch_began;	/* the one under way */
	int64_t		applied_at;		/* wall clock of the last commit; 0 = none yet */
	struct metrics_histogram batch_time;
};

struct inbox
{
	const struct settings *settings;
	struct signals signals;
	struct consume *consume;
	struct apply *apply;
	struct assignment assignment;
	struct batch batches[2];
	struct batch *filling;
	struct batch *running;		/* apply's while it isn't idle */

	enum phase phase;
	int64_t		drain_until;
	bool		assigned;		/* taken, and fetching */
	bool		taking;
	bool		paused;
	bool		unassigning;	/* since unassign_until was set */
	int64_t		unassign_until;
	int64_t		full_since;		/* CLOCK_NEVER: the filling batch has room */
	int64_t		commit_at;
	int64_t		connect_at;
	unsigned	failures;		/* of the database in a row */
	char		trouble[64];	/* code that was logged last; "" = none */
	uint32_t	random;
	int64_t		now;
	struct notify notify;
	struct err	result;

	struct http *http;			/* NULL = not wanted */
	struct probes probes;
	struct inbox_figures figures;
};

/* ---------- inbox_http.c ---------- */

/* Listens, if that is wanted: ERR_CONFIG. */
extern enum err_class inbox_listen(struct inbox *in, struct err *err);

#endif							/* INBOX_INBOX_PARTS_H */
