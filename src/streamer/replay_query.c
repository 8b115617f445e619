/*
 * replay_query.c - the SQL that selects rows to be sent again.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "replay_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_parts.h"

#define DEFAULT_TABLE	"outbox.event"

/* What is known while the texts are written. */
struct writer
{
	PGconn	   *conn;
	const struct config *config;
	const struct replay_selection *selection;
	const char *section;		/* [table "..."], or NULL for the default */
	PGresult   *columns;		/* name, type below domains */
	FILE	   *out;
	struct replay_query *query;
	struct err *err;			/* of the first failure */
};

/* ---- the table ---- */

static const char *
column_type(const struct writer *w, const char *column)
{
	for (int i = 0; i < PQntuples(w->columns); i++)
		if (strcmp(pg_value(w->columns, i, 0), column) == 0)
			return pg_value(w->columns, i, 1);
	return NULL;
}

/* The catalog's columns of the table; none: there is no such table. */
static enum err_class
read_columns(struct writer *w, const char *schema, const char *name)
{
	static const char sql[] =
		"WITH RECURSIVE c(name, type) AS ("
		"SELECT attname, atttypid FROM pg_catalog.pg_attribute a"
		" JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) a.attrelid"
		" JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) r.relnamespace"
		" WHERE n.nspname OPERATOR(pg_catalog.=) $1 AND r.relname OPERATOR(pg_catalog.=) $2"
		" AND attnum OPERATOR(pg_catalog.>) 0 AND NOT attisdropped"
		" UNION ALL SELECT c.name, t.typbasetype FROM c"
		" JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) c.type"
		" WHERE t.typtype OPERATOR(pg_catalog.=) 'd') "
		"SELECT c.name, pg_catalog.format_type(t.oid, NULL) FROM c"
		" JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) c.type"
		" WHERE t.typtype OPERATOR(pg_catalog.<>) 'd'";
	const char *params[] = {schema, name};

	w->columns = pg_query(w->conn, "looking at the table", sql, 2, params, w->err);
	if (w->columns == NULL)
		return w->err->class;
	if (PQntuples(w->columns) > 0)
		return ERR_NONE;
	(void) err_set(w->err, ERR_CONFIG, "table-missing", "table %s.%s does not exist in this database", schema, name);
	return err_hint(w->err, "only rows of a table can be sent again; does dbname of postgres.dsn fit?");
}

/* The section of the table asked for, which has to be one that is streamed. */
static enum err_class
find_section(struct writer *w)
{
	bool		any = false;

	for (size_t i = 0; i < config_count(w->config); i++)
	{
		const struct config_value *v = config_at(w->config, i);

		if (strcmp(v->section, "table") != 0)
			continue;
		any = true;
		if (strcmp(v->name, w->selection->table) == 0)
			w->section = v->name;
	}
	if (w->section != NULL || (!any && strcmp(w->selection->table, DEFAULT_TABLE) == 0))
		return ERR_NONE;
	(void) err_set(w->err, ERR_CONFIG, "table-missing", "\"%.200s\" is not one of the configured outbox tables", w->selection->table);
	return err_hint(w->err, "--table takes the name of a [table \"schema.name\"] section");
}

/* ---- expressions ---- */

static enum err_class
lacks_column(struct writer *w, const char *column, const char *what)
{
	(void) err_set(w->err, ERR_CONFIG, "missing-column", "table %s has no column \"%s\", which %s needs",
				   w->selection->table, column, what);
	return err_hint(w->err, "see the [table] section");
}

/* What libpq has put in quotes; it refuses what is no UTF-8. */
static void
put_quoted(struct writer *w, char *quoted)
{
	if (quoted != NULL)
		(void) fputs(quoted, w->out);
	else if (w->err->class == ERR_NONE)
		(void) err_set(w->err, ERR_CONFIG, "config-value", "[table \"%.200s\"]: %s", w->selection->table,
					   PQerrorMessage(w->conn));
	PQfreemem(quoted);
}

static void
put_identifier(struct writer *w, const char *name)
{
	put_quoted(w, PQescapeIdentifier(w->conn, name, strlen(name)));
}

static void
put_column(struct writer *w, const char *column)
{
	(void) fputs("t.", w->out);
	put_identifier(w, column);
}

/* A text as a literal. */
static void
put_literal(struct writer *w, const char *text)
{
	put_quoted(w, PQescapeLiteral(w->conn, text, strlen(text)));
	(void) fputs("::pg_catalog.text", w->out);
}

/* A constant of the configuration: quotes around it, and those inside doubled. */
static void
put_constant(struct writer *w, const char *constant)
{
	char	   *text = strdup(constant + 1);
	char	   *to = text;

	if (text == NULL)
		return;
	for (const char *from = text; from[0] != '\0' && from[1] != '\0'; from++)
	{
		*to++ = *from;
		if (from[0] == '\'' && from[1] == '\'')
			from++;
	}
	*to = '\0';
	put_literal(w, text);
	free(text);
}

