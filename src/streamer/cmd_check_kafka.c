/*
 * cmd_check_kafka.c - "check": broker, topics, and the limits of sizes.
 *
 * The client is made with the streamer's own properties, so that what refuses
 * the streamer refuses us.  It connects in the background while the database
 * is looked at.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kafka_conf.h"
#include "progress.h"

/* topics whose configuration is read, at most: a pattern may match many */
#define MAX_TOPICS	50

struct check_kafka
{
	rd_kafka_t *producer;
	rd_kafka_queue_t *queue;
	int64_t		message_max;	/* message.max.bytes of our producer */
	int64_t		transaction_timeout;	/* transaction.timeout.ms, ms */
	char		reason[320];	/* the most telling error so far */
	bool		refused;		/* it won't mend itself */
};

/* A topic that events can go to. */
struct topic
{
	const char *name;
	const struct rd_kafka_metadata_topic *metadata;
	int64_t		max_message;	/* 0 = not known */
	int			min_isr;		/* 0 = not known */
	char		cleanup[32];	/* cleanup.policy; "" = not known */
};

struct broker_config
{
	bool		known;
	bool		auto_create;
	int64_t		max_transaction;	/* ms; 0 = not known */
};

/* ---- errors in the background ---- */

/*
 * librdkafka: called from rd_kafka_poll(), so in our thread.  What is refused
 * says more than "all brokers are down".
 */
static void
note_error(rd_kafka_t *producer, int error, const char *reason, void *opaque)
{
	struct check_kafka *k = opaque;
	char		text[256];

	switch (error)
	{
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR__SSL:
			break;
		case RD_KAFKA_RESP_ERR__FATAL:
			(void) rd_kafka_fatal_error(producer, text, sizeof(text));
			reason = text;
			break;
		case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
			if (k->reason[0] != '\0')
				return;
			(void) snprintf(k->reason, sizeof(k->reason), "%s", reason);
			return;
		default:
			if (!k->refused)
				(void) snprintf(k->reason, sizeof(k->reason), "%s", reason);
			return;
	}
	(void) snprintf(k->reason, sizeof(k->reason), "%s", reason);
	k->refused = true;
}

struct check_kafka *
check_kafka_start(struct check *check)
{
	struct check_kafka *k = calloc(1, sizeof(*k));
	rd_kafka_conf_t *conf;
	struct err	err = {0};
	char		text[256];
	size_t		size = sizeof(text);

	if (k == NULL)
		abort();
	conf = kafka_conf_new(check->settings, &err);
	if (conf == NULL)
	{
		check_fail_err(check, &err, NULL);
		free(k);
		return NULL;
	}
	if (rd_kafka_conf_get(conf, "message.max.bytes", text, &size) == RD_KAFKA_CONF_OK)
		k->message_max = check_number(text);
	size = sizeof(text);
	if (rd_kafka_conf_get(conf, "transaction.timeout.ms", text, &size) == RD_KAFKA_CONF_OK)
		k->transaction_timeout = check_number(text);
	/* its log lines would only repeat what the findings say */
	(void) rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rd_kafka_conf_set_error_cb(conf, note_error);
	rd_kafka_conf_set_opaque(conf, k);
	k->producer = kafka_client_new(RD_KAFKA_PRODUCER, conf, &err);
	if (k->producer == NULL)
	{
		check_fail_err(check, &err, NULL);
		free(k);
		return NULL;
	}
	k->queue = rd_kafka_queue_new(k->producer);
	return k;
}

static int
time_left(const struct check *check)
{
	int64_t		left = check->kafka_deadline - clock_now();

	return left > 1 ? (int) left : 1;
}

/* ---- the cluster ---- */

