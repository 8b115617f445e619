/*
 * kafka_producer.h - a librdkafka producer as both Kafka sinks use it.
 *
 * librdkafka's threads do the work; all its callbacks are events that are
 * served on the loop's thread.  What travels with a message (its opaque) is a
 * number: the transaction's sequence in the low half, and in the high half the
 * hash to partition by, if the event has a partition key.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_PRODUCER_H
#define OUTBOX_KAFKA_PRODUCER_H

#include "kafka_conf.h"
#include "kafka_prompt.h"
#include "sink.h"

/* The opaque of a record that is no message: its delivery is not reported. */
#define KAFKA_NO_MESSAGE	UINT64_MAX

struct kafka_producer
{
	const struct settings *settings;
	rd_kafka_t *client;			/* NULL: closed */
	rd_kafka_queue_t *queue;	/* its main queue */
	struct topics *topics;
	struct sink_limit *limit;	/* where a topic's answer goes; NULL: nobody asks */
	struct window *window;		/* learns from what is acknowledged */
	char		asked[TOPIC_MAX_LEN + 1];	/* whom the next producer asks; "" = nobody */
	kafka_partitioner partitioner;	/* for what has no partition key */
	int			wakeup;			/* eventfd: the queue is no longer empty */
	struct kafka_prompt prompt;
	uint32_t	unacked;		/* messages that were not yet reported */
	bool		reached;		/* a broker answers: it has acknowledged something */
	bool		down;			/* all brokers are away; said once */
	char		trouble[200];	/* what was wrong with the last connection */
	uint64_t	opened;			/* producers, since the start */
	uint64_t	outages;		/* all brokers were away */
};

/* A delivery report without error, for a message with this sequence. */
typedef void (*kafka_delivered) (void *arg, uint32_t sequence, size_t octets);

/* Once; false if there are no file descriptors left. */
extern bool kafka_producer_init(struct kafka_producer *producer, const struct settings *settings);
extern void kafka_producer_free(struct kafka_producer *producer);

/* transactional_id: NULL for a producer that is idempotent only. */
extern enum err_class kafka_producer_open(struct kafka_producer *producer,
										  const char *transactional_id, struct err *err);

/* Forgets what is on its way.  Nobody else may use the client any more. */
extern void kafka_producer_close(struct kafka_producer *producer);

/* Fills what a producer knows of *report. */
extern void kafka_producer_report(struct kafka_producer *producer, struct sink_report *report);

/* The messages sent so far are not to linger.  One that is alone under way never
 * does, nor do those of a Kafka transaction that is being committed. */
extern void kafka_producer_hurry(struct kafka_producer *producer);

/* ERR_DATA fills *rejection. */
extern enum sink_result kafka_producer_send(struct kafka_producer *producer,
											const struct message *message, uint32_t sequence,
											struct sink_rejection *rejection, struct err *err);

/* Handles all events that have come in.  The class of the worst is returned:
 * ERR_DATA fills *rejection, ERR_RETRY wants another producer. */
extern enum err_class kafka_producer_serve(struct kafka_producer *producer,
										   kafka_delivered delivered, void *arg,
										   struct sink_rejection *rejection, struct err *err);

#endif							/* OUTBOX_KAFKA_PRODUCER_H */
