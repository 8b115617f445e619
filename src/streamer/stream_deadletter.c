/*
 * stream_deadletter.c - which events become dead letters instead of messages.
 *
 * Four ways lead here: an event that can't be routed; one that waits behind a
 * dead letter of its key; one that the client refuses when it is handed over;
 * and one that the broker refuses.  Of the last nothing is at hand any more but
 * its position: so that is condemned, the stream begins again at the flush LSN,
 * and the event is stored when it is read again.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "../common/log.h"
#include "stream_parts.h"
#include "undeliverable.h"

/* A topic that was refused is tried again after that long. */
#define TOPIC_AGAIN_MS	10000

#define TOO_LARGE		"message-too-large"

static void
on_durable(void *arg, uint32_t sequence, size_t octets)
{
	inflight_acked(&((struct stream *) arg)->inflight, sequence, octets);
}

static bool
is_compressed(const struct settings *settings)
{
	const char *codec = settings_kafka(settings, "compression.codec");

	if (!codec)
		codec = settings_kafka(settings, "compression.type");
	return codec && strcmp(codec, "none") != 0;
}

enum err_class
stream_parking_init(struct stream *s, struct err *err)
{
	if (s->settings.on_undeliverable == POLICY_STOP)
		return ERR_NONE;
	s->deadletter = deadletter_new(&s->settings, s->router, on_durable, s, err);
	s->parking.headers = malloc(OUTBOX_WIRE_MAX_HEAD);
	s->parking.compressed = is_compressed(&s->settings);
	if (s->deadletter && !s->parking.headers)
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	return err->class;
}

void
stream_parking_free(struct stream *s)
{
	deadletter_free(s->deadletter);
	free(s->parking.headers);
}

bool
stream_parks(const struct stream *s, const struct err *err)
{
	return s->deadletter && err->class == ERR_DATA &&
		undeliverable_what(err->code) != UNDELIVERABLE_TRANSACTION;
}

void
stream_keep_headers(struct stream *s)
{
	struct slice headers = s->decoder.event.member[OUTBOX_WIRE_HEADERS];

	if (!s->deadletter)
		return;
	s->parking.original = headers;
	/* whoever reads them unescapes them in place */
	if (headers.data && headers.len <= OUTBOX_WIRE_MAX_HEAD)
	{
		memcpy(s->parking.headers, headers.data, headers.len);
		s->parking.original.data = s->parking.headers;
	}
}

/* ---------- topics that are refused as a whole ---------- */

static struct refused_topic *
find_topic(struct stream *s, const char *topic)
{
	for (int i = 0; i < s->parking.ntopics; i++)
		if (strcmp(s->parking.topics[i].topic, topic) == 0)
			return &s->parking.topics[i];
	return NULL;
}

static void
refuse_topic(struct stream *s, const char *topic, const struct err *err)
{
	struct refused_topic *refused = find_topic(s, topic);

	if (!refused)
	{
		/* more than can be told apart: the oldest is found out again */
		if (s->parking.ntopics == REFUSED_TOPICS)
			memmove(s->parking.topics, s->parking.topics + 1, sizeof(s->parking.topics[0]) * --s->parking.ntopics);
		refused = &s->parking.topics[s->parking.ntopics++];
		snprintf(refused->topic, sizeof(refused->topic), "%s", topic);
	}
	refused->until = s->now + TOPIC_AGAIN_MS;
	refused->err = *err;
}

/* The reason if the message's topic is refused at present, else NULL. */
static const struct err *
topic_refusal(struct stream *s)
{
	struct refused_topic *refused = s->parking.ntopics > 0 ? find_topic(s, s->message.topic) : NULL;

	if (!refused)
		return NULL;
	if (s->now < refused->until)
		return &refused->err;
	*refused = s->parking.topics[--s->parking.ntopics];
	return NULL;
}

/* ---------- an event at hand ---------- */

void
stream_park(struct stream *s, const struct err *err)
{
	s->parking.now = true;
	s->parking.err = *err;
	if (undeliverable_what(err->code) == UNDELIVERABLE_TOPIC && s->message.topic_len > 0)
		refuse_topic(s, s->message.topic, err);
	log_err(LOG_LEVEL_WARNING, err);
}

