/*
 * session.c - keeping up the conversation with the walsender.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "session.h"

#include <string.h>

#include "../common/backoff.h"
#include "../common/log.h"

#define CONNECT_TIMEOUT_MS	30000
#define STANDBY_RETRY_MS	200		/* "slot is active": how often to look */

/*
 * A server that shuts down asks for a reply, and asks again as soon as it has
 * one.  So many in a row, none further apart than that, are no coincidence.
 */
#define PINGS_MIN			10
#define PINGS_GAP_MS		500
#define PINGS_ANSWER_MS		20	/* then answered at leisure */

#define PROBE_INTERVAL_MS	1000

/* xorshift32: jitter needs no better one */
static uint32_t
next_random(struct session *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random;
}

static void
forget_connection(struct session *s)
{
	s->reply_at = CLOCK_NEVER;
	s->stopping_since = CLOCK_NEVER;
	s->blocked_since = CLOCK_NEVER;
	s->pings = 0;
	server_probe_stop(&s->probe);
}

bool
session_init(struct session *s, const struct settings *settings, uint32_t random)
{
	*s = (struct session) {.settings = settings, .random = random | 1};
	s->replication = replication_new(settings);
	forget_connection(s);
	return s->replication != NULL;
}

void
session_free(struct session *s)
{
	server_probe_stop(&s->probe);
	replication_free(s->replication);
	s->replication = NULL;
}

/* The server must hear of us well within wal_sender_timeout, even if it can't
 * ask because we don't read. */
static int64_t
status_interval(const struct session *s)
{
	int			timeout = replication_identity(s->replication)->wal_sender_timeout;

	return timeout > 0 && timeout / 3 < s->settings->status_interval ?
		timeout / 3 : s->settings->status_interval;
}

static int64_t
status_due(const struct session *s, lsn_t flush)
{
	int64_t		due = s->status_at +
		(flush > s->status_flush ? s->settings->confirm_interval : status_interval(s));

	return s->reply_at < due ? s->reply_at : due;
}

static enum err_class
confirm(struct session *s, int64_t now, lsn_t flush, struct err *err)
{
	s->status_at = now;
	s->status_flush = flush;
	s->reply_at = CLOCK_NEVER;
	return replication_status(s->replication, flush, err);
}

/* Backpressure: see server_probe.h. */
static void
watch_blocked(struct session *s, int64_t now, bool blocked)
{
	if (!blocked)
	{
		if (s->blocked_since != CLOCK_NEVER)
			server_probe_stop(&s->probe);
		s->blocked_since = CLOCK_NEVER;
		return;
	}
	if (s->blocked_since == CLOCK_NEVER)
	{
		s->blocked_since = now;
		s->probe_at = now + PROBE_INTERVAL_MS;
	}
	if (now >= s->probe_at)
	{
		server_probe_start(&s->probe, s->settings->dsn);
		s->probe_at = now + PROBE_INTERVAL_MS;
	}
}

enum err_class
session_step(struct session *s, int64_t now, lsn_t flush, bool blocked, struct err *err)
{
	if (replication_is_closed(s->replication))
	{
		if (now < s->connect_at)
			return ERR_NONE;
		s->give_up_at = now + CONNECT_TIMEOUT_MS;
		return replication_connect(s->replication, err);
	}
	if (!replication_is_streaming(s->replication))
	{
		if (now < s->give_up_at)
			return ERR_NONE;
		return err_set(err, ERR_RETRY, "postgres-unreachable",
					   "PostgreSQL has not answered for %d s", CONNECT_TIMEOUT_MS / 1000);
	}
	watch_blocked(s, now, blocked);
	if (now >= status_due(s, flush))
		return confirm(s, now, flush, err);
	return ERR_NONE;
}

int64_t
session_deadline(const struct session *s, lsn_t flush)
{
	int64_t		due;

	if (replication_is_closed(s->replication))
		return s->connect_at;
	if (!replication_is_streaming(s->replication))
		return s->give_up_at;
	due = status_due(s, flush);
	if (s->blocked_since != CLOCK_NEVER && s->probe_at < due)
		due = s->probe_at;
	if (s->stopping_since != CLOCK_NEVER && s->stopping_since + s->settings->drain_timeout < due)
		due = s->stopping_since + s->settings->drain_timeout;
	return due;
}

void
session_started(struct session *s, int64_t now)
{
	forget_connection(s);
	s->attempts = 0;
	s->trouble = NULL;
	s->status_at = now;
	s->status_flush = LSN_INVALID;
}

void
session_keepalive(struct session *s, int64_t now, const struct replication_message *message)
{
	bool		again = message->reply_requested && message->wal_end == s->ping_wal_end &&
		now - s->ping_at < PINGS_GAP_MS;

	s->pings = again ? s->pings + 1 : 0;
	s->ping_wal_end = message->wal_end;
	s->ping_at = now;
	if (s->pings >= PINGS_MIN && s->stopping_since == CLOCK_NEVER)
	{
		log_info("PostgreSQL is shutting down and waits for what is in flight");
		s->stopping_since = now;
	}
	else if (s->pings == 0 && message->reply_requested)
		s->stopping_since = CLOCK_NEVER;
	if (message->reply_requested)
		s->reply_at = s->pings >= PINGS_MIN ? now + PINGS_ANSWER_MS : now;
}

void
session_probe_ready(struct session *s, int64_t now)
{
	if (server_probe_ready(&s->probe) && s->stopping_since == CLOCK_NEVER)
	{
		log_info("PostgreSQL is shutting down while no more can be read");
		s->stopping_since = now;
	}
}

bool
session_is_stopping(const struct session *s)
{
	return s->stopping_since != CLOCK_NEVER;
}

bool
session_must_leave(const struct session *s, int64_t now)
{
	return s->stopping_since != CLOCK_NEVER &&
		now - s->stopping_since >= s->settings->drain_timeout;
}

void
session_lost(struct session *s, int64_t now, const struct err *err)
{
	bool		standby = strcmp(err->code, "slot-active") == 0;

	replication_close(s->replication);
	forget_connection(s);
	if (!s->trouble || strcmp(s->trouble, err->code) != 0)
	{
		if (standby)
			log_info("standing by: %s", err->message);
		else
			log_err(LOG_LEVEL_WARNING, err);
	}
	s->trouble = err->code;
	if (standby)
		s->connect_at = now + STANDBY_RETRY_MS + next_random(s) % STANDBY_RETRY_MS;
	else
		s->connect_at = now + backoff_ms(s->attempts++, next_random(s));
}
