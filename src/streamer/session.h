/*
 * session.h - keeping up the conversation with the walsender.
 *
 * When to connect, to answer, to confirm unasked, and when to let go because
 * the server wants to stop.  The replication client itself knows no time; the
 * session knows nothing of events.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SESSION_H
#define OUTBOX_SESSION_H

#include "../common/clock.h"
#include "replication.h"
#include "server_probe.h"

struct session
{
	const struct settings *settings;
	struct replication *replication;
	struct server_probe probe;
	uint32_t	random;			/* state of the jitter */

	/* connecting */
	int64_t		connect_at;		/* while closed */
	int64_t		give_up_at;		/* while connecting */
	unsigned	attempts;		/* failures in a row */
	const char *trouble;		/* code of what was logged last; NULL = none */

	/* confirming */
	int64_t		status_at;		/* when the last update went out */
	lsn_t		status_flush;	/* what it said */
	int64_t		reply_at;		/* an answer is due; CLOCK_NEVER = none */

	/* is the server waiting for us to go? */
	lsn_t		ping_wal_end;
	unsigned	pings;			/* answered ones that came back unchanged */
	int64_t		ping_at;		/* the last one */
	int64_t		stopping_since; /* CLOCK_NEVER = no sign of it */
	int64_t		blocked_since;	/* CLOCK_NEVER = data is being read */
	int64_t		probe_at;
};

/* settings must outlive it.  False: out of memory. */
extern bool session_init(struct session *session, const struct settings *settings, uint32_t random);
extern void session_free(struct session *session);

/* Does what is due: connects, confirms flush.  blocked: the caller reads no
 * data at present.  A failure is for session_lost(). */
extern enum err_class session_step(struct session *session, int64_t now, lsn_t flush,
								   bool blocked, struct err *err);

/* The time of the next session_step(), at the latest. */
extern int64_t session_deadline(const struct session *session, lsn_t flush);

/* The stream runs: earlier failures don't count any more. */
extern void session_started(struct session *session, int64_t now);

/* A keepalive has come. */
extern void session_keepalive(struct session *session, int64_t now,
							  const struct replication_message *message);

/* The probe's socket is ready. */
extern void session_probe_ready(struct session *session, int64_t now);

/* The server waits for us to go. */
extern bool session_is_stopping(const struct session *session);

/* ... and has waited long enough. */
extern bool session_must_leave(const struct session *session, int64_t now);

/*
 * The connection is gone or was given up for this reason: closes it and sets
 * the time of the next attempt.  Logs one line per change of the reason.
 */
extern void session_lost(struct session *session, int64_t now, const struct err *err);

#endif							/* OUTBOX_SESSION_H */
