/*
 * stream_intake.c - from the server's messages to the sink: an event's path.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <string.h>

#include "../common/log.h"
#include "stream_parts.h"

/* Events and messages taken before the other descriptors get their turn. */
#define TURN_MAX			2000

/* What was committed that long ago is a backlog. */
#define BACKLOG_MS			250

static bool
is_full(const struct stream *s)
{
	return inflight_full(&s->inflight) ||
		s->inflight.events >= window_limit(&s->sink->window, (uint64_t) s->settings.max_inflight_events) ||
		s->inflight.octets >= (uint64_t) s->settings.max_inflight_bytes;
}

bool
stream_is_reading(const struct stream *s)
{
	return s->phase == PHASE_STREAM ||
		(s->phase == PHASE_DRAIN && s->inflight.open && !s->counting && !s->result.class);
}

bool
stream_is_blocked(const struct stream *s)
{
	return !stream_is_reading(s) ||
		(!s->counting && (s->held || s->committing || !s->sink->ready || is_full(s) ||
						  (s->deadletter && !deadletter_ready(s->deadletter))));
}

/* The open transaction goes out in parts. */
static bool
is_split(const struct stream *s)
{
	return s->sink->split.lsn == s->decoder.transaction.lsn;
}

/* Gives the held message to the sink.  False: not now. */
static bool
hand_over(struct stream *s)
{
	const struct message *message = &s->message;
	struct err	err;

	err_clear(&err);
	if (is_full(s))
		return false;
	if (s->parking.now)
		return stream_put(s);
	/* a part may end with this one, and with it what was put before has to be durable */
	if (is_split(s) && s->deadletter && deadletter_pending(s->deadletter))
		return false;
	if (!isolation_allows(&s->isolation, message->topic, message->lsn, s->inflight.events))
		return false;
	switch (s->sink->ops->send(s->sink, message, s->sequence, &err))
	{
		case SINK_OK:
			inflight_sent(&s->inflight, message_octets(message->key.len, message->payload.len));
			isolation_sent(&s->isolation, message->topic, message->lsn);
			s->sunk = true;
			s->sent++;
			s->held = false;
			s->figures.events_produced++;
			s->figures.octets_produced += message->key.len + message->payload.len;
			return true;
		case SINK_FULL:
			return false;
		case SINK_FAILED:
			if (stream_omit_payload(s, &err))
				return hand_over(s);
			if (stream_parks(s, &err))
			{
				stream_park(s, &err);
				return stream_put(s);
			}
			stream_sink_failed(s, &err);
			break;
	}
	return false;
}

/*
 * After a reconnect the server repeats what was not confirmed.  What has been
 * handed to the sink since is on its way or there already: the newest
 * transaction goes on where it was, those before it are passed over.
 */
static void
take_begin(struct stream *s)
{
	const struct wire_transaction *transaction = &s->decoder.transaction;
	struct inflight *inflight = &s->inflight;
	bool		resumes = inflight->open && transaction->lsn == inflight->newest;

	s->skipping = !resumes &&
		(transaction->lsn <= inflight->newest || transaction->lsn <= inflight->flush);
	if (resumes || s->skipping)
		return;
	if (inflight->open)
	{
		struct err	err = {0};

		err_set(&err, ERR_RETRY, "replication-protocol",
				"the server goes on at %X/%X without the rest of the transaction that ends at %X/%X",
				LSN_ARGS(transaction->lsn), LSN_ARGS(inflight->newest));
		stream_forget_inflight(s, inflight->flush);
		stream_connection_lost(s, &err);
		return;
	}
	if (s->settings.endpos != LSN_INVALID && transaction->lsn > s->settings.endpos)
	{
		stream_drain(s, NULL);
		return;
	}
	s->sink->backlog = s->wall - transaction->time_us / 1000 > BACKLOG_MS;
	if (inflight_empty(inflight))
		s->figures.began_at = s->now;
	s->sequence = inflight_begin(inflight, transaction->lsn);
	s->sent = is_split(s) ? s->sink->split.sent : 0;
	s->figures.transactions_received++;
	if (s->figures.commit_at)
		s->figures.commit_at[s->sequence & inflight->mask] = transaction->time_us / 1000;
	s->sunk = false;
}

