/*
 * kafka_progress.c - the topic that holds a slot's progress.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_progress.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "kafka_conf.h"

#define ADMIN_TIMEOUT_MS	5000
#define POLL_MS				100

/* A broker that answers, but not as we wish, may be starting: so many attempts. */
#define ANSWERS_MAX			20
#define ANSWERS_PAUSE_MS	500

static enum err_class
cancelled(struct err *err)
{
	return err_set(err, ERR_RETRY, "canceled", "broken off");
}

static enum err_class
topic_error(struct err *err, const char *topic, const char *what, const char *reason)
{
	err_set(err, ERR_CONFIG, "progress-topic", "the progress topic \"%s\" %s%s", topic, what, reason);
	return err_hint(err, "it needs one partition and cleanup.policy=compact; the streamer's principal needs Create (or the topic made beforehand), Describe, DescribeConfigs, Read and Write on it");
}

/* One attempt at creating it.  NO_ERROR also if it is there already. */
static rd_kafka_resp_err_t
create_topic(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic,
			 char *reason, size_t size)
{
	rd_kafka_NewTopic_t *new = rd_kafka_NewTopic_new(topic, 1, -1, reason, size);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_resp_err_t code;
	rd_kafka_event_t *event;

	rd_kafka_NewTopic_set_config(new, "cleanup.policy", "compact");
	rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_TIMEOUT_MS, reason, size);
	rd_kafka_CreateTopics(client, &new, 1, options, queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewTopic_destroy(new);

	event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS + 1000);
	code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
	snprintf(reason, size, "%s", event && code ? rd_kafka_event_error_string(event) : rd_kafka_err2str(code));
	if (event && !code)
	{
		size_t		n = 0;
		const rd_kafka_topic_result_t **results =
			rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);

		if (n == 1)
		{
			code = rd_kafka_topic_result_error(results[0]);
			snprintf(reason, size, "%s", rd_kafka_err2str(code));
		}
	}
	if (event)
		rd_kafka_event_destroy(event);
	return code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
}

static bool
is_refusal(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
		code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
		code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
}

/* True if the topic's cleanup.policy is known and keeps no last value. */
static bool
loses_records(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic)
{
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	rd_kafka_event_t *event;
	bool		loses = false;

	rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
	if (event && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		size_t		n = 0,
					entries = 0;
		const rd_kafka_ConfigResource_t **results =
			rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
		const rd_kafka_ConfigEntry_t **entry = n == 1 ?
			rd_kafka_ConfigResource_configs(results[0], &entries) : NULL;

		for (size_t i = 0; i < entries; i++)
			if (strcmp(rd_kafka_ConfigEntry_name(entry[i]), "cleanup.policy") == 0)
				loses = strcmp(rd_kafka_ConfigEntry_value(entry[i]), "compact") != 0;
	}
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	return loses;
}

/* How many partitions; 0 if that isn't known yet. */
static int
count_partitions(rd_kafka_t *client, const char *topic)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	const struct rd_kafka_metadata *metadata;
	int			partitions = 0;

	if (handle && rd_kafka_metadata(client, 0, handle, &metadata, ADMIN_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		if (metadata->topic_cnt == 1 && !metadata->topics[0].err)
			partitions = metadata->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(metadata);
	}
	if (handle)
		rd_kafka_topic_destroy(handle);
	return partitions;
}

enum err_class
kafka_progress_prepare(rd_kafka_t *client, const char *topic, const atomic_bool *cancel,
					   struct err *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	char		reason[256];
	int			partitions = 0;
	int			answers = 0;

	while (partitions == 0 && !atomic_load(cancel))
	{
		code = create_topic(client, queue, topic, reason, sizeof(reason));
		if (code < 0)
			continue;			/* not reached: the admin call has waited */
		if (code && !is_refusal(code) && ++answers < ANSWERS_MAX)
		{
			poll(NULL, 0, ANSWERS_PAUSE_MS);
			continue;
		}
		partitions = count_partitions(client, topic);
		if (code && partitions == 0)
			break;
	}
	if (partitions == 0 && atomic_load(cancel))
		cancelled(err);
	else if (partitions == 0)
		topic_error(err, topic, "can't be created: ", reason);
	else if (partitions > 1)
		topic_error(err, topic, "has more than one partition", "");
	else if (loses_records(client, queue, topic))
		topic_error(err, topic, "loses records: its cleanup.policy is not compact", "");
	rd_kafka_queue_destroy(queue);
	return err->class;
}

static rd_kafka_t *
make_consumer(const struct settings *settings, const char *topic, struct err *err)
{
	static const char *const properties[][2] = {
		{"enable.auto.commit", "false"},
		{"isolation.level", "read_committed"},
		{"enable.partition.eof", "true"},
		{"auto.offset.reset", "earliest"},
		{"allow.auto.create.topics", "false"},
		/* the end is noticed when a fetch comes back empty */
		{"fetch.wait.max.ms", "10"},
		{"fetch.error.backoff.ms", "20"},
		{"log.queue", "false"},
		{"log_level", "0"},
	};
	rd_kafka_conf_t *conf = kafka_conf_new(settings, err);
	rd_kafka_t *consumer;
	char		reason[256];

	if (!conf)
		return NULL;
	/* never joined, but librdkafka wants one */
	rd_kafka_conf_set(conf, "group.id", topic, reason, sizeof(reason));
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		rd_kafka_conf_set(conf, properties[i][0], properties[i][1], reason, sizeof(reason));
	consumer = kafka_client_new(RD_KAFKA_CONSUMER, conf, err);
	if (consumer)
		rd_kafka_poll_set_consumer(consumer);
	return consumer;
}

/* Reads from start to the end; the last record that is one counts. */
static enum err_class
read_from(rd_kafka_t *consumer, const char *topic, int64_t start, const atomic_bool *cancel,
		  struct progress *progress, bool *found, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	bool		end = false;

	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = start;
	rd_kafka_assign(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	while (!end && !atomic_load(cancel))
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
		struct progress read;

		if (!message)
			continue;
		if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			end = true;
		else if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		{
			topic_error(err, topic, "can't be read: ", rd_kafka_err2str(message->err));
			end = true;
		}
		else if (!message->err &&
				 progress_read((struct slice) {message->payload, message->len}, &read))
		{
			*progress = read;
			*found = true;
		}
		rd_kafka_message_destroy(message);
	}
	return end ? err->class : cancelled(err);
}

enum err_class
kafka_progress_read(const struct settings *settings, const char *topic, const atomic_bool *cancel,
					struct progress *progress, bool *found, struct err *err)
{
	rd_kafka_t *consumer = make_consumer(settings, topic, err);
	int64_t		low = 0,
				high = 0,
				start,
				back = 4;		/* a record, its marker, an aborted pair */

	*found = false;
	if (!consumer)
		return err->class;
	while (rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, ADMIN_TIMEOUT_MS))
		if (atomic_load(cancel))
		{
			rd_kafka_destroy(consumer);
			return cancelled(err);
		}
	start = high;
	while (!*found && start > low && !err->class)
	{
		start = high - low > back ? high - back : low;
		read_from(consumer, topic, start, cancel, progress, found, err);
		back *= 16;
	}
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return err->class;
}
