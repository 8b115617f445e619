/*
 * cmd_check_report.c - findings of "check", and its bounded queries.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SQL		4096

int64_t
check_number(const char *text)
{
	return strtoll(text, NULL, 10);
}

static void
print_finding(const struct check *check, const char *level, const char *code,
			  const char *what, const char *remedy, const char *hint)
{
	if (!check->sql)
	{
		printf("%-4s %-20s %s", level, code, what);
		if (hint != NULL && hint[0] != '\0')
			printf("; hint: %s", hint);
		printf("\n");
	}
	else if (strcmp(level, "ok") != 0)
	{
		printf("-- %s %s: %s\n", level, code, what);
		if (remedy != NULL)
			printf("%s\n", remedy);
		else if (hint != NULL && hint[0] != '\0')
			printf("-- not SQL: %s\n", hint);
		printf("\n");
	}
	/* what is known is told, even if the rest takes its time */
	(void) fflush(stdout);
}

/* One line of text, as err.h has it. */
#define FORMAT_WHAT(what, fmt) \
	do { \
		va_list		args_; \
		va_start(args_, fmt); \
		(void) vsnprintf(what, sizeof(what), fmt, args_); \
		va_end(args_); \
		for (char *p_ = what; *p_ != '\0'; p_++) \
			*p_ = (unsigned char) *p_ < 0x20 ? ' ' : *p_; \
	} while (0)

void
check_ok(struct check *check, const char *code, const char *fmt,...)
{
	char		what[512];

	FORMAT_WHAT(what, fmt);
	check->nok++;
	print_finding(check, "ok", code, what, NULL, NULL);
}

void
check_warn(struct check *check, const char *code, const char *remedy,
		   const char *hint, const char *fmt,...)
{
	char		what[512];

	FORMAT_WHAT(what, fmt);
	check->nwarn++;
	print_finding(check, "warn", code, what, remedy, hint);
}

void
check_fail(struct check *check, const char *code, const char *remedy,
		   const char *hint, const char *fmt,...)
{
	char		what[512];

	FORMAT_WHAT(what, fmt);
	check->nfail++;
	print_finding(check, "FAIL", code, what, remedy, hint);
}

void
check_fail_err(struct check *check, const struct err *err, const char *remedy)
{
	check_fail(check, err->code, remedy, err->hint, "%s", err->message);
}

void
check_summary(const struct check *check)
{
	printf("%s%d ok, %d warn, %d FAIL\n", check->sql ? "-- " : "",
		   check->nok, check->nwarn, check->nfail);
}

/* ---- queries ---- */

static bool
wait_result(struct check *check)
{
	while (PQisBusy(check->conn))
	{
		struct pollfd fd = {.fd = PQsocket(check->conn), .events = POLLIN};
		int64_t		left = check->pg_deadline - clock_now();

		if (left <= 0 || poll(&fd, 1, (int) left) == 0)
			return false;
		if (!PQconsumeInput(check->conn))
			return true;		/* the result says why */
	}
	return true;
}

/* The last result of the statement, or the first that failed. */
static PGresult *
collect_results(struct check *check)
{
	PGresult   *res = NULL;
	PGresult   *next;

	while (wait_result(check) && (next = PQgetResult(check->conn)) != NULL)
	{
		if (res != NULL && PQresultStatus(res) == PGRES_FATAL_ERROR)
			PQclear(next);
		else
		{
			PQclear(res);
			res = next;
		}
	}
	return res;
}

PGresult *
check_query(struct check *check, const char *what, struct err *err, const char *fmt,...)
{
	char		sql[MAX_SQL];
	va_list		args;
	PGresult   *res;
	ExecStatusType status;
	int			len;

	va_start(args, fmt);
	len = vsnprintf(sql, sizeof(sql), fmt, args);
	va_end(args);
	if (len < 0 || (size_t) len >= sizeof(sql))
	{
		(void) err_set(err, ERR_CONFIG, "too-long", "%s: a name is too long", what);
		return NULL;
	}
	if (!PQsendQuery(check->conn, sql))
	{
		(void) pg_failure(check->conn, NULL, what, err);
		return NULL;
	}
	res = collect_results(check);
	status = PQresultStatus(res);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return res;
	if (res == NULL && PQstatus(check->conn) != CONNECTION_BAD)
		(void) err_set(err, ERR_RETRY, "postgres-slow", "%s: PostgreSQL did not answer in time", what);
	else
		(void) pg_failure(check->conn, res, what, err);
	PQclear(res);
	return NULL;
}

char *
check_literal(struct check *check, const char *text)
{
	char	   *literal = PQescapeLiteral(check->conn, text, strlen(text));

	if (literal == NULL)
		abort();				/* out of memory: there's nothing left to say */
	return literal;
}