/* The table of columns, say, is another than when its first part was sent. */
static bool
split_changed(struct stream *s)
{
	struct err	err = {0};

	err_set(&err, ERR_FATAL, "split-changed",
			"the transaction that ends at %X/%X has not the %u events that it had when parts of it were sent",
			LSN_ARGS(s->sink->split.lsn), s->sink->split.total);
	err_hint(&err, "start with the configuration of that time (tables, message_prefix, origin, shard); it may be changed once the transaction is sent");
	stream_end(s, &err);
	return true;
}

/* True: the event is not sent. */
static bool
is_split_away(struct stream *s)
{
	uint32_t	n = s->decoder.event.n;

	if (is_split(s))
		return n < s->sink->split.total ? false : split_changed(s);
	if (s->settings.large_transactions == LARGE_REFUSE ||
		s->settings.delivery == DELIVERY_AT_LEAST_ONCE || n < s->settings.max_transaction_events)
		return false;
	stream_count(s);
	return true;
}

static void
take_event(struct stream *s)
{
	struct err	err;

	err_clear(&err);
	if (s->skipping || s->counting || s->decoder.event.n < s->sent || is_split_away(s))
		return;
	s->parking.now = false;
	stream_keep_headers(s);
	if (route_event(s->router, &replication_identity(s->session.replication)->timeline,
					&s->decoder.transaction, &s->decoder.event, s->wall, &s->message, &err))
	{
		if (stream_parks(s, &err))
		{
			stream_park(s, &err);
			s->held = true;
			hand_over(s);
			return;
		}
		err_hint(&err, "correct what writes such events; this one can be passed over by advancing the slot (pg_replication_slot_advance) to %X/%X%s",
				 LSN_ARGS(s->decoder.transaction.lsn),
				 s->settings.delivery == DELIVERY_EXACTLY_ONCE ? " and raising outbox.generation" : "");
		stream_undeliverable(s, &err);
		return;
	}
	s->figures.events_received++;
	stream_park_if_due(s);
	if (is_split(s) && !s->parking.now)
		route_mark_part(&s->message, split_part(&s->sink->split, s->message.n), split_parts(&s->sink->split));
	s->held = true;
	hand_over(s);
}

/*
 * A sink that groups transactions makes what it is told of durable as a whole:
 * dead letters among it have to be durable before.  What has nothing in the sink
 * is none of its business.
 */
static void
take_commit(struct stream *s)
{
	struct err	err;

	err_clear(&err);
	if (s->skipping)
		return;
	if (s->counting)
	{
		stream_counted(s);
		return;
	}
	if (is_split(s) && s->decoder.transaction.events != s->sink->split.total)
	{
		split_changed(s);
		return;
	}
	s->committing = s->sink->ops->commit && s->deadletter && deadletter_pending(s->deadletter);
	if (s->committing)
		return;
	inflight_commit(&s->inflight);
	if (s->sink->ops->commit && s->sunk &&
		s->sink->ops->commit(s->sink, s->sequence, s->inflight.newest,
							 s->phase != PHASE_STREAM || inflight_full(&s->inflight) ||
							 isolation_is_active(&s->isolation), &err))
		stream_sink_failed(s, &err);
}

/* The next item of the frame at hand. */
static void
take_item(struct stream *s)
{
	struct err	err;

	err_clear(&err);
	switch (decode_next(&s->decoder, &err))
	{
		case DECODE_END:
			s->decoding = false;
			break;
		case DECODE_BEGIN:
			take_begin(s);
			break;
		case DECODE_EVENT:
			take_event(s);
			break;
		case DECODE_COMMIT:
			take_commit(s);
			break;
		case DECODE_ERROR:
			s->figures.delivery_errors[err.class]++;
			stream_drain(s, &err);
			break;
	}
}

/* ---------- what the server says ---------- */

/*
 * Goes on where we were if the slot is still ours; else (first start, another
 * timeline, the slot used by somebody else meanwhile) where the slot stands.
 */
