/*
 * replay_rows.c - the rows to be sent again, one at a time.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "replay_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS	10000
#define BATCH				1000	/* rows that are asked for at once; they come one by one */
#define BATCH_TEXT			"1000"
#define WAL_BLOCK			8192	/* of every server that we know */
#define PAGE_HEADER_MAX		40		/* SizeOfXLogLongPHD in xlog_internal.h */

struct replay_rows
{
	PGconn	   *conn;
	struct replay_query query;
	PGresult   *row;			/* what was handed out last */
	bool		fetching;		/* a FETCH is under way */
	int			fetched;		/* rows of it */
	uint32_t	n;
};

static enum err_class
command(struct replay_rows *rows, const char *what, const char *sql, int nparams,
		const char *const *params, struct err *err)
{
	PGresult   *res = PQexecParams(rows->conn, sql, nparams, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK)
		(void) pg_failure(rows->conn, res, what, err);
	PQclear(res);
	return err->class;
}

/*
 * The query has to be a whole statement by itself before it becomes a part of
 * ours, which "SELECT 1) OR (true" is not.
 */
static enum err_class
check_query(struct replay_rows *rows, const char *query, struct err *err)
{
	PGresult   *res = PQprepare(rows->conn, "", query, 0, NULL);

	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		(void) pg_failure(rows->conn, res, "--query", err);
	PQclear(res);
	if (err->class != ERR_NONE)
		return err->class;
	res = PQdescribePrepared(rows->conn, "");
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		(void) pg_failure(rows->conn, res, "--query", err);
	else if (PQnparams(res) != 0 || PQnfields(res) != 1)
	{
		(void) err_set(err, ERR_CONFIG, "bad-command", "--query must give one column, the events' ids, and have no parameters");
		(void) err_hint(err, "for instance: SELECT event_id FROM failed_today");
	}
	PQclear(res);
	return err->class;
}

static enum err_class
begin(struct replay_rows *rows, int64_t timeout_ms, struct err *err)
{
	char		text[24];
	const char *params[] = {text};

	(void) snprintf(text, sizeof(text), "%" PRId64, timeout_ms);
	if (PQsetClientEncoding(rows->conn, "UTF8") != 0)
		return pg_failure(rows->conn, NULL, "setting client_encoding", err);
	/* between two rows we may be silent for long */
	if (command(rows, "preparing the session", "SELECT pg_catalog.set_config('idle_session_timeout', '0', false), "
				"pg_catalog.set_config('statement_timeout', '0', false)", 0, NULL, err) == ERR_NONE &&
		command(rows, "beginning", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0, NULL, err) == ERR_NONE)
		(void) command(rows, "setting the timeout", "SELECT pg_catalog.set_config('statement_timeout', $1, true)",
					   1, params, err);
	return err->class;
}

struct replay_rows *
replay_rows_new(const struct settings *settings, const struct config *config,
				const struct replay_selection *selection, int64_t timeout_ms, struct err *err)
{
	struct replay_rows *rows = calloc(1, sizeof(*rows));

	if (rows == NULL)
	{
		(void) err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		return NULL;
	}
	rows->conn = pg_connect(settings->dsn, false, "outbox-streamer replay", CONNECT_TIMEOUT_MS, err);
	if (rows->conn != NULL && begin(rows, timeout_ms, err) == ERR_NONE &&
		(selection->query == NULL || check_query(rows, selection->query, err) == ERR_NONE) &&
		replay_query_make(&rows->query, rows->conn, config, selection, err) == ERR_NONE)
		return rows;
	replay_rows_free(rows);
	return NULL;
}

void
replay_rows_free(struct replay_rows *rows)
{
	if (rows == NULL)
		return;
	PQclear(rows->row);
	replay_query_free(&rows->query);
	PQfinish(rows->conn);
	free(rows);
}

enum err_class
replay_rows_count(struct replay_rows *rows, uint64_t *count, struct err *err)
{
	PGresult   *res = pg_query(rows->conn, "counting events", rows->query.count, rows->query.nparams,
							   rows->query.params, err);

	if (res == NULL)
		return err->class;
	*count = strtoull(pg_value(res, 0, 0), NULL, 10);
	PQclear(res);
	return ERR_NONE;
}

/*
 * Where WAL ends now.  The insert position stands behind a page's header where
 * what is flushed ends before it.
 */
static enum err_class
read_lsn(struct replay_rows *rows, lsn_t *lsn, struct err *err)
{
	PGresult   *res = pg_query(rows->conn, "reading the WAL position", "SELECT pg_catalog.pg_current_wal_insert_lsn()",
							   0, NULL, err);
	const char *text;

	if (res == NULL)
		return err->class;
	text = pg_value(res, 0, 0);
	if (!lsn_parse(text, strlen(text), lsn))
		(void) err_set(err, ERR_FATAL, "postgres-error", "\"%.60s\" is no WAL position", text);
	else if (*lsn % WAL_BLOCK <= PAGE_HEADER_MAX)
		*lsn -= *lsn % WAL_BLOCK;
	PQclear(res);
	return err->class;
}

