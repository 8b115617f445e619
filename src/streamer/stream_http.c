/*
 * stream_http.c - what the stream answers over HTTP, and what it measures for that.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>
#include <string.h>

#include "../common/http.h"
#include "../common/log.h"
#include "stream_parts.h"

#define LINE_MAX	256

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

static void
answer_line(struct http_answer *answer, bool good, const char *line)
{
	answer->status = good ? 200 : 503;
	answer->body = malloc(LINE_MAX + 1);
	if (answer->body)
		answer->len = (size_t) snprintf(answer->body, LINE_MAX + 1, "%s\n", line);
}

static void
answer_metrics(struct stream *s, struct http_answer *answer)
{
	struct metrics_text text = {0};

	stream_format_metrics(s, &text);
	if (text.failed)
	{
		free(text.data);
		answer->status = 503;
		return;
	}
	*answer = (struct http_answer) {.status = 200, .type = METRICS_CONTENT_TYPE, .body = text.data, .len = text.len};
}

static void
answer_request(void *arg, const struct http_request *request, struct http_answer *answer)
{
	struct stream *s = arg;
	struct sink_report ignored;
	struct health health;
	char		line[LINE_MAX];

	if (strcmp(request->path, "/metrics") == 0)
		answer_metrics(s, answer);
	else if (strcmp(request->path, "/livez") == 0)
	{
		stream_health(s, &health, &ignored);
		answer_line(answer, health_is_live(&health, line, sizeof(line)), line);
	}
	else if (strcmp(request->path, "/readyz") == 0)
	{
		const char *standby = http_argument(request, "standby");

		stream_health(s, &health, &ignored);
		answer_line(answer, health_is_ready(&health, standby && strcmp(standby, "ok") == 0, line, sizeof(line)), line);
	}
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
	s->http = http_open(s->settings.http_listen, answer_request, s, err);
	if (s->http)
		log_info("/livez, /readyz and /metrics are served at %s", s->settings.http_listen);
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
