/*
 * stream.c - the streamer's loop: replication in, Kafka out, one number back.
 *
 *   replication -> decode -> route -> sink
 *        ^           |BEGIN/EVENT/COMMIT  |delivery reports
 *        +-- flush LSN -- inflight <------+
 *
 * One thread does it all.  Only inflight computes a flush LSN, only the
 * session sends one, and only this file sees both.  Backpressure: no data is
 * read from PostgreSQL while the in-flight limits are reached; status updates
 * go out all the same.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "stream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "../common/clock.h"
#include "../common/log.h"
#include "../common/signals.h"
#include "decode.h"
#include "inflight.h"
#include "isolation.h"
#include "route.h"
#include "session.h"
#include "sink.h"

/* Events and messages taken before the other descriptors get their turn. */
#define TURN_MAX			2000

/* How long what is in flight beside a refused message may take to arrive. */
#define REFUSED_DRAIN_MS	500

/* How long the server may take to answer CopyDone. */
#define FINISH_TIMEOUT_MS	2000

enum phase
{
	PHASE_STREAM,
	PHASE_DRAIN,				/* no more is read; what is in flight may arrive */
	PHASE_FINISH,				/* all is confirmed; the server is told so */
	PHASE_DONE
};

struct stream
{
	struct settings settings;
	struct session session;
	struct decoder decoder;
	struct router *router;
	struct sink *sink;
	bool		sink_started;
	bool		sink_stale;		/* has not stopped yet */
	struct inflight inflight;
	lsn_t		confirmable;	/* inflight.flush, as far as the sink agrees */
	struct isolation isolation;

	/* where the incoming data stands */
	bool		decoding;		/* the decoder has a frame */
	bool		skipping;		/* of a transaction that was seen before */
	bool		held;			/* message is routed and waits for the sink */
	uint32_t	sequence;		/* of the open transaction */
	uint32_t	sent;			/* its events handed to the sink */
	struct message message;

	/* whom we stream from; what is in flight belongs to this */
	bool		known;
	char		system[32];
	uint32_t	timeline;

	enum phase	phase;
	int64_t		phase_until;	/* of PHASE_DRAIN and PHASE_FINISH */
	int64_t		now;			/* clock_now() of this turn */
	int64_t		wall;			/* clock_wall() */
	int64_t		watchdog_at;
	int64_t		watchdog_interval;	/* 0 = systemd doesn't watch */
	struct signals signals;
	struct err	result;
};

/* ---------- what the sink says ---------- */

static void
on_acked(void *arg, uint32_t sequence, size_t octets)
{
	inflight_acked(&((struct stream *) arg)->inflight, sequence, octets);
}

static void
on_released(void *arg, size_t octets)
{
	inflight_released(&((struct stream *) arg)->inflight, octets);
}

static void
on_durable(void *arg, uint32_t sequence)
{
	inflight_durable(&((struct stream *) arg)->inflight, sequence);
}

static const struct sink_callbacks callbacks = {on_acked, on_released, on_durable};

/* What may be confirmed to the server. */
static lsn_t
confirmable(struct stream *s)
{
	const struct sink_ops *ops = s->sink->ops;

	s->confirmable = ops->confirm ?
		ops->confirm(s->sink, s->inflight.flush, session_is_stopping(&s->session)) :
		s->inflight.flush;
	return s->confirmable;
}

/* ---------- ending ---------- */

/* Reads no more, lets arrive what is in flight, confirms it and ends. */
static void
drain(struct stream *s, const struct err *result)
{
	if (s->phase != PHASE_STREAM)
		return;
	if (result)
		s->result = *result;
	s->phase = PHASE_DRAIN;
	s->phase_until = s->now + s->settings.drain_timeout;
	sd_notify(0, "STOPPING=1");
}

static void
end(struct stream *s, const struct err *result)
{
	if (result && !s->result.class)
		s->result = *result;
	s->phase = PHASE_DONE;
}

