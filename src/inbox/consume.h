/*
 * consume.h - the Kafka consumer: messages, rebalances, offsets for lag tools.
 *
 * It knows nothing of the database.  A rebalance is only noted; the loop
 * answers it with consume_assign() or consume_unassign(), when it has taken the
 * partitions or finished what was under way.  librdkafka waits for that, while
 * its own thread keeps the membership alive.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_CONSUME_H
#define INBOX_CONSUME_H

#include <stdbool.h>

#include "assignment.h"
#include "message.h"
#include "settings.h"

struct consume;

enum consume_wish
{
	CONSUME_NOTHING,
	CONSUME_ASSIGN,				/* partitions are ours: take and assign them */
	CONSUME_UNASSIGN			/* they are ours no longer: finish and unassign */
};

/* NULL with err set: ERR_CONFIG. */
extern struct consume *consume_new(const struct settings *settings, struct err *err);

/* Leaves the group if orderly, which waits for the broker a moment; frees it. */
extern void consume_free(struct consume *consume, bool orderly);

/* Readable when something has come. */
extern int	consume_fd(const struct consume *consume);

/*
 * Serves the client and takes the next message, whose owner is to be given to
 * consume_release().  False: there is none now.  What is wrong is in err.
 */
extern bool consume_next(struct consume *consume, struct message *message, struct err *err);
extern void consume_release(void *owner);

/* What the group wants; with CONSUME_ASSIGN the partitions are put into
 * *assignment, in place of what was in it. */
extern enum consume_wish consume_wish(const struct consume *consume);
extern bool consume_partitions(struct consume *consume, struct assignment *assignment);

/* Fetches from each partition's next offset on; also again, after trouble. */
extern enum err_class consume_assign(struct consume *consume, struct assignment *assignment,
									 struct err *err);
/* Fetches nothing, but remains a member of the group. */
extern void consume_suspend(struct consume *consume);
/* Hands the partitions back. */
extern void consume_unassign(struct consume *consume);

/* Messages of the present assignment don't come until it is resumed. */
extern void consume_pause(struct consume *consume, struct assignment *assignment, bool pause);

/* Leaves the group and joins it anew. */
extern void consume_rejoin(struct consume *consume);

/* As far as is known, no broker answers. */
extern bool consume_is_down(const struct consume *consume);

/* Offsets from the next ones to the partitions' ends, as fetching has told. */
extern int64_t consume_lag(struct consume *consume, const struct assignment *assignment);

/* Tells Kafka the next offsets, those that it doesn't know, without waiting. */
extern void consume_commit(struct consume *consume, struct assignment *assignment);

#endif							/* INBOX_CONSUME_H */
