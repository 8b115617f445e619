/*
 * inbox_http.c - what the consumer answers over HTTP: is it alive, is it ready, and figures.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox_parts.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "../common/version.h"

enum
{
	BUILD_INFO,
	INBOX_INFO,
	READY,
	PARTITIONS,
	LAG,
	MESSAGES,
	REPEATED,
	SET_ASIDE,
	RUN_APART,
	DEAD_LETTERS,
	PARKED_KEYS,
	OLDEST,
	BATCHES,
	BATCH_TIME,
	LAST_BATCH,
	FENCED,
	POSTGRES_ERRORS,
	METRICS
};

const struct metric inbox_metrics[] = {
	[BUILD_INFO] = {"inbox_consumer_build_info", METRIC_GAUGE, "version, librdkafka",
	"Always 1; the labels say what runs."},
	[INBOX_INFO] = {"inbox_consumer_inbox_info", METRIC_GAUGE, "consumer, policy",
	"Always 1; the labels say how it is configured."},
	[READY] = {"inbox_consumer_ready", METRIC_GAUGE, NULL,
	"1 if database and group are there and what comes is applied, as /readyz says it; an instance without partitions is ready, too."},
	[PARTITIONS] = {"inbox_consumer_partitions", METRIC_GAUGE, NULL,
	"Partitions that this instance has taken."},
	[LAG] = {"inbox_consumer_lag_messages", METRIC_GAUGE, NULL,
		"Offsets between what is applied and the end of this instance's partitions, as the brokers last told it; "
	"transaction markers count."},
	[MESSAGES] = {"inbox_consumer_messages_total", METRIC_COUNTER, NULL,
	"Messages in batches that were committed, whatever became of them."},
	[REPEATED] = {"inbox_consumer_messages_repeated_total", METRIC_COUNTER, NULL,
	"Those whose id was there before: passed over."},
	[DEAD_LETTERS] = {"inbox_consumer_dead_letters_total", METRIC_COUNTER, NULL,
	"Messages whose SQL has failed as often as inbox.attempts allows: they wait in outbox.inbox_dead_letter for somebody."},
	[SET_ASIDE] = {"inbox_consumer_set_aside_total", METRIC_COUNTER, NULL,
	"Messages that went to outbox.inbox_dead_letter to be run apart, or behind an earlier one of their key."},
	[RUN_APART] = {"inbox_consumer_run_apart_total", METRIC_COUNTER, NULL,
	"How often a message of that table was run apart; it was applied, or is to be tried again."},
	[PARKED_KEYS] = {"inbox_consumer_parked_keys", METRIC_GAUGE, NULL,
		"Keys of this consumer, of all instances, whose messages wait for somebody: messages that have failed, one for each key. "
	"Asked every 10 s, counted up to 100000."},
	[OLDEST] = {"inbox_consumer_dead_letter_oldest_timestamp_seconds", METRIC_GAUGE, NULL,
	"When the oldest of these was stored. Not if there is none."},
	[BATCHES] = {"inbox_consumer_batches_total", METRIC_COUNTER, NULL,
	"Batches committed: one database transaction each."},
	[BATCH_TIME] = {"inbox_consumer_batch_seconds", METRIC_HISTOGRAM, NULL,
	"From the beginning of a batch until it was committed, with all that was tried again."},
	[LAST_BATCH] = {"inbox_consumer_last_batch_timestamp_seconds", METRIC_GAUGE, NULL,
	"When the last batch was committed. Not before the first."},
	[FENCED] = {"inbox_consumer_fenced_total", METRIC_COUNTER, NULL,
	"Batches that were refused because another instance had taken a partition."},
	[POSTGRES_ERRORS] = {"inbox_consumer_postgres_errors_total", METRIC_COUNTER, NULL,
	"Lost or failed connections to PostgreSQL."},
	[METRICS] = {0}
};

/* ---------- readiness ---------- */

/* The loop that answers is the one that has to turn. */
static bool
is_live(void *arg, char *line, size_t size)
{
	(void) arg;
	(void) snprintf(line, size, "ok");
	return true;
}

static bool
is_ready(void *arg, bool standby_ok, char *line, size_t size)
{
	const struct inbox *in = arg;
	const char *why = NULL;

	(void) standby_ok;
	if (in->phase != PHASE_RUN)
		why = "draining";
	else if (!apply_is_open(in->apply) || in->trouble)
		why = "connecting";
	else if (consume_is_down(in->consume))
		why = "no Kafka broker answers";
	else if (!in->assigned)
		why = "joining the group";
	(void) snprintf(line, size, "%s%s%s", why ? why : "consuming",
					in->trouble ? ": " : "", in->trouble ? in->trouble : "");
	return why == NULL;
}

/* ---------- figures ---------- */

static void
put_info(const struct inbox *in, struct metrics_text *text)
{
	const struct metric_label build[] = {{"version", OUTBOX_VERSION}, {"librdkafka", rd_kafka_version_str()}};
	const struct metric_label inbox[] = {
		{"consumer", in->settings->consumer},
		{"policy", in->settings->policy == POLICY_STOP ? "stop" : "dead-letter"}
	};

	metrics_family(text, &inbox_metrics[BUILD_INFO]);
	metrics_integer(text, &inbox_metrics[BUILD_INFO], build, 2, 1);
	metrics_family(text, &inbox_metrics[INBOX_INFO]);
	metrics_integer(text, &inbox_metrics[INBOX_INFO], inbox, 2, 1);
}

static void
format_metrics(void *arg, struct metrics_text *text)
{
	struct inbox *in = arg;
	const struct inbox_figures *f = &in->figures;
	char		ignored[128];

	put_info(in, text);
	metrics_one(text, &inbox_metrics[READY], is_ready(in, false, ignored, sizeof(ignored)));
	metrics_one(text, &inbox_metrics[PARTITIONS], in->assigned ? (int64_t) in->assignment.count : 0);
	metrics_one(text, &inbox_metrics[LAG], in->assigned ? consume_lag(in->consume, &in->assignment) : 0);
	metrics_one(text, &inbox_metrics[MESSAGES], (int64_t) f->messages);
	metrics_one(text, &inbox_metrics[REPEATED], (int64_t) f->repeated);
	metrics_one(text, &inbox_metrics[SET_ASIDE], (int64_t) f->aside);
	metrics_one(text, &inbox_metrics[RUN_APART], (int64_t) f->apart);
	metrics_one(text, &inbox_metrics[DEAD_LETTERS], (int64_t) f->dead);
	metrics_one(text, &inbox_metrics[PARKED_KEYS], apply_dead(in->apart).failed);
	if (apply_dead(in->apart).oldest > 0)
		metrics_one_time(text, &inbox_metrics[OLDEST], apply_dead(in->apart).oldest);
	metrics_one(text, &inbox_metrics[BATCHES], (int64_t) f->batches);
	metrics_histogram(text, &inbox_metrics[BATCH_TIME], &f->batch_time);
	if (f->applied_at > 0)
		metrics_one_time(text, &inbox_metrics[LAST_BATCH], f->applied_at);
	metrics_one(text, &inbox_metrics[FENCED], (int64_t) f->fenced);
	metrics_one(text, &inbox_metrics[POSTGRES_ERRORS], (int64_t) f->database_errors);
}

enum err_class
inbox_listen(struct inbox *in, struct err *err)
{
	if (!in->settings->http_listen)
		return ERR_NONE;
	in->probes = (struct probes) {.live = is_live, .ready = is_ready, .metrics = format_metrics, .arg = in};
	in->http = probes_open(in->settings->http_listen, &in->probes, err);
	return err->class;
}
