/*
 * settings.c - the streamer's configuration: its table, and what it means.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "settings.h"
#include "settings_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../decoder_plugin/wire.h"
#include "../common/cli.h"
#include "../common/pg.h"
#include "../common/probes.h"
#include "../kafka/topic_name.h"

#define KB	INT64_C(1024)
#define MB	(1024 * KB)
#define GB	(1024 * MB)

#define SECONDS(n)	((n) * INT64_C(1000))

static const struct config_key keys[] = {
	{"postgres", "dsn", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_REQUIRED | CONFIG_SECRET,
		"Connection string of libpq (key=value or URI) for the database that holds the outbox. "
	"The role needs REPLICATION; several hosts are allowed, the primary is found by itself."},
	{"postgres", "slot", CONFIG_STRING, "pg_outbox", NULL, 0, 0, 0,
	"Replication slot to stream from. It is made by \"outbox-streamer slot create\" and never replaced silently."},
	{"postgres", "status_interval", CONFIG_DURATION, "10s", NULL, 100, SECONDS(600), CONFIG_RELOAD,
	"Longest time between two status updates to PostgreSQL. Keep it well below the server's wal_sender_timeout."},
	{"postgres", "confirm_interval", CONFIG_DURATION, "20ms", NULL, 0, SECONDS(10), CONFIG_RELOAD,
		"Shortest time between two confirmations to PostgreSQL while events flow. What lies within it is "
	"what may arrive twice after a crash."},

	{"outbox", "delivery", CONFIG_ENUM, "at-least-once", "at-least-once|exactly-once", 0, 0, 0,
	"at-least-once repeats what was unconfirmed after a crash. exactly-once uses Kafka transactions: consumers that "
	"read committed records only see every event once, and a PostgreSQL transaction never in part."},
	{"outbox", "topic", CONFIG_STRING, "outbox.event.${aggregatetype}", NULL, 0, 0, 0,
	"Topic of events whose row names none. ${aggregatetype}, ${type} and ${table} are replaced."},
	{"outbox", "message_prefix", CONFIG_STRING, "pg_outbox", NULL, 0, 0, 0,
	"Prefix of the logical messages that are events (outbox.emit_message). Empty: messages are ignored."},
	{"outbox", "origin", CONFIG_ENUM, "any", "any|none", 0, 0, 0,
	"none leaves out rows that logical replication brought from another server; any takes them too."},
	{"outbox", "shard", CONFIG_STRING, "0/1", NULL, 0, 0, 0,
		"i/n: one of n streamers with a slot each, which has the events whose key hashes to i. "
	"All n use the same n; order per key is kept, that between keys only within a shard."},
	{"outbox", "wait_visible", CONFIG_BOOL, "on", NULL, 0, 0, 0,
	"An event is sent only when other sessions can see its transaction. Off saves the wait for a synchronous standby."},
	{"outbox", "cork", CONFIG_BOOL, "on", NULL, 0, 0, 0,
	"In a backlog the server sends small transactions together. Off sends each by itself, in case that something else in the server disagrees."},
	{"outbox", "max_payload", CONFIG_SIZE, NULL, NULL, 1, 1016 * MB, 0,
		"Largest payload. Not set: Kafka's message.max.bytes, or 64MB on standard output. "
	"A larger one is data that can't be delivered."},
	{"outbox", "max_inflight_events", CONFIG_INT, "20000", NULL, 1, 10000000, CONFIG_RELOAD,
	"Most events that wait for an acknowledgement; at this many, reading from PostgreSQL pauses. Fewer are in flight where that is enough to fill the batches."},
	{"outbox", "max_inflight_bytes", CONFIG_SIZE, "16MB", NULL, 64 * KB, 64 * GB, CONFIG_RELOAD,
	"Most octets that wait for an acknowledgement. It bounds the process's memory."},
	{"outbox", "group_events", CONFIG_INT, "60000", NULL, 1, 10000000, CONFIG_RELOAD,
	"exactly-once: PostgreSQL transactions share a Kafka transaction until they have this many events."},
	{"outbox", "group_bytes", CONFIG_SIZE, "64MB", NULL, 1, 64 * GB, CONFIG_RELOAD,
	"exactly-once: or until their messages have this size."},
	{"outbox", "group_interval", CONFIG_DURATION, "5ms", NULL, 0, SECONDS(60), CONFIG_RELOAD,
	"exactly-once: or until the Kafka transaction has been open that long; in a backlog, 100 times that."},
	{"outbox", "max_transaction_events", CONFIG_INT, "1000000", NULL, 1, INT64_C(4000000000), 0,
		"exactly-once: what has more events is a large transaction. "
	"As many have to be produced within kafka.transaction.timeout.ms (default 60000)."},
	{"outbox", "large_transactions", CONFIG_ENUM, "refuse", "refuse|split", 0, 0, 0,
		"exactly-once: refuse takes a large transaction for data that can't be delivered. split sends it in several Kafka "
		"transactions, of max_transaction_events events each: consumers see it in part for a while. Its messages have the "
	"header outbox.part, n/m."},
	{"outbox", "generation", CONFIG_INT, "1", NULL, 1, INT64_C(1000000000), 0,
		"exactly-once: raise it after dropping and re-creating the slot, so that the progress "
	"of the earlier slot is not applied to the new one."},
	{"outbox", "on_undeliverable", CONFIG_ENUM, "stop", "stop|dead-letter", 0, 0, 0,
		"What to do with an event that can't be delivered. stop ends the process with status 3; dead-letter stores it "
	"in the table outbox.dead_letter and goes on."},
	{"outbox", "dead_letter_order", CONFIG_ENUM, "per-key", "per-key|none", 0, 0, 0,
		"dead-letter: per-key stores later events of the same topic and key behind the one that can't be delivered, "
	"so that they keep their order; none sends them."},
	{"outbox", "max_parked_keys", CONFIG_INT, "1000000", NULL, 1, INT64_C(100000000), 0,
		"dead-letter: most keys that may have dead letters, 64 octets of memory each; beyond that the process ends."},
	{"outbox", "dead_letter_topic", CONFIG_STRING, "", NULL, 0, 0, 0,
		"dead-letter: topic that is told of each event that can't be delivered: its key, payload and headers, and the reason "
	"in headers outbox.dead_letter.*. Empty: none. The table has them all the same."},
	{"outbox", "drain_timeout", CONFIG_DURATION, "5s", NULL, 0, SECONDS(3600), CONFIG_RELOAD,
	"How long SIGTERM, or a server that shuts down, waits for outstanding acknowledgements."},

	{"table", "id", CONFIG_STRING, NULL, NULL, 0, 0, 0,
		"Column of the event's id. As for every key of this section: a column's name is taken literally, "
	"a value in single quotes is a constant, empty means none, and not set means the column of this name, if there is one."},
	{"table", "aggregatetype", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the aggregate type, which the default topic ends with."},
	{"table", "aggregateid", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the aggregate's id: the message key, unless the row has one."},
	{"table", "type", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the event type."},
	{"table", "payload", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the payload: json, jsonb, text, varchar or bytea. NULL is a tombstone."},
	{"table", "topic", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column that names the topic of this row."},
	{"table", "key", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the message key, in the aggregate id's place."},
	{"table", "partition_key", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column to choose the partition by, in the key's place."},
	{"table", "headers", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of additional headers: a JSON object."},
	{"table", "traceparent", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the W3C trace context."},
	{"table", "timestamp", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Column of the message's time. Not set: the commit time."},

	{"sink", "type", CONFIG_ENUM, "kafka", "kafka|stdout", 0, 0, 0,
	"Where events go. stdout prints them, needs no Kafka, and is meant for trying out."},

	{"kafka", "bootstrap.servers", CONFIG_STRING, NULL, NULL, 0, 0, 0,
	"Brokers to ask for the others, host:port, separated by commas. Required unless sink.type is stdout."},
	KAFKA_SECRET_KEYS,
	{"kafka", "*", CONFIG_STRING, NULL, NULL, 0, 0, 0,
		"Any property of librdkafka, by its own name. Refused are those that delivery rests on: enable.idempotence, acks, "
	"transactional.id, enable.gapless.guarantee, message.timeout.ms, message.send.max.retries."},

	PROBES_KEYS,

	CLI_LOG_KEYS,
	{0}
};

const struct config_program streamer_program = {
	.name = "outbox-streamer",
	.env_prefix = "OUTBOX",
	.default_file = "/etc/pg_outbox/outbox-streamer.conf",
	.keys = keys,
	.repeated = "table"
};

/* ---- checks that go beyond one key ---- */

