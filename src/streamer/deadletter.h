/*
 * deadletter.h - events that can't be delivered, kept in outbox.dead_letter.
 *
 * One connection of its own to the database, never waited for: rows are sent
 * in a pipeline, and each is durable when the transaction it shares with its
 * neighbours has committed.  A key that has a dead letter is parked: its later
 * events are put behind it.  Marks that people set (outbox.redrive, discard)
 * are noticed, and what is marked is sent by a sink of its own, so that what is
 * refused again disturbs nobody; a key whose queue has become empty is free.
 *
 * All functions are called by the one thread of the loop.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_DEADLETTER_H
#define OUTBOX_DEADLETTER_H

#include <poll.h>

#include "../common/err.h"
#include "decode.h"
#include "identity.h"
#include "route.h"
#include "settings.h"
#include "sink.h"

/* code of what waits behind a dead letter of its key */
#define DEADLETTER_BEHIND	"key-parked"

#define DEADLETTER_POLLFDS	2

struct deadletter;

/* One event: the slices need to live until put() returns. */
struct deadletter_event
{
	const struct wire_transaction *transaction;
	const struct wire_event *event;
	const struct message *message;	/* topic and key as far as they are known */
	struct slice headers;		/* the row's, as they were before they were read */
	const char *code;			/* static; DEADLETTER_BEHIND */
	const char *reason;
	uint32_t	sequence;		/* comes back when it is durable */
	size_t		octets;
};

/* For metrics. */
struct deadletter_counts
{
	uint64_t	parked;			/* events stored since the start, those behind others too */
	uint64_t	redriven;
	uint64_t	refused_again;
	uint64_t	discarded;
	uint64_t	keys;			/* parked at present */
	int64_t		oldest_ms;		/* how long the oldest one has waited; 0 = there is none */
};

/*
 * durable is called for each event once its row is committed.  settings and
 * router must outlive it.  NULL with err filled: out of memory.
 */
extern struct deadletter *deadletter_new(const struct settings *settings, const struct router *router,
										 void (*durable) (void *arg, uint32_t sequence, size_t octets),
										 void *arg, struct err *err);
extern void deadletter_free(struct deadletter *deadletter);

/* The slot is ours: what is parked is read, unless it is known. */
extern void deadletter_start(struct deadletter *deadletter,
							 const struct replication_identity *identity);

/* The slot is no longer ours.  forget: rows that are on their way are not
 * reported any more. */
extern void deadletter_pause(struct deadletter *deadletter, bool forget);

/* The process is about to stop: nothing more is redriven. */
extern void deadletter_quiet(struct deadletter *deadletter);

/* What is parked is known: events may be routed. */
extern bool deadletter_ready(const struct deadletter *deadletter);

/* Whether the message has to wait behind a dead letter, or is one already. */
extern bool deadletter_holds(const struct deadletter *deadletter, const struct message *message);

/* False: not now. */
extern bool deadletter_put(struct deadletter *deadletter, const struct deadletter_event *event,
						   struct err *err);

/* Rows that are not durable yet. */
extern bool deadletter_pending(const struct deadletter *deadletter);

/*
 * Does what is due.  confirmed: what need not be read again, so what may leave
 * the table.  ERR_RETRY: rows are in doubt, all since the flush LSN has to be
 * read again.  Other classes: the table can't be written.
 */
extern enum err_class deadletter_serve(struct deadletter *deadletter, int64_t now, lsn_t confirmed,
									   struct err *err);

/* What was put since goes out. */
extern void deadletter_flush(struct deadletter *deadletter);

/* Something marked waits for its position to be confirmed. */
extern bool deadletter_wants_confirm(const struct deadletter *deadletter);

extern void deadletter_poll(const struct deadletter *deadletter, struct pollfd fds[DEADLETTER_POLLFDS]);
extern int64_t deadletter_deadline(const struct deadletter *deadletter);
extern struct deadletter_counts deadletter_counts(const struct deadletter *deadletter);

#endif							/* OUTBOX_DEADLETTER_H */
