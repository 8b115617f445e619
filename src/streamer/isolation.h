/*
 * isolation.h - finding the one record that a broker refuses.
 *
 * A broker refuses a whole batch for one bad record.  All that was in doubt is
 * sent again, each message by itself with nothing else in flight; only what
 * fails alone is to blame, and nothing behind it has gone ahead.  Pure.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_ISOLATION_H
#define OUTBOX_ISOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/lsn.h"
#include "../kafka/topic_name.h"

#define ISOLATION_TOPICS	8

struct isolation
{
	int			nsuspects;
	struct
	{
		char		topic[TOPIC_MAX_LEN + 1];
		lsn_t		until;		/* transactions that end up to here */
	}			suspects[ISOLATION_TOPICS];
	bool		alone;			/* what is in flight is one suspect */
};

/* Messages of the topic are in doubt, up to this commit end LSN. */
extern void isolation_suspect(struct isolation *isolation, const char *topic, lsn_t until);

/* May this message be sent while so many are in flight? */
extern bool isolation_allows(struct isolation *isolation, const char *topic, lsn_t lsn,
							 uint64_t inflight);

/* Some messages are in doubt. */
static inline bool
isolation_is_active(const struct isolation *isolation)
{
	return isolation->nsuspects > 0;
}

/* It has been sent. */
extern void isolation_sent(struct isolation *isolation, const char *topic, lsn_t lsn);

/* A message was refused: is it proven that it was this very message? */
extern bool isolation_proves(const struct isolation *isolation, bool alone);

#endif							/* OUTBOX_ISOLATION_H */