static enum err_class
check_slot(const struct config *config, const char *slot, struct err *err)
{
	size_t		len = strlen(slot);

	if (len > 0 && len <= 63 && strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == len)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "config-value", "%s: postgres.slot is not a slot's name: \"%s\"",
				   config_where(config, "postgres", "slot"), slot);
	return err_hint(err, "up to 63 lower-case letters, digits and underscores");
}

/* "i/n" in decimal, as the plugin reads it: better refused before anything connects. */
static enum err_class
check_shard(const struct config *config, const char *shard, struct err *err)
{
	unsigned	i,
				n;
	char		again[32];

	/* NOLINTNEXTLINE(cert-err34-c): four digits always fit */
	if (sscanf(shard, "%4u/%4u", &i, &n) == 2 && i < n && n <= OUTBOX_MAX_SHARDS &&
		snprintf(again, sizeof(again), "%u/%u", i, n) > 0 && strcmp(again, shard) == 0)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "config-value", "%s: outbox.shard is not a shard: \"%s\"",
				   config_where(config, "outbox", "shard"), shard);
	return err_hint(err, "i/n, from 0/n to n-1/n, with n up to %d; 0/1 for all events", OUTBOX_MAX_SHARDS);
}

static enum err_class
check_delivery(const struct config *config, const struct settings *settings, struct err *err)
{
	if (settings->on_undeliverable == POLICY_DEAD_LETTER && settings->sink != SINK_KAFKA)
	{
		(void) err_set(err, ERR_CONFIG, "not-supported", "%s: outbox.on_undeliverable = dead-letter needs sink.type = kafka",
					   config_where(config, "outbox", "on_undeliverable"));
		return err_hint(err, "standard output is for trying out");
	}
	if (settings->delivery == DELIVERY_AT_LEAST_ONCE || settings->sink == SINK_KAFKA)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "not-supported", "%s: outbox.delivery = exactly-once needs sink.type = kafka",
				   config_where(config, "outbox", "delivery"));
	return err_hint(err, "standard output knows no transactions");
}

