/*
 * kafka_prompt.c - a producer that lingers in a backlog, and only there.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* As long as finding out about a topic may take.  Whoever produces more asks again. */
#define FLUSH_MS	50

static void
wake(struct kafka_prompt *prompt)
{
	uint64_t	one = 1;
	ssize_t		ignored = write(prompt->wakeup, &one, sizeof(one));

	(void) ignored;				/* can't fail before 2^64 of them */
}

static void *
run(void *arg)
{
	struct kafka_prompt *prompt = arg;
	uint64_t	count;

	while (!atomic_load(&prompt->stop))
	{
		if (read(prompt->wakeup, &count, sizeof(count)) < 0 && errno != EINTR)
			break;
		/* before the flush: what is produced from now on is asked for again */
		atomic_store(&prompt->asked, false);
		rd_kafka_flush(prompt->client, FLUSH_MS);
	}
	return NULL;
}

bool
kafka_prompt_start(struct kafka_prompt *prompt, rd_kafka_t *client)
{
	sigset_t	all,
				old;

	prompt->client = client;
	atomic_store(&prompt->asked, false);
	atomic_store(&prompt->stop, false);
	prompt->wakeup = eventfd(0, EFD_CLOEXEC);
	if (prompt->wakeup < 0)
		return false;
	/* signals belong to the loop's thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	prompt->running = pthread_create(&prompt->thread, NULL, run, prompt) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!prompt->running)
		close(prompt->wakeup);
	return prompt->running;
}

void
kafka_prompt_ask(struct kafka_prompt *prompt)
{
	if (prompt->running && !atomic_exchange(&prompt->asked, true))
		wake(prompt);
}

void
kafka_prompt_stop(struct kafka_prompt *prompt)
{
	if (!prompt->running)
		return;
	atomic_store(&prompt->stop, true);
	wake(prompt);
	pthread_join(prompt->thread, NULL);
	close(prompt->wakeup);
	prompt->running = false;
}
