/*
 * properties.h - the section [kafka]: librdkafka's properties as they were given.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_PROPERTIES_H
#define OUTBOX_KAFKA_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

#include "../common/config.h"
#include "../common/err.h"

/* A property of [kafka], handed to librdkafka as it is. */
struct kafka_property
{
	const char *name;
	const char *value;
	const char *where;			/* for errors: "file:12" */
};

/* The strings belong to the struct config, the list to kafka_properties_free(). */
struct kafka_properties
{
	struct kafka_property *list;
	size_t		count;
};

/* A property that is the product's own, with the values that do no harm. */
struct kafka_owned
{
	const char *name;			/* NULL ends a list */
	const char *allowed;		/* "a|b", or "" for none */
	const char *why;
};

/* Rows of a program's table: what of [kafka] is never printed. */
#define KAFKA_SECRET_KEYS \
	{"kafka", "sasl.password", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "Password for SASL."}, \
	{"kafka", "sasl.oauthbearer.client.secret", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "Client secret for OAUTHBEARER."}, \
	{"kafka", "sasl.oauthbearer.config", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "Configuration of OAUTHBEARER."}, \
	{"kafka", "ssl.key.password", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "Passphrase of the private key."}, \
	{"kafka", "ssl.key.pem", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "Private key in PEM form."}, \
	{"kafka", "ssl.keystore.password", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "Passphrase of the PKCS#12 keystore."}

/* Takes [kafka] out of config; false if memory is out. */
extern bool kafka_properties_load(struct kafka_properties *properties,
								  const struct config *config);
extern void kafka_properties_free(struct kafka_properties *properties);

/* The value of a property as given, or NULL. */
extern const char *kafka_properties_get(const struct kafka_properties *properties,
										const char *name);

/* Refuses values of the list's properties that aren't allowed, and what
 * librdkafka has no word or use for: ERR_CONFIG. */
extern enum err_class kafka_properties_check(const struct kafka_properties *properties,
											 const struct kafka_owned *owned,
											 struct err *err);

/* Sets one property; where is for the error (ERR_CONFIG). */
extern enum err_class kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
									 const char *value, const char *where, struct err *err);

/* Sets all of them. */
extern enum err_class kafka_properties_set(rd_kafka_conf_t *conf,
										   const struct kafka_properties *properties,
										   struct err *err);

/* A client made of conf, which is given away in any case.  NULL: ERR_CONFIG. */
extern rd_kafka_t *kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err);

/* Says that all brokers are away, and that they are waited for. */
extern void kafka_log_unreachable(const char *reason);

#endif							/* OUTBOX_KAFKA_PROPERTIES_H */
