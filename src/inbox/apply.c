/*
 * apply.c - the connection that batches go through: rounds and their results.
 *
 * libpq's pipeline mode: a round's statements are sent without waiting for
 * their results.  After one that fails the server skips the rest of the round.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "apply_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/clock.h"
#include "../common/pg.h"

#define BYTEA_OID	17

/* STATE_SETUP: the statements' numbers */
#define SETUP_TIMEOUT		1
#define SETUP_FIRST_OWN		2
#define SETUP_APPLY			9

static const char dead_letter_sql[] =
"INSERT INTO outbox.inbox_dead_letter (consumer, topic, partition, message_offset, message_id, message_time, key, type, headers, payload, state, sqlstate, reason, attempts, patience) "
"VALUES (:consumer, :topic, :partition, :offset, :id, :time, :key_bytes, :type, :headers, :payload_bytes, :state, :sqlstate, :reason, :attempts, :patience)";

/* In the order of enum pick, apply_apart.c. */
static const char pick_sql[] =
"SELECT topic, partition, message_offset, message_id, (extract(epoch FROM message_time) * 1000)::bigint, key, type, headers, "
"CASE jsonb_typeof(headers -> 'outbox.position') WHEN 'array' THEN headers #>> '{outbox.position,-1}' "
"ELSE headers ->> 'outbox.position' END, payload, attempts, patience FROM outbox.inbox_pick($1)";

static const char note_sql[] =
"UPDATE outbox.inbox_dead_letter SET state = $5, sqlstate = $6, reason = $7, attempts = $8, patience = $9, "
"retry_at = clock_timestamp() + $10::integer * interval '1 ms' "
"WHERE consumer = $1 AND topic = $2 AND partition = $3 AND message_offset = $4";

/* An index has them in this order, and no more than that many are read. */
static const char count_sql[] =
"SELECT count(*), (extract(epoch FROM min(f.stored_at)) * 1000)::bigint FROM (SELECT d.stored_at FROM outbox.inbox_dead_letter AS d "
"WHERE d.consumer = $1 AND d.state = 'failed' ORDER BY d.stored_at LIMIT $2::bigint) AS f";

struct apply *
apply_new(const struct settings *settings, bool apart, uint32_t seed)
{
	struct apply *a = calloc(1, sizeof(*a));
	struct err	ignored = {0};

	if (!a)
		return NULL;
	a->settings = settings;
	a->apart = apart;
	a->random = seed;
	patience_begin(&a->patience, settings->hold_up, clock_now());
	a->fates = calloc((size_t) settings->batch_messages, sizeof(*a->fates));
	a->run = calloc((size_t) settings->batch_messages, sizeof(*a->run));
	if (a->fates && a->run && statement_parse(&a->dead_letter, dead_letter_sql, true, &ignored) == ERR_NONE)
		return a;
	apply_free(a);
	return NULL;
}

void
apply_free(struct apply *a)
{
	if (!a)
		return;
	apply_close(a);
	for (size_t i = 0; i < sizeof(a->arrays) / sizeof(a->arrays[0]); i++)
		text_free(&a->arrays[i]);
	for (int i = 0; i < 2; i++)
		text_free(&a->queue[i]);
	parameters_free(&a->parameters);
	statement_free(&a->dead_letter);
	free(a->fates);
	free(a->run);
	free(a);
}

/* ---- connecting ---- */

enum err_class
apply_connect(struct apply *a, struct err *err)
{
	apply_close(a);
	a->conn = pg_connect_start(a->settings->dsn, false, a->apart ? "inbox-consumer apart" : "inbox-consumer", err);
	if (!a->conn)
		return err->class;
	a->state = STATE_CONNECTING;
	a->polling = PGRES_POLLING_WRITING;
	return ERR_NONE;
}

void
apply_close(struct apply *a)
{
	PQfinish(a->conn);
	a->conn = NULL;
	a->state = STATE_CLOSED;
	a->broken = a->flush = a->poisoned = false;
	a->batch = NULL;
	PQclear(a->picked);
	a->picked = NULL;
}

