/*
 * stream.c - the streamer's loop: replication in, Kafka out, one number back.
 *
 *   replication -> decode -> route -> sink
 *        ^           |BEGIN/EVENT/COMMIT  |delivery reports
 *        +-- flush LSN -- inflight <------+
 *
 * One thread does it all.  Only inflight computes a flush LSN, only the
 * session sends one, and only the stream sees both.  The upper line is
 * stream_intake.c, the lower one is here.  Backpressure: no data is
 * read from PostgreSQL while the in-flight limits are reached; status updates
 * go out all the same.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "stream_parts.h"

#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "../common/http.h"
#include "../common/log.h"

/* How long the server may take to answer CopyDone. */
#define FINISH_TIMEOUT_MS	2000

/* ---------- what the sink says ---------- */

static void
on_acked(void *arg, uint32_t sequence, size_t octets)
{
	struct stream *s = arg;

	inflight_acked(&s->inflight, sequence, octets);
	s->figures.events_acknowledged++;
	s->figures.acknowledged_at = s->now;
}

static void
on_released(void *arg, size_t octets)
{
	struct stream *s = arg;

	inflight_released(&s->inflight, octets);
	s->figures.events_released++;
	s->figures.acknowledged_at = s->now;
}

static void
on_durable(void *arg, uint32_t sequence)
{
	struct stream *s = arg;

	inflight_durable(&s->inflight, sequence);
	s->figures.events_acknowledged += s->figures.events_released;
	s->figures.events_released = 0;
	s->figures.acknowledged_at = s->now;
}

static const struct sink_callbacks callbacks = {on_acked, on_released, on_durable};

/* What may be confirmed to the server. */
static lsn_t
confirmable(struct stream *s)
{
	const struct sink_ops *ops = s->sink->ops;

	s->confirmable = ops->confirm ?
		ops->confirm(s->sink, s->inflight.flush, session_is_stopping(&s->session) ||
					 (s->deadletter && deadletter_wants_confirm(s->deadletter))) :
		s->inflight.flush;
	return s->confirmable;
}

/* ---------- the loop ---------- */

static void
step_phase(struct stream *s)
{
	struct err	err = {0};
	bool		streaming = replication_is_streaming(s->session.replication);

	if (s->phase == PHASE_DRAIN &&
		((inflight_settled(&s->inflight) && !stream_is_reading(s)) ||
		 s->now >= s->phase_until || !streaming))
	{
		if (!inflight_settled(&s->inflight))
			log_warning("stopping with %u transactions in flight; they will be sent again",
						s->inflight.next - s->inflight.first);
		if (!streaming || replication_status(s->session.replication, confirmable(s), &err))
		{
			stream_end(s, NULL);
			return;
		}
		replication_finish(s->session.replication);
		s->phase = PHASE_FINISH;
		s->phase_until = s->now + FINISH_TIMEOUT_MS;
	}
	if (s->phase == PHASE_FINISH &&
		(s->now >= s->phase_until || replication_is_closed(s->session.replication)))
		stream_end(s, NULL);
}

static void
step_signals(struct stream *s, const struct stream_reload *reload)
{
	struct settings fresh;
	struct err	err = {0};

	if (s->signals.stop > 1)
		stream_end(s, NULL);
	else if (s->signals.stop == 1 && s->phase == PHASE_STREAM)
	{
		log_info("asked to stop");
		stream_drain(s, NULL);
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
		stream_connection_lost(s, &err);
	}
	else if (!s->sink_stale &&
			 session_step(&s->session, s->now, confirmable(s), stream_is_blocked(s), &err))
		stream_connection_lost(s, &err);
}

