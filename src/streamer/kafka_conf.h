/*
 * kafka_conf.h - librdkafka's configuration from ours.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_CONF_H
#define OUTBOX_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "../common/err.h"
#include "settings.h"

/*
 * The properties of [kafka] on top of our defaults, our own ones on top of
 * all.  NULL with ERR_CONFIG if librdkafka refuses one; else the caller's to
 * rd_kafka_conf_destroy() unless rd_kafka_new() takes it.
 */
extern rd_kafka_conf_t *kafka_conf_new(const struct settings *settings, struct err *err);

/* The librdkafka partitioner that kafka.partitioner names. */
typedef int32_t (*kafka_partitioner) (const rd_kafka_topic_t *topic,
									  const void *key, size_t key_len,
									  int32_t partitions, void *opaque, void *msg_opaque);
extern kafka_partitioner kafka_conf_partitioner(const struct settings *settings);

/* How many messages a full batch has. */
extern uint32_t kafka_conf_batch(const struct settings *settings);

#endif							/* OUTBOX_KAFKA_CONF_H */
