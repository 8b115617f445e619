/*
 * inbox_statement_test.c - tests of src/inbox/statement.c.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox/statement.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* Text and what it becomes, with the number of fields. */
static const struct
{
	const char *text;
	const char *sql;
	int			nfields;
}			examples[] = {
	{"SELECT 1", "SELECT 1", 0},
	{"SELECT f(:key, :payload)", "SELECT f($1, $2)", 2},
	{"SELECT f(:payload::jsonb, :payload :: text)", "SELECT f($1::jsonb, $2 :: text)", 2},
	{":id", "$1", 1},
	{"SELECT f(:key_bytes,:key)", "SELECT f($1,$2)", 2},
	{"SELECT ':key', ':it''s :key', :key", "SELECT ':key', ':it''s :key', $1", 1},
	{"SELECT E'\\':key', e'\\\\', :key", "SELECT E'\\':key', e'\\\\', $1", 1},
	{"SELECT '\\', :key", "SELECT '\\', $1", 1},
	{"SELECT \":key\"\":id\", :key", "SELECT \":key\"\":id\", $1", 1},
	{"SELECT $$:key$$, $a$ $$ :key $b$ $a$, :key", "SELECT $$:key$$, $a$ $$ :key $b$ $a$, $1", 1},
	{"SELECT a$b, :key, c$d$", "SELECT a$b, $1, c$d$", 1},
	{"SELECT 1 -- :key\n, :key", "SELECT 1 -- :key\n, $1", 1},
	{"SELECT 1 /* :key /* */ :key */, :key", "SELECT 1 /* :key /* */ :key */, $1", 1},
	{"SELECT 1 - -:partition / :offset", "SELECT 1 - -$1 / $2", 2},
	{"SELECT a[lo:hi], (b)[1:key], f(x := :key)", "SELECT a[lo:hi], (b)[1:key], f(x := $1)", 1},
	{"SELECT ': :", "SELECT ': :", 0},
	{"SELECT $tag$ :key", "SELECT $tag$ :key", 0},
	{"SELECT /* :key", "SELECT /* :key", 0},
	{"SELECT :", "SELECT :", 0},
};

static bool
parse(struct statement *statement, const char *text, bool internal, struct err *err)
{
	/* a copy of its length, so that a sanitizer sees what is read behind it */
	char	   *copy = strdup(text);
	bool		parsed = statement_parse(statement, copy, internal, err) == ERR_NONE;

	free(copy);
	return parsed;
}

static void
refused(const char *text, const char *like)
{
	struct statement statement;
	struct err	err = {0};

	ok(!parse(&statement, text, false, &err) && strstr(err.message, like) && statement.sql == NULL,
	   "refused: %.60s", text);
	is_str(err.code, "sql-invalid", "with its code");
}

int
main(void)
{
	struct statement statement;
	struct err	err = {0};
	char		many[STATEMENT_MAX_FIELDS * 5 + 16] = "";

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
	{
		ok(parse(&statement, examples[i].text, false, &err), "example %zu is read", i);
		is_str(statement.sql, examples[i].sql, "reads as");
		is_int(statement.nfields, examples[i].nfields, "fields");
		statement_free(&statement);
	}

	ok(parse(&statement, ":payload :payload_bytes :key :key_bytes :id :type :headers :position :topic :partition :offset :time :consumer",
			 false, &err), "all fields");
	for (int i = 0; i < statement.nfields; i++)
		is_int(statement.fields[i], i, "field %d", i);
	ok(field_is_binary(FIELD_KEY_BYTES) && field_is_binary(FIELD_PAYLOAD_BYTES) && !field_is_binary(FIELD_KEY), "two are binary");
	statement_free(&statement);

	refused("SELECT :nonsense", "\":nonsense\"");
	refused("SELECT :keys", "\":keys\"");
	refused("SELECT :KEY", "\":KEY\"");
	refused("SELECT $1", "by number");
	refused("SELECT :reason", "\":reason\"");
	refused("", "empty");
	for (int i = 0; i <= STATEMENT_MAX_FIELDS; i++)
		strcat(many, ":key ");
	refused(many, "more than 32");

	ok(parse(&statement, ":state :sqlstate :reason :attempts", true, &err), "dead letters have fields of their own");
	is_int(statement.nfields, 4, "four");
	statement_free(&statement);
	return done_testing();
}
