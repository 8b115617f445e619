/*
 * kafka_task.h - one blocking call of librdkafka at a time, on a thread.
 *
 * Transactional calls block, and are only safe without a timeout (rdkafka.h,
 * "Transactional producer API"), while the loop has to answer the walsender.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_TASK_H
#define OUTBOX_KAFKA_TASK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "../common/err.h"

/* Runs on the thread; fills the task's err.  It may look at the task's cancel. */
struct kafka_task;
typedef void (*kafka_task_function) (struct kafka_task *task, void *arg);

struct kafka_task
{
	int			wakeup;			/* eventfd that is written when it is done */
	pthread_t	thread;
	kafka_task_function function;
	void	   *arg;
	struct err	err;
	atomic_bool done;
	atomic_bool cancel;			/* nobody wants the result any more */
	bool		running;		/* started and not yet joined */
};

/* False: no thread could be made. */
extern bool kafka_task_start(struct kafka_task *task, int wakeup,
							 kafka_task_function function, void *arg);

/* True once it is over; then task->err is its result. */
extern bool kafka_task_finished(struct kafka_task *task);

#endif							/* OUTBOX_KAFKA_TASK_H */
