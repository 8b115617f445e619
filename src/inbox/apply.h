/*
 * apply.h - batches into the database: one transaction each.
 *
 * In the transaction are the new offsets, the messages' ids, what the configured SQL
 * does for each message, and dead letters; so all of it is there or none.
 * Two round trips:
 *
 *   BEGIN, inbox_advance (the fence), inbox_repeated, inbox_parked
 *   SAVEPOINT, the SQL for each message that is new, COMMIT
 *
 * A message whose SQL fails leads to further ones, see segments.h.  Nothing
 * waits here: the loop polls the connection and calls apply_step().
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_APPLY_H
#define INBOX_APPLY_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "assignment.h"
#include "batch.h"
#include "settings.h"

struct apply;

enum apply_event
{
	APPLY_NOTHING,
	APPLY_CONNECTED,			/* ready for apply_take() */
	APPLY_TAKEN,				/* the assignment has epochs and next offsets */
	APPLY_APPLIED,				/* the batch is committed, the assignment's next
								 * offsets are behind it */
	APPLY_FENCED,				/* another instance has taken a partition; nothing of
								 * the batch is applied */
	APPLY_POISON,				/* policy stop: err names the message, and what stands
								 * before it in the batch is committed */
	APPLY_SETTLED,				/* a message was run apart; apply_gave_up() says what came of it */
	APPLY_RESTS,				/* there is none to run apart now */
	APPLY_AGAIN,				/* what err says undid the batch, or what was run apart; it
								 * may mend itself, and is tried again */
	APPLY_COUNTED,				/* apply_dead() knows */
	APPLY_FAILED				/* err says why: ERR_RETRY = the connection is lost and
								 * whether a commit under way has taken place isn't
								 * known; else there is no going on */
};

/* NULL if memory is out.  settings must live as long.  apart: for apply_apart()
 * alone, else for the other two. */
extern struct apply *apply_new(const struct settings *settings, bool apart, uint32_t seed);
extern void apply_free(struct apply *apply);

/* Begins to connect; ERR_CONFIG or ERR_RETRY if that has failed already. */
extern enum err_class apply_connect(struct apply *apply, struct err *err);

/* Ends the connection, whatever is under way. */
extern void apply_close(struct apply *apply);

extern bool apply_is_open(const struct apply *apply);	/* or about to be */
extern bool apply_is_idle(const struct apply *apply);	/* connected, nothing under way */

/* What to poll for; fd is -1 if there is no connection. */
extern void apply_poll(const struct apply *apply, struct pollfd *fd);
/* When to call apply_step() at the latest. */
extern int64_t apply_deadline(const struct apply *apply);

/* After poll().  Until it returns APPLY_NOTHING there may be more. */
extern enum apply_event apply_step(struct apply *apply, int64_t now, struct err *err);

/* When idle: takes the partitions, applies the batch.  Both stay the caller's,
 * and are not to be touched until the event. */
extern void apply_take(struct apply *apply, struct assignment *assignment);
extern void apply_batch(struct apply *apply, struct batch *batch, struct assignment *assignment);

/*
 * When idle: takes one message out of outbox.inbox_dead_letter that is to be run
 * apart, the first of its key, and runs it in a transaction of its own.  What
 * came of it is there when that has committed: the message is gone and the next
 * of its key is called, or it is to be tried again, or has failed.
 *
 * No epoch guards it: the row is locked before the SQL runs and goes with it, so
 * two connections, one of them a zombie's, can't both have it, nor can the second
 * of a key run before the first.
 */
extern void apply_apart(struct apply *apply);

/* Has somebody called for it since it was asked last (outbox.redrive_inbox())? */
extern bool apply_called(struct apply *apply);

/* Of the last APPLY_SETTLED: it has failed for good; err says how. */
extern bool apply_gave_up(const struct apply *apply, struct err *err);

/* When idle: counts this consumer's dead letters, of all instances. */
extern void apply_count(struct apply *apply);

#define APPLY_DEAD_MOST	100000	/* it counts no further */

struct apply_dead
{
	int64_t		failed;			/* messages that wait for somebody: one for each key */
	int64_t		oldest;			/* when the oldest was stored, ms since the epoch; 0 = none */
};

extern struct apply_dead apply_dead(const struct apply *apply);

/* Of the last batch: messages that were there before, and dead letters. */
struct apply_counts
{
	size_t		repeated;
	size_t		aside;			/* to be run apart, or behind such, or behind dead ones */
	size_t		dead;			/* failed for good */
};

extern struct apply_counts apply_counts(const struct apply *apply);

#endif							/* INBOX_APPLY_H */
