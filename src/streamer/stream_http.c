/*
 * stream_http.c - what the stream answers over HTTP, and what it measures for that.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "stream_parts.h"

static enum health_state
state_of(const struct stream *s)
{
	if (s->phase != PHASE_STREAM)
		return HEALTH_DRAINING;
	if (replication_is_streaming(s->session.replication))
		return HEALTH_STREAMING;
	return s->session.trouble && strcmp(s->session.trouble, "slot-active") == 0 ?
		HEALTH_STANDBY : HEALTH_CONNECTING;
}

/* Since when what is in flight has been without an acknowledgement. */
static int64_t
stalled(const struct stream *s)
{
	const struct stream_figures *f = &s->figures;

	if (s->inflight.events == 0 && inflight_settled(&s->inflight))
		return 0;
	return s->now - (f->acknowledged_at > f->began_at ? f->acknowledged_at : f->began_at);
}

void
stream_health(struct stream *s, struct health *health, struct sink_report *report)
{
	int64_t		late = s->now - session_deadline(&s->session, s->confirmable);

	*report = (struct sink_report) {.reached = true, .library = ""};
	if (s->sink->ops->report)
		s->sink->ops->report(s->sink, report);
	*health = (struct health) {
		.state = state_of(s),
		.trouble = s->session.trouble,
		.sink_ready = s->sink->ready,
		.sink_reached = report->reached,
		.stalled = stalled(s),
		/* a call of Kafka's is waited for, or the conversation is over */
		.late = s->sink_stale || s->phase != PHASE_STREAM || late < 0 ? 0 : late
	};
}

/* ---------- requests ---------- */

static bool
is_live(void *arg, char *line, size_t size)
{
	struct sink_report ignored;
	struct health health;

	stream_health(arg, &health, &ignored);
	return health_is_live(&health, line, size);
}

static bool
is_ready(void *arg, bool standby_ok, char *line, size_t size)
{
	struct sink_report ignored;
	struct health health;

	stream_health(arg, &health, &ignored);
	return health_is_ready(&health, standby_ok, line, size);
}

static void
format_metrics(void *arg, struct metrics_text *text)
{
	stream_format_metrics(arg, text);
}

bool
stream_listen(struct stream *s, struct err *err)
{
	if (!s->settings.http_listen)
		return true;
	s->figures.commit_at = calloc((size_t) s->inflight.mask + 1, sizeof(*s->figures.commit_at));
	if (!s->figures.commit_at)
	{
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		return false;
	}
	s->probes = (struct probes) {.live = is_live, .ready = is_ready, .metrics = format_metrics, .arg = s};
	s->http = probes_open(s->settings.http_listen, &s->probes, err);
	return s->http != NULL;
}

/* ---------- measuring ---------- */

void
stream_measure(struct stream *s)
{
	struct stream_figures *f = &s->figures;
	const struct session *session = &s->session;

	for (; f->observed != s->inflight.first; f->observed++)
	{
		f->transactions_acknowledged++;
		if (f->commit_at)
			metrics_observe(&f->latency, s->wall - f->commit_at[f->observed & s->inflight.mask]);
	}
	if (session->status_at == f->status_at || session->status_flush == LSN_INVALID)
		return;
	f->status_at = session->status_at;
	if (session->status_flush > f->confirmed || inflight_empty(&s->inflight))
		f->confirmed_at = s->wall;
	f->confirmed = session->status_flush;
}
