/*
 * kafka_conf.c - librdkafka's configuration from ours.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_conf.h"
#include "kafka_prompt.h"

#include <stdlib.h>
#include <string.h>

#define BATCH	"1000"

struct property
{
	const char *name;
	const char *value;
};

/* What differs from librdkafka's defaults, unless [kafka] says otherwise. */
static const struct property defaults[] = {
	{"client.id", "outbox-streamer"},
	/* in a backlog; else kafka_prompt sees to it that nothing waits */
	{"linger.ms", KAFKA_PROMPT_LINGER},
	/* enough to be efficient, and few enough to be on their way soon (see window.h) */
	{"batch.num.messages", BATCH},
	/* nor for the broker's TCP to acknowledge the request before it */
	{"socket.nagle.disable", "true"},
	{"reconnect.backoff.max.ms", "1000"},
	{"socket.keepalive.enable", "true"},
	/* how long a topic may be unknown before its messages are refused; the client
	 * looks once a second, so this much comes to less than two */
	{"topic.metadata.propagation.max.ms", "800"},
	{"partitioner", "murmur2_random"},
};

/* What delivery depends on; settings_check_kafka() refuses other values. */
static const struct property owned[] = {
	{"enable.idempotence", "true"},
	{"acks", "all"},
	/* a gap in a partition stops everything behind it, so that no key's event
	 * is overtaken by a later one */
	{"enable.gapless.guarantee", "true"},
	/* never given up by time: the in-flight limits bound what waits */
	{"message.timeout.ms", "0"},
	/* logs and delivery reports go through the loop's thread */
	{"log.queue", "true"},
};

static const struct
{
	const char *name;
	kafka_partitioner function;
}			partitioners[] = {
	{"murmur2_random", rd_kafka_msg_partitioner_murmur2_random},
	{"murmur2", rd_kafka_msg_partitioner_murmur2},
	{"consistent_random", rd_kafka_msg_partitioner_consistent_random},
	{"consistent", rd_kafka_msg_partitioner_consistent},
	{"fnv1a_random", rd_kafka_msg_partitioner_fnv1a_random},
	{"fnv1a", rd_kafka_msg_partitioner_fnv1a},
};

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

kafka_partitioner
kafka_conf_partitioner(const struct settings *settings)
{
	const char *name = settings_kafka(settings, "partitioner");

	for (size_t i = 0; name && i < LENGTH(partitioners); i++)
		if (strcmp(partitioners[i].name, name) == 0)
			return partitioners[i].function;
	return partitioners[0].function;
}

uint32_t
kafka_conf_batch(const struct settings *settings)
{
	const char *given = settings_kafka(settings, "batch.num.messages");

	return (uint32_t) strtoul(given ? given : BATCH, NULL, 10);
}

rd_kafka_conf_t *
kafka_conf_new(const struct settings *settings, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err_class class = ERR_NONE;
	char		number[32];

	for (size_t i = 0; i < LENGTH(defaults) && !class; i++)
		class = kafka_conf_set(conf, defaults[i].name, defaults[i].value, "default", err);

	/* our own limits come first: what is in flight always fits */
	snprintf(number, sizeof(number), "%lld", (long long) settings->max_inflight_events + 1);
	if (!class)
		class = kafka_conf_set(conf, "queue.buffering.max.messages", number,
							   "outbox.max_inflight_events", err);
	snprintf(number, sizeof(number), "%lld",
			 (long long) (settings->max_inflight_bytes + settings->max_payload) / 1024 + 1024);
	if (!class)
		class = kafka_conf_set(conf, "queue.buffering.max.kbytes", number,
							   "outbox.max_inflight_bytes", err);

	if (!class)
		class = kafka_properties_set(conf, &settings->kafka, err);
	for (size_t i = 0; i < LENGTH(owned) && !class; i++)
		class = kafka_conf_set(conf, owned[i].name, owned[i].value, "own", err);
	if (!class)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}
