/*
 * stream_metrics.c - what the stream counts, as Prometheus wants it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>

#include "../common/version.h"
#include "stream_parts.h"


enum
{
	BUILD_INFO,
	STREAM_INFO,
	STATE,
	READY,
	LAG_BYTES,
	LAG_SECONDS,
	LAST_CONFIRMATION,
	INFLIGHT_TRANSACTIONS,
	INFLIGHT_EVENTS,
	INFLIGHT_BYTES,
	BACKPRESSURE,
	TRANSACTIONS_RECEIVED,
	TRANSACTIONS_ACKNOWLEDGED,
	EVENTS_RECEIVED,
	EVENTS_PRODUCED,
	EVENTS_ACKNOWLEDGED,
	PRODUCED_BYTES,
	LATENCY,
	DELIVERY_ERRORS,
	POSTGRES_ERRORS,
	POSTGRES_STARTS,
	KAFKA_PRODUCERS,
	KAFKA_OUTAGES,
	KAFKA_TRANSACTIONS,
	DEAD_LETTERS,
	DEAD_LETTERS_REDRIVEN,
	DEAD_LETTERS_REFUSED,
	DEAD_LETTERS_DISCARDED,
	PARKED_KEYS,
	OLDEST_DEAD_LETTER,
	METRICS
};

const struct metric stream_metrics[METRICS + 1] = {
	[BUILD_INFO] = {"outbox_streamer_build_info", METRIC_GAUGE, "version, librdkafka",
	"Always 1; the labels say what runs."},
	[STREAM_INFO] = {"outbox_streamer_stream_info", METRIC_GAUGE, "slot, shard, delivery, sink",
	"Always 1; the labels say how it is configured."},
	[STATE] = {"outbox_streamer_state", METRIC_GAUGE, "state",
		"1 for the state it is in: connecting (to PostgreSQL), standby (another instance has the slot), "
	"streaming, draining (asked to stop); 0 for the others."},
	[READY] = {"outbox_streamer_ready", METRIC_GAUGE, NULL,
	"1 if replication runs and a broker answers, as /readyz says it; 0 in a standby."},
	[LAG_BYTES] = {"outbox_streamer_lag_bytes", METRIC_GAUGE, NULL,
		"WAL from the confirmed position to the farthest one that the server has told. While reading "
	"pauses (backpressure) the server can't tell more: see lag_seconds. Not in a standby."},
	[LAG_SECONDS] = {"outbox_streamer_lag_seconds", METRIC_GAUGE, NULL,
		"Time since the commit of the oldest transaction that was received and is not durable in Kafka; 0 if there is none. "
	"From the clocks of two machines."},
	[LAST_CONFIRMATION] = {"outbox_streamer_last_confirmation_timestamp_seconds", METRIC_GAUGE, NULL,
		"When PostgreSQL was last told of progress, or that nothing is in flight (every few seconds when idle). "
	"Not in a standby, nor before the first."},
	[INFLIGHT_TRANSACTIONS] = {"outbox_streamer_inflight_transactions", METRIC_GAUGE, NULL,
	"Transactions received and not yet durable."},
	[INFLIGHT_EVENTS] = {"outbox_streamer_inflight_events", METRIC_GAUGE, NULL,
	"Events in memory; limited by outbox.max_inflight_events."},
	[INFLIGHT_BYTES] = {"outbox_streamer_inflight_bytes", METRIC_GAUGE, NULL,
	"What these take; limited by outbox.max_inflight_bytes."},
	[BACKPRESSURE] = {"outbox_streamer_backpressure", METRIC_GAUGE, NULL,
	"1 while reading from PostgreSQL pauses, because the limits are reached or Kafka takes nothing."},
	[TRANSACTIONS_RECEIVED] = {"outbox_streamer_transactions_received_total", METRIC_COUNTER, NULL,
	"Transactions with events received from PostgreSQL."},
	[TRANSACTIONS_ACKNOWLEDGED] = {"outbox_streamer_transactions_acknowledged_total", METRIC_COUNTER, NULL,
	"Transactions that became durable, they and all before them."},
	[EVENTS_RECEIVED] = {"outbox_streamer_events_received_total", METRIC_COUNTER, NULL,
	"Events received from PostgreSQL."},
	[EVENTS_PRODUCED] = {"outbox_streamer_events_produced_total", METRIC_COUNTER, NULL,
	"Events handed to the Kafka producer; one that is sent again counts again."},
	[EVENTS_ACKNOWLEDGED] = {"outbox_streamer_events_acknowledged_total", METRIC_COUNTER, NULL,
	"Events that all in-sync replicas have acknowledged; exactly-once: whose Kafka transaction is committed."},
	[PRODUCED_BYTES] = {"outbox_streamer_produced_bytes_total", METRIC_COUNTER, NULL,
	"Keys and payloads of the events produced."},
	[LATENCY] = {"outbox_streamer_commit_to_ack_seconds", METRIC_HISTOGRAM, NULL,
		"From a transaction's commit in PostgreSQL until it and all before it are durable in Kafka. "
	"From the clocks of two machines."},
	[DELIVERY_ERRORS] = {"outbox_streamer_delivery_errors_total", METRIC_COUNTER, "class",
		"Errors on the way to Kafka. retry: it begins again by itself; data: an event was refused; "
	"config, fatal: the process ends."},
	[POSTGRES_ERRORS] = {"outbox_streamer_postgres_errors_total", METRIC_COUNTER, "class",
	"Lost or failed connections to PostgreSQL, less those of a standby whose slot is in use."},
	[POSTGRES_STARTS] = {"outbox_streamer_postgres_starts_total", METRIC_COUNTER, NULL,
	"How often replication has started; all but the first are reconnects."},
	[KAFKA_PRODUCERS] = {"outbox_streamer_kafka_producers_total", METRIC_COUNTER, NULL,
	"Kafka producers made; all but the first replaced one that could not go on."},
	[KAFKA_OUTAGES] = {"outbox_streamer_kafka_outages_total", METRIC_COUNTER, NULL,
	"How often no broker answered any more."},
	[KAFKA_TRANSACTIONS] = {"outbox_streamer_kafka_transactions_total", METRIC_COUNTER, "result",
		"exactly-once: Kafka transactions committed, and aborted (given up; whether one counts is read back from Kafka). "
	"Those that carry only the progress are among them."},
	[DEAD_LETTERS] = {"outbox_streamer_dead_letters_total", METRIC_COUNTER, NULL,
	"dead-letter: events stored in outbox.dead_letter, those that wait behind others too; one that is read again counts again."},
	[DEAD_LETTERS_REDRIVEN] = {"outbox_streamer_dead_letters_redriven_total", METRIC_COUNTER, NULL,
	"dead-letter: events sent from the table."},
	[DEAD_LETTERS_REFUSED] = {"outbox_streamer_dead_letters_refused_total", METRIC_COUNTER, NULL,
	"dead-letter: events that were redriven and refused again."},
	[DEAD_LETTERS_DISCARDED] = {"outbox_streamer_dead_letters_discarded_total", METRIC_COUNTER, NULL,
	"dead-letter: events removed unsent, because somebody said so."},
	[PARKED_KEYS] = {"outbox_streamer_parked_keys", METRIC_GAUGE, NULL,
	"dead-letter: keys whose events wait behind a dead letter. Not in a standby."},
	[OLDEST_DEAD_LETTER] = {"outbox_streamer_dead_letter_oldest_age_seconds", METRIC_GAUGE, NULL,
		"dead-letter: how long the oldest dead letter of the slot has waited; 0 if there is none. "
	"Asked of the table every five seconds. Not in a standby."},
	[METRICS] = {0}
};

static void
put_info(const struct stream *s, const struct sink_report *sink, struct metrics_text *text)
{
	struct metric_label build[] = {{"version", OUTBOX_VERSION}, {"librdkafka", sink->library}};
	struct metric_label stream[] = {
		{"slot", s->settings.slot}, {"shard", s->settings.shard},
		{"delivery", s->settings.delivery == DELIVERY_EXACTLY_ONCE ? "exactly-once" : "at-least-once"},
		{"sink", s->settings.sink == SINK_STDOUT ? "stdout" : "kafka"}
	};

	metrics_family(text, &stream_metrics[BUILD_INFO]);
	metrics_integer(text, &stream_metrics[BUILD_INFO], build, 2, 1);
	metrics_family(text, &stream_metrics[STREAM_INFO]);
	metrics_integer(text, &stream_metrics[STREAM_INFO], stream, 4, 1);
}

static void
put_state(const struct health *health, struct metrics_text *text)
{
	char		ignored[128];

	metrics_family(text, &stream_metrics[STATE]);
	for (int i = 0; i < HEALTH_STATES; i++)
		metrics_integer(text, &stream_metrics[STATE], &(struct metric_label) {"state", health_states[i]}, 1,
						(int) health->state == i);
	metrics_one(text, &stream_metrics[READY], health_is_ready(health, false, ignored, sizeof(ignored)));
}

static void
put_lag(const struct stream *s, bool standby, struct metrics_text *text)
{
	const struct stream_figures *f = &s->figures;
	lsn_t		end = s->inflight.newest > f->wal_end ? s->inflight.newest : f->wal_end;
	int64_t		age = 0;

	if (!inflight_empty(&s->inflight) && f->commit_at)
		age = s->wall - f->commit_at[s->inflight.first & s->inflight.mask];
	if (!standby)
		metrics_one(text, &stream_metrics[LAG_BYTES], end > f->confirmed ? (int64_t) (end - f->confirmed) : 0);
	metrics_one_time(text, &stream_metrics[LAG_SECONDS], age > 0 ? age : 0);
	if (!standby && f->confirmed_at)
		metrics_one_time(text, &stream_metrics[LAST_CONFIRMATION], f->confirmed_at);
	metrics_one(text, &stream_metrics[INFLIGHT_TRANSACTIONS], s->inflight.next - s->inflight.first);
	metrics_one(text, &stream_metrics[INFLIGHT_EVENTS], (int64_t) s->inflight.events);
	metrics_one(text, &stream_metrics[INFLIGHT_BYTES], (int64_t) s->inflight.octets);
	metrics_one(text, &stream_metrics[BACKPRESSURE],
				replication_is_streaming(s->session.replication) && stream_is_blocked(s));
}

static void
put_flow(const struct stream_figures *f, struct metrics_text *text)
{
	metrics_one(text, &stream_metrics[TRANSACTIONS_RECEIVED], (int64_t) f->transactions_received);
	metrics_one(text, &stream_metrics[TRANSACTIONS_ACKNOWLEDGED], (int64_t) f->transactions_acknowledged);
	metrics_one(text, &stream_metrics[EVENTS_RECEIVED], (int64_t) f->events_received);
	metrics_one(text, &stream_metrics[EVENTS_PRODUCED], (int64_t) f->events_produced);
	metrics_one(text, &stream_metrics[EVENTS_ACKNOWLEDGED], (int64_t) f->events_acknowledged);
	metrics_one(text, &stream_metrics[PRODUCED_BYTES], (int64_t) f->octets_produced);
	metrics_histogram(text, &stream_metrics[LATENCY], &f->latency);
}

/* Every class, so that the first error is an increase and not a new series. */
static void
put_errors(struct metrics_text *text, const struct metric *metric, const uint64_t *count)
{
	static const char *const names[ERR_CLASSES] = {
		[ERR_RETRY] = "retry", [ERR_CONFIG] = "config", [ERR_FATAL] = "fatal", [ERR_DATA] = "data"
	};

	metrics_family(text, metric);
	for (int class = ERR_RETRY; class < ERR_CLASSES; class++)
		metrics_integer(text, metric, &(struct metric_label) {"class", names[class]}, 1, (int64_t) count[class]);
}

