/*
 * metrics.h - figures in Prometheus' text format, version 0.0.4.
 *
 * Pure: a text that grows while families of samples are appended to it, and a
 * histogram that is cheap to add to.  Nothing here registers anything: a program
 * counts in plain fields of its own and formats them when it is asked.
 *
 *   metrics_family(text, &definition);            HELP and TYPE
 *   metrics_integer(text, labels, n, value);      its samples, one after the other
 *
 * The format: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_METRICS_H
#define OUTBOX_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define METRICS_CONTENT_TYPE	"text/plain; version=0.0.4; charset=utf-8"

enum metric_type
{
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM
};

/* A family: what all samples of one name have in common.  Static. */
struct metric
{
	const char *name;			/* [a-z_]+, with its unit */
	enum metric_type type;
	const char *labels;			/* for the reference: "state", "a, b"; NULL = none */
	const char *help;			/* a sentence or two, any text */
};

/* value: UTF-8; it is escaped. */
struct metric_label
{
	const char *name;
	const char *value;
};

/*
 * Zero it before use; data is the caller's to free().  Once memory is short,
 * failed is set and nothing more is added.
 */
struct metrics_text
{
	char	   *data;
	size_t		len;
	size_t		size;
	bool		failed;
};

extern void metrics_family(struct metrics_text *text, const struct metric *metric);

/* Samples of the family that was begun last. */
extern void metrics_integer(struct metrics_text *text, const struct metric *metric,
							const struct metric_label *labels, size_t nlabels, int64_t value);

/* The same, of a time: milliseconds become seconds. */
extern void metrics_seconds(struct metrics_text *text, const struct metric *metric,
							const struct metric_label *labels, size_t nlabels, int64_t milliseconds);

/* A family with one sample that has no labels. */
extern void metrics_one(struct metrics_text *text, const struct metric *metric, int64_t value);
extern void metrics_one_time(struct metrics_text *text, const struct metric *metric, int64_t milliseconds);

/* ---------- a histogram of times ---------- */

#define METRICS_BUCKETS		15

/* Upper bounds, in milliseconds: 1 ms to a minute. */
extern const int64_t metrics_bounds[METRICS_BUCKETS];

struct metrics_histogram
{
	uint64_t	count[METRICS_BUCKETS + 1]; /* not cumulated; the last is +Inf */
	uint64_t	sum;			/* milliseconds */
};

/* A negative time, from clocks that disagree, counts as 0. */
static inline void
metrics_observe(struct metrics_histogram *histogram, int64_t milliseconds)
{
	int			i = 0;

	if (milliseconds < 0)
		milliseconds = 0;
	while (i < METRICS_BUCKETS && milliseconds > metrics_bounds[i])
		i++;
	histogram->count[i]++;
	histogram->sum += (uint64_t) milliseconds;
}

/* The whole family, in seconds. */
extern void metrics_histogram(struct metrics_text *text, const struct metric *metric,
							  const struct metrics_histogram *histogram);

/* ---------- the process, and the reference ---------- */

/*
 * process_* as Prometheus' client libraries name them: processor time, memory,
 * start.  Reads /proc; what can't be read is left out.
 */
extern void metrics_process(struct metrics_text *text);

/* A table of families as Markdown; it ends with a name of NULL. */
extern void metrics_print(const struct metric *metrics, FILE *out);

#endif							/* OUTBOX_METRICS_H */
