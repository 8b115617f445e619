/*
 * health.h - is the process alive, and is it ready?
 *
 * Pure: a judgement of facts.
 *
 * Alive means that the loop does what it owes to PostgreSQL in time; whoever asks
 * gets the answer from that same loop, so one that hangs gives none.  What others
 * do (a server or a broker that is away) doesn't matter: a restart mends neither.
 *
 * Ready means that replication runs: events that are committed now go to Kafka.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_HEALTH_H
#define OUTBOX_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The loop may be late by that much, in milliseconds, before it counts as wedged. */
#define HEALTH_LATE_MS		30000

/* What is in flight may stay without any acknowledgement for that long. */
#define HEALTH_STALL_MS		30000

enum health_state
{
	HEALTH_CONNECTING,			/* to PostgreSQL */
	HEALTH_STANDBY,				/* another instance has the slot */
	HEALTH_STREAMING,			/* the slot is ours */
	HEALTH_DRAINING				/* asked to stop */
};

#define HEALTH_STATES	4

/* "connecting", ... */
extern const char *const health_states[HEALTH_STATES];

struct health
{
	enum health_state state;
	const char *trouble;		/* code of PostgreSQL's last error; NULL = none */
	bool		sink_ready;		/* takes messages */
	bool		sink_reached;	/* as far as is known, a broker answers */
	int64_t		stalled;		/* since when nothing has been acknowledged; 0 with
								 * nothing in flight; milliseconds */
	int64_t		late;			/* how far behind its deadline the loop is */
};

/* Both write one line without its end, which says why. */
extern bool health_is_live(const struct health *health, char *text, size_t size);

/* standby_ok: a standby is all that is wanted of it. */
extern bool health_is_ready(const struct health *health, bool standby_ok, char *text, size_t size);

#endif							/* OUTBOX_HEALTH_H */
