/*
 * kafka_task.c - one blocking call of librdkafka at a time, on a thread.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_task.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static void *
run(void *arg)
{
	struct kafka_task *task = arg;
	uint64_t	one = 1;
	ssize_t		ignored;

	task->function(task, task->arg);
	atomic_store(&task->done, true);
	ignored = write(task->wakeup, &one, sizeof(one));
	(void) ignored;				/* can't fail before 2^64 of them */
	return NULL;
}

bool
kafka_task_start(struct kafka_task *task, int wakeup, kafka_task_function function, void *arg)
{
	sigset_t	all,
				old;
	int			failed;

	task->wakeup = wakeup;
	task->function = function;
	task->arg = arg;
	task->err = (struct err) {0};
	atomic_store(&task->done, false);
	atomic_store(&task->cancel, false);

	/* signals belong to the loop's thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	failed = pthread_create(&task->thread, NULL, run, task);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	task->running = !failed;
	return task->running;
}

bool
kafka_task_finished(struct kafka_task *task)
{
	if (!task->running || !atomic_load(&task->done))
		return false;
	pthread_join(task->thread, NULL);
	task->running = false;
	return true;
}
