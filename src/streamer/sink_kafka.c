/*
 * sink_kafka.c - messages to Kafka, at least once: an idempotent producer.
 *
 * librdkafka's threads do the work; all its callbacks are events that are
 * served here, on the loop's thread.  What travels with a message (its opaque)
 * is a number: the transaction's sequence in the low half, and in the high
 * half the hash to partition by, if the event has a partition key.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/log.h"
#include "kafka_conf.h"
#include "kafka_error.h"
#include "sink.h"
#include "topics.h"

#define PARTITION_KEY	(UINT64_C(1) << 63)	/* the hash has 31 bits */

#define REPORTS_MAX		256		/* delivery reports taken from an event at once */

struct sink_kafka
{
	struct sink sink;
	const struct settings *settings;
	rd_kafka_t *producer;
	rd_kafka_queue_t *queue;	/* its main queue */
	struct topics *topics;
	kafka_partitioner partitioner;	/* for what has no partition key */
	int			wakeup;			/* eventfd: the queue is no longer empty */
	bool		reached;		/* a broker has acknowledged something */
	bool		down;			/* all brokers are away; said once */
};

static uint64_t
make_opaque(const struct message *message, uint32_t sequence)
{
	uint64_t	opaque = sequence;

	if (message->has_partition_key)
		opaque |= PARTITION_KEY | (uint64_t) message->partition_hash << 32;
	return opaque;
}

/*
 * librdkafka: called by rd_kafka_produceva() or, where the topic wasn't known
 * yet, by one of its threads.
 */
static int32_t
partition(const rd_kafka_topic_t *topic, const void *key, size_t key_len,
		  int32_t partitions, void *opaque, void *msg_opaque)
{
	uint64_t	number = (uint64_t) (uintptr_t) msg_opaque;

	if (number & PARTITION_KEY)
		return (int32_t) ((number >> 32 & 0x7fffffff) % (uint64_t) partitions);
	return ((const struct sink_kafka *) opaque)->partitioner(topic, key, key_len, partitions, NULL, NULL);
}

static enum err_class
start(struct sink *sink, const struct replication_identity *identity, struct err *err)
{
	struct sink_kafka *k = (struct sink_kafka *) sink;
	rd_kafka_conf_t *conf = kafka_conf_new(k->settings, err);
	rd_kafka_topic_conf_t *topic_conf;
	char		reason[256];
	static const uint64_t one = 1;

	(void) identity;
	if (!conf)
		return err->class;
	k->partitioner = kafka_conf_partitioner(k->settings);
	/* kafka_conf_new() has set topic properties, so there is one */
	topic_conf = rd_kafka_conf_get_default_topic_conf(conf);
	rd_kafka_topic_conf_set_partitioner_cb(topic_conf, partition);
	rd_kafka_topic_conf_set_opaque(topic_conf, k);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
	if (!k->producer)
	{
		rd_kafka_conf_destroy(conf);
		return err_set(err, ERR_CONFIG, "kafka-property", "no Kafka producer can be made: %s", reason);
	}
	rd_kafka_set_log_queue(k->producer, NULL);
	k->queue = rd_kafka_queue_get_main(k->producer);
	rd_kafka_queue_io_event_enable(k->queue, k->wakeup, &one, sizeof(one));
	k->topics = topics_new();
	if (!k->topics)
		return err_set(err, ERR_RETRY, "out-of-memory", "out of memory");
	return ERR_NONE;
}

static void
stop(struct sink *sink)
{
	struct sink_kafka *k = (struct sink_kafka *) sink;

	topics_free(k->topics);
	k->topics = NULL;
	if (k->queue)
		rd_kafka_queue_destroy(k->queue);
	k->queue = NULL;
	if (k->producer)
	{
		rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
					   RD_KAFKA_PURGE_F_NON_BLOCKING);
		rd_kafka_destroy(k->producer);
	}
	k->producer = NULL;
	k->reached = k->down = false;
}