static void
report_unreachable(struct check *check, struct check_kafka *k, rd_kafka_resp_err_t error)
{
	const char *brokers = settings_kafka(check->settings, "bootstrap.servers");

	(void) rd_kafka_poll(k->producer, 0);
	if (k->refused)
		check_fail(check, "kafka-refused", NULL,
				   "check security.protocol, sasl.* and ssl.* in [kafka], and the principal's ACLs", "%s", k->reason);
	else
		check_fail(check, "kafka-unreachable", NULL,
				   "check kafka.bootstrap.servers, the brokers' advertised.listeners, and firewalls between",
				   "no answer from %.120s: %s", brokers != NULL ? brokers : "the brokers",
				   k->reason[0] != '\0' ? k->reason : rd_kafka_err2str(error));
}

/* All topics, and nothing is created by asking. */
static const struct rd_kafka_metadata *
read_metadata(struct check *check, struct check_kafka *k)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;

	/* in slices, so that a refusal ends it early */
	do
	{
		int			left = time_left(check);

		error = rd_kafka_metadata(k->producer, 1, NULL, &metadata, left < 200 ? left : 200);
		(void) rd_kafka_poll(k->producer, 0);
	} while (error != RD_KAFKA_RESP_ERR_NO_ERROR && !k->refused && time_left(check) > 1);

	if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
		return metadata;
	report_unreachable(check, k, error);
	return NULL;
}

/* ---- which topics ---- */

/* Does name fit the pattern, each ${...} standing for anything but nothing? */
static bool
fits(const char *pattern, const char *name)
{
	const char *variable = strstr(pattern, "${");
	size_t		len = variable != NULL ? (size_t) (variable - pattern) : strlen(pattern);
	const char *rest;

	if (strncmp(pattern, name, len) != 0)
		return false;
	if (variable == NULL)
		return name[len] == '\0';
	rest = strchr(variable, '}');
	if (rest == NULL)
		return false;
	for (name += len; *name != '\0'; name++)
	{
		if (fits(rest + 1, name + 1))
			return true;
	}
	return false;
}

static const struct rd_kafka_metadata_topic *
find_topic(const struct rd_kafka_metadata *metadata, const char *name)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		if (strcmp(metadata->topics[i].topic, name) == 0)
			return &metadata->topics[i];
	}
	return NULL;
}

/* topics: zeroed, room for MAX_TOPICS */
static size_t
choose_topics(const struct check *check, const struct rd_kafka_metadata *metadata,
			  struct topic *topics)
{
	size_t		n = 0;

	for (int i = 0; i < metadata->topic_cnt && n < MAX_TOPICS; i++)
	{
		if (!fits(check->settings->topic, metadata->topics[i].topic))
			continue;
		topics[n].name = metadata->topics[i].topic;
		topics[n].metadata = &metadata->topics[i];
		n++;
	}
	return n;
}

/* ---- configurations ---- */

static void
read_topic_entry(struct topic *topic, const char *name, const char *value)
{
	if (strcmp(name, "max.message.bytes") == 0)
		topic->max_message = check_number(value);
	else if (strcmp(name, "min.insync.replicas") == 0)
		topic->min_isr = (int) check_number(value);
	else if (strcmp(name, "cleanup.policy") == 0)
		(void) snprintf(topic->cleanup, sizeof(topic->cleanup), "%s", value);
}

static void
read_broker_entry(struct broker_config *broker, const char *name, const char *value)
{
	if (strcmp(name, "auto.create.topics.enable") == 0)
	{
		broker->known = true;
		broker->auto_create = strcasecmp(value, "true") == 0;
	}
	else if (strcmp(name, "transaction.max.timeout.ms") == 0)
		broker->max_transaction = check_number(value);
}

static void
read_resource(const rd_kafka_ConfigResource_t *resource, struct topic *topics, size_t ntopics,
			  struct broker_config *broker)
{
	const char *name = rd_kafka_ConfigResource_name(resource);
	bool		is_broker = rd_kafka_ConfigResource_type(resource) == RD_KAFKA_RESOURCE_BROKER;
	const rd_kafka_ConfigEntry_t **entries;
	size_t		nentries;

