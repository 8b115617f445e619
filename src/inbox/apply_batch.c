/*
 * apply_batch.c - a batch's rounds: what is sent, and what follows from it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "apply_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../common/backoff.h"
#include "../common/clock.h"

/* ---- the opening round ---- */

/* Closes an array's text: its elements came one by one. */
static const char *
closed(struct apply *a, int i)
{
	text_print(&a->arrays[i], a->arrays[i].len == 0 ? "{}" : "}");
	a->broken = a->broken || a->arrays[i].failed;
	return a->arrays[i].data;
}

static void
send_advance(struct apply *a)
{
	struct assignment *assignment = a->assignment;
	const char *values[5] = {a->settings->consumer};

	for (size_t i = 0; i < assignment->count; i++)
		assignment->list[i].batch = OFFSET_NONE;
	for (size_t i = 0; i < a->batch->n; i++)
	{
		const struct message *m = &a->batch->messages[i];

		assignment_find(assignment, m->topic, m->partition)->batch = m->offset + 1;
	}
	for (int i = 0; i < 4; i++)
		text_clear(&a->arrays[i]);
	for (size_t i = 0; i < assignment->count; i++)
	{
		const struct partition *p = &assignment->list[i];
		const char *before = a->arrays[0].len == 0 ? "{" : ",";

		if (p->batch == OFFSET_NONE)
			continue;
		text_print(&a->arrays[1], "%s%" PRId32, before, p->partition);
		text_print(&a->arrays[2], "%s%" PRId64, before, p->epoch);
		text_print(&a->arrays[3], "%s%" PRId64, before, p->batch);
		parameters_element(&a->arrays[0], p->topic, strlen(p->topic));
	}
	for (int i = 0; i < 4; i++)
		values[1 + i] = closed(a, i);
	round_prepared(a, "inbox_advance", 5, values, NULL, NULL);
}

/* Records the ids, of those messages that have one. */
static void
send_ids(struct apply *a)
{
	const char *values[2] = {a->settings->consumer};
	bool		any = false;

	text_clear(&a->arrays[0]);
	for (size_t i = 0; i < a->batch->n; i++)
	{
		bool		has;

		text_clear(&a->arrays[1]);
		has = parameters_id(&a->arrays[1], &a->batch->messages[i]);
		parameters_element(&a->arrays[0], has ? a->arrays[1].data : NULL, a->arrays[1].len);
		any = any || has;
	}
	a->repeated_at = NOT_SENT;
	if (!any)
		return;
	a->repeated_at = a->round.sent;
	values[1] = closed(a, 0);
	round_prepared(a, "inbox_repeated", 2, values, NULL, NULL);
}

/* Asks for keys that have dead letters. */
static void
send_keys(struct apply *a)
{
	const char *values[3] = {a->settings->consumer};
	bool		any = false;

	a->parked_at = NOT_SENT;
	if (a->settings->policy != POLICY_DEAD_LETTER)
		return;
	text_clear(&a->arrays[0]);
	text_clear(&a->arrays[1]);
	for (size_t i = 0; i < a->batch->n; i++)
	{
		const struct message *m = &a->batch->messages[i];

		parameters_element(&a->arrays[0], m->topic, strlen(m->topic));
		parameters_octets(&a->arrays[1], m->key);
		any = any || m->key.data;
	}
	if (!any)
		return;
	a->parked_at = a->round.sent;
	values[1] = closed(a, 0);
	values[2] = closed(a, 1);
	round_prepared(a, "inbox_parked", 3, values, NULL, NULL);
}

void
batch_open(struct apply *a)
{
	memset(a->fates, FATE_RUN, a->batch->n);
	round_begin(a, STATE_OPENING);
	round_command(a, "BEGIN");
	if (a->immediate)
		round_command(a, "SET CONSTRAINTS ALL IMMEDIATE");
	send_advance(a);
	send_ids(a);
	send_keys(a);
	round_end(a);
}

void
batch_rows(struct apply *a, const PGresult *res)
{
	bool		repeated = a->round.done == a->repeated_at;
	enum fate	fate;

	if (!repeated && a->round.done != a->parked_at)
		return;
	for (int i = 0; i < PQntuples(res); i++)
	{
		size_t		place = strtoul(PQgetvalue(res, i, 0), NULL, 10);

		fate = repeated ? FATE_REPEATED :
			PQgetvalue(res, i, 1)[0] == 't' ? FATE_MOVING : FATE_QUEUED;
		/* what was there before is no matter, whatever its key */
		if (place >= 1 && place <= a->batch->n && (repeated || a->fates[place - 1] == FATE_RUN))
			a->fates[place - 1] = (unsigned char) fate;
	}
}

void
apply_batch(struct apply *a, struct batch *batch, struct assignment *assignment)
{
	a->batch = batch;
	a->assignment = assignment;
	a->tries = 0;
	a->immediate = a->poisoned = false;
	batch_open(a);
}

