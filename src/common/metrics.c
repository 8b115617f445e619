/*
 * metrics.c - figures in Prometheus' text format, version 0.0.4.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const int64_t metrics_bounds[METRICS_BUCKETS] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000
};

static const char *const type_names[] = {"counter", "gauge", "histogram"};

/* Room for so many octets more. */
static bool
reserve(struct metrics_text *text, size_t more)
{
	size_t		size = text->size ? text->size : 4096;
	char	   *data;

	if (text->failed)
		return false;
	while (size - text->len < more)
		size *= 2;
	if (size == text->size)
		return true;
	data = realloc(text->data, size);
	if (!data)
	{
		text->failed = true;
		return false;
	}
	text->data = data;
	text->size = size;
	return true;
}

static void
put(struct metrics_text *text, const char *data, size_t len)
{
	if (!reserve(text, len))
		return;
	memcpy(text->data + text->len, data, len);
	text->len += len;
}

static void
put_text(struct metrics_text *text, const char *data)
{
	put(text, data, strlen(data));
}

__attribute__((format(printf, 2, 3))) static void
put_format(struct metrics_text *text, const char *fmt,...)
{
	char		number[64];
	va_list		args;

	va_start(args, fmt);
	(void) vsnprintf(number, sizeof(number), fmt, args);
	va_end(args);
	put_text(text, number);
}

/* Backslash and newline, and in label values the quote, have to be escaped. */
static void
put_escaped(struct metrics_text *text, const char *data, bool quoted)
{
	for (size_t i = 0; data[i] != '\0'; i++)
	{
		if (data[i] == '\n')
			put(text, "\\n", 2);
		else
		{
			if (data[i] == '\\' || (quoted && data[i] == '"'))
				put(text, "\\", 1);
			put(text, &data[i], 1);
		}
	}
}

void
metrics_family(struct metrics_text *text, const struct metric *metric)
{
	put_text(text, "# HELP ");
	put_text(text, metric->name);
	put_text(text, " ");
	put_escaped(text, metric->help, false);
	put_text(text, "\n# TYPE ");
	put_text(text, metric->name);
	put_text(text, " ");
	put_text(text, type_names[metric->type]);
	put_text(text, "\n");
}

/* Up to where the value stands. */
static void
begin_sample(struct metrics_text *text, const char *name, const char *suffix,
			 const struct metric_label *labels, size_t nlabels)
{
	put_text(text, name);
	put_text(text, suffix);
	for (size_t i = 0; i < nlabels; i++)
	{
		put_text(text, i == 0 ? "{" : ",");
		put_text(text, labels[i].name);
		put_text(text, "=\"");
		put_escaped(text, labels[i].value, true);
		put_text(text, "\"");
	}
	put_text(text, nlabels > 0 ? "} " : " ");
}

static void
put_seconds(struct metrics_text *text, int64_t milliseconds)
{
	uint64_t	absolute = milliseconds < 0 ? -(uint64_t) milliseconds : (uint64_t) milliseconds;

	put_format(text, "%s%" PRIu64 ".%03u", milliseconds < 0 ? "-" : "", absolute / 1000,
			   (unsigned) (absolute % 1000));
}

void
metrics_integer(struct metrics_text *text, const struct metric *metric,
				const struct metric_label *labels, size_t nlabels, int64_t value)
{
	begin_sample(text, metric->name, "", labels, nlabels);
	put_format(text, "%" PRId64 "\n", value);
}

void
metrics_seconds(struct metrics_text *text, const struct metric *metric,
				const struct metric_label *labels, size_t nlabels, int64_t milliseconds)
{
	begin_sample(text, metric->name, "", labels, nlabels);
	put_seconds(text, milliseconds);
	put_text(text, "\n");
}

void
metrics_one(struct metrics_text *text, const struct metric *metric, int64_t value)
{
	metrics_family(text, metric);
	metrics_integer(text, metric, NULL, 0, value);
}

void
metrics_one_time(struct metrics_text *text, const struct metric *metric, int64_t milliseconds)
{
	metrics_family(text, metric);
	metrics_seconds(text, metric, NULL, 0, milliseconds);
}

void
metrics_histogram(struct metrics_text *text, const struct metric *metric,
				  const struct metrics_histogram *histogram)
{
	uint64_t	total = 0;

	metrics_family(text, metric);
	for (int i = 0; i <= METRICS_BUCKETS; i++)
	{
		char		bound[32] = "+Inf";

		if (i < METRICS_BUCKETS)
			(void) snprintf(bound, sizeof(bound), "%g", (double) metrics_bounds[i] / 1000);
		total += histogram->count[i];
		begin_sample(text, metric->name, "_bucket", &(struct metric_label) {"le", bound}, 1);
		put_format(text, "%" PRIu64 "\n", total);
	}
	begin_sample(text, metric->name, "_sum", NULL, 0);
	put_seconds(text, (int64_t) histogram->sum);
	put_text(text, "\n");
	begin_sample(text, metric->name, "_count", NULL, 0);
	put_format(text, "%" PRIu64 "\n", total);
}

void
metrics_print(const struct metric *metrics, FILE *out)
{
	fputs("| metric | type | labels | meaning |\n|---|---|---|---|\n", out);
	for (const struct metric *m = metrics; m->name; m++)
	{
		fprintf(out, "| `%s` | %s | ", m->name, type_names[m->type]);
		if (m->labels)
			fprintf(out, "`%s` ", m->labels);
		fprintf(out, "| %s |\n", m->help);
	}
}
