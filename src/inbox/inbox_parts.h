/*
 * inbox_parts.h - what the files of inbox share.
 *
 * inbox.c        the loop
 * inbox_apart.c  messages that are run apart
 * inbox_http.c   what it answers over HTTP
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
	uint64_t	aside;
	uint64_t	apart;			/* run apart, without failing for good */
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
	struct apply *apart;		/* the connection for messages that are run apart */
	int64_t		apart_at;		/* when it is asked for the next one */
	int64_t		apart_busy_until;	/* it is asked often */
	int64_t		apart_count_at; /* when dead letters are counted next */
	int64_t		apart_connect_at;
	unsigned	apart_failures; /* in a row */
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
	/* codes that were logged last, until something succeeds; NULL = none */
	const char *trouble;		/* of connecting */
	const char *batch_trouble;
	const char *apart_trouble;
	uint32_t	random;
	int64_t		now;
	struct notify notify;
	struct err	result;

	struct http *http;			/* NULL = not wanted */
	struct probes probes;
	struct inbox_figures figures;
};

/* ---------- inbox_apart.c ---------- */

/* Once in each turn of the loop, while it isn't ending. */
extern void inbox_step_apart(struct inbox *in);
/* There is something to run apart, as far as is known. */
extern void inbox_call_apart(struct inbox *in);
/* When the next step is due. */
extern int64_t inbox_apart_deadline(const struct inbox *in);

/* ---------- inbox.c ---------- */

/* What the database has refused is counted, and said, but not over and over. */
extern void inbox_trouble(struct inbox *in, const char **trouble, const struct err *err);

/* It can't go on. */
extern void inbox_end(struct inbox *in, const struct err *err);

/* ---------- inbox_http.c ---------- */

/* Listens, if that is wanted: ERR_CONFIG. */
extern enum err_class inbox_listen(struct inbox *in, struct err *err);

#endif							/* INBOX_INBOX_PARTS_H */