static void
put_kafka(const struct stream *s, const struct sink_report *sink, struct metrics_text *text)
{
	const struct metric *transactions = &stream_metrics[KAFKA_TRANSACTIONS];

	if (s->settings.sink != SINK_KAFKA)
		return;
	metrics_one(text, &stream_metrics[KAFKA_PRODUCERS], (int64_t) sink->producers);
	metrics_one(text, &stream_metrics[KAFKA_OUTAGES], (int64_t) sink->outages);
	if (s->settings.delivery != DELIVERY_EXACTLY_ONCE)
		return;
	metrics_family(text, transactions);
	metrics_integer(text, transactions, &(struct metric_label) {"result", "committed"}, 1, (int64_t) sink->committed);
	metrics_integer(text, transactions, &(struct metric_label) {"result", "aborted"}, 1, (int64_t) sink->aborted);
}

static void
put_deadletter(const struct stream *s, bool standby, struct metrics_text *text)
{
	struct deadletter_counts counts;

	if (!s->deadletter)
		return;
	counts = deadletter_counts(s->deadletter);
	metrics_one(text, &stream_metrics[DEAD_LETTERS], (int64_t) counts.parked);
	metrics_one(text, &stream_metrics[DEAD_LETTERS_REDRIVEN], (int64_t) counts.redriven);
	metrics_one(text, &stream_metrics[DEAD_LETTERS_REFUSED], (int64_t) counts.refused_again);
	metrics_one(text, &stream_metrics[DEAD_LETTERS_DISCARDED], (int64_t) counts.discarded);
	if (standby)
		return;
	metrics_one(text, &stream_metrics[PARKED_KEYS], (int64_t) counts.keys);
	metrics_one_time(text, &stream_metrics[OLDEST_DEAD_LETTER], counts.oldest_ms);
}

void
stream_format_metrics(struct stream *s, struct metrics_text *text)
{
	struct sink_report sink;
	struct health health;

	stream_health(s, &health, &sink);
	put_info(s, &sink, text);
	put_state(&health, text);
	put_lag(s, health.state == HEALTH_STANDBY, text);
	put_flow(&s->figures, text);
	put_errors(text, &stream_metrics[DELIVERY_ERRORS], s->figures.delivery_errors);
	put_errors(text, &stream_metrics[POSTGRES_ERRORS], s->figures.postgres_errors);
	metrics_one(text, &stream_metrics[POSTGRES_STARTS], (int64_t) s->figures.starts);
	put_kafka(s, &sink, text);
	put_deadletter(s, health.state == HEALTH_STANDBY, text);
}
