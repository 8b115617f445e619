/*
 * kafka_prompt.h - a producer that lingers in a backlog, and only there.
 *
 * With linger.ms = 0 librdkafka's thread asks without any pause whether it may go on,
 * for as long as messages wait behind those of their partition that are not yet
 * acknowledged (rd_kafka_toppar_producer_serve(), at least in 2.0 to 2.15): in a backlog
 * that is half of the processor time, and it makes small batches.  linger.ms can't be
 * changed while a producer lives.  But rd_kafka_flush() overrides it for as long as it
 * waits; so a thread of ours waits in it when messages are not to linger.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_PROMPT_H
#define OUTBOX_KAFKA_PROMPT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <librdkafka/rdkafka.h>

/* What linger.ms is then. */
#define KAFKA_PROMPT_LINGER	"20"

struct kafka_prompt
{
	rd_kafka_t *client;
	pthread_t	thread;
	bool		running;
	int			wakeup;			/* eventfd */
	atomic_bool asked;
	atomic_bool stop;
};

/* False: there is no thread or file descriptor to be had. */
extern bool kafka_prompt_start(struct kafka_prompt *prompt, rd_kafka_t *client);

/* What has been produced is to be sent at once.  Cheap enough for every message. */
extern void kafka_prompt_ask(struct kafka_prompt *prompt);

/* Before the client is destroyed.  Takes no longer than what is in its queue, or
 * some milliseconds. */
extern void kafka_prompt_stop(struct kafka_prompt *prompt);

#endif							/* OUTBOX_KAFKA_PROMPT_H */