bool
apply_is_open(const struct apply *a)
{
	return a->state != STATE_CLOSED;
}

bool
apply_is_idle(const struct apply *a)
{
	return a->state == STATE_IDLE;
}

void
apply_poll(const struct apply *a, struct pollfd *fd)
{
	*fd = (struct pollfd) {.fd = a->conn ? PQsocket(a->conn) : -1, .events = POLLIN};
	if (a->state == STATE_CONNECTING)
		fd->events = a->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	else if (a->flush)
		fd->events |= POLLOUT;
}

int64_t
apply_deadline(const struct apply *a)
{
	return a->state == STATE_WAITING ? a->retry_at : CLOCK_NEVER;
}

static void
ignore_notice(void *arg, const PGresult *res)
{
	(void) arg;
	(void) res;
}

static void
prepare(struct apply *a, const char *name, const char *sql, const struct statement *statement)
{
	Oid			types[STATEMENT_MAX_FIELDS] = {0};
	int			n = statement ? statement->nfields : 0;

	for (int i = 0; i < n; i++)
		types[i] = field_is_binary(statement->fields[i]) ? BYTEA_OID : 0;
	if (!PQsendPrepare(a->conn, name, sql, n, types))
		a->broken = true;
	a->round.sent++;
}

static void
set_up(struct apply *a)
{
	PQsetnonblocking(a->conn, 1);
	PQsetNoticeReceiver(a->conn, ignore_notice, NULL);
	if (!PQenterPipelineMode(a->conn))
		a->broken = true;
	round_begin(a, STATE_SETUP);
	/* whoever is stopped in the middle of a batch holds locks */
	round_command(a, "SET idle_in_transaction_session_timeout = '60s'");
	round_command(a, "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'");
	prepare(a, "inbox_take", "SELECT topic, partition, next_offset, epoch FROM outbox.inbox_take($1, $2, $3)", NULL);
	prepare(a, "inbox_advance", "SELECT outbox.inbox_advance($1, $2, $3, $4, $5)", NULL);
	prepare(a, "inbox_repeated", "SELECT * FROM outbox.inbox_repeated($1, $2)", NULL);
	prepare(a, "inbox_parked", "SELECT * FROM outbox.inbox_parked($1, $2, $3)", NULL);
	prepare(a, "inbox_pick", pick_sql, NULL);
	prepare(a, "inbox_settle", "SELECT outbox.inbox_settle($1, $2, $3, $4)", NULL);
	prepare(a, "inbox_dead_letter", a->dead_letter.sql, &a->dead_letter);
	prepare(a, "inbox_apply", a->settings->apply.sql, &a->settings->apply);
	if (a->apart)
	{
		prepare(a, "inbox_note", note_sql, NULL);
		prepare(a, "inbox_count", count_sql, NULL);
		round_command(a, "LISTEN outbox_inbox");
	}
	round_end(a);
}

static enum apply_event
step_connecting(struct apply *a, struct err *err)
{
	a->polling = PQconnectPoll(a->conn);
	if (a->polling == PGRES_POLLING_OK)
		set_up(a);
	if (a->polling != PGRES_POLLING_FAILED)
		return APPLY_NOTHING;
	pg_connect_failure(a->conn, err);
	return APPLY_FAILED;
}

/* ---- rounds ---- */

void
round_begin(struct apply *a, enum apply_state state)
{
	a->state = state;
	a->round = (struct round) {.failed = false};
	a->began = clock_now();
	a->limit = 0;
}