static enum err_class
check_dead_letter_topic(const struct config *config, const struct settings *settings, struct err *err)
{
	const char *topic = settings->dead_letter_topic;
	const char *where = config_where(config, "outbox", "dead_letter_topic");

	if (topic[0] == '\0')
		return ERR_NONE;
	if (settings->on_undeliverable != POLICY_DEAD_LETTER)
	{
		(void) err_set(err, ERR_CONFIG, "config-value", "%s: outbox.dead_letter_topic, but outbox.on_undeliverable is not dead-letter", where);
		return err_hint(err, "set outbox.on_undeliverable = dead-letter");
	}
	if (topic_name_valid(topic, strlen(topic)))
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "config-value", "%s: outbox.dead_letter_topic is no topic's name: \"%.300s\"", where, topic);
	return err_hint(err, "up to %d letters, digits, '.', '_' and '-'", TOPIC_MAX_LEN);
}

/* ---- filling the struct ---- */

static void
load_plain(struct settings *s, const struct config *c)
{
	s->dsn = config_string(c, "postgres", "dsn");
	s->slot = config_string(c, "postgres", "slot");
	s->status_interval = (int) config_int(c, "postgres", "status_interval");
	s->confirm_interval = (int) config_int(c, "postgres", "confirm_interval");
	s->delivery = (enum delivery) config_int(c, "outbox", "delivery");
	s->topic = config_string(c, "outbox", "topic");
	s->message_prefix = config_string(c, "outbox", "message_prefix");
	s->origin = config_int(c, "outbox", "origin") == 1 ? "none" : "any";
	s->shard = config_string(c, "outbox", "shard");
	s->wait_visible = config_bool(c, "outbox", "wait_visible");
	s->cork = config_bool(c, "outbox", "cork");
	s->max_payload = config_int(c, "outbox", "max_payload");
	s->max_inflight_events = config_int(c, "outbox", "max_inflight_events");
	s->max_inflight_bytes = config_int(c, "outbox", "max_inflight_bytes");
	s->group_events = config_int(c, "outbox", "group_events");
	s->group_bytes = config_int(c, "outbox", "group_bytes");
	s->group_interval = (int) config_int(c, "outbox", "group_interval");
	s->max_transaction_events = config_int(c, "outbox", "max_transaction_events");
	s->large_transactions = (enum large_transactions) config_int(c, "outbox", "large_transactions");
	s->generation = config_int(c, "outbox", "generation");
	s->on_undeliverable = (enum undeliverable_policy) config_int(c, "outbox", "on_undeliverable");
	s->dead_letter_order = (enum dead_letter_order) config_int(c, "outbox", "dead_letter_order");
	s->dead_letter_topic = config_string(c, "outbox", "dead_letter_topic");
	s->max_parked_keys = config_int(c, "outbox", "max_parked_keys");
	s->drain_timeout = (int) config_int(c, "outbox", "drain_timeout");
	s->sink = (enum sink_type) config_int(c, "sink", "type");
	s->log_level = (enum log_level) config_int(c, "log", "level");
	s->log_format = (enum log_format) config_int(c, "log", "format");
}

