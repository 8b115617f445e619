/*
 * stream_trouble.c - stopping in order, and beginning again.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <string.h>

#include "../common/log.h"
#include "stream_parts.h"

/* How long what is in flight beside a refused message may take to arrive. */
#define REFUSED_DRAIN_MS	500

void
stream_drain(struct stream *s, const struct err *result)
{
	if (s->phase != PHASE_STREAM)
		return;
	if (result)
		s->result = *result;
	s->phase = PHASE_DRAIN;
	/* what is only counted will not arrive */
	s->phase_until = s->counting ? s->now : s->now + s->settings.drain_timeout;
	notify_state(&s->notify, s->now, "STOPPING=1");
}

void
stream_end(struct stream *s, const struct err *result)
{
	if (result && !s->result.class)
		s->result = *result;
	s->phase = PHASE_DONE;
}

void
stream_forget_inflight(struct stream *s, lsn_t floor)
{
	if (s->deadletter)
		deadletter_pause(s->deadletter, true);
	s->sink_stale = !s->sink->ops->stop(s->sink);
	s->sink_started = false;
	if (!s->sink_stale)
		stream_reset_inflight(s, floor);
}

void
stream_reset_inflight(struct stream *s, lsn_t floor)
{
	stream_measure(s);
	inflight_reset(&s->inflight, floor);
	s->figures.observed = s->inflight.first;
	s->figures.events_released = 0;
}

/* Gives the connection up, to begin again later. */
static void
let_go(struct stream *s, const struct err *err)
{
	s->decoding = s->held = s->skipping = s->committing = s->counting = false;
	if (s->deadletter)
		deadletter_pause(s->deadletter, false);
	if (s->phase != PHASE_STREAM)
	{
		replication_close(s->session.replication);
		return;
	}
	/* whoever takes the slot next may be somebody else: begin at the beginning */
	if (s->settings.delivery == DELIVERY_EXACTLY_ONCE && s->sink_started)
		stream_forget_inflight(s, s->inflight.flush);
	if (err->class != ERR_RETRY)
		stream_end(s, err);
	else if (s->settings.no_loop)
	{
		struct err	fatal = *err;

		fatal.class = ERR_FATAL;
		stream_end(s, &fatal);
	}
	else
		session_lost(&s->session, s->now, err);
}

void
stream_count(struct stream *s)
{
	s->sink->ops->stop(s->sink);	/* not while a call is under way: the group is open */
	s->counting = true;
}

void
stream_counted(struct stream *s)
{
	const struct wire_transaction *transaction = &s->decoder.transaction;
	struct err	again = {0};

	s->sink->split = (struct split) {
		.lsn = transaction->lsn, .total = transaction->events,
		.size = (uint32_t) s->settings.max_transaction_events
	};
	s->decoding = s->counting = false;
	err_set(&again, ERR_RETRY, "splitting",
			"the transaction that ends at %X/%X has %u events: reading it again, to send it in %u parts",
			LSN_ARGS(transaction->lsn), transaction->events, split_parts(&s->sink->split));
	stream_forget_inflight(s, s->inflight.flush);
	session_lost(&s->session, s->now, &again);
}

void
stream_connection_lost(struct stream *s, const struct err *err)
{
	if (strcmp(err->code, "slot-active") != 0)
		s->figures.postgres_errors[err->class]++;
	let_go(s, err);
}

void
stream_undeliverable(struct stream *s, const struct err *err)
{
	struct err	again = {0};

	if (s->settings.delivery == DELIVERY_AT_LEAST_ONCE || inflight_settled(&s->inflight) ||
		s->phase != PHASE_STREAM)
	{
		s->figures.delivery_errors[err->class]++;
		stream_drain(s, err);
		return;
	}
	isolation_suspect(&s->isolation, "", s->inflight.newest);
	log_err(LOG_LEVEL_WARNING, err);
	err_set(&again, ERR_RETRY, "isolating", "sending what is in flight again, transactions one by one");
	stream_forget_inflight(s, s->inflight.flush);
	let_go(s, &again);
}

void
stream_sink_failed(struct stream *s, struct err *err)
{
	const struct sink_rejection *rejection = &s->sink->rejection;

	if (err->class == ERR_DATA && !stream_condemn(s, err) &&
		!isolation_proves(&s->isolation, rejection->alone && !stream_parks(s, err)))
	{
		/* others were refused with it: find out which of them is to blame */
		isolation_suspect(&s->isolation, rejection->topic,
						  inflight_end(&s->inflight, rejection->sequence));
		log_err(LOG_LEVEL_WARNING, err);
		err_set(err, ERR_RETRY, "isolating", "sending what is in flight again, messages of topic \"%s\" one by one",
				rejection->topic);
	}
	if (err->class == ERR_DATA)
	{
		bool		others = s->inflight.events > rejection->taken;

		stream_undeliverable(s, err);
		/* the refused will never be acknowledged; others may, in a moment */
		if (s->phase == PHASE_DRAIN && s->phase_until > s->now + REFUSED_DRAIN_MS)
			s->phase_until = s->now + (others ? REFUSED_DRAIN_MS : 0);
		return;
	}
	s->figures.delivery_errors[err->class]++;
	if (err->class != ERR_RETRY || s->phase != PHASE_STREAM)
	{
		stream_drain(s, err);
		s->phase_until = s->now;	/* nothing more will arrive */
		return;
	}
	stream_forget_inflight(s, s->inflight.flush);
	let_go(s, err);
}