static void
take_identity(struct stream *s)
{
	const struct replication_identity *id = replication_identity(s->session.replication);
	bool		same;
	struct err	err = {0};

	if (s->known && strcmp(s->system, id->system) != 0)
	{
		err_set(&err, ERR_FATAL, "system-changed",
				"this is another database system than before (%s instead of %s)", id->system, s->system);
		err_hint(&err, "restart, if that is meant");
		stream_end(s, &err);
		return;
	}
	same = s->known && s->timeline == id->timeline.current && id->confirmed <= s->inflight.flush &&
		s->settings.delivery == DELIVERY_AT_LEAST_ONCE;
	if (!same)
	{
		if (s->known && s->settings.delivery == DELIVERY_AT_LEAST_ONCE)
			log_warning("the slot stands at %X/%X on timeline %u: going on from there",
						LSN_ARGS(id->confirmed), id->timeline.current);
		stream_forget_inflight(s, id->confirmed);
		s->timeline = id->timeline.current;
		memcpy(s->system, id->system, sizeof(s->system));
	}
	if (replication_start(s->session.replication, same ? s->inflight.flush : LSN_INVALID, &err))
		stream_connection_lost(s, &err);
}

static void
take_start(struct stream *s)
{
	const struct replication_identity *id = replication_identity(s->session.replication);
	struct err	err = {0};

	s->figures.starts++;
	s->figures.confirmed = s->inflight.flush;
	s->figures.wal_end = id->wal_flush;
	decode_reset(&s->decoder);
	if (!s->sink_started && s->sink->ops->start(s->sink, id, &err))
	{
		stream_sink_failed(s, &err);
		return;
	}
	session_started(&s->session, s->now);	/* not before: a sink that fails each time is waited for longer and longer */
	if (s->deadletter)
		deadletter_start(s->deadletter, id);
	s->sink_started = true;
	s->known = true;			/* not before: a standby's slot moves under others */
	log_info("streaming from slot \"%s\" of database \"%s\" (system %s, timeline %u) at %X/%X to %s",
			 s->settings.slot, id->database, id->system, s->timeline,
			 LSN_ARGS(s->inflight.flush), s->sink->ops->name);
	notify_state(&s->notify, s->now, "READY=1\nSTATUS=streaming");
}

static void
take_keepalive(struct stream *s, const struct replication_message *message)
{
	session_keepalive(&s->session, s->now, message);
	inflight_keepalive(&s->inflight, message->wal_end);
	if (message->wal_end > s->figures.wal_end)
		s->figures.wal_end = message->wal_end;
	if (s->settings.endpos != LSN_INVALID && message->wal_end >= s->settings.endpos)
		stream_drain(s, NULL);
}

/* One message from the server.  False: there is none. */
static bool
receive(struct stream *s)
{
	struct replication_message message;
	struct err	err;

	err_clear(&err);
	switch (replication_next(s->session.replication, &message, &err))
	{
		case REPLICATION_NONE:
			return false;
		case REPLICATION_IDENTIFIED:
			take_identity(s);
			break;
		case REPLICATION_STARTED:
			take_start(s);
			break;
		case REPLICATION_DATA:
			decode_feed(&s->decoder, message.data, message.len);
			s->decoding = true;
			break;
		case REPLICATION_KEEPALIVE:
			take_keepalive(s, &message);
			break;
		case REPLICATION_FINISHED:
			break;
		case REPLICATION_FAILED:
			stream_connection_lost(s, &err);
			break;
	}
	return true;
}

bool
stream_pump(struct stream *s)
{
	for (int taken = 0; taken < TURN_MAX; taken++)
	{
		if (!replication_is_streaming(s->session.replication) || s->phase == PHASE_FINISH)
		{
			if (s->phase == PHASE_DRAIN || !receive(s))
				return false;
		}
		else if (!stream_is_reading(s))
			return false;
		else if (s->held)
		{
			if (!hand_over(s))
				return false;
		}
		else if (s->committing)
		{
			take_commit(s);
			if (s->committing)
				return false;
		}
		else if (stream_is_blocked(s))
			return false;
		else if (s->decoding)
			take_item(s);
		else if (!receive(s))
			return false;
	}
	return true;
}