	if (rd_kafka_ConfigResource_error(resource) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	entries = rd_kafka_ConfigResource_configs(resource, &nentries);
	for (size_t i = 0; i < nentries; i++)
	{
		const char *key = rd_kafka_ConfigEntry_name(entries[i]);
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value == NULL)
			continue;
		if (is_broker)
			read_broker_entry(broker, key, value);
		for (size_t t = 0; t < ntopics && !is_broker; t++)
		{
			if (strcmp(topics[t].name, name) == 0)
				read_topic_entry(&topics[t], key, value);
		}
	}
}

/* One request for one broker and the topics; what isn't told stays unknown. */
static void
read_configs(struct check *check, struct check_kafka *k, int broker_id,
			 struct topic *topics, size_t ntopics, struct broker_config *broker)
{
	rd_kafka_ConfigResource_t *resources[MAX_TOPICS + 2];
	const rd_kafka_ConfigResource_t **results;
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(k->producer, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_event_t *event;
	char		id[16];
	size_t		n = 0;

	(void) rd_kafka_AdminOptions_set_request_timeout(options, time_left(check), NULL, 0);
	(void) snprintf(id, sizeof(id), "%d", broker_id);
	resources[n++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, id);
	for (size_t t = 0; t < ntopics; t++)
		resources[n++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[t].name);
	rd_kafka_DescribeConfigs(k->producer, resources, n, options, k->queue);
	rd_kafka_ConfigResource_destroy_array(resources, n);
	rd_kafka_AdminOptions_destroy(options);

	event = rd_kafka_queue_poll(k->queue, time_left(check));
	if (event != NULL && rd_kafka_event_DescribeConfigs_result(event) != NULL)
	{
		results = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
		for (size_t i = 0; i < n; i++)
			read_resource(results[i], topics, ntopics, broker);
	}
	if (event != NULL)
		rd_kafka_event_destroy(event);
}

/* ---- judging ---- */

/* octets of the largest record batch that an event could make */
static int64_t
largest_event(const struct check *check, const struct check_kafka *k)
{
	int64_t		limit = check->settings->max_payload;

	return limit > 0 && limit < k->message_max ? limit : k->message_max;
}

static void
check_replicas(struct check *check, const struct topic *topic)
{
	int			replicas = 0;
	int			in_sync = 0;

	for (int i = 0; i < topic->metadata->partition_cnt; i++)
	{
		const struct rd_kafka_metadata_partition *p = &topic->metadata->partitions[i];

		if (i == 0 || p->replica_cnt < replicas)
			replicas = p->replica_cnt;
		if (i == 0 || p->isr_cnt < in_sync)
			in_sync = p->isr_cnt;
		if (p->leader < 0)
			check_warn(check, "topic-leader", NULL, "see whether all brokers are up",
					   "partition %d of topic %s has no leader at this moment", p->id, topic->name);
	}
	if (topic->min_isr > replicas)
		check_fail(check, "topic-replicas", NULL, "lower min.insync.replicas, or add replicas",
				   "topic %s has %d replicas, but min.insync.replicas = %d: nothing can be written",
				   topic->name, replicas, topic->min_isr);
	else if (topic->min_isr > in_sync)
		check_warn(check, "topic-replicas", NULL, "see whether all brokers are up",
				   "topic %s has %d replicas in sync, less than min.insync.replicas = %d: writing waits",
				   topic->name, in_sync, topic->min_isr);
	else if (replicas == 1)
		check_warn(check, "topic-replicas", NULL, "three replicas and min.insync.replicas = 2 survive the loss of a broker",
				   "topic %s has one replica: events are lost with that broker's disk", topic->name);
	else if (topic->min_isr == 1)
		check_warn(check, "topic-replicas", NULL, "set min.insync.replicas = 2",
				   "topic %s takes an event as written when one replica has it", topic->name);
}

static void
check_topic(struct check *check, const struct check_kafka *k, const struct topic *topic)
{
	if (topic->metadata->err != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		check_fail(check, topic->metadata->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ?
				   "topic-unauthorized" : "topic", NULL,
				   "grant the principal Describe and Write on the topic",
				   "topic %s: %s", topic->name, rd_kafka_err2str(topic->metadata->err));
		return;
	}
	check_replicas(check, topic);
	if (topic->max_message > 0 && topic->max_message < largest_event(check, k))
		check_fail(check, "message-size", NULL,
				   "raise max.message.bytes of the topic, or set kafka.message.max.bytes to at most that",
				   "topic %s takes messages up to %lld octets, the streamer sends up to %lld",
				   topic->name, (long long) topic->max_message, (long long) largest_event(check, k));
}

static void
report_missing_topic(struct check *check, const char *name, const struct broker_config *broker)
{
	if (!broker->known)
		check_warn(check, "topic-missing", NULL, "create it, unless auto.create.topics.enable is on",
				   "topic %s does not exist, or this principal must not see it", name);
	else if (broker->auto_create)
		check_warn(check, "topic-missing", NULL, "create it, to choose its partitions and replicas",
				   "topic %s does not exist; the broker will create it with its defaults", name);
	else
		check_fail(check, "topic-unknown", NULL, "create the topic, or allow the broker to (auto.create.topics.enable)",
				   "topic %s does not exist, and the brokers don't create topics by themselves", name);
}

/* Constants that a [table] section gives as topic, and the topic without ${}. */
static void
check_fixed_topics(struct check *check, const struct rd_kafka_metadata *metadata,
				   const struct broker_config *broker)
{
	const char *pattern = check->settings->topic;
	const char *dead_letters = check->settings->dead_letter_topic;

	if (strstr(pattern, "${") == NULL && find_topic(metadata, pattern) == NULL)
		report_missing_topic(check, pattern, broker);
	if (dead_letters[0] != '\0' && find_topic(metadata, dead_letters) == NULL)
		report_missing_topic(check, dead_letters, broker);
	for (size_t i = 0; i < config_count(check->config); i++)
	{
		const struct config_value *v = config_at(check->config, i);
		size_t		len = strlen(v->value);
		char		name[256];

		if (strcmp(v->section, "table") != 0 || strcmp(v->key, "topic") != 0 ||
			v->value[0] != '\'' || len < 3 || len - 2 >= sizeof(name))
			continue;
		(void) snprintf(name, sizeof(name), "%.*s", (int) (len - 2), v->value + 1);
		if (find_topic(metadata, name) == NULL)
			report_missing_topic(check, name, broker);
	}
}

static void
report_topics(struct check *check, size_t ntopics, const struct topic *topics,
			  const struct broker_config *broker)
{
	const char *pattern = check->settings->topic;

	if (strstr(pattern, "${") == NULL)
	{
		if (ntopics > 0)
			check_ok(check, "topics", "topic %s exists, with %d partitions", topics[0].name,
					 topics[0].metadata->partition_cnt);
		return;
	}
	if (ntopics > 0 || (broker->known && broker->auto_create))
		check_ok(check, "topics", "%zu%s topics fit %s%s", ntopics, ntopics == MAX_TOPICS ? " or more" : "", pattern,
				 broker->known && broker->auto_create ? ", others will be created" : "");
	else
		check_warn(check, "topics", NULL, "create the topics before their first event, or allow the broker to (auto.create.topics.enable)",
				   "no topic fits %s%s", pattern,
				   broker->known ? ", and the brokers don't create topics by themselves" : "");
}

static void
check_sizes(struct check *check, const struct check_kafka *k)
{
	if (check->settings->max_payload > k->message_max)
		check_fail(check, "message-size", NULL, "raise kafka.message.max.bytes, or lower outbox.max_payload",
				   "outbox.max_payload is %lld, but kafka.message.max.bytes %lld",
				   (long long) check->settings->max_payload, (long long) k->message_max);
	else if (check->max_event_bytes > largest_event(check, k))
		check_warn(check, "message-size", NULL, "raise kafka.message.max.bytes and the topics' max.message.bytes, or SELECT outbox.set_max_event_bytes()",
				   "the table takes events up to %lld octets, the streamer up to %lld",
				   (long long) check->max_event_bytes, (long long) largest_event(check, k));
	else
		check_ok(check, "message-size", "the streamer sends messages up to %lld octets", (long long) k->message_max);
}

/*
 * Exactly-once keeps its progress in a topic of its own, which the streamer
 * creates.  topic is NULL if it isn't there.  Transactions are not tried: that
 * would fence a streamer that runs.
 */
static void
check_exactly_once(struct check *check, const struct check_kafka *k, const char *name,
				   const struct topic *topic, const struct broker_config *broker)
{
	if (broker->max_transaction > 0 && k->transaction_timeout > broker->max_transaction)
		check_fail(check, "kafka-init", NULL, "lower kafka.transaction.timeout.ms",
				   "kafka.transaction.timeout.ms is %lld, but the brokers' transaction.max.timeout.ms %lld",
				   (long long) k->transaction_timeout, (long long) broker->max_transaction);
	if (topic == NULL)
		check_ok(check, "progress-topic", "topic %s does not exist yet; the streamer will create it", name);
	else if (topic->metadata->partition_cnt != 1)
		check_fail(check, "progress-topic", NULL, "delete it if nothing of this slot was delivered yet, and let the streamer create it",
				   "topic %s has %d partitions instead of one", name, topic->metadata->partition_cnt);
	else if (topic->cleanup[0] != '\0' && strcmp(topic->cleanup, "compact") != 0)
		check_fail(check, "progress-topic", NULL, "set its cleanup.policy to compact",
				   "topic %s has cleanup.policy = %s: the progress would expire", name, topic->cleanup);
	else
		check_ok(check, "progress-topic", "topic %s", name);
}

/* The idempotent producer's first request is refused where rights lack. */
static void
check_refusals(struct check *check, struct check_kafka *k)
{
	(void) rd_kafka_poll(k->producer, 0);
	if (k->refused)
		check_fail(check, "kafka-refused", NULL, "grant the principal IdempotentWrite on the cluster, or Write on the topics",
				   "%s", k->reason);
}

static void
check_cluster(struct check *check, struct check_kafka *k, const struct rd_kafka_metadata *metadata)
{
	struct topic topics[MAX_TOPICS + 1] = {{0}};
	struct broker_config broker = {0};
	size_t		n = choose_topics(check, metadata, topics);
	struct topic *progress = NULL;
	char		name[512] = "";

	check_ok(check, "kafka", "%d broker%s answered, %d topics", metadata->broker_cnt,
			 metadata->broker_cnt == 1 ? "" : "s", metadata->topic_cnt);
	if (check->system[0] != '\0')
	{
		progress_topic(name, sizeof(name), check->system, check->settings->slot);
		topics[n].name = name;
		topics[n].metadata = find_topic(metadata, name);
		if (topics[n].metadata != NULL)
			progress = &topics[n];
	}
	if (metadata->broker_cnt > 0)
		read_configs(check, k, metadata->brokers[0].id, topics, n + (progress != NULL ? 1 : 0), &broker);
	if (!broker.known)
		check_warn(check, "kafka-configs", NULL, "grant the principal DescribeConfigs on cluster and topics to have them checked",
				   "limits of brokers and topics could not be read");
	report_topics(check, n, topics, &broker);
	check_fixed_topics(check, metadata, &broker);
	for (size_t i = 0; i < n; i++)
		check_topic(check, k, &topics[i]);
	if (name[0] != '\0')
		check_exactly_once(check, k, name, progress, &broker);
	check_sizes(check, k);
	check_refusals(check, k);
}

void
check_kafka_finish(struct check *check, struct check_kafka *k)
{
	const struct rd_kafka_metadata *metadata = read_metadata(check, k);

	if (metadata != NULL)
	{
		check_cluster(check, k, metadata);
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_queue_destroy(k->queue);
	rd_kafka_destroy(k->producer);
	free(k);
}
