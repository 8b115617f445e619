/*
 * consume.c - the Kafka consumer: messages, rebalances, offsets for lag tools.
 *
 * All callbacks run in consume_next(), on the loop's thread; librdkafka's own
 * threads only write to the eventfd.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "consume.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/log.h"

struct consume
{
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	int			wakeup;
	enum consume_wish wish;
	rd_kafka_topic_partition_list_t *partitions;	/* of the wish to assign */
	bool		closing;		/* partitions are handed back at once */
	bool		down;			/* logged: no broker answers */
	bool		reached;		/* a message or an assignment since then */
	struct err	trouble;		/* of a callback, for consume_next() */
};

/* A message and its headers. */
struct owner
{
	rd_kafka_message_t *kafka;
	struct message_header headers[];
};

/* What differs from librdkafka's defaults, unless [kafka] says otherwise. */
static const char *const defaults[][2] = {
	{"client.id", "inbox-consumer"},
	{"socket.nagle.disable", "true"},
	{"socket.keepalive.enable", "true"},
	{"reconnect.backoff.max.ms", "1000"},
	/* a batch or two ahead of the database is enough */
	{"queued.max.messages.kbytes", "16384"},
	{"fetch.wait.max.ms", "100"},
};

/* What being applied once rests on; settings refuse other values. */
static const char *const owned[][2] = {
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"isolation.level", "read_committed"},
	{"auto.offset.reset", "error"},
	{"log.queue", "true"},
};

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* ---- callbacks ---- */

static void
drop_partitions(struct consume *c)
{
	if (c->partitions)
		rd_kafka_topic_partition_list_destroy(c->partitions);
	c->partitions = NULL;
}

static void
on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
			 rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct consume *c = opaque;

	drop_partitions(c);
	c->reached = true;
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !c->closing)
	{
		c->partitions = rd_kafka_topic_partition_list_copy(partitions);
		c->wish = CONSUME_ASSIGN;
	}
	else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !c->closing)
		c->wish = CONSUME_UNASSIGN;
	else
		rd_kafka_assign(client, NULL);
}

static void
on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	(void) client;
	(void) level;
	log_debug("librdkafka: %s: %s", facility, text);
}

static void
on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
	struct consume *c = opaque;

	(void) client;
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !c->down)
	{
		c->down = true;
		c->reached = false;
		kafka_log_unreachable(reason);
	}
	else if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION && !c->reached)
	{
		err_set(&c->trouble, ERR_CONFIG, "kafka-login", "the Kafka broker refuses the login: %s", reason);
		err_hint(&c->trouble, "see kafka.sasl.* and kafka.ssl.*");
	}
	else
		log_debug("Kafka: %s", reason);
}

/* ---- the client ---- */

static rd_kafka_conf_t *
make_conf(const struct settings *settings, struct consume *c, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum err_class class = ERR_NONE;

	for (size_t i = 0; i < LENGTH(defaults) && !class; i++)
		class = kafka_conf_set(conf, defaults[i][0], defaults[i][1], "default", err);
	if (!class)
		class = kafka_properties_set(conf, &settings->kafka, err);
	for (size_t i = 0; i < LENGTH(owned) && !class; i++)
		class = kafka_conf_set(conf, owned[i][0], owned[i][1], "own", err);
	if (!class)
		class = kafka_conf_set(conf, "group.id", settings->consumer, "inbox.consumer", err);
	if (class)
	{
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_error_cb(conf, on_error);
	return conf;
}

static enum err_class
subscribe(struct consume *c, char *const *topics, size_t ntopics, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int) ntopics);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < ntopics; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (!code)
		return ERR_NONE;
	return err_set(err, ERR_CONFIG, "config-value", "inbox.topics: %s", rd_kafka_err2str(code));
}

static enum err_class
open_client(struct consume *c, const struct settings *settings, struct err *err)
{
	rd_kafka_conf_t *conf = make_conf(settings, c, err);
	static const uint64_t one = 1;

	if (!conf)
		return err->class;
	c->client = kafka_client_new(RD_KAFKA_CONSUMER, conf, err);
	if (!c->client)
		return err->class;
	rd_kafka_poll_set_consumer(c->client);
	rd_kafka_set_log_queue(c->client, NULL);
	c->queue = rd_kafka_queue_get_consumer(c->client);
	rd_kafka_queue_io_event_enable(c->queue, c->wakeup, &one, sizeof(one));
	return subscribe(c, settings->topics, settings->ntopics, err);
}