enum err_class
replay_rows_open(struct replay_rows *rows, lsn_t *lsn, struct err *err)
{
	char	   *sql;

	if (asprintf(&sql, "DECLARE replay SCROLL CURSOR WITH HOLD FOR %s", rows->query.rows) < 0)
		return err_set(err, ERR_FATAL, "out-of-memory", "out of memory");

	/* the first row has all of them sorted, under the timeout; COMMIT, which
	 * knows none, merely writes them down */
	if (command(rows, "selecting events", sql, rows->query.nparams, rows->query.params, err) == ERR_NONE &&
		command(rows, "selecting events", "MOVE FORWARD 1 FROM replay", 0, NULL, err) == ERR_NONE &&
		command(rows, "selecting events", "MOVE ABSOLUTE 0 FROM replay", 0, NULL, err) == ERR_NONE &&
		command(rows, "selecting events", "COMMIT", 0, NULL, err) == ERR_NONE)
		(void) read_lsn(rows, lsn, err);
	free(sql);
	return err->class;
}

enum err_class
replay_rows_confirmed(struct replay_rows *rows, const char *slot, lsn_t lsn,
					  bool *confirmed, bool *missing, struct err *err)
{
	char		text[24];
	const char *params[] = {slot, text};
	PGresult   *res;

	(void) snprintf(text, sizeof(text), "%X/%X", LSN_ARGS(lsn));
	res = pg_query(rows->conn, "looking at the slot",
				   "SELECT confirmed_flush_lsn OPERATOR(pg_catalog.>=) $2::pg_catalog.pg_lsn"
				   " FROM pg_catalog.pg_replication_slots WHERE slot_name OPERATOR(pg_catalog.=) $1", 2, params, err);
	if (res == NULL)
		return err->class;
	*missing = PQntuples(res) == 0;
	*confirmed = strcmp(pg_value(res, 0, 0), "t") == 0;
	PQclear(res);
	return ERR_NONE;
}

/* ---- a row ---- */

static struct slice
value(const PGresult *res, int column)
{
	if (PQgetisnull(res, 0, column))
		return (struct slice) {NULL, 0};
	return (struct slice) {PQgetvalue(res, 0, column), (size_t) PQgetlength(res, 0, column)};
}

static void
take(struct replay_rows *rows, struct wire_event *event, int64_t *time_us)
{
	event->n = rows->n++;
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		event->member[i] = value(rows->row, i);
	event->payload = value(rows->row, REPLAY_PAYLOAD);
	/* in binary form, too, a text ends with a NUL in libpq's memory */
	*time_us = strtoll(PQgetvalue(rows->row, 0, REPLAY_TIME), NULL, 10);
	rows->fetched++;
}

static bool
fetch(struct replay_rows *rows)
{
	rows->fetched = 0;
	/* binary: text is its octets, and bytea too */
	rows->fetching = PQsendQueryParams(rows->conn, "FETCH FORWARD " BATCH_TEXT " FROM replay", 0, NULL,
									   NULL, NULL, NULL, 1) && PQsetSingleRowMode(rows->conn);
	return rows->fetching;
}

/* What PQgetResult() gave, unless it is a row: the batch's end, or a failure. */
static enum replay_item
end_batch(struct replay_rows *rows, struct err *err)
{
	PGresult   *res = rows->row;
	bool		done = PQresultStatus(res) == PGRES_TUPLES_OK;

	rows->row = NULL;
	rows->fetching = false;
	if (!done)
		(void) pg_failure(rows->conn, res, "reading events", err);
	PQclear(res);
	while ((res = PQgetResult(rows->conn)) != NULL)
		PQclear(res);
	return done ? REPLAY_END : REPLAY_ERROR;
}

enum replay_item
replay_rows_next(struct replay_rows *rows, struct wire_event *event, int64_t *time_us, struct err *err)
{
	bool		last;

	do
	{
		PQclear(rows->row);
		rows->row = NULL;
		if (!rows->fetching && !fetch(rows))
		{
			(void) pg_failure(rows->conn, NULL, "reading events", err);
			return REPLAY_ERROR;
		}
		rows->row = PQgetResult(rows->conn);
		if (rows->row != NULL && PQresultStatus(rows->row) == PGRES_SINGLE_TUPLE)
		{
			take(rows, event, time_us);
			return REPLAY_ROW;
		}
		if (end_batch(rows, err) == REPLAY_ERROR)
			return REPLAY_ERROR;
		last = rows->fetched < BATCH;
	} while (!last);
	return REPLAY_END;
}