static void
step_phase(struct stream *s)
{
	struct err	err = {0};
	bool		streaming = replication_is_streaming(s->session.replication);

	if (s->phase == PHASE_DRAIN &&
		(inflight_settled(&s->inflight) || s->now >= s->phase_until || !streaming))
	{
		if (!inflight_settled(&s->inflight))
			log_warning("stopping with %u transactions in flight; they will be sent again",
						s->inflight.next - s->inflight.first);
		if (!streaming || replication_status(s->session.replication, confirmable(s), &err))
		{
			end(s, NULL);
			return;
		}
		replication_finish(s->session.replication);
		s->phase = PHASE_FINISH;
		s->phase_until = s->now + FINISH_TIMEOUT_MS;
	}
	if (s->phase == PHASE_FINISH &&
		(s->now >= s->phase_until || replication_is_closed(s->session.replication)))
		end(s, NULL);
}

/* ---------- beginning again ---------- */

/*
 * What is on its way counts no more: everything behind floor will be read and
 * sent again.  Until the sink has stopped nobody connects.
 */
static void
forget_inflight(struct stream *s, lsn_t floor)
{
	s->sink_stale = !s->sink->ops->stop(s->sink);
	s->sink_started = false;
	if (!s->sink_stale)
		inflight_reset(&s->inflight, floor);
}

static void
connection_lost(struct stream *s, const struct err *err)
{
	s->decoding = s->held = s->skipping = false;
	if (s->phase != PHASE_STREAM)
	{
		replication_close(s->session.replication);
		return;
	}
	/* whoever takes the slot next may be somebody else: begin at the beginning */
	if (s->settings.delivery == DELIVERY_EXACTLY_ONCE && s->sink_started)
		forget_inflight(s, s->inflight.flush);
	if (err->class != ERR_RETRY)
		end(s, err);
	else if (s->settings.no_loop)
	{
		struct err	fatal = *err;

		fatal.class = ERR_FATAL;
		end(s, &fatal);
	}
	else
		session_lost(&s->session, s->now, err);
}

/*
 * An event can't be delivered by anybody: policy stop.  Transactions that share
 * a Kafka transaction with it could not be committed; so they are sent again
 * first, each in one of its own.
 */
static void
undeliverable(struct stream *s, const struct err *err)
{
	struct err	again = {0};

	if (s->settings.delivery == DELIVERY_AT_LEAST_ONCE || inflight_settled(&s->inflight) ||
		s->phase != PHASE_STREAM)
	{
		drain(s, err);
		return;
	}
	isolation_suspect(&s->isolation, "", s->inflight.newest);
	log_err(LOG_LEVEL_WARNING, err);
	err_set(&again, ERR_RETRY, "isolating", "sending what is in flight again, transactions one by one");
	forget_inflight(s, s->inflight.flush);
	connection_lost(s, &again);
}

/* The sink can't go on, or an event was refused. */
static void
sink_failed(struct stream *s, struct err *err)
{
	const struct sink_rejection *rejection = &s->sink->rejection;

	if (err->class == ERR_DATA &&
		!isolation_proves(&s->isolation, rejection->alone))
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
		undeliverable(s, err);
		/* the refused one will never be acknowledged; others may, in a moment */
		if (s->phase == PHASE_DRAIN && s->phase_until > s->now + REFUSED_DRAIN_MS)
			s->phase_until = s->now + (s->inflight.events > 1 ? REFUSED_DRAIN_MS : 0);
		return;
	}
	if (err->class != ERR_RETRY || s->phase != PHASE_STREAM)
	{
		drain(s, err);
		s->phase_until = s->now;	/* nothing more will arrive */
		return;
	}
	forget_inflight(s, s->inflight.flush);
	connection_lost(s, err);
}

/* ---------- an event's path ---------- */

static bool
is_full(const struct stream *s)
{
	return inflight_full(&s->inflight) ||
		s->inflight.events >= (uint64_t) s->settings.max_inflight_events ||
		s->inflight.octets >= (uint64_t) s->settings.max_inflight_bytes;
}

