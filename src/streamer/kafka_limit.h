/*
 * kafka_limit.h - asking a topic for its max.message.bytes, without waiting.
 *
 * It takes the right DescribeConfigs on the topic; whoever hasn't got it learns
 * nothing.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_LIMIT_H
#define OUTBOX_KAFKA_LIMIT_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

/* The answer will be an event of the queue, DESCRIBECONFIGS_RESULT. */
extern void kafka_limit_ask(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic);

/* The event's answer, in octets; 0 if there is none.  *topic lives as long as the event. */
extern int64_t kafka_limit_read(rd_kafka_event_t *event, const char **topic);

#endif							/* OUTBOX_KAFKA_LIMIT_H */
