/*
 * cmd_check_deadletter.c - "check": could dead letters be stored?
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <stdio.h>
#include <string.h>

/* Without to_regclass(), which is an error where the schema may not be used. */
#define TABLES \
	"WITH t AS (SELECT n.oid AS schema, c.oid, c.relname FROM pg_catalog.pg_class c" \
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" \
	" WHERE n.nspname = 'outbox' AND c.relname IN ('dead_letter', 'dead_letter_writer'))"

/* What the role lacks, as one text each: rights of a table, of the schema, of a function. */
#define LACKING \
	"SELECT pg_catalog.concat(p, ' on outbox.', t.relname) FROM t," \
	" pg_catalog.unnest('{SELECT,INSERT,UPDATE,DELETE}'::pg_catalog.text[]) AS p" \
	" WHERE NOT pg_catalog.has_table_privilege(t.oid, p)" \
	" UNION ALL SELECT 'USAGE on schema outbox' FROM t WHERE t.relname = 'dead_letter'" \
	" AND NOT pg_catalog.has_schema_privilege(t.schema, 'USAGE')"

static void
report_rights(struct check *check, const char *lacking)
{
	char		remedy[160];
	char	   *role = check_literal(check, PQuser(check->conn));

	(void) snprintf(remedy, sizeof(remedy), "SELECT outbox.grant_stream(%s);", role);
	PQfreemem(role);
	check_fail(check, "permission-denied", remedy, remedy,
			   "\"%s\" can't keep dead letters: it lacks %s", PQuser(check->conn), lacking);
}

/* A copy for the dead-letter topic is a logical message.  PostgreSQL 17 has a parameter more. */
static void
check_copies(struct check *check)
{
	struct err	err = {0};
	char		remedy[160];
	PGresult   *res;

	if (check->settings->dead_letter_topic[0] == '\0')
		return;
	res = check_query(check, "looking at the right to write messages", &err,
					  "SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc p"
					  " WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace"
					  " AND p.proname = 'pg_logical_emit_message' AND p.proargtypes[2] = 'pg_catalog.bytea'::pg_catalog.regtype"
					  " AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE')");
	if (res == NULL)
		check_fail_err(check, &err, NULL);
	else if (PQntuples(res) > 0)
	{
		(void) snprintf(remedy, sizeof(remedy), "GRANT EXECUTE ON FUNCTION %s, which everybody has by default", pg_value(res, 0, 0));
		check_fail(check, "permission-denied", NULL, remedy,
				   "outbox.dead_letter_topic is set, but \"%s\" may not write logical messages", PQuser(check->conn));
	}
	PQclear(res);
}

void
check_dead_letters(struct check *check)
{
	struct err	err = {0};
	PGresult   *res;

	if (check->settings->on_undeliverable != POLICY_DEAD_LETTER)
		return;
	res = check_query(check, "looking at the dead letters", &err,
					  TABLES " SELECT (SELECT pg_catalog.count(*) FROM t),"
					  " (SELECT pg_catalog.string_agg(l.lacking, ', ') FROM (" LACKING ") AS l(lacking))");
	if (res == NULL)
		check_fail_err(check, &err, NULL);
	else if (strcmp(pg_value(res, 0, 0), "2") != 0)
		check_fail(check, "table-missing", "CREATE EXTENSION pg_outbox;",
				   "CREATE EXTENSION pg_outbox, or ALTER EXTENSION pg_outbox UPDATE if it is there",
				   "outbox.on_undeliverable is dead-letter, but there is no table outbox.dead_letter in this database");
	else if (!PQgetisnull(res, 0, 1))
		report_rights(check, pg_value(res, 0, 1));
	else
	{
		check_ok(check, "table", "outbox.dead_letter can be written");
		check_copies(check);
	}
	PQclear(res);
}