/* Whether data is wanted at all.  A clean stop completes the open transaction:
 * it couldn't be confirmed otherwise, and would be sent again. */
static bool
is_reading(const struct stream *s)
{
	return s->phase == PHASE_STREAM ||
		(s->phase == PHASE_DRAIN && s->inflight.open && !s->result.class);
}

static bool
is_blocked(const struct stream *s)
{
	return !is_reading(s) || s->held || !s->sink->ready || is_full(s);
}

/* Gives the held message to the sink.  False: not now. */
static bool
hand_over(struct stream *s)
{
	const struct message *message = &s->message;
	struct err	err = {0};

	if (is_full(s) ||
		!isolation_allows(&s->isolation, message->topic, message->lsn, s->inflight.events))
		return false;
	switch (s->sink->ops->send(s->sink, message, s->sequence, &err))
	{
		case SINK_OK:
			inflight_sent(&s->inflight, message_octets(message->key.len, message->payload.len));
			isolation_sent(&s->isolation, message->topic, message->lsn);
			s->sent++;
			s->held = false;
			return true;
		case SINK_FULL:
			return false;
		case SINK_FAILED:
			sink_failed(s, &err);
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
		forget_inflight(s, inflight->flush);
		connection_lost(s, &err);
		return;
	}
	if (s->settings.endpos != LSN_INVALID && transaction->lsn > s->settings.endpos)
	{
		drain(s, NULL);
		return;
	}
	s->sequence = inflight_begin(inflight, transaction->lsn);
	s->sent = 0;
}

static void
take_event(struct stream *s)
{
	struct err	err = {0};

	if (s->skipping || s->decoder.event.n < s->sent)
		return;
	if (route_event(s->router, &replication_identity(s->session.replication)->timeline,
					&s->decoder.transaction, &s->decoder.event, s->wall, &s->message, &err))
	{
		err_hint(&err, "correct what writes such events; this one can be passed over by advancing the slot (pg_replication_slot_advance) to %X/%X",
				 LSN_ARGS(s->decoder.transaction.lsn));
		undeliverable(s, &err);
		return;
	}
	s->held = true;
	hand_over(s);
}

static void
take_commit(struct stream *s)
{
	struct err	err = {0};

	if (s->skipping)
		return;
	inflight_commit(&s->inflight);
	if (s->sink->ops->commit &&
		s->sink->ops->commit(s->sink, s->sequence, s->inflight.newest,
							 s->phase != PHASE_STREAM || isolation_is_active(&s->isolation), &err))
		sink_failed(s, &err);
}

/* The next item of the frame at hand. */
static void
take_item(struct stream *s)
{
	struct err	err = {0};

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
			drain(s, &err);
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
		end(s, &err);
		return;
	}
	same = s->known && s->timeline == id->timeline.current && id->confirmed <= s->inflight.flush &&
		s->settings.delivery == DELIVERY_AT_LEAST_ONCE;
	if (!same)
	{
		if (s->known && s->settings.delivery == DELIVERY_AT_LEAST_ONCE)
			log_warning("the slot stands at %X/%X on timeline %u: going on from there",
						LSN_ARGS(id->confirmed), id->timeline.current);
		forget_inflight(s, id->confirmed);
		s->timeline = id->timeline.current;
		memcpy(s->system, id->system, sizeof(s->system));
	}
	if (replication_start(s->session.replication, same ? s->inflight.flush : LSN_INVALID, &err))
		connection_lost(s, &err);
}

static void
take_start(struct stream *s)
{
	const struct replication_identity *id = replication_identity(s->session.replication);
	struct err	err = {0};

	session_started(&s->session, s->now);
	decode_reset(&s->decoder);
	if (!s->sink_started && s->sink->ops->start(s->sink, id, &err))
	{
		sink_failed(s, &err);
		return;
	}
	s->sink_started = true;
	s->known = true;			/* not before: a standby's slot moves under others */
	log_info("streaming from slot \"%s\" of database \"%s\" (system %s, timeline %u) at %X/%X to %s",
			 s->settings.slot, id->database, id->system, s->timeline,
			 LSN_ARGS(s->inflight.flush), s->sink->ops->name);
	sd_notify(0, "READY=1\nSTATUS=streaming");
}

