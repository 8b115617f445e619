/*
 * topic_name.h - what Kafka takes as the name of a topic.
 *
 * Pure.  Source: org.apache.kafka.common.internals.Topic.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TOPIC_NAME_H
#define OUTBOX_TOPIC_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define TOPIC_MAX_LEN	249

/* May it stand in a name? */
extern bool topic_octet_valid(unsigned char octet);

/* Is all of it a name? */
extern bool topic_name_valid(const char *name, size_t len);

#endif							/* OUTBOX_TOPIC_NAME_H */
