/*
 * settings_kafka.c - checks [kafka] before anything connects.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "settings.h"

/* What delivery rests on. */
static const struct kafka_owned owned[] = {
	{"enable.idempotence", "true", "without it retries could reorder or repeat events"},
	{"acks", "all|-1", "an event counts as delivered only when all in-sync replicas have it"},
	{"request.required.acks", "all|-1", "an event counts as delivered only when all in-sync replicas have it"},
	{"transactional.id", "", "outbox.delivery decides about transactions"},
	{"enable.gapless.guarantee", "", "outbox.delivery decides about it"},
	{"message.timeout.ms", "0", "an event that times out would be overtaken by later ones of its key"},
	{"delivery.timeout.ms", "0", "an event that times out would be overtaken by later ones of its key"},
	{"message.send.max.retries", "", "an event that is given up would be overtaken by later ones of its key"},
	{"retries", "", "an event that is given up would be overtaken by later ones of its key"},
	{"partitioner", "murmur2_random|murmur2|consistent_random|consistent|fnv1a_random|fnv1a",
	"events of one key must stay on one partition"},
	{NULL, NULL, NULL}
};

enum err_class
settings_check_sink(const struct settings *settings, struct err *err)
{
	const char *brokers = settings_kafka(settings, "bootstrap.servers");

	if (settings->sink != SINK_KAFKA)
		return ERR_NONE;
	if (brokers == NULL)
		brokers = settings_kafka(settings, "metadata.broker.list");
	if (brokers == NULL || brokers[0] == '\0')
	{
		(void) err_set(err, ERR_CONFIG, "config-missing", "kafka.bootstrap.servers is not set");
		return err_hint(err, "set bootstrap.servers under [kafka], or OUTBOX_KAFKA_BOOTSTRAP_SERVERS, or try without Kafka: -o sink.type=stdout");
	}
	return kafka_properties_check(&settings->kafka, owned, err);
}
