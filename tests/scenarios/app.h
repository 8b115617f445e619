/*
 * app.h - what the scenarios' applications share: ends, clients of Kafka, SQL.
 *
 * An application here is as small as it can be: any error ends it, and whoever
 * started it starts it again.  Define APP as its name before including this.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef SCENARIO_APP_H
#define SCENARIO_APP_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

static volatile sig_atomic_t stop_requested = 0;

static inline void
on_signal(int signo)
{
	(void) signo;
	stop_requested = 1;
}

/* SIGTERM and SIGINT ask it to stop between two pieces of work. */
static inline void
catch_signals(void)
{
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
}

static void die(int status, const char *format,...) __attribute__((noreturn, format(printf, 2, 3)));

static inline void
die(int status, const char *format,...)
{
	va_list		args;

	fputs(APP ": ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	/* no clean-up: it must not commit or leave anything */
	_exit(status);
}

/* ---------- Kafka ---------- */

/* Name and value in turn, ended by a NULL name; a NULL value leaves a property out. */
static inline rd_kafka_conf_t *
kafka_conf(const char *const properties[][2])
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char		reason[256];

	for (int i = 0; properties[i][0]; i++)
		if (properties[i][1] &&
			rd_kafka_conf_set(conf, properties[i][0], properties[i][1], reason, sizeof(reason)))
			die(1, "%s", reason);
	return conf;
}

static inline rd_kafka_t *
kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char		reason[256];
	rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof(reason));

	if (!client)
		die(1, "%s", reason);
	return client;
}

/* ---------- SQL ---------- */

static inline PGconn *
database(const char *dsn)
{
	PGconn	   *conn = PQconnectdb(dsn);

	if (PQstatus(conn) != CONNECTION_OK)
		die(1, "%s", PQerrorMessage(conn));
	return conn;
}

/* Runs a statement with n text parameters; the result is to be PQclear()ed. */
static inline PGresult *
query(PGconn *conn, const char *sql, int n, const char *const *values)
{
	PGresult   *result = PQexecParams(conn, sql, n, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		die(1, "%s", PQerrorMessage(conn));
	return result;
}

/* The same, without a result; returns how many rows it changed or gave. */
static inline int
execute(PGconn *conn, const char *sql, int n, const char *const *values)
{
	PGresult   *result = query(conn, sql, n, values);
	int			rows = atoi(PQcmdTuples(result));

	PQclear(result);
	return rows;
}

#endif							/* SCENARIO_APP_H */
