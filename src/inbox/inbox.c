/*
 * inbox.c - the consumer's loop: Kafka in, one database transaction per batch.
 *
 *   consume --> filling batch --> batch under way --> apply --> database
 *      ^                                                |
 *      +---- assign at the database's next offsets <----+
 *
 * One thread does it all.  While the database has one batch, the next one
 * fills.  The database alone knows how far a partition is: it is asked when
 * partitions come, and again after anything that leaves a doubt, a lost
 * connection or a fence; then fetching starts where it says.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../common/backoff.h"
#include "../common/clock.h"
#include "../common/log.h"

/* A full batch that waits this long for the database pauses fetching, so that
 * the client can be served without a message. */
#define PAUSE_AFTER_MS	1000

/* Messages that are taken in one turn. */
#define TURN_MESSAGES	2000

void
inbox_end(struct inbox *in, const struct err *err)
{
	if (err && !in->result.class)
		in->result = *err;
	in->phase = PHASE_DONE;
}

/* What was fetched is fetched again, from where the database says. */
static void
forget(struct inbox *in)
{
	batch_cut(in->filling, 0);
	assignment_forget(&in->assignment);
	in->assigned = in->taking = in->paused = false;
}

/* ---- the database ---- */

void
inbox_trouble(struct inbox *in, const char **trouble, const struct err *err)
{
	in->figures.database_errors++;
	if (!*trouble || strcmp(*trouble, err->code) != 0)
		log_err(LOG_LEVEL_WARNING, err);
	*trouble = err->code;
}

static void
database_lost(struct inbox *in, const struct err *err)
{
	apply_close(in->apply);
	batch_cut(in->running, 0);
	forget(in);
	consume_suspend(in->consume);
	in->random = in->random * 1664525 + 1013904223;
	in->connect_at = in->now + backoff_ms(in->failures++, in->random >> 8);
	inbox_trouble(in, &in->trouble, err);
}

static void
taken(struct inbox *in)
{
	struct err	err = {0};

	in->taking = false;
	in->failures = 0;
	if (consume_wish(in->consume) == CONSUME_UNASSIGN)
		return;
	if (consume_assign(in->consume, &in->assignment, &err))
	{
		log_err(LOG_LEVEL_WARNING, &err);
		consume_rejoin(in->consume);
		return;
	}
	in->assigned = true;
	for (size_t i = 0; i < in->assignment.count; i++)
		log_debug("topic \"%s\" partition %" PRId32 " from offset %" PRId64 ", epoch %" PRId64,
				  in->assignment.list[i].topic, in->assignment.list[i].partition,
				  in->assignment.list[i].next, in->assignment.list[i].epoch);
	log_info("consuming %zu partitions", in->assignment.count);
	notify_state(&in->notify, in->now, "READY=1\nSTATUS=consuming");
}

static void
applied(struct inbox *in)
{
	struct apply_counts counts = apply_counts(in->apply);
	struct inbox_figures *f = &in->figures;

	f->batches++;
	f->messages += in->running->n;
	f->repeated += counts.repeated;
	f->aside += counts.aside;
	f->dead += counts.dead;
	f->applied_at = clock_wall();
	metrics_observe(&f->batch_time, in->now - f->batch_began);
	if (counts.dead > 0)
		log_warning("%zu messages are dead letters (outbox.inbox_dead_letter)", counts.dead);
	if (counts.aside > 0)
		inbox_call_apart(in);
	log_debug("%zu messages applied, %zu of them before", in->running->n, counts.repeated);
	batch_cut(in->running, 0);
}

static void
database_event(struct inbox *in, enum apply_event event, const struct err *err)
{
	switch (event)
	{
		case APPLY_CONNECTED:
			if (in->trouble)
				log_info("connected to PostgreSQL again");
			in->trouble = NULL;
			break;
		case APPLY_TAKEN:
			/* unless the group has changed its mind since */
			if (in->taking)
				taken(in);
			break;
		case APPLY_APPLIED:
			in->batch_trouble = NULL;
			applied(in);
			break;
		case APPLY_AGAIN:
			inbox_trouble(in, &in->batch_trouble, err);
			break;
		case APPLY_FENCED:
			in->figures.fenced++;
			log_warning("another instance has taken a partition: nothing of this batch is applied; joining the group again");
			batch_cut(in->running, 0);
			forget(in);
			/* not taken again before the group says whose it is */
			assignment_clear(&in->assignment);
			consume_rejoin(in->consume);
			break;
		case APPLY_FAILED:
			if (err->class == ERR_RETRY)
				database_lost(in, err);
			else
				inbox_end(in, err);
			break;
		case APPLY_POISON:
			batch_cut(in->running, 0);
			inbox_end(in, err);
			break;
		case APPLY_SETTLED:
		case APPLY_RESTS:
		case APPLY_COUNTED:
		case APPLY_NOTHING:
			break;
	}
}

static void
step_database(struct inbox *in)
{
	enum apply_event event;

	do
	{
		struct err	err = {0};

		event = apply_step(in->apply, in->now, &err);
		database_event(in, event, &err);
	} while (event != APPLY_NOTHING && in->phase != PHASE_DONE);
}