/* What poll() found at the server's socket. */
static void
step_socket(struct stream *s, short revents)
{
	struct err	err = {0};

	replication_ready(s->session.replication, revents);
	/* nobody reads while blocked, so nobody else would notice */
	if (stream_is_blocked(s) && (revents & (POLLHUP | POLLERR)) &&
		replication_is_streaming(s->session.replication))
	{
		err_set(&err, ERR_RETRY, "connection-lost", "PostgreSQL has closed the connection");
		stream_connection_lost(s, &err);
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
		stream_forget_inflight(s, s->inflight.flush);
		return;
	}
	if (s->sink->ops->serve(s->sink, s->now, &err))
		stream_sink_failed(s, &err);
	/* what earlier runs have delivered is skipped */
	if (!was_ready && s->sink->ready && s->sink->progress > s->inflight.flush)
		stream_reset_inflight(s, s->sink->progress);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
timeout(const struct stream *s, bool more)
{
	int64_t		until = notify_deadline(&s->notify);
	int64_t		left;

	if (s->phase != PHASE_STREAM)
		until = earlier(until, s->phase_until);
	if (s->phase <= PHASE_DRAIN && !s->sink_stale)
		until = earlier(until, session_deadline(&s->session, s->confirmable));
	if (s->sink->ops->deadline)
		until = earlier(until, s->sink->ops->deadline(s->sink));
	until = earlier(until, http_deadline(s->http, s->now));
	if (s->deadletter)
		until = earlier(until, deadletter_deadline(s->deadletter));
	left = until - clock_now();
	return more || left <= 0 ? 0 : left > 60000 ? 60000 : (int) left;
}

static void
run(struct stream *s, int signal_fd, const struct stream_reload *reload)
{
	enum {SIGNALS, REPLICATION, SINK, PROBE, HTTP, DEADLETTER, DESCRIPTORS = DEADLETTER + DEADLETTER_POLLFDS};
	struct pollfd fds[DESCRIPTORS];
	bool		more = false;

	while (s->phase != PHASE_DONE)
	{
		fds[SIGNALS] = (struct pollfd) {.fd = signal_fd, .events = POLLIN};
		replication_poll(s->session.replication, !stream_is_blocked(s), &fds[REPLICATION]);
		s->sink->ops->poll(s->sink, &fds[SINK]);
		server_probe_poll(&s->session.probe, &fds[PROBE]);
		http_poll(s->http, &fds[HTTP]);
		stream_poll_parking(s, &fds[DEADLETTER]);
		if (poll(fds, DESCRIPTORS, timeout(s, more)) < 0)
			for (int i = 0; i < DESCRIPTORS; i++)
				fds[i].revents = 0; /* EINTR, or short of memory */
		s->now = clock_now();
		s->wall = clock_wall();

		if (fds[SIGNALS].revents)
			signals_read(signal_fd, &s->signals);
		step_signals(s, reload);
		step_sink(s);
		stream_step_parking(s);
		if (fds[PROBE].revents && s->session.probe.conn)
			session_probe_ready(&s->session, s->now);
		step_socket(s, fds[REPLICATION].revents);
		more = stream_pump(s);
		if (s->deadletter)
			deadletter_flush(s->deadletter);
		step_session(s);
		stream_measure(s);
		step_phase(s);
		notify_step(&s->notify, s->now);
		http_serve(s->http, s->now, fds[HTTP].revents != 0);
	}
}

/*
 * Messages are many and small, and the server's frames, which come and go beside them,
 * are so large that glibc gathers its fast bins each time one is freed; without fast
 * bins there is nothing to gather.  The threads share little, one arena is enough.
 */
static void
tune_malloc(void)
{
#ifdef M_MXFAST
	mallopt(M_MXFAST, 0);
	mallopt(M_ARENA_MAX, 1);
#endif
}

enum err_class
stream_run(const struct settings *settings, const struct stream_reload *reload, struct err *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int			signal_fd = signals_open();
	uint32_t	seed = 1;

	if (!s || signal_fd < 0)
	{
		free(s);
		return err_set(err, ERR_FATAL, "out-of-memory", "out of memory or file descriptors");
	}
	tune_malloc();
	s->settings = *settings;
	s->now = clock_now();
	notify_init(&s->notify);
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint32_t) getpid();
	s->router = route_new(settings->topic, err);
	s->sink = settings->sink == SINK_STDOUT ? sink_stdout_new(&callbacks, s, err) :
		settings->delivery == DELIVERY_EXACTLY_ONCE ?
		sink_kafka_txn_new(&s->settings, &callbacks, s, err) :
		sink_kafka_new(&s->settings, &callbacks, s, err);
	if (!err->class)
		stream_parking_init(s, err);
	if (!err->class &&
		(!inflight_init(&s->inflight, (size_t) settings->max_inflight_events) ||
		 !session_init(&s->session, &s->settings, seed)))
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	if (!err->class && stream_listen(s, err))
	{
		run(s, signal_fd, reload);
		*err = s->result;
	}
	http_free(s->http);
	if (s->session.replication)
		session_free(&s->session);
	stream_parking_free(s);
	if (s->sink)
		s->sink->ops->free(s->sink);
	inflight_free(&s->inflight);
	free(s->figures.commit_at);
	route_free(s->router);
	notify_free(&s->notify);
	close(signal_fd);
	free(s);
	return err->class;
}
