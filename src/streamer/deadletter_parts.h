/*
 * deadletter_parts.h - what the files of deadletter share.
 *
 * deadletter.c             parking: which events are stored, and how
 * deadletter_age.c         how long the oldest one has waited
 * deadletter_connection.c  the connection: statements out, results in
 * deadletter_copy.c        what the dead-letter topic is told
 * deadletter_redrive.c     the way back: what is marked is sent
 * deadletter_settle.c      the way back: what the table is told, and says
 * deadletter_sql.c         the statements
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_DEADLETTER_PARTS_H
#define OUTBOX_DEADLETTER_PARTS_H

#include <libpq-fe.h>

#include "../common/clock.h"
#include "../common/text.h"
#include "deadletter.h"
#include "parked.h"

/* Statements whose results are still to come; a row takes one, and the end of
 * each transaction. */
#define PIPELINE_MAX	8192

enum pipeline_kind
{
	PIPELINE_SYNC,				/* a transaction ends */
	PIPELINE_ROW,
	PIPELINE_CLAIM,
	PIPELINE_SETTLE,
	PIPELINE_FETCH,
	PIPELINE_FAIL,
	PIPELINE_AGE
};

struct pipeline_entry
{
	enum pipeline_kind kind;
	bool		answered;		/* its result has come; the end of it has not */
	bool		stale;			/* nobody waits for it any more */
	uint32_t	sequence;
	size_t		octets;
	uint64_t	number;			/* of the row, counted from 1 */
};

enum deadletter_state
{
	DEADLETTER_CLOSED,
	DEADLETTER_CONNECTING,
	DEADLETTER_CLAIMING,
	DEADLETTER_LOADING,			/* what is parked */
	DEADLETTER_PREPARING,		/* statements and LISTEN */
	DEADLETTER_OPEN				/* in pipeline mode */
};

enum redrive_state
{
	REDRIVE_REST,
	REDRIVE_LOOK,				/* is there anything to do?  removes what is discarded */
	REDRIVE_OPEN,				/* the sink begins */
	REDRIVE_SETTLE,				/* removes what is delivered */
	REDRIVE_FETCH,
	REDRIVE_SEND,
	REDRIVE_FAIL				/* one is parked again */
};

/* One row that is being sent. */
struct redrive_row
{
	uint64_t	queue;
	bool		delivered;
};

#define REDRIVE_ROWS	500

struct redrive
{
	enum redrive_state state;
	struct sink *sink;			/* NULL: not needed yet */
	struct settings settings;	/* of the sink: under a name of its own */
	bool		sink_started;
	bool		sink_stale;		/* has not stopped yet */
	int64_t		sink_at;		/* when it may be started again */
	unsigned	attempts;		/* of starting it */
	int64_t		idle_since;
	int64_t		due;			/* when to look next */
	bool		poked;			/* somebody has marked something */
	bool		more;			/* something is marked as redriving */
	bool		starved;		/* ... but it is not confirmed yet */

	PGresult   *rows;			/* the batch; NULL = none */
	int			nrows;
	int			next;			/* to be sent */
	int			pending;		/* sent, not yet durable */
	bool		held;			/* message is row next, and waits for the sink */
	struct message message;
	struct text headers;		/* of the row that message is, to be unescaped in place */
	struct redrive_row row[REDRIVE_ROWS];
	int64_t		batch;			/* exactly-once: number of the Kafka transaction */
	int			singles;		/* so many go one by one: one of them is refused */

	uint64_t	floor;			/* rows that were durable when SETTLE was sent */
	uint64_t   *recheck;		/* queues whose head has to be looked at */
	size_t		nrecheck;
	size_t		capacity;
	size_t		rechecking;		/* of these, in the SETTLE under way */
};

struct deadletter
{
	const struct settings *settings;
	const struct router *router;
	void		(*durable) (void *arg, uint32_t sequence, size_t octets);
	void	   *arg;

	enum deadletter_state state;
	PGconn	   *conn;
	PostgresPollingStatusType polling;	/* while connecting */
	int64_t		connect_at;
	int64_t		give_up_at;
	unsigned	attempts;
	const char *trouble;		/* code of what was logged last */

	bool		held;			/* the slot is ours */
	bool		ready;
	bool		loaded;			/* parked is what the table says */
	bool		quiet;			/* nothing more is redriven */
	int64_t		epoch;			/* of our last claim */
	struct replication_identity identity;
	struct parked parked;
	struct parked unconfirmed;	/* events that were stored and can be read again */
	lsn_t		confirmed;
	int64_t		prune_at;

	struct pipeline_entry *ring;
	uint32_t	first;
	uint32_t	next;
	uint32_t	rows;			/* PIPELINE_ROWs in it */
	bool		unsynced;		/* rows since the last PIPELINE_SYNC */
	int64_t		copies;			/* of these, with a copy for the dead-letter topic */
	bool		aborted;		/* the transaction at hand has failed */
	bool		doubt;			/* rows were in one that has failed */
	struct err	failure;		/* why */
	uint64_t	numbered;		/* rows given to the pipeline */
	uint64_t	committed;		/* of these, durable */

