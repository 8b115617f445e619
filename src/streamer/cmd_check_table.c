/*
 * cmd_check_table.c - "check": the outbox tables and their mapped columns.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_parts.h"

#define EXTENSION_VERSION	"1.0"

/* A table as configured, and what the catalog has of it. */
struct outbox_table
{
	const char *section;		/* [table "..."], or NULL for the default */
	char	   *schema;
	char	   *name;
	char		label[160];		/* schema.name, for people */
	char		oid[16];
	PGresult   *columns;		/* name, type, category, virtual */
};

/* What a role's column may be of. */
struct role
{
	const char *name;
	bool		required;		/* a column of this name must be there */
	const char *types;			/* " text varchar ... " */
};

#define TEXT_TYPES \
	" text varchar bpchar name json jsonb uuid int2 int4 int8 numeric enum "

static const struct role roles[] = {
	{"payload", true, TEXT_TYPES "bytea "},
	{"id", false, TEXT_TYPES},
	{"aggregatetype", false, TEXT_TYPES},
	{"aggregateid", false, TEXT_TYPES},
	{"type", false, TEXT_TYPES},
	{"topic", false, TEXT_TYPES},
	{"key", false, TEXT_TYPES},
	{"partition_key", false, TEXT_TYPES},
	{"headers", false, TEXT_TYPES},
	{"traceparent", false, TEXT_TYPES},
	{"timestamp", false, " timestamp timestamptz int8 "},
	{NULL, false, NULL}
};

/* ---- columns ---- */

static int
find_column(const struct outbox_table *table, const char *column)
{
	for (int i = 0; i < PQntuples(table->columns); i++)
	{
		if (strcmp(pg_value(table->columns, i, 0), column) == 0)
			return i;
	}
	return -1;
}

static bool
has_type(const char *types, const char *type)
{
	char		word[80];

	(void) snprintf(word, sizeof(word), " %s ", type);
	return strstr(types, word) != NULL;
}

/* One role's column; false if something is wrong with it. */
static bool
check_column(struct check *check, const struct outbox_table *table, const struct role *role)
{
	const char *value = settings_mapped(check->config, table->section, role->name);
	const char *column = value != NULL ? value : role->name;
	int			row;

	if (value != NULL && (value[0] == '\0' || value[0] == '\''))
		return true;			/* none, or a constant */
	if (value == NULL && strcmp(role->name, "timestamp") == 0)
		return true;			/* not a default column */
	row = find_column(table, column);
	if (row < 0)
	{
		if (value == NULL && !role->required)
			return true;
		check_fail(check, "missing-column", NULL,
				   value != NULL ? "correct the [table] section" :
				   "name the column in a [table \"schema.name\"] section",
				   "table %s has no column \"%s\" (%s)", table->label, column, role->name);
		return false;
	}
	if (!has_type(role->types, pg_value(table->columns, row, 2)))
	{
		check_fail(check, "column-type", NULL,
				   strcmp(role->name, "timestamp") == 0 ?
				   "timestamptz, timestamp and bigint (microseconds) can be used" :
				   "text, varchar, json, jsonb, uuid, integers, numeric, enums and domains over them can be used, bytea for the payload only",
				   "column \"%s\" of %s is of type %s, which can't be used for %s", column, table->label,
				   pg_value(table->columns, row, 1), role->name);
		return false;
	}
	if (strcmp(pg_value(table->columns, row, 3), "t") == 0)
	{
		check_fail(check, "column-virtual", NULL, "make it a stored column",
				   "column \"%s\" of %s is virtual: its value is not in the WAL", column, table->label);
		return false;
	}
	return true;
}

/* Name, type as people write it, base type's name or "enum", virtual. */
static const char columns_query[] =
"WITH RECURSIVE c(name, type, virtual) AS ("
"SELECT attname, atttypid, (to_jsonb(a)->>'attgenerated') = 'v' FROM pg_catalog.pg_attribute a"
" WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"
" UNION ALL SELECT c.name, t.typbasetype, c.virtual FROM c JOIN pg_catalog.pg_type t ON t.oid = c.type"
" WHERE t.typtype = 'd') "
"SELECT c.name, pg_catalog.format_type(t.oid, NULL),"
" CASE WHEN t.typtype = 'e' THEN 'enum' WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '?' END,"
" c.virtual FROM c JOIN pg_catalog.pg_type t ON t.oid = c.type WHERE t.typtype <> 'd'";

static bool
check_columns(struct check *check, struct outbox_table *table)
{
	struct err	err = {0};
	bool		ok = true;

	table->columns = check_query(check, "looking at columns", &err, columns_query, table->oid);
	if (table->columns == NULL)
	{
		check_fail_err(check, &err, NULL);
		return false;
	}
	for (const struct role *r = roles; r->name != NULL; r++)
		ok = check_column(check, table, r) && ok;
	PQclear(table->columns);
	return ok;
}

/* ---- tables ---- */

static void
report_missing(struct check *check, const struct outbox_table *table)
{
	if (table->section == NULL || strcmp(table->label, "outbox.event") == 0)
		check_fail(check, "table-missing", "CREATE EXTENSION pg_outbox;",
				   "CREATE EXTENSION pg_outbox, or name your own table in a [table \"schema.name\"] section",
				   "table outbox.event does not exist in this database");
	else
		check_fail(check, "table-missing", NULL,
				   "names are taken literally, upper and lower case as in the catalog; does dbname of postgres.dsn fit?",
				   "table %s does not exist in this database", table->label);
}

