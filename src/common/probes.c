/*
 * probes.c - /livez, /readyz and /metrics, as every program here serves them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "probes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define PROBE_LINE_MAX	256

static void
answer_line(struct http_answer *answer, bool good, const char *line)
{
	answer->status = good ? 200 : 503;
	answer->body = malloc(PROBE_LINE_MAX + 1);
	if (answer->body)
		answer->len = (size_t) snprintf(answer->body, PROBE_LINE_MAX + 1, "%s\n", line);
}

static void
answer_metrics(const struct probes *probes, struct http_answer *answer)
{
	struct metrics_text text = {0};

	probes->metrics(probes->arg, &text);
	metrics_process(&text);
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
	const struct probes *probes = arg;
	char		line[PROBE_LINE_MAX];

	if (strcmp(request->path, "/metrics") == 0)
		answer_metrics(probes, answer);
	else if (strcmp(request->path, "/livez") == 0)
	{
		bool		live = probes->live(probes->arg, line, sizeof(line));

		answer_line(answer, live, line);
	}
	else if (strcmp(request->path, "/readyz") == 0)
	{
		const char *standby = http_argument(request, "standby");
		bool		ready = probes->ready(probes->arg, standby && strcmp(standby, "ok") == 0, line, sizeof(line));

		answer_line(answer, ready, line);
	}
}

struct http *
probes_open(const char *listen, const struct probes *probes, struct err *err)
{
	struct http *http = http_open(listen, answer_request, (void *) probes, err);

	if (http)
		log_info("/livez, /readyz and /metrics are served at %s", listen);
	return http;
}