/* The column of a role, NULL if it has none. */
static const char *
role_column(struct writer *w, const char *role)
{
	const char *value = settings_mapped(w->config, w->section, role);

	if (value != NULL)
		return value[0] == '\0' || value[0] == '\'' ? NULL : value;
	return column_type(w, role) != NULL ? role : NULL;
}

/* A role's value as text, or as octets where they are what is sent. */
static enum err_class
put_role(struct writer *w, const char *role)
{
	const char *value = settings_mapped(w->config, w->section, role);
	const char *column = role_column(w, role);
	const char *type = column != NULL ? column_type(w, column) : NULL;

	if (column != NULL && type == NULL)
		return lacks_column(w, column, role);
	if (type != NULL)
	{
		put_column(w, column);
		if (strcmp(role, "payload") != 0 || strcmp(type, "bytea") != 0)
			(void) fputs("::pg_catalog.text", w->out);
	}
	else if (value != NULL && value[0] == '\'')
		put_constant(w, value);
	else
		(void) fputs("NULL::pg_catalog.text", w->out);
	return w->err->class;
}

/* When the event happened, as far as its row knows. */
static enum err_class
put_time(struct writer *w)
{
	const char *mapped = settings_mapped(w->config, w->section, "timestamp");
	const char *column = mapped != NULL && mapped[0] != '\0' && mapped[0] != '\'' ? mapped : "created_at";
	const char *type = column_type(w, column);

	if (!w->selection->original_time)
	{
		(void) fputs("NULL::pg_catalog.text", w->out);
		return ERR_NONE;
	}
	if (type == NULL)
		return lacks_column(w, column, "--timestamps=original");
	if (strcmp(type, "bigint") != 0)
		(void) fputs("(pg_catalog.extract('epoch', ", w->out);
	put_column(w, column);
	if (strcmp(type, "bigint") != 0)
		(void) fputs(") OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8", w->out);
	(void) fputs("::pg_catalog.text", w->out);
	return ERR_NONE;
}

static enum err_class
put_columns(struct writer *w, bool several_tables)
{
	static const char *const roles[OUTBOX_WIRE_NMEMBERS] = {
#define ROLE(symbol, name) [OUTBOX_WIRE_##symbol] = (name),
		OUTBOX_WIRE_MEMBERS(ROLE)
#undef ROLE
	};

	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
	{
		if (i == OUTBOX_WIRE_TABLE && several_tables)
			put_literal(w, w->selection->table);
		else if (i == OUTBOX_WIRE_TABLE || i == OUTBOX_WIRE_TIMESTAMP || i == OUTBOX_WIRE_ERROR)
			(void) fputs("NULL::pg_catalog.text", w->out);
		else if (put_role(w, roles[i]) != ERR_NONE)
			return w->err->class;
		(void) fputs(", ", w->out);
	}
	if (role_column(w, "payload") == NULL)
		return lacks_column(w, "payload", "an event");
	if (put_role(w, "payload") != ERR_NONE)
		return w->err->class;
	(void) fputs(", ", w->out);
	return put_time(w);
}

/* ---- which rows ---- */

static void
put_parameter(struct writer *w, const char *value)
{
	w->query->params[w->query->nparams++] = value;
	(void) fprintf(w->out, "$%d", w->query->nparams);
}

static enum err_class
put_time_condition(struct writer *w, const char *operator, const char *value, const char *option)
{
	if (value == NULL)
		return ERR_NONE;
	if (column_type(w, "created_at") == NULL)
		return lacks_column(w, "created_at", option);
	(void) fprintf(w->out, " AND t.created_at OPERATOR(pg_catalog.%s) ", operator);
	put_parameter(w, value);
	(void) fputs("::pg_catalog.timestamptz", w->out);
	return ERR_NONE;
}

static enum err_class
put_text_condition(struct writer *w, const char *role, const char *value)
{
	if (value == NULL)
		return ERR_NONE;
	(void) fputs(" AND ", w->out);
	if (put_role(w, role) != ERR_NONE)
		return w->err->class;
	(void) fputs(" OPERATOR(pg_catalog.=) ", w->out);
	put_parameter(w, value);
	(void) fputs("::pg_catalog.text", w->out);
	return ERR_NONE;
}

/* Without the semicolon that people end a statement with. */
static int
statement_len(const char *sql)
{
	size_t		len = strlen(sql);

	while (len > 0 && strchr("; \t\r\n", sql[len - 1]) != NULL)
		len--;
	return (int) len;
}

