/*
 * topics.h - topic handles by name, so that librdkafka need not look one up
 * for each message.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TOPICS_H
#define OUTBOX_TOPICS_H

#include <librdkafka/rdkafka.h>

struct topics;

extern struct topics *topics_new(void);

/* NULL if librdkafka makes none (rd_kafka_last_error() says why) or memory is
 * out.  The handle belongs to the table. */
extern rd_kafka_topic_t *topics_get(struct topics *topics, rd_kafka_t *producer,
									const char *name, size_t len);

/* Before the producer that the handles belong to is destroyed. */
extern void topics_free(struct topics *topics);

#endif							/* OUTBOX_TOPICS_H */