/* ---- Kafka ---- */

/* Takes what has come; true if there may be more. */
static bool
step_kafka(struct inbox *in)
{
	struct message message;
	struct err	err = {0};
	int			n = 0;

	while (n++ < TURN_MESSAGES && (!in->assigned || in->paused || batch_has_room(in->filling)))
	{
		struct partition *p;

		if (!consume_next(in->consume, &message, &err))
			break;
		p = assignment_find(&in->assignment, message.topic, message.partition);
		/* left over from before a rebalance, or repeated */
		if (!in->assigned || !p || message.offset < p->fetched)
		{
			consume_release(message.owner);
			continue;
		}
		if (!batch_has_room(in->filling))
		{
			/* in spite of the pause: it has to be fetched again */
			consume_release(message.owner);
			forget(in);
			consume_suspend(in->consume);
			break;
		}
		p->fetched = message.offset + 1;
		batch_add(in->filling, &message);
	}
	if (err.class == ERR_RETRY)
		log_err(LOG_LEVEL_WARNING, &err);
	else if (err.class)
		inbox_end(in, &err);
	return n > TURN_MESSAGES;
}

static void
step_pause(struct inbox *in)
{
	bool		full = in->assigned && !batch_has_room(in->filling);

	if (!full)
		in->full_since = CLOCK_NEVER;
	else if (in->full_since == CLOCK_NEVER)
		in->full_since = in->now;
	if (full && !in->paused && in->now - in->full_since >= PAUSE_AFTER_MS)
	{
		consume_pause(in->consume, &in->assignment, true);
		in->paused = true;
	}
	else if (!full && in->paused)
	{
		consume_pause(in->consume, &in->assignment, false);
		in->paused = false;
	}
}

/* Hands the partitions back, once the batch under way is finished. */
static void
step_unassign(struct inbox *in)
{
	bool		idle = apply_is_idle(in->apply) || !apply_is_open(in->apply) || !in->assigned;

	if (!in->unassigning)
	{
		in->unassigning = true;
		in->unassign_until = in->now + in->settings->drain_timeout;
	}
	batch_cut(in->filling, 0);
	if (!idle && in->now < in->unassign_until)
		return;
	if (!idle)
	{
		log_warning("a rebalance can't wait for the batch under way any longer: it is rolled back");
		apply_close(in->apply);
		batch_cut(in->running, 0);
		in->connect_at = in->now;
	}
	consume_commit(in->consume, &in->assignment);
	forget(in);
	assignment_clear(&in->assignment);
	consume_unassign(in->consume);
	in->unassigning = false;
}

/* ---- what to do next ---- */

static void
step_next(struct inbox *in)
{
	struct err	err = {0};

	if (consume_wish(in->consume) == CONSUME_UNASSIGN)
	{
		step_unassign(in);
		return;
	}
	if (!apply_is_open(in->apply))
	{
		if (in->now >= in->connect_at && apply_connect(in->apply, &err))
			database_event(in, APPLY_FAILED, &err);
		return;
	}
	if (!apply_is_idle(in->apply))
		return;
	if (consume_wish(in->consume) == CONSUME_ASSIGN && !in->taking)
	{
		forget(in);
		if (!consume_partitions(in->consume, &in->assignment))
			database_event(in, APPLY_FAILED, &(struct err) {ERR_FATAL, "out-of-memory", "out of memory", ""});
	}
	if (!in->assigned && in->assignment.count > 0 && !in->taking)
	{
		in->taking = true;
		apply_take(in->apply, &in->assignment);
	}
	else if (!in->assigned && consume_wish(in->consume) == CONSUME_ASSIGN && !in->taking)
		taken(in);				/* no partitions: there are more instances */
	else if (in->assigned && in->filling->n > 0)
	{
		struct batch *batch = in->filling;

		in->filling = in->running;
		in->running = batch;
		in->figures.batch_began = in->now;
		apply_batch(in->apply, batch, &in->assignment);
	}
}

static void
step_commit(struct inbox *in)
{
	if (!in->assigned || in->now < in->commit_at)
		return;
	consume_commit(in->consume, &in->assignment);
	in->commit_at = in->now + in->settings->commit_interval;
}

static void
step_reload(struct inbox *in, const struct inbox_reload *reload)
{
	struct err	err = {0};

	if (!in->signals.reload)
		return;
	in->signals.reload = false;
	if (reload->read(reload->arg, &err))
		log_err(LOG_LEVEL_ERROR, &err);
	else
		log_info("configuration read again; what isn't under [log] takes effect after a restart");
}

static void
step_signals(struct inbox *in)
{
	if (in->signals.stop > 1)
		inbox_end(in, NULL);
	else if (in->signals.stop == 1 && in->phase == PHASE_RUN)
	{
		log_info("asked to stop");
		notify_state(&in->notify, in->now, "STOPPING=1");
		in->phase = PHASE_DRAIN;
		in->drain_until = in->now + in->settings->drain_timeout;
	}
	if (in->phase == PHASE_DRAIN && (in->now >= in->drain_until || !in->assigned || apply_is_idle(in->apply)))
	{
		if (in->assigned && !apply_is_idle(in->apply))
			log_warning("stopping with a batch under way; it is rolled back, and will be repeated");
		inbox_end(in, NULL);
	}
}