static void
take_keepalive(struct stream *s, const struct replication_message *message)
{
	session_keepalive(&s->session, s->now, message);
	inflight_keepalive(&s->inflight, message->wal_end);
	if (s->settings.endpos != LSN_INVALID && message->wal_end >= s->settings.endpos)
		drain(s, NULL);
}

/* One message from the server.  False: there is none. */
static bool
receive(struct stream *s)
{
	struct replication_message message;
	struct err	err = {0};

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
			connection_lost(s, &err);
			break;
	}
	return true;
}

/* Takes what there is, a turn's worth at most.  True: there may be more. */
static bool
pump(struct stream *s)
{
	for (int i = 0; i < TURN_MAX; i++)
	{
		if (!replication_is_streaming(s->session.replication) || s->phase == PHASE_FINISH)
		{
			if (s->phase == PHASE_DRAIN || !receive(s))
				return false;
		}
		else if (!is_reading(s))
			return false;
		else if (s->held)
		{
			if (!hand_over(s))
				return false;
		}
		else if (is_blocked(s))
			return false;
		else if (s->decoding)
			take_item(s);
		else if (!receive(s))
			return false;
	}
	return true;
}

/* ---------- the loop ---------- */

static void
step_signals(struct stream *s, const struct stream_reload *reload)
{
	struct settings fresh;
	struct err	err = {0};

	if (s->signals.stop > 1)
		end(s, NULL);
	else if (s->signals.stop == 1 && s->phase == PHASE_STREAM)
	{
		log_info("asked to stop");
		drain(s, NULL);
	}
	if (!s->signals.reload)
		return;
	s->signals.reload = false;
	if (reload->read(reload->arg, &fresh, &err))
	{
		log_err(LOG_LEVEL_ERROR, &err);
		return;
	}
	s->settings.status_interval = fresh.status_interval;
	s->settings.confirm_interval = fresh.confirm_interval;
	s->settings.max_inflight_events = fresh.max_inflight_events;
	s->settings.max_inflight_bytes = fresh.max_inflight_bytes;
	s->settings.group_events = fresh.group_events;
	s->settings.group_bytes = fresh.group_bytes;
	s->settings.group_interval = fresh.group_interval;
	s->settings.drain_timeout = fresh.drain_timeout;
	s->settings.log_level = fresh.log_level;
	s->settings.log_format = fresh.log_format;
	log_setup("outbox-streamer", fresh.log_level, fresh.log_format);
	log_info("configuration read again");
}

static void
step_session(struct stream *s)
{
	struct err	err = {0};

	if (s->phase > PHASE_DRAIN || (s->phase == PHASE_DRAIN && replication_is_closed(s->session.replication)))
		return;
	if (session_must_leave(&s->session, s->now))
	{
		err_set(&err, ERR_RETRY, "postgres-shutdown", "let PostgreSQL shut down; it will be asked again for what is in flight");
		connection_lost(s, &err);
	}
	else if (!s->sink_stale &&
			 session_step(&s->session, s->now, confirmable(s), is_blocked(s), &err))
		connection_lost(s, &err);
}

static void
step_watchdog(struct stream *s)
{
	if (s->watchdog_interval == 0 || s->now < s->watchdog_at)
		return;
	sd_notify(0, "WATCHDOG=1");
	s->watchdog_at = s->now + s->watchdog_interval;
}

/* What poll() found at the server's socket. */
static void
step_socket(struct stream *s, short revents)
{
	struct err	err = {0};

	replication_ready(s->session.replication, revents);
	/* nobody reads while blocked, so nobody else would notice */
	if (is_blocked(s) && (revents & (POLLHUP | POLLERR)) &&
		replication_is_streaming(s->session.replication))
	{
		err_set(&err, ERR_RETRY, "connection-lost", "PostgreSQL has closed the connection");
		connection_lost(s, &err);
	}
}