static enum err_class
put_id_conditions(struct writer *w)
{
	const struct replay_selection *s = w->selection;
	const char *column = role_column(w, "id");

	if (s->id == NULL && s->query == NULL)
		return ERR_NONE;
	if (column == NULL || column_type(w, column) == NULL)
		return lacks_column(w, column != NULL ? column : "id", s->id != NULL ? "--id" : "--query");
	if (s->id != NULL)
	{
		/* of the column's own type, so that its index serves */
		(void) fputs(" AND ", w->out);
		put_column(w, column);
		(void) fputs(" OPERATOR(pg_catalog.=) ", w->out);
		put_parameter(w, s->id);
	}
	if (s->query != NULL)
	{
		(void) fputs(" AND ", w->out);
		put_column(w, column);
		/* a comment at its end must not swallow the parenthesis */
		(void) fprintf(w->out, " OPERATOR(pg_catalog.=) ANY (%.*s\n)", statement_len(s->query), s->query);
	}
	return ERR_NONE;
}

static enum err_class
put_from(struct writer *w, const char *schema, const char *name)
{
	const struct replay_selection *s = w->selection;

	w->query->nparams = 0;
	(void) fputs(" FROM ", w->out);
	put_identifier(w, schema);
	(void) fputc('.', w->out);
	put_identifier(w, name);
	(void) fputs(" t WHERE true", w->out);
	if (put_time_condition(w, ">=", s->since, "--since") == ERR_NONE &&
		put_time_condition(w, "<", s->until, "--until") == ERR_NONE &&
		put_text_condition(w, "aggregatetype", s->aggregatetype) == ERR_NONE &&
		put_text_condition(w, "aggregateid", s->aggregateid) == ERR_NONE)
		(void) put_id_conditions(w);
	return w->err->class;
}

/*
 * Insertion order: transactions as they began to write, and in a transaction
 * its commands one after the other.  A row knows no better: see the README.
 */
static enum err_class
put_order(struct writer *w)
{
	const char *type = column_type(w, "xid");

	if (type == NULL || strcmp(type, "xid8") != 0)
	{
		(void) lacks_column(w, "xid", "the order of events");
		return err_hint(w->err, "outbox.event has it; an own table needs xid xid8 DEFAULT pg_current_xact_id()");
	}
	(void) fputs(" ORDER BY t.xid USING OPERATOR(pg_catalog.<),"
				 " t.cmin::pg_catalog.text::pg_catalog.int8 USING OPERATOR(pg_catalog.<),"
				 " t.ctid USING OPERATOR(pg_catalog.<)", w->out);
	return ERR_NONE;
}

/* ---- all of it ---- */

/* Writes one of the two texts; NULL with err filled. */
static char *
write_text(struct writer *w, const char *schema, const char *name, bool several_tables, bool rows)
{
	char	   *text = NULL;
	size_t		size;

	w->out = open_memstream(&text, &size);
	if (w->out == NULL)
	{
		(void) err_set(w->err, ERR_FATAL, "out-of-memory", "out of memory");
		return NULL;
	}
	(void) fputs(rows ? "SELECT " : "SELECT pg_catalog.count(*)", w->out);
	if ((!rows || put_columns(w, several_tables) == ERR_NONE) &&
		put_from(w, schema, name) == ERR_NONE && rows)
		(void) put_order(w);
	if (fclose(w->out) != 0 && w->err->class == ERR_NONE)
		(void) err_set(w->err, ERR_FATAL, "out-of-memory", "out of memory");
	if (w->err->class == ERR_NONE)
		return text;
	free(text);
	return NULL;
}

/* A topic pattern may ask for the table where the stream has several. */
static bool
has_several_tables(const struct config *config)
{
	const char *first = NULL;

	for (size_t i = 0; i < config_count(config); i++)
	{
		const struct config_value *v = config_at(config, i);

		if (strcmp(v->section, "table") != 0)
			continue;
		if (first != NULL && strcmp(first, v->name) != 0)
			return true;
		first = v->name;
	}
	return false;
}

enum err_class
replay_query_make(struct replay_query *query, PGconn *conn, const struct config *config,
				  const struct replay_selection *selection, struct err *err)
{
	struct writer w = {
		.conn = conn, .config = config, .selection = selection, .query = query, .err = err
	};
	char	   *schema;
	char	   *name;

	*query = (struct replay_query) {.nparams = 0};
	if (find_section(&w) != ERR_NONE)
		return err->class;
	if (!settings_split_table(selection->table, &schema, &name))
		return err_set(err, ERR_CONFIG, "config-value", "\"%.200s\" is not a table's qualified name", selection->table);
	if (read_columns(&w, schema, name) == ERR_NONE)
	{
		bool		several = has_several_tables(config);

		query->rows = write_text(&w, schema, name, several, true);
		if (query->rows != NULL)
			query->count = write_text(&w, schema, name, several, false);
	}
	PQclear(w.columns);
	free(schema);
	free(name);
	if (err->class != ERR_NONE)
		replay_query_free(query);
	return err->class;
}

void
replay_query_free(struct replay_query *query)
{
	free(query->rows);
	free(query->count);
	query->rows = query->count = NULL;
}
