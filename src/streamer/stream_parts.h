/*
 * stream_parts.h - what the files of the stream share: its state.
 *
 * stream.c          the loop, and what ends it
 * stream_intake.c   from the server's messages to the sink: an event's path
 * stream_trouble.c  stopping in order, and beginning again
 * stream_http.c     what it answers to probes, and what it measures
 * stream_metrics.c  what it counts, as text
 * stream_deadletter.c  which events become dead letters
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_STREAM_PARTS_H
#define OUTBOX_STREAM_PARTS_H

#include "../common/notify.h"
#include "../common/probes.h"
#include "../common/signals.h"
#include "deadletter.h"
#include "decode.h"
#include "health.h"
#include "inflight.h"
#include "isolation.h"
#include "oversize.h"
#include "route.h"
#include "session.h"
#include "sink.h"
#include "stream.h"
#include "stream_figures.h"

enum phase
{
	PHASE_STREAM,
	PHASE_DRAIN,				/* no more is read; what is in flight may arrive */
	PHASE_FINISH,				/* all is confirmed; the server is told so */
	PHASE_DONE
};

/* Refused topics that are told apart. */
#define REFUSED_TOPICS	32

struct refused_topic
{
	char		topic[TOPIC_MAX_LEN + 1];
	int64_t		until;
	struct err	err;
};

/* What becomes a dead letter; policy dead-letter. */
struct parking
{
	bool		now;			/* the held event, because of err */
	struct err	err;
	char	   *headers;		/* a copy of the row's */
	struct slice original;		/* the same, or absent */

	bool		condemned;		/* the event at this place, once it is read again */
	char		position[POSITION_LEN + 1];
	struct err	condemnation;

	int			ntopics;
	struct refused_topic topics[REFUSED_TOPICS];

	bool		compressed;		/* a message's size says nothing of its record's */
	struct oversize oversize;
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
	struct deadletter *deadletter;	/* NULL: policy stop */
	struct parking parking;

	/* where the incoming data stands */
	bool		decoding;		/* the decoder has a frame */
	bool		skipping;		/* of a transaction that was seen before */
	bool		held;			/* message is routed and waits for the sink */
	uint32_t	sequence;		/* of the open transaction */
	uint32_t	sent;			/* its events handed on */
	bool		sunk;			/* some of them to the sink */
	bool		committing;		/* its commit waits for dead letters */
	bool		counting;		/* it will be split: its events are only counted */
	struct message message;

	/* whom we stream from; what is in flight belongs to this */
	bool		known;
	char		system[32];
	uint32_t	timeline;

	enum phase	phase;
	int64_t		phase_until;	/* of PHASE_DRAIN and PHASE_FINISH */
	int64_t		now;			/* clock_now() of this turn */
	int64_t		wall;			/* clock_wall() */
	struct notify notify;
	struct signals signals;
	struct err	result;

	struct probes probes;
	struct http *http;			/* NULL = nobody asks */
	struct stream_figures figures;
};

/* ---------- stream_intake.c ---------- */

/* Whether data is wanted at all.  A clean stop completes the open transaction:
 * it couldn't be confirmed otherwise, and would be sent again. */
extern bool stream_is_reading(const struct stream *s);

/* No data is read for the time being. */
extern bool stream_is_blocked(const struct stream *s);

/* Takes what there is, a turn's worth at most.  True: there may be more. */
extern bool stream_pump(struct stream *s);

/* ---------- stream_trouble.c ---------- */

/* Reads no more, lets arrive what is in flight, confirms it and ends; result
 * is why, NULL if nothing is wrong. */
extern void stream_drain(struct stream *s, const struct err *result);

/* Ends at once. */
extern void stream_end(struct stream *s, const struct err *result);

/*
 * What is on its way counts no more: everything behind floor will be read and
 * sent again.  Until the sink has stopped nobody connects.
 */
extern void stream_forget_inflight(struct stream *s, lsn_t floor);

/* The same for a sink that has nothing on its way. */
extern void stream_reset_inflight(struct stream *s, lsn_t floor);

/* The connection is gone, or is to be given up for this reason. */
extern void stream_connection_lost(struct stream *s, const struct err *err);

/*
 * An event can't be delivered by anybody: policy stop.  Transactions that share
 * a Kafka transaction with it could not be committed; so they are sent again
 * first, each in one of its own.
 */
extern void stream_undeliverable(struct stream *s, const struct err *err);

/*
 * The open transaction is too large for one Kafka transaction, and is to be split.
 * What was sent of it is given up; its other events are only counted, and when it
 * has ended it is read again, with their number known.
 */
extern void stream_count(struct stream *s);
extern void stream_counted(struct stream *s);

/* The sink can't go on, or an event was refused. */
extern void stream_sink_failed(struct stream *s, struct err *err);

/* ---------- stream_http.c ---------- */

/* Listens, if it is configured.  False: err is filled. */
extern bool stream_listen(struct stream *s, struct err *err);

/* Once a turn, and before what is in flight is forgotten: takes note of what has
 * become durable and of what has been confirmed. */
extern void stream_measure(struct stream *s);

/* The facts, as of this turn. */
extern void stream_health(struct stream *s, struct health *health, struct sink_report *report);

/* ---------- stream_metrics.c ---------- */

extern void stream_format_metrics(struct stream *s, struct metrics_text *text);
/* ---------- stream_deadletter.c ---------- */

extern enum err_class stream_parking_init(struct stream *s, struct err *err);
extern void stream_parking_free(struct stream *s);

/* Whether what failed so becomes a dead letter. */
extern bool stream_parks(const struct stream *s, const struct err *err);

/* To be called before the event at hand is routed. */
extern void stream_keep_headers(struct stream *s);

/* The event at hand becomes a dead letter, for this reason. */
extern void stream_park(struct stream *s, const struct err *err);

/* The same, if it was condemned or has to wait behind another one. */
extern void stream_park_if_due(struct stream *s);

/* A dead letter's copy that is too large for its topic goes without its payload.
 * False: that is not the matter. */
extern bool stream_omit_payload(struct stream *s, const struct err *err);

/* Stores the held event.  False: not now. */
extern bool stream_put(struct stream *s);

/* What the broker has refused: true if it will be stored once it is read again;
 * then err says how it goes on. */
extern bool stream_condemn(struct stream *s, struct err *err);

/* What the loop polls for, and does in each turn. */
extern void stream_poll_parking(const struct stream *s, struct pollfd fds[DEADLETTER_POLLFDS]);
extern void stream_step_parking(struct stream *s);

#endif							/* OUTBOX_STREAM_PARTS_H */