/* What has come in or is due at the sink. */
static void
step_sink(struct stream *s)
{
	bool		was_ready = s->sink->ready;
	struct err	err = {0};

	if (s->sink_stale)
	{
		forget_inflight(s, s->inflight.flush);
		return;
	}
	if (s->sink->ops->serve(s->sink, s->now, &err))
		sink_failed(s, &err);
	/* what earlier runs have delivered is skipped */
	if (!was_ready && s->sink->ready && s->sink->progress > s->inflight.flush)
		inflight_reset(&s->inflight, s->sink->progress);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
timeout(const struct stream *s, bool more)
{
	int64_t		until = s->watchdog_interval ? s->watchdog_at : CLOCK_NEVER;
	int64_t		left;

	if (s->phase != PHASE_STREAM)
		until = earlier(until, s->phase_until);
	if (s->phase <= PHASE_DRAIN && !s->sink_stale)
		until = earlier(until, session_deadline(&s->session, s->confirmable));
	if (s->sink->ops->deadline)
		until = earlier(until, s->sink->ops->deadline(s->sink));
	left = until - clock_now();
	return more || left <= 0 ? 0 : left > 60000 ? 60000 : (int) left;
}

static void
run(struct stream *s, int signal_fd, const struct stream_reload *reload)
{
	enum {SIGNALS, REPLICATION, SINK, PROBE, DESCRIPTORS};
	struct pollfd fds[DESCRIPTORS];
	bool		more = false;

	while (s->phase != PHASE_DONE)
	{
		fds[SIGNALS] = (struct pollfd) {.fd = signal_fd, .events = POLLIN};
		replication_poll(s->session.replication, !is_blocked(s), &fds[REPLICATION]);
		s->sink->ops->poll(s->sink, &fds[SINK]);
		server_probe_poll(&s->session.probe, &fds[PROBE]);
		if (poll(fds, DESCRIPTORS, timeout(s, more)) < 0)
			for (int i = 0; i < DESCRIPTORS; i++)
				fds[i].revents = 0; /* EINTR, or short of memory */
		s->now = clock_now();
		s->wall = clock_wall();

		signals_read(signal_fd, &s->signals);
		step_signals(s, reload);
		step_sink(s);
		if (fds[PROBE].revents && s->session.probe.conn)
			session_probe_ready(&s->session, s->now);
		step_socket(s, fds[REPLICATION].revents);
		s->sink->backlog = more = pump(s);
		step_session(s);
		step_phase(s);
		step_watchdog(s);
	}
}

enum err_class
stream_run(const struct settings *settings, const struct stream_reload *reload, struct err *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int			signal_fd = signals_open();
	uint32_t	seed = 1;
	uint64_t	watchdog_us = 0;

	if (!s || signal_fd < 0)
	{
		free(s);
		return err_set(err, ERR_FATAL, "out-of-memory", "out of memory or file descriptors");
	}
	s->settings = *settings;
	s->now = clock_now();
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		s->watchdog_interval = (int64_t) (watchdog_us / 2000);
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint32_t) getpid();
	s->router = route_new(settings->topic, err);
	s->sink = settings->sink == SINK_STDOUT ? sink_stdout_new(&callbacks, s, err) :
		settings->delivery == DELIVERY_EXACTLY_ONCE ?
		sink_kafka_txn_new(&s->settings, &callbacks, s, err) :
		sink_kafka_new(&s->settings, &callbacks, s, err);
	if (!err->class &&
		(!inflight_init(&s->inflight, (size_t) settings->max_inflight_events) ||
		 !session_init(&s->session, &s->settings, seed)))
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	if (!err->class)
	{
		run(s, signal_fd, reload);
		*err = s->result;
	}
	if (s->session.replication)
		session_free(&s->session);
	if (s->sink)
		s->sink->ops->free(s->sink);
	inflight_free(&s->inflight);
	route_free(s->router);
	close(signal_fd);
	free(s);
	return err->class;
}