struct apply_counts
apply_counts(const struct apply *a)
{
	struct apply_counts counts = {0};

	for (size_t i = 0; a->batch && i < a->batch->n; i++)
	{
		counts.repeated += a->fates[i] == FATE_REPEATED;
		counts.aside += a->fates[i] == FATE_QUEUED || a->fates[i] == FATE_MOVING || a->fates[i] == FATE_ASIDE;
		counts.dead += a->fates[i] == FATE_FAILED;
	}
	return counts;
}

/* ---- segments ---- */

static void
send_dead_letter(struct apply *a, size_t message, const struct failure *failure)
{
	if (!parameters_make(&a->parameters, &a->dead_letter, a->settings->consumer,
						 &a->batch->messages[message], failure))
		a->broken = true;
	round_prepared(a, "inbox_dead_letter", a->dead_letter.nfields, a->parameters.values,
				   a->parameters.lengths, a->parameters.formats);
}

/* What stands before it in the queue calls it when it goes.  Of a moving queue the
 * last may be gone by now, so it comes by itself. */
static void
queue_behind(struct apply *a, size_t message, bool moving)
{
	const struct failure queued = {.state = moving ? "waiting" : "queued"};

	a->fates[message] = moving ? FATE_MOVING : FATE_QUEUED;
	send_dead_letter(a, message, &queued);
}

/* May messages be run apart? */
static bool
runs_apart(const struct apply *a)
{
	return a->settings->policy == POLICY_DEAD_LETTER;
}

/* The rest of a round: the segment's messages, and COMMIT if they are the last.  No limit
 * holds for what COMMIT does, so what it would check is checked before. */
static void
send_segment(struct apply *a, enum segments_next next, bool savepoint)
{
	if (next == SEGMENTS_RUN && savepoint)
		round_command(a, "SAVEPOINT inbox");
	if (runs_apart(a))
		round_limited(a, apply_at_most(patience_now(&a->patience, clock_now()), a->role_timeout));
	a->first = a->round.sent;
	for (size_t i = a->segments.start; next == SEGMENTS_RUN && i < a->segments.limit; i++)
		round_message(a, &a->batch->messages[a->run[i]]);
	a->behind = a->round.sent;
	a->commits = next == SEGMENTS_DONE || a->segments.limit == a->segments.n;
	if (a->commits && runs_apart(a))
		round_command(a, "SET CONSTRAINTS ALL IMMEDIATE");
	round_unlimited(a);
	if (a->commits)
		round_command(a, "COMMIT");
	round_end(a);
}

static void
run_first(struct apply *a)
{
	size_t		n = 0;

	round_begin(a, STATE_RUNNING);
	for (size_t i = 0; i < a->batch->n; i++)
	{
		if (a->fates[i] == FATE_QUEUED || a->fates[i] == FATE_MOVING)
			queue_behind(a, i, a->fates[i] == FATE_MOVING);
		else if (a->fates[i] == FATE_RUN)
			a->run[n++] = i;
	}
	send_segment(a, segments_begin(&a->segments, n, runs_apart(a) ? 1 : a->settings->attempts), true);
}

static void
roll_back(struct apply *a, enum apply_then then)
{
	a->then = then;
	round_leave(a, "ROLLBACK");
}

/* Has it failed, or is it to be run apart?  A deadlock, a lock that is held or a limit of
 * ours is no failure of its own. */
static void
judge(struct apply *a, size_t message, struct failure *failure)
{
	bool		stopped = a->failure_limit > 0 && strcmp(a->failure_state, "57014") == 0;
	bool		failed = !stopped && !apply_is_transient(a->failure_state);

	failure->attempts = failed ? 1 : 0;
	failure->patience = stopped ? a->failure_limit : 0;
	failed = failed && a->settings->attempts == 1;
	failure->state = failed ? "failed" : "waiting";
	a->fates[message] = failed ? FATE_FAILED : FATE_ASIDE;
}

/* The message at the segment's start is not applied in this batch. */
static void
give_up(struct apply *a, bool undo)
{
	struct segments *s = &a->segments;
	size_t		message = a->run[s->start];
	size_t		n = s->start + 1;
	struct failure failure = {.sqlstate = a->failure_state, .reason = a->failure.message};

	if (a->settings->policy == POLICY_STOP)
	{
		a->poison = message;
		a->poison_err = a->failure;
		roll_back(a, THEN_CUT);
		return;
	}
	round_begin(a, STATE_RUNNING);
	if (undo)
		round_command(a, "ROLLBACK TO inbox");
	round_command(a, "RELEASE inbox");
	judge(a, message, &failure);
	send_dead_letter(a, message, &failure);
	for (size_t i = s->start + 1; i < s->n; i++)
	{
		if (message_same_key(&a->batch->messages[message], &a->batch->messages[a->run[i]]))
			queue_behind(a, a->run[i], false);
		else
			a->run[n++] = a->run[i];
	}
	send_segment(a, segments_given_up(s, n), true);
}