/* What has been refused teaches how much is too much. */
static void
execute(struct stream *s)
{
	struct parking *p = &s->parking;

	p->condemned = false;
	if (strcmp(p->condemnation.code, TOO_LARGE) == 0 && !p->compressed)
		oversize_note(&p->oversize, &s->message, s->now);
	p->now = !stream_omit_payload(s, &p->condemnation);
	p->err = p->condemnation;
}

/* Too large, as the topic has said of another one a moment ago. */
static void
refuse_size(struct stream *s)
{
	struct parking *p = &s->parking;

	err_set(&p->err, ERR_DATA, TOO_LARGE,
			"topic \"%s\" has refused a message for its size not long ago, and this one is as large", s->message.topic);
	p->now = !stream_omit_payload(s, &p->err);
}

void
stream_park_if_due(struct stream *s)
{
	struct parking *p = &s->parking;
	const struct err *refusal;

	if (!s->deadletter)
		return;
	if (s->sink->limit.octets > 0 && !p->compressed)
		oversize_limit(&p->oversize, s->sink->limit.topic, s->sink->limit.octets, s->now);
	s->sink->limit.octets = 0;
	if (p->condemned && strcmp(p->position, s->message.position) == 0)
		execute(s);
	else if (deadletter_holds(s->deadletter, &s->message))
	{
		p->now = true;
		err_set(&p->err, ERR_DATA, DEADLETTER_BEHIND, "waits behind a dead letter of its topic and key");
	}
	else if ((refusal = topic_refusal(s)))
	{
		p->now = true;
		p->err = *refusal;
	}
	else if (oversize_refuses(&p->oversize, &s->message, s->now))
		refuse_size(s);
}

bool
stream_omit_payload(struct stream *s, const struct err *err)
{
	return strcmp(err->code, TOO_LARGE) == 0 && route_is_copy(&s->decoder.event) &&
		route_omit_payload(&s->message);
}

bool
stream_put(struct stream *s)
{
	struct err	err = {0};
	struct deadletter_event event = {
		.transaction = &s->decoder.transaction, .event = &s->decoder.event, .message = &s->message,
		.headers = s->parking.original, .code = s->parking.err.code, .reason = s->parking.err.message,
		.sequence = s->sequence,
		.octets = message_octets(s->message.key.len, s->decoder.event.payload.len)
	};

	if (!deadletter_put(s->deadletter, &event, &err))
	{
		if (err.class)
			stream_drain(s, &err);
		return false;
	}
	inflight_sent(&s->inflight, event.octets);
	s->sent++;
	s->held = s->parking.now = false;
	return true;
}

/* ---------- what the broker has refused ---------- */

bool
stream_condemn(struct stream *s, struct err *err)
{
	struct parking *p = &s->parking;
	const struct sink_rejection *rejection = &s->sink->rejection;

	if (!stream_parks(s, err))
		return false;
	if (undeliverable_what(err->code) == UNDELIVERABLE_TOPIC)
		refuse_topic(s, rejection->topic, err);
	else if (rejection->position[0] && (rejection->taken == 1 || isolation_proves(&s->isolation, false)))
	{
		/* a batch of one, which large ones mostly are, or sent by itself */
		p->condemned = true;
		memcpy(p->position, rejection->position, sizeof(p->position));
		p->condemnation = *err;
	}
	else
		return false;
	log_err(LOG_LEVEL_WARNING, err);
	err_set(err, ERR_RETRY, "parking", "reading again what is in flight, to store what can't be delivered");
	return true;
}

/* ---------- the loop ---------- */

void
stream_poll_parking(const struct stream *s, struct pollfd fds[DEADLETTER_POLLFDS])
{
	if (s->deadletter)
		deadletter_poll(s->deadletter, fds);
	else
		for (int i = 0; i < DEADLETTER_POLLFDS; i++)
			fds[i] = (struct pollfd) {.fd = -1};
}

void
stream_step_parking(struct stream *s)
{
	struct err	err = {0};

	if (!s->deadletter)
		return;
	if (s->phase != PHASE_STREAM)
		deadletter_quiet(s->deadletter);
	if (deadletter_serve(s->deadletter, s->now, s->confirmable, &err) == ERR_RETRY && s->phase == PHASE_STREAM)
	{
		stream_forget_inflight(s, s->inflight.flush);
		stream_connection_lost(s, &err);
	}
	else if (err.class && s->phase == PHASE_STREAM)
	{
		stream_drain(s, &err);
		s->phase_until = s->now;	/* what can't be stored won't be */
	}
}