/* ---- the loop ---- */

static void
earlier(int64_t *deadline, int64_t other)
{
	if (other < *deadline)
		*deadline = other;
}

static int
timeout(const struct inbox *in, bool more)
{
	int64_t		deadline = apply_deadline(in->apply);
	int64_t		left;

	if (more)
		return 0;
	if (!apply_is_open(in->apply))
		earlier(&deadline, in->connect_at);
	if (in->unassigning)
		earlier(&deadline, in->unassign_until);
	if (in->phase == PHASE_DRAIN)
		earlier(&deadline, in->drain_until);
	if (in->full_since != CLOCK_NEVER && !in->paused)
		earlier(&deadline, in->full_since + PAUSE_AFTER_MS);
	earlier(&deadline, notify_deadline(&in->notify));
	earlier(&deadline, inbox_apart_deadline(in));
	earlier(&deadline, http_deadline(in->http, in->now));
	for (size_t i = 0; in->assigned && i < in->assignment.count; i++)
	{
		if (in->assignment.list[i].next != in->assignment.list[i].committed &&
			in->assignment.list[i].next != OFFSET_NONE)
			earlier(&deadline, in->commit_at);
	}
	if (deadline == CLOCK_NEVER)
		return -1;
	left = deadline - clock_now();
	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int) left;
}

static void
run(struct inbox *in, int signal_fd, const struct inbox_reload *reload)
{
	enum {SIGNALS, DATABASE, APART, KAFKA, HTTP, DESCRIPTORS};
	struct pollfd fds[DESCRIPTORS];
	bool		more = true;

	while (in->phase != PHASE_DONE)
	{
		fds[SIGNALS] = (struct pollfd) {.fd = signal_fd, .events = POLLIN};
		fds[KAFKA] = (struct pollfd) {.fd = consume_fd(in->consume), .events = POLLIN};
		apply_poll(in->apply, &fds[DATABASE]);
		apply_poll(in->apart, &fds[APART]);
		http_poll(in->http, &fds[HTTP]);
		if (poll(fds, DESCRIPTORS, timeout(in, more)) < 0)
			fds[HTTP].revents = 0;	/* EINTR, or short of memory */
		in->now = clock_now();

		signals_read(signal_fd, &in->signals);
		step_reload(in, reload);
		step_database(in);
		if (in->phase != PHASE_DONE)
			step_signals(in);
		if (in->phase == PHASE_RUN)
		{
			more = step_kafka(in);
			step_pause(in);
		}
		if (in->phase == PHASE_RUN)
		{
			bool		had_room = batch_has_room(in->filling);

			step_next(in);
			step_commit(in);
			/* room again: what was left in the client's queue wakes nobody */
			more = more || (!had_room && batch_has_room(in->filling));
			step_database(in);
		}
		else
			more = false;
		inbox_step_apart(in);
		http_serve(in->http, in->now, fds[HTTP].revents != 0);
		notify_step(&in->notify, in->now);
	}
}

static enum err_class
open_all(struct inbox *in, struct err *err)
{
	const struct settings *s = in->settings;

	in->now = clock_now();
	in->full_since = CLOCK_NEVER;
	notify_init(&in->notify);
	if (getrandom(&in->random, sizeof(in->random), GRND_NONBLOCK) < 0)
		in->random = (uint32_t) getpid();
	in->apply = apply_new(s, false, in->random);
	in->apart = apply_new(s, true, in->random + 1);
	if (!in->apply || !in->apart)
		return err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	for (int i = 0; i < 2; i++)
		if (!batch_init(&in->batches[i], (size_t) s->batch_messages, (size_t) s->batch_bytes, consume_release))
			return err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	in->filling = &in->batches[0];
	in->running = &in->batches[1];
	if (inbox_listen(in, err) == ERR_NONE)
		in->consume = consume_new(s, err);
	return err->class;
}

enum err_class
inbox_run(const struct settings *settings, const struct inbox_reload *reload, struct err *err)
{
	struct inbox in = {.settings = settings};
	int			signal_fd = signals_open();

	if (signal_fd < 0)
		return err_set(err, ERR_FATAL, "out-of-memory", "out of file descriptors");
	if (open_all(&in, err) == ERR_NONE)
	{
		run(&in, signal_fd, reload);
		*err = in.result;
		if (in.assigned && in.signals.stop < 2)
			consume_commit(in.consume, &in.assignment);
	}
	http_free(in.http);
	apply_free(in.apply);
	apply_free(in.apart);
	for (int i = 0; i < 2; i++)
		if (in.batches[i].messages)
			batch_free(&in.batches[i]);
	consume_free(in.consume, in.signals.stop < 2);
	assignment_clear(&in.assignment);
	notify_free(&in.notify);
	close(signal_fd);
	return err->class;
}
