/*
 * sink_kafka.c - messages to Kafka, at least once: an idempotent producer.
 *
 * Durable means: acknowledged by all in-sync replicas.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdlib.h>

#include "kafka_producer.h"

struct sink_kafka
{
	struct sink sink;
	struct kafka_producer producer;
};

static enum err_class
start(struct sink *sink, const struct replication_identity *identity, struct err *err)
{
	(void) identity;
	sink->ready = true;
	return kafka_producer_open(&((struct sink_kafka *) sink)->producer, NULL, err);
}

static enum sink_result
send_message(struct sink *sink, const struct message *message, uint32_t sequence, struct err *err)
{
	struct kafka_producer *producer = &((struct sink_kafka *) sink)->producer;
	enum sink_result result = kafka_producer_send(producer, message, sequence, &sink->rejection, err);

	if (!sink->backlog)
		kafka_producer_hurry(producer);
	return result;
}

static void
delivered(void *arg, uint32_t sequence, size_t octets)
{
	struct sink *sink = arg;

	sink->callbacks.acked(sink->arg, sequence, octets);
}

static enum err_class
serve(struct sink *sink, int64_t now, struct err *err)
{
	(void) now;
	return kafka_producer_serve(&((struct sink_kafka *) sink)->producer, delivered, sink,
								&sink->rejection, err);
}

static void
poll_sink(const struct sink *sink, struct pollfd *pollfd)
{
	*pollfd = (struct pollfd) {
		.fd = ((const struct sink_kafka *) sink)->producer.wakeup, .events = POLLIN
	};
}

static bool
stop(struct sink *sink)
{
	sink->ready = false;
	kafka_producer_close(&((struct sink_kafka *) sink)->producer);
	return true;
}

static void
report(struct sink *sink, struct sink_report *out)
{
	kafka_producer_report(&((struct sink_kafka *) sink)->producer, out);
}

static void
free_sink(struct sink *sink)
{
	kafka_producer_free(&((struct sink_kafka *) sink)->producer);
	free(sink);
}

struct sink *
sink_kafka_new(const struct settings *settings, const struct sink_callbacks *callbacks,
			   void *arg, struct err *err)
{
	static const struct sink_ops ops = {
		.name = "kafka", .start = start, .send = send_message, .serve = serve,
		.poll = poll_sink, .stop = stop, .free = free_sink, .report = report
	};
	struct sink_kafka *k = calloc(1, sizeof(*k));

	if (!k || !kafka_producer_init(&k->producer, settings))
	{
		free(k);
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory or file descriptors");
		return NULL;
	}
	k->sink = (struct sink) {.ops = &ops, .callbacks = *callbacks, .arg = arg};
	k->producer.limit = &k->sink.limit;
	k->producer.window = &k->sink.window;
	return &k->sink;
}
