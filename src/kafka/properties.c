/*
 * properties.c - the section [kafka]: librdkafka's properties as they were given.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "properties.h"

#include <stdlib.h>
#include <string.h>

#include "../common/log.h"

static bool
is_property(const struct kafka_property *property, const char *name)
{
	return property->name != NULL && strcmp(property->name, name) == 0;
}

bool
kafka_properties_load(struct kafka_properties *p, const struct config *config)
{
	size_t		count = config_count(config);

	p->count = 0;
	p->list = calloc(count + 1, sizeof(*p->list));
	if (p->list == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
	{
		const struct config_value *v = config_at(config, i);
		size_t		k = 0;

		if (strcmp(v->section, "kafka") != 0)
			continue;
		while (k < p->count && !is_property(&p->list[k], v->key))
			k++;
		p->list[k].name = v->key;
		p->list[k].value = v->value;
		p->list[k].where = v->where;
		if (k == p->count)
			p->count++;
	}
	return true;
}

void
kafka_properties_free(struct kafka_properties *properties)
{
	free(properties->list);
	properties->list = NULL;
	properties->count = 0;
}

const char *
kafka_properties_get(const struct kafka_properties *properties, const char *name)
{
	for (size_t i = 0; i < properties->count; i++)
	{
		if (is_property(&properties->list[i], name))
			return properties->list[i].value;
	}
	return NULL;
}

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
check_owned(const struct kafka_property *p, const struct kafka_owned *owned, struct err *err)
{
	for (const struct kafka_owned *o = owned; o->name != NULL; o++)
	{
		if (strcmp(o->name, p->name) != 0 || is_allowed(o->allowed, p->value))
			continue;
		(void) err_set(err, ERR_CONFIG, "kafka-property", "%s: kafka.%s can't be set to \"%.60s\": %s",
					   p->where, p->name, p->value, o->why);
		return err_hint(err, "leave it out");
	}
	return ERR_NONE;
}

enum err_class
kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, const char *where,
			   struct err *err)
{
	char		text[384] = "";

	switch (rd_kafka_conf_set(conf, name, value, text, sizeof(text)))
	{
		case RD_KAFKA_CONF_OK:
			return ERR_NONE;
		case RD_KAFKA_CONF_UNKNOWN:
			(void) err_set(err, ERR_CONFIG, "kafka-property", "%s: librdkafka %s has no property \"%s\"",
						   where, rd_kafka_version_str(), name);
			return err_hint(err, "its CONFIGURATION.md lists all properties");
		case RD_KAFKA_CONF_INVALID:
			break;
	}
	(void) err_set(err, ERR_CONFIG, "kafka-property", "%s: kafka.%s: %s", where, name, text);
	return err_hint(err, "librdkafka's CONFIGURATION.md lists the values of each property");
}

enum err_class
kafka_properties_set(rd_kafka_conf_t *conf, const struct kafka_properties *properties,
					 struct err *err)
{
	enum err_class class = ERR_NONE;

	for (size_t i = 0; i < properties->count && class == ERR_NONE; i++)
	{
		const struct kafka_property *p = &properties->list[i];

		class = kafka_conf_set(conf, p->name, p->value, p->where, err);
	}
	return class;
}

enum err_class
kafka_properties_check(const struct kafka_properties *properties,
					   const struct kafka_owned *owned, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err_class class = ERR_NONE;

	for (size_t i = 0; i < properties->count && class == ERR_NONE; i++)
		class = check_owned(&properties->list[i], owned, err);
	if (class == ERR_NONE)
		class = kafka_properties_set(conf, properties, err);
	rd_kafka_conf_destroy(conf);
	return class;
}

rd_kafka_t *
kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
{
	char		reason[256];
	rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof(reason));

	if (client != NULL)
		return client;
	rd_kafka_conf_destroy(conf);
	(void) err_set(err, ERR_CONFIG, "kafka-property", "no Kafka %s can be made: %s",
				   type == RD_KAFKA_PRODUCER ? "producer" : "consumer", reason);
	(void) err_hint(err, "see kafka.security.protocol, kafka.sasl.* and kafka.ssl.*; the files that they name must be there and readable by this user");
	return NULL;
}

void
kafka_log_unreachable(const char *reason)
{
	struct err	err = {0};

	(void) err_set(&err, ERR_RETRY, "kafka-unreachable", "no Kafka broker answers; waiting: %s", reason);
	(void) err_hint(&err, "check kafka.bootstrap.servers and kafka.security.protocol, the brokers' advertised.listeners, and firewalls between");
	log_err(LOG_LEVEL_WARNING, &err);
}