static rd_kafka_headers_t *
make_headers(const struct message *message)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t) message->nheaders);

	for (int i = 0; i < message->nheaders; i++)
		rd_kafka_header_add(headers, message->headers[i].name.data,
							(ssize_t) message->headers[i].name.len,
							message->headers[i].value.data,
							(ssize_t) message->headers[i].value.len);
	return headers;
}

/* A message that the client itself refuses. */
static enum sink_result
refused(struct sink_kafka *k, const struct message *message, uint32_t sequence,
		rd_kafka_resp_err_t code, const char *reason, struct err *err)
{
	const struct kafka_error *known = kafka_error(code);

	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return SINK_FULL;
	err_set(err, known->class, known->code, "Kafka: the message for topic \"%s\", position %s, was refused: %s",
			message->topic, message->position, reason);
	err_hint(err, "%s", known->hint);
	if (known->class == ERR_DATA)
	{
		k->sink.rejection = (struct sink_rejection) {.sequence = sequence, .alone = true};
		memcpy(k->sink.rejection.topic, message->topic, message->topic_len + 1);
	}
	return SINK_FAILED;
}

static enum sink_result
send_message(struct sink *sink, const struct message *message, uint32_t sequence, struct err *err)
{
	struct sink_kafka *k = (struct sink_kafka *) sink;
	rd_kafka_topic_t *topic = topics_get(k->topics, k->producer, message->topic, message->topic_len);
	rd_kafka_headers_t *headers;
	rd_kafka_error_t *error;
	enum sink_result result;

	if (!topic)
		return refused(k, message, sequence, rd_kafka_last_error(),
					   rd_kafka_err2str(rd_kafka_last_error()), err);
	headers = make_headers(message);

	const rd_kafka_vu_t arguments[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *) message->key.data, message->key.len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *) message->payload.data, message->payload.len}},
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = message->timestamp_ms},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *) (uintptr_t) make_opaque(message, sequence)},
	};

	error = rd_kafka_produceva(k->producer, arguments, sizeof(arguments) / sizeof(arguments[0]));
	if (!error)
		return SINK_OK;
	rd_kafka_headers_destroy(headers);
	result = refused(k, message, sequence, rd_kafka_error_code(error),
					 rd_kafka_error_string(error), err);
	rd_kafka_error_destroy(error);
	return result;
}

static enum sink_result
commit(struct sink *sink, uint32_t sequence, lsn_t lsn, struct err *err)
{
	(void) sink, (void) sequence, (void) lsn, (void) err;
	return SINK_OK;
}

/* A message that was not delivered. */
static void
failed_report(struct sink_kafka *k, const rd_kafka_message_t *report, struct err *err)
{
	const struct kafka_error *known = kafka_error(report->err);
	struct sink_rejection *rejection = &k->sink.rejection;
	uint32_t	sequence = (uint32_t) (uintptr_t) report->_private;

	/* what failed as a consequence of something else says nothing by itself */
	if (err->class == ERR_DATA && known->class == ERR_DATA)
	{
		if (sequence - rejection->sequence < UINT32_MAX / 2)
			rejection->sequence = sequence;
		return;
	}
	if (err->class == ERR_DATA || (err->class && known->class != ERR_DATA))
		return;
	err_set(err, known->class, known->code, "Kafka: topic \"%s\" partition %" PRId32 " did not take a message: %s",
			rd_kafka_topic_name(report->rkt), report->partition, rd_kafka_err2str(report->err));
	err_hint(err, "%s", known->hint);
	rejection->sequence = sequence;
	rejection->alone = !known->batch;
	snprintf(rejection->topic, sizeof(rejection->topic), "%s", rd_kafka_topic_name(report->rkt));
}