static void
note_failure(struct apply *a, size_t at)
{
	const struct message *m = &a->batch->messages[a->run[at]];
	struct text id = {0};

	(void) parameters_id(&id, m);
	err_set(&a->failure, ERR_DATA, "sql-failed", "topic \"%s\" partition %" PRId32 " offset %" PRId64 "%s%.60s: SQLSTATE %s: %s",
			m->topic, m->partition, m->offset, id.len > 0 ? ", id " : "", id.len > 0 ? id.data : "",
			a->round.sqlstate, a->round.err.message);
	err_hint(&a->failure, "%s", a->round.err.hint);
	memcpy(a->failure_state, a->round.sqlstate, sizeof(a->failure_state));
	a->failure_limit = a->limit;
	text_free(&id);
}

static void
segment_failed(struct apply *a)
{
	size_t		at = a->segments.start + a->round.failed_at - a->first;

	note_failure(a, at);
	patience_spend(&a->patience, clock_now() - a->began);
	if (segments_failed(&a->segments, at) == SEGMENTS_GIVE_UP)
	{
		give_up(a, true);
		return;
	}
	round_begin(a, STATE_RUNNING);
	round_command(a, "ROLLBACK TO inbox");
	send_segment(a, SEGMENTS_RUN, false);
}

static enum apply_event
committed(struct apply *a, struct err *err)
{
	for (size_t i = 0; i < a->assignment->count; i++)
	{
		struct partition *p = &a->assignment->list[i];

		if (p->batch != OFFSET_NONE)
			p->next = p->batch;
	}
	a->state = STATE_IDLE;
	if (!a->poisoned)
		return APPLY_APPLIED;
	*err = a->poison_err;
	return APPLY_POISON;
}

/* ---- what a round led to ---- */

/* The end of the transaction may have found what is a message's, which is not known yet. */
static bool
failed_at_end(const struct apply *a)
{
	return a->state == STATE_RUNNING && a->round.failed && a->commits && !a->immediate &&
		a->round.failed_at >= a->behind && !apply_is_transient(a->round.sqlstate);
}

static enum apply_event
segment_done(struct apply *a, struct err *err)
{
	struct round *round = &a->round;
	enum segments_next next;

	if (failed_at_end(a))
	{
		/* a constraint that is checked at the end: which message was it? */
		patience_spend(&a->patience, clock_now() - a->began);
		a->immediate = true;
		roll_back(a, THEN_AT_ONCE);
		return APPLY_NOTHING;
	}
	if (round_failed_in_sql(a))
	{
		segment_failed(a);
		return APPLY_NOTHING;
	}
	if (round->failed)
	{
		*err = round->err;
		err->class = ERR_FATAL;
		return APPLY_FAILED;
	}
	if (a->commits)
		return committed(a, err);
	next = segments_succeeded(&a->segments);
	if (next == SEGMENTS_GIVE_UP)
	{
		give_up(a, false);
		return APPLY_NOTHING;
	}
	round_begin(a, STATE_RUNNING);
	round_command(a, "RELEASE inbox");
	send_segment(a, next, true);
	return APPLY_NOTHING;
}

static enum apply_event
rolled_back(struct apply *a, int64_t now, struct err *err)
{
	switch (a->then)
	{
		case THEN_AGAIN:
			a->random = a->random * 1664525 + 1013904223;
			a->retry_at = now + backoff_ms(a->tries++, a->random >> 8);
			a->state = STATE_WAITING;
			*err = a->trouble;
			return APPLY_AGAIN;
		case THEN_AT_ONCE:
			break;
		case THEN_FENCED:
			a->state = STATE_IDLE;
			return APPLY_FENCED;
		case THEN_CUT:
			batch_cut(a->batch, a->poison);
			a->poisoned = true;
			if (a->batch->n > 0)
				break;
			a->state = STATE_IDLE;
			*err = a->poison_err;
			return APPLY_POISON;
	}
	batch_open(a);
	return APPLY_NOTHING;
}

/*
 * Is it a message's SQL that has failed in a way that may mend itself, so that it is
 * to be run apart, or everything?  A deadlock or a lock that is held concern one
 * message; what else a message may bring about by itself does if it happens again.
 */
static bool
is_of_a_message(const struct apply *a)
{
	const struct round *round = &a->round;

	if (!runs_apart(a) || !round_failed_in_sql(a))
		return false;
	if (strcmp(round->sqlstate, "55P03") == 0 || strcmp(round->sqlstate, "40P01") == 0)
		return true;
	return a->tries > 0 && (strncmp(round->sqlstate, "08", 2) == 0 || strncmp(round->sqlstate, "40", 2) == 0);
}

enum apply_event
batch_round_done(struct apply *a, int64_t now, struct err *err)
{
	struct round *round = &a->round;

	if (a->state == STATE_ROLLING_BACK && !round->failed)
		return rolled_back(a, now, err);
	if (round_mends_itself(a) && !is_of_a_message(a) && !failed_at_end(a))
		roll_back(a, THEN_AGAIN);
	else if (round->failed && strcmp(round->sqlstate, "IB001") == 0)
		roll_back(a, THEN_FENCED);
	else if (round->failed && a->state != STATE_RUNNING)
	{
		*err = round->err;
		return APPLY_FAILED;
	}
	else if (a->state == STATE_RUNNING)
		return segment_done(a, err);
	else
		run_first(a);
	return APPLY_NOTHING;
}
