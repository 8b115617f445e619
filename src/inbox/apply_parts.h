/*
 * apply_parts.h - what the files of apply share.
 *
 * apply.c has the connection: it sends rounds and hands out their results.
 * apply_batch.c decides what is in a batch's rounds, apply_apart.c does it for
 * a message that is run apart from batches.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_APPLY_PARTS_H
#define INBOX_APPLY_PARTS_H

#include <libpq-fe.h>

#include "apply.h"
#include "parameters.h"
#include "patience.h"
#include "segments.h"

enum apply_state
{
	STATE_CLOSED,
	STATE_CONNECTING,
	STATE_SETUP,
	STATE_IDLE,
	STATE_TAKING,
	STATE_OPENING,				/* the first round trip of a batch */
	STATE_RUNNING,				/* a segment */
	STATE_ROLLING_BACK,
	STATE_PICKING,				/* a message to run apart */
	STATE_APART,				/* its SQL */
	STATE_NOTING,				/* what came of it */
	STATE_COUNTING,
	STATE_WAITING				/* until the batch is tried again */
};

/* What follows a rollback. */
enum apply_then
{
	THEN_AGAIN,					/* the batch again, after a while */
	THEN_AT_ONCE,				/* the same without a while */
	THEN_CUT,					/* what stands before the poison; then stop */
	THEN_FENCED
};

/* Statements that are sent together and end with a sync. */
struct round
{
	size_t		sent;
	size_t		done;			/* results that have come */
	bool		failed;
	size_t		failed_at;		/* number of the statement, from 0 */
	char		sqlstate[6];
	struct err	err;			/* as pg_failure() has it */
};

/* What becomes of a message. */
enum fate
{
	FATE_RUN,
	FATE_REPEATED,
	FATE_QUEUED,				/* behind a dead letter of its key */
	FATE_MOVING,				/* the same, but the last of these is being run */
	FATE_ASIDE,					/* to be run apart */
	FATE_FAILED
};

#define NOT_SENT	SIZE_MAX

struct apply
{
	const struct settings *settings;
	PGconn	   *conn;
	PostgresPollingStatusType polling;	/* STATE_CONNECTING */
	enum apply_state state;
	struct round round;
	bool		flush;			/* libpq has more to send */
	bool		broken;			/* a statement could not be sent */

	struct statement dead_letter;
	bool		apart;			/* for messages that are run apart */
	bool		called;			/* apply_called() */
	int64_t		role_timeout;	/* statement_timeout of the session, ms; 0 = none */
	int64_t		began;			/* of the present round */
	int64_t		limit;			/* what a message's SQL may take in it; 0 = no limit */
	struct patience patience;
	struct parameters parameters;
	struct text arrays[4];		/* parameters that are arrays */

	struct assignment *assignment;
	struct batch *batch;
	unsigned char *fates;		/* enum fate, for each message of the batch */
	size_t	   *run;			/* numbers of the messages to run */
	struct segments segments;
	size_t		repeated_at;	/* the statement's number in the opening round */
	size_t		parked_at;
	size_t		first;			/* number of the first message's statement */
	size_t		behind;			/* and of the one behind the last */
	bool		commits;		/* the round ends with COMMIT */
	bool		immediate;		/* deferred constraints are not waited for */
	enum apply_then then;
	unsigned	tries;			/* of the batch, for what mends itself */
	struct err	trouble;		/* STATE_ROLLING_BACK: why; nothing if all was well */
	int64_t		retry_at;
	uint32_t	random;
	size_t		poison;			/* THEN_CUT: messages that stand before it */
	bool		poisoned;		/* the batch was cut; poison_err says why */
	struct err	failure;		/* of the suspect's last attempt */
	char		failure_state[6];
	int64_t		failure_limit;	/* ms, under which it was made */
	struct err	poison_err;

	PGresult   *picked;			/* what is run apart: a row of outbox.inbox_dead_letter */
	struct text queue[2];		/* its key and payload */
	unsigned	attempts;		/* that have failed */
	bool		gave_up;
	struct apply_dead dead;
};

/* ---- apply.c: sending ---- */

extern void round_begin(struct apply *a, enum apply_state state);
extern void round_command(struct apply *a, const char *sql);
extern void round_prepared(struct apply *a, const char *name, int n, const char *const *values,
						   const int *lengths, const int *formats);
extern void round_end(struct apply *a);
/* Ends the transaction, with ROLLBACK, or COMMIT of one in which there was nothing to do. */
extern void round_leave(struct apply *a, const char *command);
/* Limits, until the round ends or round_unlimited(), how long each statement takes. */
extern void round_limited(struct apply *a, int64_t ms);
extern void round_unlimited(struct apply *a);

/* The shorter of two limits, of which 0 is none. */
static inline int64_t
apply_at_most(int64_t a, int64_t b)
{
	return a > 0 && (b == 0 || a < b) ? a : b;
}

/* The message's SQL. */
extern void round_message(struct apply *a, const struct message *message);

/* SQLSTATEs of what may mend itself. */
extern bool apply_is_transient(const char *sqlstate);

/* Has a message's SQL failed, and not a statement around it? */
extern bool round_failed_in_sql(const struct apply *a);
/* May what has failed mend itself?  A statement of our own does, too, that took longer than
 * statement_timeout or that somebody has cancelled. */
extern bool round_mends_itself(const struct apply *a);

/* ---- apply_batch.c: deciding ---- */

/* A result of the opening round with rows. */
extern void batch_rows(struct apply *a, const PGresult *res);

/* A round of the batch is over; returns what came of it. */
extern enum apply_event batch_round_done(struct apply *a, int64_t now, struct err *err);

/* ---- apply_apart.c: deciding ---- */

extern void apart_row(struct apply *a, PGresult *res);	/* which is its own then */
extern void apart_counted(struct apply *a, const PGresult *res);
extern enum apply_event apart_round_done(struct apply *a, int64_t now, struct err *err);

/* STATE_WAITING is over. */
extern void batch_open(struct apply *a);

#endif							/* INBOX_APPLY_PARTS_H */