static void
serve_reports(struct sink_kafka *k, rd_kafka_event_t *event, struct err *err)
{
	const rd_kafka_message_t *reports[REPORTS_MAX];
	size_t		n;

	while ((n = rd_kafka_event_message_array(event, reports, REPORTS_MAX)) > 0)
		for (size_t i = 0; i < n; i++)
			if (reports[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			{
				k->sink.acked(k->sink.arg, (uint32_t) (uintptr_t) reports[i]->_private,
							  message_octets(reports[i]->key_len, reports[i]->len));
				k->reached = true;
			}
			else
				failed_report(k, reports[i], err);
	if (k->down && k->reached)
	{
		k->down = false;
		log_info("the Kafka brokers answer again");
	}
}

/* Errors of the client as a whole; most of them it mends by itself. */
static void
serve_error(struct sink_kafka *k, rd_kafka_event_t *event, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	char		reason[256];

	if (code == RD_KAFKA_RESP_ERR__FATAL)
	{
		rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(k->producer, reason, sizeof(reason));

		if (!err->class)
			err_set(err, ERR_RETRY, "kafka-producer", "the Kafka producer can't go on (%s): %s",
					rd_kafka_err2name(fatal), reason);
	}
	else if ((code == RD_KAFKA_RESP_ERR__AUTHENTICATION) && !k->reached)
	{
		if (!err->class)
		{
			err_set(err, ERR_CONFIG, "kafka-login", "the Kafka broker refuses the login: %s",
					rd_kafka_event_error_string(event));
			err_hint(err, "see kafka.sasl.* and kafka.ssl.*");
		}
	}
	else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !k->down)
	{
		k->down = true;
		k->reached = false;
		log_warning("no Kafka broker answers (%s); waiting", rd_kafka_event_error_string(event));
	}
	else
		log_debug("Kafka: %s", rd_kafka_event_error_string(event));
}

static void
serve_log(rd_kafka_event_t *event)
{
	const char *facility;
	const char *text;
	int			level;

	if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
		log_debug("librdkafka: %s: %s", facility, text);
}

static enum err_class
serve(struct sink *sink, struct err *err)
{
	struct sink_kafka *k = (struct sink_kafka *) sink;
	rd_kafka_event_t *event;
	uint64_t	count;
	ssize_t		got;

	if (!k->producer)
		return ERR_NONE;
	/* before the queue is emptied, or a wake-up in between would be lost */
	do
		got = read(k->wakeup, &count, sizeof(count));
	while (got < 0 && errno == EINTR);

	while ((event = rd_kafka_queue_poll(k->queue, 0)))
	{
		switch (rd_kafka_event_type(event))
		{
			case RD_KAFKA_EVENT_DR:
				serve_reports(k, event, err);
				break;
			case RD_KAFKA_EVENT_ERROR:
				serve_error(k, event, err);
				break;
			case RD_KAFKA_EVENT_LOG:
				serve_log(event);
				break;
			default:
				break;
		}
		rd_kafka_event_destroy(event);
	}
	return err->class;
}

static void
poll_sink(const struct sink *sink, struct pollfd *pollfd)
{
	const struct sink_kafka *k = (const struct sink_kafka *) sink;

	*pollfd = (struct pollfd) {.fd = k->wakeup, .events = POLLIN};
}

static void
free_sink(struct sink *sink)
{
	struct sink_kafka *k = (struct sink_kafka *) sink;

	stop(sink);
	close(k->wakeup);
	free(k);
}

struct sink *
sink_kafka_new(const struct settings *settings, sink_acked acked, void *arg, struct err *err)
{
	static const struct sink_ops ops = {
		"kafka", start, send_message, commit, serve, poll_sink, stop, free_sink
	};
	struct sink_kafka *k = calloc(1, sizeof(*k));

	if (k)
		k->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!k || k->wakeup < 0)
	{
		free(k);
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory or file descriptors");
		return NULL;
	}
	k->sink = (struct sink) {.ops = &ops, .acked = acked, .arg = arg};
	k->settings = settings;
	return &k->sink;
}