/* What the sink can take, unless it is set: librdkafka counts message.max.bytes
 * (default 1,000,000) over a message with all that belongs to it. */
static int64_t
default_max_payload(const struct settings *s)
{
	const char *given = settings_kafka(s, "message.max.bytes");

	if (s->sink != SINK_KAFKA)
		return 64 * MB;
	return given ? strtoll(given, NULL, 10) : 1000000;
}

enum err_class
settings_load(struct settings *settings, const struct config *config, struct err *err)
{
	enum err_class class;

	memset(settings, 0, sizeof(*settings));
	load_plain(settings, config);
	if (!kafka_properties_load(&settings->kafka, config))
		return err_set(err, ERR_CONFIG, "out-of-memory", "out of memory");
	if (settings->max_payload == 0)
		settings->max_payload = default_max_payload(settings);
	class = pg_check_dsn(settings->dsn, config_where(config, "postgres", "dsn"), err);
	if (class == ERR_NONE)
		class = check_slot(config, settings->slot, err);
	if (class == ERR_NONE)
		class = check_shard(config, settings->shard, err);
	if (class == ERR_NONE)
		class = check_delivery(config, settings, err);
	if (class == ERR_NONE)
		class = check_dead_letter_topic(config, settings, err);
	if (class == ERR_NONE)
		class = probes_listen(config, &settings->http_listen, err);
	if (class == ERR_NONE)
		class = settings_load_tables(settings, config, err);
	if (class != ERR_NONE)
		settings_free(settings);
	return class;
}

void
settings_free(struct settings *settings)
{
	for (size_t i = 0; i < settings->ntables; i++)
		free((void *) settings->tables[i]);
	free(settings->tables);
	kafka_properties_free(&settings->kafka);
	settings->tables = NULL;
	settings->ntables = 0;
}

const char *
settings_kafka(const struct settings *settings, const char *name)
{
	return kafka_properties_get(&settings->kafka, name);
}
