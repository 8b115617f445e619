/*
 * replay.c - rows of an outbox table, sent again.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "replay.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/log.h"
#include "../common/signals.h"
#include "replay_rows.h"
#include "sink.h"

#define TURN_MAX		1000	/* rows between two looks at signals and acknowledgements */
#define SLOT_STEP_MS	100		/* between two looks at the slot */
#define RATE_WINDOW_MS	1000	/* what was not sent within it is not made up for */
#define STEP_MS			20		/* what is due within it goes together */

struct replay
{
	const struct settings *settings;
	const struct replay_options *options;
	struct replay_result *result;
	struct replay_rows *rows;
	struct router *router;
	struct sink *sink;
	struct timeline timeline;	/* none: rows have no LSN */

	int			signal_fd;
	struct signals signals;
	int64_t		stop_until;		/* asked to stop: acknowledgements are waited for until then */

	struct message message;
	bool		held;			/* message waits for the sink */
	bool		ended;			/* there are no more rows */
	uint64_t	sent;
	uint64_t	octets;			/* that are in flight */

	int64_t		window;			/* the rate counts from here */
	int64_t		in_window;		/* sent since */
};

/* ---- acknowledgements ---- */

static void
acked(void *arg, uint32_t sequence, size_t octets)
{
	struct replay *r = arg;

	(void) sequence;
	r->result->acked++;
	r->octets -= octets;
}

static void
ignored_octets(void *arg, size_t octets)
{
	(void) arg, (void) octets;
}

static void
ignored_sequence(void *arg, uint32_t sequence)
{
	(void) arg, (void) sequence;
}

static uint64_t
inflight(const struct replay *r)
{
	return r->sent - r->result->acked;
}

/* ---- the rate ---- */

/* When the next event may go. */
static int64_t
due(struct replay *r, int64_t now)
{
	int64_t		rate = r->options->rate;

	if (rate == 0)
		return now;
	while (now - r->window >= RATE_WINDOW_MS)
	{
		r->window += RATE_WINDOW_MS;
		r->in_window = r->in_window > rate ? r->in_window - rate : 0;
	}
	return r->window + (r->in_window * 1000 / rate + STEP_MS - 1) / STEP_MS * STEP_MS;
}

/* ---- a row ---- */

/* The next row becomes the held message.  False: there is none, or an error. */
static bool
take_row(struct replay *r, struct err *err)
{
	int64_t		wall = clock_wall();
	struct wire_transaction transaction = {.lsn = LSN_INVALID};
	struct wire_event event;

	switch (replay_rows_next(r->rows, &event, &transaction.time_us, err))
	{
		case REPLAY_END:
			r->ended = true;
			return false;
		case REPLAY_ERROR:
			return false;
		case REPLAY_ROW:
			break;
	}
	if (!r->options->selection.original_time)
		transaction.time_us = wall * 1000;
	if (r->options->topic != NULL)
		event.member[OUTBOX_WIRE_TOPIC] = slice_of(r->options->topic);
	if (event.payload.len > (uint64_t) r->settings->max_payload)
		event.member[OUTBOX_WIRE_ERROR] = slice_of(OUTBOX_ERROR_PAYLOAD_SIZE);
	r->held = route_event(r->router, &r->timeline, &transaction, &event, wall, &r->message, err) == ERR_NONE;
	return r->held;
}

static bool
is_full(const struct replay *r)
{
	return inflight(r) >= window_limit(&r->sink->window, (uint64_t) r->settings->max_inflight_events) ||
		r->octets >= (uint64_t) r->settings->max_inflight_bytes;
}

/* Sends what may be sent now. */
static void
pump(struct replay *r, int64_t now, struct err *err)
{
	for (int i = 0; i < TURN_MAX && !is_full(r) && due(r, now) <= now; i++)
	{
		if (!r->held && !take_row(r, err))
			return;
		if (r->sink->ops->send(r->sink, &r->message, (uint32_t) r->sent, err) != SINK_OK)
			return;
		r->held = false;
		r->sent++;
		r->in_window++;
		r->octets += message_octets(r->message.key.len, r->message.payload.len);
	}
}

/* ---- the loop ---- */

static void
read_signals(struct replay *r, int64_t now)
{
	unsigned	before = r->signals.stop;

	signals_read(r->signal_fd, &r->signals);
	if (r->signals.stop > 0 && before == 0)
	{
		log_info("asked to stop");
		r->stop_until = now + r->settings->drain_timeout;
	}
}

static bool
is_over(const struct replay *r, int64_t now)
{
	if (r->signals.stop > 0)
		return inflight(r) == 0 || now >= r->stop_until || r->signals.stop > 1;
	return r->ended && inflight(r) == 0;
}