struct consume *
consume_new(const struct settings *settings, struct err *err)
{
	struct consume *c = calloc(1, sizeof(*c));

	if (!c || (c->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
	{
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory or file descriptors");
		free(c);
		return NULL;
	}
	if (open_client(c, settings, err) == ERR_NONE)
		return c;
	consume_free(c, false);
	return NULL;
}

void
consume_free(struct consume *c, bool orderly)
{
	if (!c)
		return;
	drop_partitions(c);
	if (c->client)
	{
		c->closing = true;
		/* a broker that is away would be waited for */
		if (orderly && !c->down)
			rd_kafka_consumer_close(c->client);
		rd_kafka_queue_destroy(c->queue);
		rd_kafka_destroy_flags(c->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	}
	close(c->wakeup);
	free(c);
}

int
consume_fd(const struct consume *c)
{
	return c->wakeup;
}

/* ---- messages ---- */

static bool
own(rd_kafka_message_t *kafka, struct message *message)
{
	rd_kafka_headers_t *headers = NULL;
	rd_kafka_timestamp_type_t type;
	size_t		n = 0;
	struct owner *owner;

	if (rd_kafka_message_headers(kafka, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		n = rd_kafka_header_cnt(headers);
	if (n > MESSAGE_MAX_HEADERS)
		n = MESSAGE_MAX_HEADERS;
	owner = malloc(sizeof(*owner) + n * sizeof(owner->headers[0]));
	if (!owner)
		return false;
	owner->kafka = kafka;
	for (size_t i = 0; i < n; i++)
	{
		const char *name;
		const void *value;
		size_t		len;

		if (rd_kafka_header_get_all(headers, i, &name, &value, &len))
			n = i;
		else
			owner->headers[i] = (struct message_header) {slice_of(name), {value, value ? len : 0}};
	}
	*message = (struct message) {
		.topic = rd_kafka_topic_name(kafka->rkt),
		.partition = kafka->partition,
		.offset = kafka->offset,
		.time = rd_kafka_message_timestamp(kafka, &type),
		.key = {kafka->key, kafka->key ? kafka->key_len : 0},
		.payload = {kafka->payload, kafka->payload ? kafka->len : 0},
		.headers = owner->headers,
		.nheaders = n,
		.owner = owner
	};
	return true;
}

void
consume_release(void *owner)
{
	rd_kafka_message_destroy(((struct owner *) owner)->kafka);
	free(owner);
}

/* What comes in a message's place. */
static void
refused(const rd_kafka_message_t *kafka, struct err *err)
{
	const char *topic = kafka->rkt ? rd_kafka_topic_name(kafka->rkt) : "";

	switch (kafka->err)
	{
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
			err_set(err, ERR_FATAL, "offset-lost", "topic \"%s\" partition %d has not what comes next: %s",
					topic, (int) kafka->partition, rd_kafka_message_errstr(kafka));
			err_hint(err, "it was removed before it was consumed (retention.ms), or the topic was created anew; to go on all the same, set next_offset in outbox.inbox_offset");
			break;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
			err_set(err, ERR_CONFIG, "topic-unauthorized", "%s", rd_kafka_message_errstr(kafka));
			err_hint(err, "grant the consumer's principal Read and Describe on the topic");
			break;
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
			err_set(err, ERR_CONFIG, "group-unauthorized", "%s", rd_kafka_message_errstr(kafka));
			err_hint(err, "grant the consumer's principal Read on the group, which is named as inbox.consumer");
			break;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
			log_warning("waiting for topic \"%s\": %s", topic, rd_kafka_message_errstr(kafka));
			break;
		default:
			log_warning("Kafka: %s", rd_kafka_message_errstr(kafka));
			break;
	}
}

bool
consume_next(struct consume *c, struct message *message, struct err *err)
{
	rd_kafka_message_t *kafka;
	uint64_t	count;

	/* before the queue is looked at, or a wake-up in between would be lost */
	while (read(c->wakeup, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	while ((kafka = rd_kafka_consumer_poll(c->client, 0)))
	{
		if (!kafka->err && own(kafka, message))
		{
			c->reached = true;
			break;
		}
		if (kafka->err)
			refused(kafka, err);
		else
			err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		rd_kafka_message_destroy(kafka);
		if (err->class)
			return false;
	}
	if (c->down && c->reached)
	{
		c->down = false;
		log_info("the Kafka brokers answer again");
	}
	if (c->trouble.class && !kafka)
	{
		*err = c->trouble;
		c->trouble = (struct err) {0};
	}
	return kafka != NULL;
}

/* ---- partitions ---- */

enum consume_wish
consume_wish(const struct consume *c)
{
	return c->wish;
}

bool
consume_partitions(struct consume *c, struct assignment *assignment)
{
	assignment_clear(assignment);
	for (int i = 0; c->partitions && i < c->partitions->cnt; i++)
		if (!assignment_add(assignment, c->partitions->elems[i].topic, c->partitions->elems[i].partition))
			return false;
	return true;
}

static rd_kafka_topic_partition_list_t *
make_list(const struct assignment *assignment)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int) assignment->count);

	for (size_t i = 0; i < assignment->count; i++)
	{
		const struct partition *p = &assignment->list[i];

		rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset =
			p->next == OFFSET_NONE ? RD_KAFKA_OFFSET_BEGINNING : p->next;
	}
	return list;
}

enum err_class
consume_assign(struct consume *c, struct assignment *assignment, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = make_list(assignment);
	rd_kafka_resp_err_t code = rd_kafka_assign(c->client, list);

	/* a pause outlives the assignment that it was for */
	if (!code)
		rd_kafka_resume_partitions(c->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	c->wish = CONSUME_NOTHING;
	if (code)
		return err_set(err, ERR_RETRY, "kafka-error", "Kafka: %s", rd_kafka_err2str(code));
	for (size_t i = 0; i < assignment->count; i++)
		assignment->list[i].fetched = assignment->list[i].next;
	return ERR_NONE;
}

void
consume_suspend(struct consume *c)
{
	if (c->wish == CONSUME_NOTHING)
		rd_kafka_assign(c->client, NULL);
}

void
consume_unassign(struct consume *c)
{
	rd_kafka_assign(c->client, NULL);
	if (c->wish == CONSUME_UNASSIGN)
		c->wish = CONSUME_NOTHING;
}

void
consume_pause(struct consume *c, struct assignment *assignment, bool pause)
{
	rd_kafka_topic_partition_list_t *list = make_list(assignment);

	if (pause)
		rd_kafka_pause_partitions(c->client, list);
	else
		rd_kafka_resume_partitions(c->client, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void
consume_rejoin(struct consume *c)
{
	rd_kafka_topic_partition_list_t *topics = NULL;

	if (rd_kafka_subscription(c->client, &topics))
		return;
	rd_kafka_unsubscribe(c->client);
	rd_kafka_subscribe(c->client, topics);
	rd_kafka_topic_partition_list_destroy(topics);
}

void
consume_commit(struct consume *c, struct assignment *assignment)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int) assignment->count);

	for (size_t i = 0; i < assignment->count; i++)
	{
		struct partition *p = &assignment->list[i];

		if (p->next == OFFSET_NONE || p->next == p->committed)
			continue;
		rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = p->next;
		p->committed = p->next;
	}
	if (list->cnt > 0)
		rd_kafka_commit(c->client, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

bool
consume_is_down(const struct consume *c)
{
	return c->down;
}

int64_t
consume_lag(struct consume *c, const struct assignment *assignment)
{
	int64_t		lag = 0;

	for (size_t i = 0; i < assignment->count; i++)
	{
		const struct partition *p = &assignment->list[i];
		int64_t		low = 0;
		int64_t		high = 0;

		/* of the client's memory: nobody is asked */
		if (rd_kafka_get_watermark_offsets(c->client, p->topic, p->partition, &low, &high) || high < 0)
			continue;
		if (p->next == OFFSET_NONE)
			lag += high - (low > 0 ? low : 0);
		else if (high > p->next)
			lag += high - p->next;
	}
	return lag;
}
