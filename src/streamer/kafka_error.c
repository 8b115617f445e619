/*
 * kafka_error.c - the classes of Kafka's errors: one table.
 *
 * The broker's errors are those of Kafka's protocol guide ("Error Codes");
 * names with two underscores are librdkafka's own.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_error.h"

#define DATA_ALONE(name, code, hint) {RD_KAFKA_RESP_ERR_##name, ERR_DATA, false, code, hint}
#define DATA_BATCH(name, code, hint) {RD_KAFKA_RESP_ERR_##name, ERR_DATA, true, code, hint}

static const char create_topic[] =
	"create the topic, or allow the broker to (auto.create.topics.enable); if it does, but takes more than a second, raise kafka.topic.metadata.propagation.max.ms";
static const char grant_topic[] =
	"grant the streamer's principal Write and Describe on the topic";
static const char larger[] =
	"raise max.message.bytes of the topic (message.max.bytes of the broker) and kafka.message.max.bytes, or make events smaller";

static const struct kafka_error errors[] = {
	DATA_ALONE(_UNKNOWN_TOPIC, "topic-unknown", create_topic),
	DATA_ALONE(UNKNOWN_TOPIC_OR_PART, "topic-unknown", create_topic),
	DATA_ALONE(_UNKNOWN_PARTITION, "partition-unknown",
			   "the topic has fewer partitions than it had"),
	DATA_ALONE(TOPIC_EXCEPTION, "topic-invalid", "topics are named by letters, digits, '.', '_' and '-'"),
	DATA_ALONE(TOPIC_AUTHORIZATION_FAILED, "topic-unauthorized", grant_topic),
	DATA_BATCH(MSG_SIZE_TOO_LARGE, "message-too-large", larger),
	DATA_BATCH(RECORD_LIST_TOO_LARGE, "message-too-large", larger),
	DATA_BATCH(INVALID_MSG_SIZE, "message-too-large", larger),
	DATA_BATCH(INVALID_RECORD, "record-refused",
			   "a compacted topic takes no record without key; see the broker's log"),
	DATA_BATCH(INVALID_TIMESTAMP, "timestamp-refused",
			   "see message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic"),
	DATA_BATCH(POLICY_VIOLATION, "record-refused", "see the broker's log"),
};

const struct kafka_error *
kafka_error(rd_kafka_resp_err_t err)
{
	static const struct kafka_error other = {
		RD_KAFKA_RESP_ERR_UNKNOWN, ERR_RETRY, false, "kafka-error", ""
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].err == err)
			return &errors[i];
	return &other;
}