	struct redrive redrive;
	struct
	{
		bool		asked;		/* the answer is on its way */
		bool		known;		/* there was one */
		bool		any;		/* ... and a dead letter, the oldest */
		int64_t		since;		/* of this time */
		int64_t		due;		/* when to ask again */
		uint64_t	numbered;	/* rows that were durable when it was asked */
	}			age;
	struct
	{
		struct text content,
					headers;
	}			copy;			/* the one at hand */
	struct deadletter_counts counts;
	int64_t		now;
};

static inline struct pipeline_entry *
deadletter_entry(const struct deadletter *d, uint32_t i)
{
	return &d->ring[i & (PIPELINE_MAX - 1)];
}

/* A result will come. */
static inline void
deadletter_expect(struct deadletter *d, struct pipeline_entry entry)
{
	*deadletter_entry(d, d->next++) = entry;
}

/* ---------- deadletter.c ---------- */

/* "TTTTTTTT/LLLLLLLLLLLLLLLL/NNNNNNNN" */
extern bool deadletter_position(const char *text, size_t len, struct parked_position *position);

/* ---------- deadletter_age.c ---------- */

/* Asks, if it is time. */
extern void age_step(struct deadletter *d);
extern void age_result(struct deadletter *d, const PGresult *res);

/* The answer will not come, or is worth nothing any more. */
extern void age_forget(struct deadletter *d);
extern int64_t age_deadline(const struct deadletter *d);

/* ---------- deadletter_copy.c ---------- */

/* What a copy is made of. */
struct deadletter_copied
{
	const struct slice *member; /* of the head */
	struct slice topic,			/* that it was for */
				key,
				headers,		/* the row's */
				position;
	const char *code;
	const char *reason;
	bool		complete;		/* it has its payload, or is a tombstone */
};

/* The logical message up to its payload, valid until the next one; absent if the
 * dead-letter topic is not told of such an event.  False: out of memory. */
extern bool deadletter_copy(struct deadletter *d, const struct deadletter_copied *copied,
							struct slice *content);

/* ---------- deadletter_connection.c ---------- */

/* What is under way is not waited for any more. */
extern void deadletter_close(struct deadletter *d);

/* The connection becomes the slot's only writer. */
extern void deadletter_claim(struct deadletter *d);

/* A bigint in binary form; 0 if it is NULL. */
extern uint64_t deadletter_number(const PGresult *res, int row, int column);

/* A prepared statement into the pipeline, in a transaction of its own.  formats
 * NULL: text.  The result is handed to redrive_result(). */
extern void deadletter_send(struct deadletter *d, enum pipeline_kind kind, const char *statement,
							int nparams, const char *const *values, const int *lengths,
							const int *formats);

/* ---------- deadletter_sql.c ---------- */

extern const char deadletter_claim_sql[];
extern const char deadletter_load_sql[];

/* LISTEN, and all other statements in one text. */
extern const char deadletter_prepare[];

/* ---------- deadletter_redrive.c ---------- */

/* A column in binary form. */
extern struct slice redrive_slice(const PGresult *res, int row, int column);

/* The columns FETCH_MEMBERS to FETCH_PAYLOAD - 1, as what they are in a head. */
extern void redrive_members(const PGresult *res, int row, struct slice *member);

extern void redrive_init(struct deadletter *d);
extern void redrive_free(struct deadletter *d);

/* A queue whose head may have to be sent. */
extern void redrive_recheck(struct deadletter *d, uint64_t queue);

/* What was under way is given up; the table knows where it was. */
extern void redrive_pause(struct deadletter *d);

/* Does what is due. */
extern void redrive_step(struct deadletter *d);

/* The result of a SETTLE, FETCH or FAIL.  The callee owns it. */
extern void redrive_result(struct deadletter *d, enum pipeline_kind kind, PGresult *res);

/* The same, of one that was sent before a pause: what it has emptied is looked at again. */
extern void redrive_late_result(struct deadletter *d, enum pipeline_kind kind, const PGresult *res);

extern int64_t redrive_deadline(const struct deadletter *d);

/* ---------- deadletter_settle.c ---------- */

/* columns of FETCH */
enum
{
	FETCH_POSITION, FETCH_QUEUE, FETCH_COMPLETE, FETCH_CODE, FETCH_MEMBERS, FETCH_PAYLOAD = FETCH_MEMBERS + 10
};

/* The batch is no more. */
extern void redrive_drop_rows(struct redrive *r);

/* Removes what is delivered of the batch, and what is discarded; state is the one
 * to wait in. */
extern void redrive_settle(struct deadletter *d, enum redrive_state state);

/* Its result: frees the keys whose queues are empty. */
extern void redrive_settled(struct deadletter *d, const PGresult *res);

/* Asks for the next batch. */
extern void redrive_fetch(struct deadletter *d);

/* Row i can't be delivered: it is parked again.  False: out of memory, and nothing was done. */
extern bool redrive_fail(struct deadletter *d, int i, const struct err *err);

/* A boolean in binary form; false if it is NULL. */
extern bool redrive_true(const PGresult *res, int row, int column);

#endif							/* OUTBOX_DEADLETTER_PARTS_H */
