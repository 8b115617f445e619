/*
 * metrics_test.c - the text format, octet by octet, and the histogram.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/metrics.h"

static const struct metric gauge = {"x_bytes", METRIC_GAUGE, "a", "A size."};
static const struct metric counter = {"x_total", METRIC_COUNTER, NULL, "Back\\slash,\nline, \"quote\"."};
static const struct metric times = {"x_seconds", METRIC_HISTOGRAM, NULL, "Times."};

/* Compares, and begins anew. */
static void
is_text(struct metrics_text *text, const char *expected, const char *name)
{
	char	   *got = strndup(text->data ? text->data : "", text->len);

	is_str(got, expected, "%s", name);
	free(got);
	free(text->data);
	*text = (struct metrics_text) {0};
}

static void
test_format(void)
{
	struct metrics_text text = {0};
	struct metric_label labels[] = {{"a", "plain"}, {"b", "back\\slash, \"quote\",\nline, \xc3\xa9"}};

	metrics_one(&text, &gauge, 42);
	is_text(&text, "# HELP x_bytes A size.\n# TYPE x_bytes gauge\nx_bytes 42\n", "a gauge");
	metrics_one(&text, &counter, INT64_MAX);
	is_text(&text, "# HELP x_total Back\\\\slash,\\nline, \"quote\".\n# TYPE x_total counter\n"
			"x_total 9223372036854775807\n", "HELP: backslash and newline are escaped, the quote isn't");
	metrics_integer(&text, &gauge, labels, 1, 0);
	metrics_integer(&text, &gauge, labels, 2, -1);
	is_text(&text, "x_bytes{a=\"plain\"} 0\n"
			"x_bytes{a=\"plain\",b=\"back\\\\slash, \\\"quote\\\",\\nline, \xc3\xa9\"} -1\n", "labels: all three are escaped");
	metrics_seconds(&text, &gauge, NULL, 0, 0);
	metrics_seconds(&text, &gauge, NULL, 0, 1);
	metrics_seconds(&text, &gauge, NULL, 0, 12345);
	metrics_seconds(&text, &gauge, NULL, 0, -1500);
	metrics_seconds(&text, &gauge, NULL, 0, INT64_MIN);
	is_text(&text, "x_bytes 0.000\nx_bytes 0.001\nx_bytes 12.345\nx_bytes -1.500\n"
			"x_bytes -9223372036854775.808\n", "milliseconds as seconds");
}

static void
test_growth(void)
{
	struct metrics_text text = {0};
	size_t		each = strlen("x_bytes{a=\"\"} 7\n") + 1000;
	char		value[1001];
	bool		same = true;

	memset(value, 'v', 1000);
	value[1000] = '\0';
	for (int i = 0; i < 100; i++)
		metrics_integer(&text, &gauge, &(struct metric_label) {"a", value}, 1, 7);
	ok(!text.failed, "a large text");
	is_int((long long) text.len, (long long) (100 * each), "of the right length");
	for (size_t i = 1; i < 100; i++)
		same = same && memcmp(text.data, text.data + i * each, each) == 0;
	ok(same, "and content");
	free(text.data);
}

static void
test_histogram(void)
{
	struct metrics_text text = {0};
	struct metrics_histogram histogram = {0};
	char	   *got;

	metrics_observe(&histogram, -5);
	metrics_observe(&histogram, 1);
	metrics_observe(&histogram, 2);
	metrics_observe(&histogram, 3);
	metrics_observe(&histogram, 60000);
	metrics_observe(&histogram, 60001);
	metrics_histogram(&text, &times, &histogram);
	got = strndup(text.data, text.len);
	ok(strstr(got, "# TYPE x_seconds histogram\nx_seconds_bucket{le=\"0.001\"} 2\nx_seconds_bucket{le=\"0.002\"} 3\n"
			  "x_seconds_bucket{le=\"0.005\"} 4\n") != NULL, "bounds belong to their bucket, buckets are cumulated") || (diag("%s", got), 0);
	ok(strstr(got, "x_seconds_bucket{le=\"30\"} 4\nx_seconds_bucket{le=\"60\"} 5\nx_seconds_bucket{le=\"+Inf\"} 6\n"
			  "x_seconds_sum 120.007\nx_seconds_count 6\n") != NULL, "the last ones, sum and count") || (diag("%s", got), 0);
	free(got);
	free(text.data);
}

static void
test_process(void)
{
	struct metrics_text text = {0};
	char	   *got;

	metrics_process(&text);
	got = strndup(text.data, text.len);
	ok(strstr(got, "\nprocess_cpu_seconds_total 0.") != NULL, "processor time");
	ok(strstr(got, "\nprocess_resident_memory_bytes ") != NULL, "memory");
	ok(strstr(got, "\nprocess_start_time_seconds ") != NULL, "start");
	free(text.data);

	/* whoever counts its changes counts restarts */
	struct metrics_text again = {0};
	char	   *start = strstr(got, "\nprocess_start_time_seconds ");

	for (int64_t until = clock_now() + 20; clock_now() < until;)
		;
	metrics_process(&again);
	ok(start && memmem(again.data, again.len, start, strlen(start)), "a start that stands still");
	free(got);
	free(again.data);
}

int
main(void)
{
	test_format();
	test_growth();
	test_histogram();
	test_process();
	return done_testing();
}
