/*
 * pg.h - connections to PostgreSQL and the classes of their errors.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_PG_H
#define OUTBOX_PG_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "err.h"

/* Refuses what is no connection string, or sets replication, with ERR_CONFIG;
 * where ("file:12") is for the error. */
extern enum err_class pg_check_dsn(const char *dsn, const char *where, struct err *err);

/*
 * Starts a connection without waiting (PQconnectStart): the caller polls
 * PQconnectPoll().  The DSN is completed, not changed: replication=database
 * if asked for, application_name and keepalive settings unless given, several
 * hosts as libpq has them (target_session_attrs defaults to read-write for the
 * connections of a several-host DSN).  NULL with err set as
 * pg_connect_failure() does if it has failed already: a DSN that can't be
 * used (ERR_CONFIG), a Unix socket that nobody listens on (ERR_RETRY).
 *
 * Error messages are made with SQLSTATE (PQsetErrorVerbosity), so that
 * pg_connect_failure() need not read text in the server's language.
 */
extern PGconn *pg_connect_start(const char *dsn, bool replication,
								const char *application_name, struct err *err);

/* Why a connection failed: refused logins (SQLSTATE class 28), 3D000 and the
 * like are ERR_CONFIG, all that may mend itself is ERR_RETRY.  Fills err. */
extern enum err_class pg_connect_failure(const PGconn *conn, struct err *err);

/* Connects and waits, at most timeout_ms.  NULL on failure. */
extern PGconn *pg_connect(const char *dsn, bool replication,
						  const char *application_name,
						  int timeout_ms, struct err *err);

/*
 * The same for a command that asks a few things and ends: search_path is pinned,
 * since the role may have one in which somebody has put look-alikes.  So it is not
 * for statements that are the user's own.
 */
extern PGconn *pg_connect_command(const char *dsn, const char *application_name,
								  int timeout_ms, struct err *err);

/*
 * The class of a failed command, from its SQLSTATE; fills err with code and
 * one line ("while what: message").  A broken connection is ERR_RETRY.
 * res may be NULL.  Known states have codes of their own: slot-missing
 * (42704), slot-active (55006), plugin-not-allowed / plugin-missing (58P01,
 * 42501, 22023 as the server's version has it), slot-lost (55000) and so on.
 */
extern enum err_class pg_failure(PGconn *conn, const PGresult *res,
								 const char *what, struct err *err);

/*
 * Runs one statement with text parameters and waits for its rows; they are to
 * be given to PQclear().  NULL with err set as pg_failure() does.
 */
extern PGresult *pg_query(PGconn *conn, const char *what, const char *sql,
						  int nparams, const char *const *params, struct err *err);

/* A column of a row as text; "" if it is NULL. */
extern const char *pg_value(const PGresult *res, int row, int column);

#endif							/* OUTBOX_PG_H */
