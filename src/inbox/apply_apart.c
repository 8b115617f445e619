/*
 * apply_apart.c - messages that are run apart from batches, out of their table.
 *
 * A message that failed, or took too long, stands in outbox.inbox_dead_letter with the
 * later ones of its key behind it.  Here the first of a key is taken, one at a time,
 * each in a transaction of its own, on a connection of its own:
 *
 *   BEGIN, inbox_pick (locks the row)
 *   SAVEPOINT, the SQL, inbox_settle (removes the row, calls the next of the key), COMMIT
 *
 * and if the SQL fails, ROLLBACK TO, what is known of it now, COMMIT.  Those that have
 * failed least, and of these who need least time, come first: whoever was stopped gets
 * twice the time when its turn comes.  So an innocent one doesn't wait for others.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "apply_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/backoff.h"
#include "../common/clock.h"

/* Until what a lock, a deadlock or another server has kept from running is tried again. */
#define TRANSIENT_MS	1000

/* pick_sql's columns, apply.c */
enum pick
{
	PICK_TOPIC,
	PICK_PARTITION,
	PICK_OFFSET,
	PICK_ID,
	PICK_TIME,
	PICK_KEY,
	PICK_TYPE,
	PICK_HEADERS,
	PICK_POSITION,
	PICK_PAYLOAD,
	PICK_ATTEMPTS,
	PICK_PATIENCE
};

void
apply_apart(struct apply *a)
{
	PQclear(a->picked);
	a->picked = NULL;
	a->gave_up = false;
	round_begin(a, STATE_PICKING);
	round_command(a, "BEGIN");
	round_prepared(a, "inbox_pick", 1, &a->settings->consumer, NULL, NULL);
	round_end(a);
}

void
apply_count(struct apply *a)
{
	char		most[24];
	const char *values[2] = {a->settings->consumer, most};

	(void) snprintf(most, sizeof(most), "%d", APPLY_DEAD_MOST);
	round_begin(a, STATE_COUNTING);
	round_prepared(a, "inbox_count", 2, values, NULL, NULL);
	round_end(a);
}

void
apart_counted(struct apply *a, const PGresult *res)
{
	a->dead.failed = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
	a->dead.oldest = strtoll(PQgetvalue(res, 0, 1), NULL, 10);
}

struct apply_dead
apply_dead(const struct apply *a)
{
	return a->dead;
}

bool
apply_called(struct apply *a)
{
	bool		called = a->called;

	a->called = false;
	return called;
}

bool
apply_gave_up(const struct apply *a, struct err *err)
{
	if (a->gave_up)
		*err = a->failure;
	return a->gave_up;
}

void
apart_row(struct apply *a, PGresult *res)
{
	PQclear(a->picked);
	a->picked = res;
}

/* ---- the row as a message ---- */

static const char *
column(const struct apply *a, enum pick i)
{
	return PQgetisnull(a->picked, 0, (int) i) ? NULL : PQgetvalue(a->picked, 0, (int) i);
}

static int64_t
number(const struct apply *a, enum pick i)
{
	const char *text = column(a, i);

	return text ? strtoll(text, NULL, 10) : 0;
}

static struct slice
text_column(const struct apply *a, enum pick i)
{
	const char *text = column(a, i);

	return text ? slice_of(text) : (struct slice) {NULL, 0};
}

/* A bytea, whose octets are put into *into. */
static struct slice
octets(struct apply *a, enum pick i, struct text *into)
{
	const char *text = column(a, i);
	unsigned char *bytes;
	size_t		len;

	if (!text)
		return (struct slice) {NULL, 0};
	text_clear(into);
	bytes = PQunescapeBytea((const unsigned char *) text, &len);
	if (bytes)
	{
		text_add(into, (const char *) bytes, len);
		text_add(into, "", 1);	/* so that there is something */
	}
	PQfreemem(bytes);
	a->broken = a->broken || !bytes || into->failed;
	return a->broken ? (struct slice) {NULL, 0} : (struct slice) {into->data, len};
}

static void
send_sql(struct apply *a)
{
	struct message_header headers[3];
	struct message message = {
		.topic = column(a, PICK_TOPIC),
		.partition = (int32_t) number(a, PICK_PARTITION),
		.offset = number(a, PICK_OFFSET),
		.time = column(a, PICK_TIME) ? number(a, PICK_TIME) : -1,
		.key = octets(a, PICK_KEY, &a->queue[0]),
		.payload = octets(a, PICK_PAYLOAD, &a->queue[1]),
		.headers = headers,
		.stored_headers = column(a, PICK_HEADERS)
	};
	const struct message_header known[] = {
		{slice_of("id"), text_column(a, PICK_ID)},
		{slice_of("eventType"), text_column(a, PICK_TYPE)},
		{slice_of("outbox.position"), text_column(a, PICK_POSITION)}
	};

	memcpy(headers, known, sizeof(headers));
	message.nheaders = sizeof(headers) / sizeof(headers[0]);
	round_message(a, &message);
}

