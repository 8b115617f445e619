/*
 * inbox_apart.c - the loop's part for messages that are run apart.
 *
 * A second connection, so that nothing here holds up a batch.  It is called by what
 * this instance puts aside, by a notification (outbox.redrive_inbox()), and looks from
 * time to time what is due or was left by an instance that is gone.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox_parts.h"

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"

/* How often it looks: soon after it had something to do, for what is tried again;
 * else for what others left. */
#define BUSY_MS		100
#define IDLE_MS		5000
#define BUSY_FOR_MS	10000

/* How often dead letters are counted, for /metrics. */
#define COUNT_MS	10000

void
inbox_call_apart(struct inbox *in)
{
	in->apart_at = in->now;
	in->apart_busy_until = in->now + BUSY_FOR_MS;
}

static int64_t
next_at(const struct inbox *in)
{
	return in->http && in->apart_count_at < in->apart_at ? in->apart_count_at : in->apart_at;
}

int64_t
inbox_apart_deadline(const struct inbox *in)
{
	if (in->phase != PHASE_RUN)
		return CLOCK_NEVER;
	if (!apply_is_open(in->apart))
		return in->apart_connect_at;
	return apply_is_idle(in->apart) ? next_at(in) : CLOCK_NEVER;
}

static void
settled(struct inbox *in)
{
	struct err	err = {0};

	in->apart_trouble = NULL;
	inbox_call_apart(in);
	if (apply_gave_up(in->apart, &err))
	{
		in->figures.dead++;
		in->apart_count_at = in->now;
		log_warning("dead letter (outbox.inbox_dead_letter): %s", err.message);
	}
	else
		in->figures.apart++;
}

static void
rests(struct inbox *in)
{
	in->apart_trouble = NULL;
	in->apart_at = in->now + (in->now < in->apart_busy_until ? BUSY_MS : IDLE_MS);
}

static void
failed(struct inbox *in, const struct err *err)
{
	if (err->class != ERR_RETRY)
	{
		inbox_end(in, err);
		return;
	}
	inbox_trouble(in, &in->apart_trouble, err);
	apply_close(in->apart);
	in->random = in->random * 1664525 + 1013904223;
	in->apart_connect_at = in->now + backoff_ms(in->apart_failures++, in->random >> 8);
}

void
inbox_step_apart(struct inbox *in)
{
	enum apply_event event;

	do
	{
		struct err	err = {0};

		event = apply_step(in->apart, in->now, &err);
		if (event == APPLY_CONNECTED)
		{
			in->apart_failures = 0;
			inbox_call_apart(in);
		}
		else if (event == APPLY_SETTLED)
			settled(in);
		else if (event == APPLY_RESTS)
			rests(in);
		else if (event == APPLY_AGAIN)
		{
			inbox_trouble(in, &in->apart_trouble, &err);
			in->apart_at = in->now + BUSY_MS;
		}
		else if (event == APPLY_FAILED)
			failed(in, &err);
	} while (event != APPLY_NOTHING && in->phase != PHASE_DONE);
	if (apply_called(in->apart))
		inbox_call_apart(in);
	if (in->phase != PHASE_RUN)
		return;
	if (!apply_is_open(in->apart) && in->now >= in->apart_connect_at)
	{
		struct err	err = {0};

		if (apply_connect(in->apart, &err))
			failed(in, &err);
	}
	else if (apply_is_idle(in->apart) && in->now >= next_at(in))
	{
		struct err	err = {0};

		/* counting comes in its turn, however much there is to run */
		if (in->http && in->now >= in->apart_count_at)
		{
			in->apart_count_at = in->now + COUNT_MS;
			apply_count(in->apart);
		}
		else
			apply_apart(in->apart);
		if (apply_step(in->apart, in->now, &err) == APPLY_FAILED)
			failed(in, &err);
	}
}