/* Every leaf must be an ordinary table whose inserts are in the WAL. */
static bool
check_leaves(struct check *check, const struct outbox_table *table)
{
	struct err	err = {0};
	PGresult   *res;
	bool		ok = true;

	res = check_query(check, "looking at partitions", &err,
					  "SELECT k.oid::regclass, k.relkind, k.relpersistence FROM pg_catalog.pg_class k"
					  " WHERE (k.oid = %s OR k.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%s) WHERE isleaf))"
					  " AND (k.relpersistence <> 'p' OR k.relkind NOT IN ('r', 'p')) LIMIT 20", table->oid, table->oid);
	if (res == NULL)
	{
		check_fail_err(check, &err, NULL);
		return false;
	}
	for (int i = 0; i < PQntuples(res); i++)
	{
		const char *name = pg_value(res, i, 0);
		char		remedy[300];

		ok = false;
		(void) snprintf(remedy, sizeof(remedy), "ALTER TABLE %.200s SET LOGGED;", name);
		if (strcmp(pg_value(res, i, 2), "u") == 0)
			check_fail(check, "table-unlogged", remedy, remedy,
					   "%s is UNLOGGED: its inserts are not in the WAL", name);
		else
			check_fail(check, "table-kind", NULL, "an outbox is an ordinary or a partitioned table, not a view, foreign or temporary table",
					   "%s is not a table whose inserts can be decoded", name);
	}
	PQclear(res);
	return ok;
}

static void
check_table(struct check *check, struct outbox_table *table)
{
	struct err	err = {0};
	char	   *schema = check_literal(check, table->schema);
	char	   *name = check_literal(check, table->name);
	PGresult   *res;

	(void) snprintf(table->label, sizeof(table->label), "%s.%s", table->schema, table->name);
	res = check_query(check, "looking at the table", &err,
					  "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
					  " WHERE n.nspname = %s AND c.relname = %s", schema, name);
	PQfreemem(schema);
	PQfreemem(name);
	if (res == NULL)
		check_fail_err(check, &err, NULL);
	else if (PQntuples(res) == 0)
		report_missing(check, table);
	else
	{
		bool		ok;

		(void) snprintf(table->oid, sizeof(table->oid), "%s", pg_value(res, 0, 0));
		ok = check_leaves(check, table);
		if (check_columns(check, table) && ok)
			check_ok(check, "table", "%s has the mapped columns", table->label);
	}
	PQclear(res);
}

/* ---- the extension ---- */

/* The largest event that the table takes. */
static void
read_limit(struct check *check)
{
	struct err	err = {0};
	char		remedy[160];
	char	   *role = check_literal(check, PQuser(check->conn));
	PGresult   *limit = check_query(check, "reading the limit", &err, "SELECT outbox.max_event_bytes()");

	(void) snprintf(remedy, sizeof(remedy), "SELECT outbox.grant_stream(%s);", role);
	PQfreemem(role);
	if (limit != NULL)
		check->max_event_bytes = check_number(pg_value(limit, 0, 0));
	else
		check_warn(check, "extension-rights", remedy, remedy,
				   "\"%s\" may read neither outbox.status nor the limit of events", PQuser(check->conn));
	PQclear(limit);
}

static void
check_extension(struct check *check)
{
	struct err	err = {0};
	PGresult   *res = check_query(check, "looking at the extension", &err,
								  "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_outbox'");

	if (res == NULL)
	{
		check_fail_err(check, &err, NULL);
		return;
	}
	if (PQntuples(res) == 0)
		check_ok(check, "extension", "pg_outbox is not installed in this database; own tables do without");
	else if (strcmp(pg_value(res, 0, 0), EXTENSION_VERSION) == 0)
		check_ok(check, "extension", "pg_outbox %s", pg_value(res, 0, 0));
	else
		check_warn(check, "extension", "ALTER EXTENSION pg_outbox UPDATE;", "ALTER EXTENSION pg_outbox UPDATE",
				   "pg_outbox is at version %s, this program is of " EXTENSION_VERSION, pg_value(res, 0, 0));
	if (PQntuples(res) > 0)
		read_limit(check);
	PQclear(res);
}

void
check_tables(struct check *check)
{
	const struct config *config = check->config;
	bool		any = false;

	check_extension(check);
	for (size_t i = 0; i < config_count(config); i++)
	{
		const struct config_value *v = config_at(config, i);
		struct outbox_table table = {.section = v->name};
		bool		seen = strcmp(v->section, "table") != 0;

		for (size_t j = 0; j < i && !seen; j++)
			seen = strcmp(config_at(config, j)->section, "table") == 0 &&
				strcmp(config_at(config, j)->name, v->name) == 0;
		if (seen || !settings_split_table(v->name, &table.schema, &table.name))
			continue;
		any = true;
		check_table(check, &table);
		free(table.schema);
		free(table.name);
	}
	if (!any)
	{
		char		schema[] = "outbox";
		char		name[] = "event";
		struct outbox_table table = {.schema = schema, .name = name};

		check_table(check, &table);
	}
}