/* ---- rounds ---- */

/* The longest that an attempt may take, ms; 0 = no limit. */
static int64_t
longest(const struct apply *a)
{
	return apply_at_most(a->settings->attempt_timeout, a->role_timeout);
}

static void
send_place(struct apply *a, const char *name, int n, const char **values)
{
	values[0] = a->settings->consumer;
	values[1] = column(a, PICK_TOPIC);
	values[2] = column(a, PICK_PARTITION);
	values[3] = column(a, PICK_OFFSET);
	round_prepared(a, name, n, values, NULL, NULL);
}

static void
run_it(struct apply *a)
{
	const char *values[4];

	round_begin(a, STATE_APART);
	round_command(a, "SAVEPOINT inbox");
	round_limited(a, patience_apart(number(a, PICK_PATIENCE), a->settings->hold_up, longest(a)));
	a->first = a->round.sent;
	send_sql(a);
	/* what COMMIT would find is this message's */
	round_command(a, "SET CONSTRAINTS ALL IMMEDIATE");
	a->behind = a->round.sent;
	round_unlimited(a);
	round_command(a, "RELEASE inbox");
	send_place(a, "inbox_settle", 4, values);
	round_command(a, "COMMIT");
	round_end(a);
}

/* It has failed: what becomes of it? */
static void
note(struct apply *a)
{
	const char *sqlstate = a->round.sqlstate;
	int64_t		most = longest(a);
	bool		stopped = strcmp(sqlstate, "57014") == 0 && a->limit > 0 && (most == 0 || a->limit < most);
	bool		transient = apply_is_transient(sqlstate);
	char		attempts[24];
	char		patience[24];
	char		delay[24];
	const char *values[10] = {
		[5] = a->failure_state, [6] = a->failure.message, [7] = attempts, [8] = patience, [9] = delay
	};

	a->attempts = (unsigned) number(a, PICK_ATTEMPTS) + (stopped || transient ? 0 : 1);
	a->gave_up = !stopped && !transient && a->attempts >= a->settings->attempts;
	a->random = a->random * 1664525 + 1013904223;
	(void) snprintf(attempts, sizeof(attempts), "%u", a->attempts);
	(void) snprintf(patience, sizeof(patience), "%" PRId64, stopped ? 2 * a->limit : number(a, PICK_PATIENCE));
	(void) snprintf(delay, sizeof(delay), "%" PRId64,
					stopped ? 0 : transient ? TRANSIENT_MS : backoff_ms(a->attempts - 1, a->random >> 8));
	memcpy(a->failure_state, sqlstate, sizeof(a->failure_state));
	err_set(&a->failure, ERR_DATA, "sql-failed", "topic \"%s\" partition %s offset %s%s%.60s: SQLSTATE %s: %s",
			column(a, PICK_TOPIC), column(a, PICK_PARTITION), column(a, PICK_OFFSET),
			column(a, PICK_ID) ? ", id " : "", column(a, PICK_ID) ? column(a, PICK_ID) : "",
			sqlstate, a->round.err.message);
	err_hint(&a->failure, "%s", a->round.err.hint);
	values[4] = a->gave_up ? "failed" : "waiting";
	round_begin(a, STATE_NOTING);
	round_command(a, "ROLLBACK TO inbox");
	send_place(a, "inbox_note", 10, values);
	round_command(a, "COMMIT");
	round_end(a);
}

enum apply_event
apart_round_done(struct apply *a, int64_t now, struct err *err)
{
	struct round *round = &a->round;

	(void) now;
	if (a->state == STATE_ROLLING_BACK && !round->failed)
	{
		a->state = STATE_IDLE;
		*err = a->trouble;
		return err->class ? APPLY_AGAIN : APPLY_RESTS;
	}
	if (round_failed_in_sql(a))
	{
		note(a);
		return APPLY_NOTHING;
	}
	if (round_mends_itself(a) && a->state != STATE_ROLLING_BACK && a->state != STATE_COUNTING)
	{
		round_leave(a, "ROLLBACK");
		return APPLY_NOTHING;
	}
	if (round->failed)
	{
		*err = round->err;
		if (round_mends_itself(a))
			err->class = ERR_RETRY;
		return APPLY_FAILED;
	}
	if (a->state == STATE_COUNTING)
	{
		a->state = STATE_IDLE;
		return APPLY_COUNTED;
	}
	if (a->state != STATE_PICKING)
	{
		a->state = STATE_IDLE;
		return APPLY_SETTLED;
	}
	if (a->picked && PQntuples(a->picked) == 1)
		run_it(a);
	else
		round_leave(a, "COMMIT");
	return APPLY_NOTHING;
}