static void
wait_for_something(struct replay *r, int64_t now)
{
	struct pollfd fds[2] = {{.fd = r->signal_fd, .events = POLLIN}};
	int64_t		until = CLOCK_NEVER;

	r->sink->ops->poll(r->sink, &fds[1]);
	if (r->signals.stop > 0)
		until = r->stop_until;
	else if (!r->ended && !is_full(r) && !r->held)
		until = due(r, now);
	else if (r->held)
		until = now + SLOT_STEP_MS; /* the client's queue has no event for "no longer full" */
	(void) poll(fds, 2, until == CLOCK_NEVER ? -1 : until > now ? (int) (until - now) : 0);
}

static enum err_class
run(struct replay *r, struct err *err)
{
	int64_t		now = clock_now();

	r->window = now;
	if (r->sink->ops->start(r->sink, NULL, err) != ERR_NONE)
		return err->class;
	while (!is_over(r, now))
	{
		if (r->sink->ops->serve(r->sink, now, err) != ERR_NONE)
			break;
		if (r->signals.stop == 0 && !r->ended)
			pump(r, now, err);
		if (err->class != ERR_NONE)
			break;
		if (!is_over(r, now))
			wait_for_something(r, now);
		now = clock_now();
		read_signals(r, now);
	}
	r->result->stopped = !r->ended || inflight(r) > 0;
	return err->class;
}

/* ---- before the first row ---- */

/*
 * What the slot has not confirmed may still be on its way: sent now, it could
 * arrive before events of its key that were committed earlier.
 */
static enum err_class
wait_for_slot(struct replay *r, lsn_t lsn, struct err *err)
{
	const char *slot = r->settings->slot;
	bool		confirmed = false;
	bool		missing = false;
	bool		told = false;

	while (r->signals.stop == 0)
	{
		struct pollfd fd = {.fd = r->signal_fd, .events = POLLIN};

		if (replay_rows_confirmed(r->rows, slot, lsn, &confirmed, &missing, err) != ERR_NONE || confirmed)
			return err->class;
		if (missing)
		{
			log_warning("there is no slot \"%s\": rows that were never sent are sent, too", slot);
			return ERR_NONE;
		}
		if (!told)
			log_info("waiting until slot \"%s\" has confirmed %X/%X, where the last of the rows was committed; --no-wait does not",
					 slot, LSN_ARGS(lsn));
		told = true;
		(void) poll(&fd, 1, SLOT_STEP_MS);
		read_signals(r, clock_now());
	}
	return ERR_NONE;
}

static struct sink *
make_sink(struct replay *r, struct err *err)
{
	const struct sink_callbacks callbacks = {
		.acked = acked, .released = ignored_octets, .durable = ignored_sequence
	};

	if (r->settings->sink == SINK_STDOUT)
		return sink_stdout_new(&callbacks, r, err);
	/* the Kafka transactions of exactly-once belong to whoever has the slot */
	return sink_kafka_new(r->settings, &callbacks, r, err);
}

static enum err_class
prepare(struct replay *r, const struct config *config, struct err *err)
{
	const struct replay_options *options = r->options;
	time_t		seconds = (time_t) (clock_wall() / 1000);
	struct tm	utc;
	lsn_t		lsn;

	r->router = route_new(r->settings->topic, err);
	if (r->router == NULL)
		return err->class;
	(void) strftime(r->result->mark, sizeof(r->result->mark), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	route_as_replay(r->router, r->result->mark);
	r->sink = make_sink(r, err);
	if (r->sink == NULL)
		return err->class;
	r->sink->backlog = true;	/* no row is so new that somebody waits for it */
	r->rows = replay_rows_new(r->settings, config, &options->selection, options->timeout_ms, err);
	if (r->rows == NULL || replay_rows_open(r->rows, &lsn, err) != ERR_NONE)
		return err->class;
	/* not before: while the server selects, a signal simply ends us */
	r->signal_fd = signals_open();
	if (r->signal_fd < 0)
		return err_set(err, ERR_FATAL, "out-of-memory", "out of file descriptors");
	return options->no_wait ? ERR_NONE : wait_for_slot(r, lsn, err);
}

enum err_class
replay_run(const struct settings *settings, const struct config *config,
		   const struct replay_options *options, struct replay_result *result, struct err *err)
{
	struct replay r = {
		.settings = settings, .options = options, .result = result, .signal_fd = -1
	};

	*result = (struct replay_result) {.acked = 0};
	if (prepare(&r, config, err) == ERR_NONE && r.sink != NULL)
		(void) run(&r, err);
	if (r.sink != NULL)
		r.sink->ops->free(r.sink);
	replay_rows_free(r.rows);
	route_free(r.router);
	if (r.signal_fd >= 0)
		(void) close(r.signal_fd);
	return err->class;
}
