/*
 * settings_kafka.c - checks [kafka] before anything connects.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "settings.h"

#include <librdkafka/rdkafka.h>
#include <string.h>

/* Properties that are the product's own, with the values that do no harm. */
struct owned_property
{
	const char *name;
	const char *allowed;		/* "a|b", or "" for none */
	const char *why;
};

static const struct owned_property owned[] = {
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

static bool
is_allowed(const char *allowed, const char *value)
{
	size_t		len = strlen(value);

	while (*allowed != '\0')
	{
		size_t		n = strcspn(allowed, "|");

		if (n == len && strncmp(allowed, value, n) == 0)
			return true;
		allowed += n + (allowed[n] == '|' ? 1 : 0);
	}
	return false;
}

static enum err_class
check_owned(const struct kafka_property *p, struct err *err)
{
	for (const struct owned_property *o = owned; o->name != NULL; o++)
	{
		if (strcmp(o->name, p->name) != 0 || is_allowed(o->allowed, p->value))
			continue;
		(void) err_set(err, ERR_CONFIG, "kafka-property", "%s: kafka.%s can't be set to \"%.60s\": %s",
					   p->where, p->name, p->value, o->why);
		return err_hint(err, "leave it out");
	}
	return ERR_NONE;
}

static enum err_class
try_property(rd_kafka_conf_t *conf, const struct kafka_property *p, struct err *err)
{
	char		text[384] = "";

	switch (rd_kafka_conf_set(conf, p->name, p->value, text, sizeof(text)))
	{
		case RD_KAFKA_CONF_OK:
			return ERR_NONE;
		case RD_KAFKA_CONF_UNKNOWN:
			(void) err_set(err, ERR_CONFIG, "kafka-property", "%s: librdkafka %s has no property \"%s\"",
						   p->where, rd_kafka_version_str(), p->name);
			return err_hint(err, "its CONFIGURATION.md lists all properties");
		case RD_KAFKA_CONF_INVALID:
			break;
	}
	(void) err_set(err, ERR_CONFIG, "kafka-property", "%s: kafka.%s: %s", p->where, p->name, text);
	return err_hint(err, "librdkafka's CONFIGURATION.md lists the values of each property");
}

enum err_class
settings_check_sink(const struct settings *settings, struct err *err)
{
	const char *brokers = settings_kafka(settings, "bootstrap.servers");
	enum err_class class = ERR_NONE;
	rd_kafka_conf_t *conf;

	if (settings->sink != SINK_KAFKA)
		return ERR_NONE;
	if (brokers == NULL)
		brokers = settings_kafka(settings, "metadata.broker.list");
	if (brokers == NULL || brokers[0] == '\0')
	{
		(void) err_set(err, ERR_CONFIG, "config-missing", "kafka.bootstrap.servers is not set");
		return err_hint(err, "set bootstrap.servers under [kafka], or OUTBOX_KAFKA_BOOTSTRAP_SERVERS, or try without Kafka: -o sink.type=stdout");
	}
	conf = rd_kafka_conf_new();
	for (size_t i = 0; i < settings->nkafka && class == ERR_NONE; i++)
	{
		class = check_owned(&settings->kafka[i], err);
		if (class == ERR_NONE)
			class = try_property(conf, &settings->kafka[i], err);
	}
	rd_kafka_conf_destroy(conf);
	return class;
}