void
round_command(struct apply *a, const char *sql)
{
	if (!PQsendQueryParams(a->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
		a->broken = true;
	a->round.sent++;
}

void
round_prepared(struct apply *a, const char *name, int n, const char *const *values,
			   const int *lengths, const int *formats)
{
	if (!PQsendQueryPrepared(a->conn, name, n, values, lengths, formats, 0))
		a->broken = true;
	a->round.sent++;
}

void
round_limited(struct apply *a, int64_t ms)
{
	char		sql[60];

	(void) snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %" PRId64, ms);
	a->limit = ms;
	if (ms > 0)
		round_command(a, sql);
}

void
round_unlimited(struct apply *a)
{
	if (a->limit > 0)
		round_command(a, "SET LOCAL statement_timeout TO DEFAULT");
}

void
round_message(struct apply *a, const struct message *message)
{
	const struct statement *statement = &a->settings->apply;

	if (!parameters_make(&a->parameters, statement, a->settings->consumer, message, NULL))
		a->broken = true;
	round_prepared(a, "inbox_apply", statement->nfields, a->parameters.values,
				   a->parameters.lengths, a->parameters.formats);
}

void
round_end(struct apply *a)
{
	if (!PQpipelineSync(a->conn))
		a->broken = true;
	a->flush = true;
}

void
round_leave(struct apply *a, const char *command)
{
	a->trouble = a->round.err;
	round_begin(a, STATE_ROLLING_BACK);
	round_command(a, command);
	round_end(a);
}

bool
apply_is_transient(const char *sqlstate)
{
	static const char *const prefixes[] = {
		"08",					/* connection */
		"25006",				/* read-only: a primary that was demoted */
		"25P03",				/* idle in transaction for too long: we were stopped */
		"40",					/* serialization failure, deadlock */
		"53",					/* memory, disk, connections */
		"55P03",				/* lock_timeout */
		"57P",					/* shutting down, terminated */
		"58",					/* system */
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
	{
		if (strncmp(sqlstate, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

bool
round_failed_in_sql(const struct apply *a)
{
	return (a->state == STATE_RUNNING || a->state == STATE_APART) && a->round.failed &&
		a->round.failed_at >= a->first && a->round.failed_at < a->behind;
}

bool
round_mends_itself(const struct apply *a)
{
	return a->round.failed && (apply_is_transient(a->round.sqlstate) ||
							   (strcmp(a->round.sqlstate, "57014") == 0 && !round_failed_in_sql(a)));
}

/* ---- results ---- */

static void
taken(struct apply *a, const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++)
	{
		struct partition *p = assignment_find(a->assignment, PQgetvalue(res, i, 0),
											  (int32_t) strtol(PQgetvalue(res, i, 1), NULL, 10));

		if (!p)
			continue;
		p->next = PQgetisnull(res, i, 2) ? OFFSET_NONE : strtoll(PQgetvalue(res, i, 2), NULL, 10);
		p->epoch = strtoll(PQgetvalue(res, i, 3), NULL, 10);
	}
}

/* One statement's result. */
static void
take_result(struct apply *a, const PGresult *res)
{
	struct round *round = &a->round;
	const char *sqlstate;

	switch (PQresultStatus(res))
	{
		case PGRES_TUPLES_OK:
			if (a->state == STATE_TAKING)
				taken(a, res);
			else if (a->state == STATE_OPENING)
				batch_rows(a, res);
			else if (a->state == STATE_COUNTING)
				apart_counted(a, res);
			else if (a->state == STATE_SETUP && round->done == SETUP_TIMEOUT)
				a->role_timeout = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
			break;
		case PGRES_FATAL_ERROR:
			if (round->failed)
				break;
			sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
			round->failed = true;
			round->failed_at = round->done;
			memcpy(round->sqlstate, sqlstate ? sqlstate : "08006", 5);
			pg_failure(a->conn, res, "database", &round->err);
			break;
		default:
			break;
	}
	round->done++;
}

static enum apply_event
set_up_done(struct apply *a, struct err *err)
{
	struct round *round = &a->round;

	a->state = STATE_IDLE;
	if (!round->failed)
		return APPLY_CONNECTED;
	*err = round->err;
	if (round_mends_itself(a))
		err->class = ERR_RETRY;
	else if (round->failed_at == SETUP_APPLY)
	{
		err_set(err, ERR_CONFIG, "sql-invalid", "inbox.sql is refused: %.400s", round->err.message);
		err_hint(err, "%s", round->err.hint);
	}
	else if (round->failed_at >= SETUP_FIRST_OWN && strcmp(round->sqlstate, "42501") != 0)
	{
		err_set(err, ERR_CONFIG, "inbox-missing", "the database has no inbox: %.400s", round->err.message);
		err_hint(err, "CREATE EXTENSION pg_outbox, and SELECT outbox.grant_inbox('ROLE') for this one");
	}
	else
		err_hint(err, "SELECT outbox.grant_inbox('ROLE') for this one");
	return APPLY_FAILED;
}

static enum apply_event
round_done(struct apply *a, int64_t now, struct err *err)
{
	if (a->state == STATE_SETUP)
		return set_up_done(a, err);
	if (a->apart)
		return apart_round_done(a, now, err);
	if (a->state != STATE_TAKING)
		return batch_round_done(a, now, err);
	a->state = STATE_IDLE;
	if (!a->round.failed)
		return APPLY_TAKEN;
	*err = a->round.err;
	if (round_mends_itself(a))
		err->class = ERR_RETRY;
	return APPLY_FAILED;
}

static enum apply_event
lost(struct apply *a, struct err *err)
{
	pg_failure(a->conn, NULL, "database", err);
	err->class = ERR_RETRY;
	return APPLY_FAILED;
}

enum apply_event
apply_step(struct apply *a, int64_t now, struct err *err)
{
	PGresult   *res;
	PGnotify   *note;

	if (a->state == STATE_CLOSED)
		return APPLY_NOTHING;
	if (a->state == STATE_CONNECTING)
		return step_connecting(a, err);
	if (a->state == STATE_WAITING && now >= a->retry_at)
		batch_open(a);
	if (a->broken || !PQconsumeInput(a->conn))
		return lost(a, err);
	while (a->state != STATE_IDLE && a->state != STATE_WAITING && !PQisBusy(a->conn))
	{
		bool		sync;
		enum apply_event event;

		res = PQgetResult(a->conn);
		if (!res)
			continue;			/* the end of one statement's results */
		sync = PQresultStatus(res) == PGRES_PIPELINE_SYNC;
		if (!sync)
			take_result(a, res);
		if (a->state == STATE_PICKING && PQresultStatus(res) == PGRES_TUPLES_OK)
			apart_row(a, res);
		else
			PQclear(res);
		if (PQstatus(a->conn) == CONNECTION_BAD)
			return lost(a, err);
		event = sync ? round_done(a, now, err) : APPLY_NOTHING;
		if (event != APPLY_NOTHING)
			return event;
		if (a->broken)
			return lost(a, err);
	}
	while ((note = PQnotifies(a->conn)))
	{
		a->called = true;
		PQfreemem(note);
	}
	if (a->flush)
	{
		int			left = PQflush(a->conn);

		if (left < 0)
			return lost(a, err);
		a->flush = left > 0;
	}
	return APPLY_NOTHING;
}

/* ---- taking partitions ---- */

void
apply_take(struct apply *a, struct assignment *assignment)
{
	const char *values[3] = {a->settings->consumer};

	a->assignment = assignment;
	text_clear(&a->arrays[0]);
	text_clear(&a->arrays[1]);
	for (size_t i = 0; i < assignment->count; i++)
	{
		const struct partition *p = &assignment->list[i];

		parameters_element(&a->arrays[0], p->topic, strlen(p->topic));
		text_print(&a->arrays[1], "%s%d", i == 0 ? "{" : ",", (int) p->partition);
	}
	for (int i = 0; i < 2; i++)
	{
		text_print(&a->arrays[i], assignment->count == 0 ? "{}" : "}");
		a->broken = a->broken || a->arrays[i].failed;
		values[1 + i] = a->arrays[i].data;
	}
	round_begin(a, STATE_TAKING);
	round_prepared(a, "inbox_take", 3, values, NULL, NULL);
	round_end(a);
}
