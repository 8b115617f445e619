/*
 * cmd_check.h - what the files of "check" share.
 *
 * Everything is bounded: the database has until pg_deadline, the broker until
 * kafka_deadline, and its client connects in the background meanwhile.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CMD_CHECK_H
#define OUTBOX_CMD_CHECK_H

#include "../common/clock.h"
#include "../common/pg.h"
#include "settings.h"

/* What the streamer calls itself to the server, unless the DSN says otherwise. */
#define STREAMER_APPLICATION	"outbox-streamer"

struct check_kafka;

struct check
{
	const struct config *config;
	const struct settings *settings;
	bool		sql;			/* print remedies instead of findings */
	int64_t		pg_deadline;	/* monotonic, ms */
	int64_t		kafka_deadline;
	PGconn	   *conn;			/* NULL: no database */
	bool		replication;	/* conn is a replication connection */
	bool		superuser;
	char		system[32];		/* system identifier, if exactly-once needs it */
	int64_t		max_event_bytes;	/* of the extension; 0 = not known */
	int			nok,
				nwarn,
				nfail;
};

/* ---- cmd_check_report.c ---- */

extern void check_ok(struct check *check, const char *code, const char *fmt,...)
			__attribute__((format(printf, 3, 4)));

/* A finding: print it with its hint.  remedy is SQL, or NULL. */
extern void check_warn(struct check *check, const char *code, const char *remedy,
					   const char *hint, const char *fmt,...)
			__attribute__((format(printf, 5, 6)));
extern void check_fail(struct check *check, const char *code, const char *remedy,
					   const char *hint, const char *fmt,...)
			__attribute__((format(printf, 5, 6)));

/* The same from an error, with its code and hint. */
extern void check_fail_err(struct check *check, const struct err *err, const char *remedy);

extern void check_summary(const struct check *check);

/* A number as a server prints it; 0 if it is none. */
extern int64_t check_number(const char *text);

/*
 * Runs one statement without parameters (a replication connection takes no
 * others) until the deadline.  NULL with err set.
 */
extern PGresult *check_query(struct check *check, const char *what, struct err *err,
							 const char *fmt,...)
			__attribute__((format(printf, 4, 5)));

/* text as a literal of SQL, to be given to PQfreemem(); never NULL. */
extern char *check_literal(struct check *check, const char *text);

/* ---- the parts ---- */

extern bool check_connect(struct check *check);		/* cmd_check_server.c */
extern void check_server(struct check *check);		/* cmd_check_server.c */
extern void check_slot(struct check *check);		/* cmd_check_slot.c */
extern void check_tables(struct check *check);		/* cmd_check_table.c */
extern void check_dead_letters(struct check *check);	/* cmd_check_deadletter.c */

/* cmd_check_kafka.c: start begins to connect, finish asks and reports. */
extern struct check_kafka *check_kafka_start(struct check *check);
extern void check_kafka_finish(struct check *check, struct check_kafka *kafka);

#endif							/* OUTBOX_CMD_CHECK_H */
