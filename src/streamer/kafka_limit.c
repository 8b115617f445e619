/*
 * kafka_limit.c - asking a topic for its max.message.bytes, without waiting.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_limit.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_NAME		"max.message.bytes"

void
kafka_limit_ask(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic)
{
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);

	if (resource)
		rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
	rd_kafka_ConfigResource_destroy_array(&resource, resource ? 1 : 0);
}

int64_t
kafka_limit_read(rd_kafka_event_t *event, const char **topic)
{
	const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
	const rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigEntry_t **entries;
	size_t		n = 0;

	if (!result || rd_kafka_event_error(event))
		return 0;
	resources = rd_kafka_DescribeConfigs_result_resources(result, &n);
	if (n != 1 || rd_kafka_ConfigResource_error(resources[0]))
		return 0;
	*topic = rd_kafka_ConfigResource_name(resources[0]);
	entries = rd_kafka_ConfigResource_configs(resources[0], &n);
	for (size_t i = 0; i < n; i++)
	{
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value && strcmp(rd_kafka_ConfigEntry_name(entries[i]), LIMIT_NAME) == 0)
			return strtoll(value, NULL, 10);
	}
	return 0;
}
