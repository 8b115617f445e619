/*
 * statement.c - the configured SQL: named fields become parameters.
 *
 * The lexical rules are those of the PostgreSQL manual, "4.1. Lexical Structure".
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "statement.h"

#include <ctype.h>
#include <string.h>

#include "../common/text.h"

static const struct
{
	const char *name;
	enum field	field;
}			names[] = {
	{"payload", FIELD_PAYLOAD},
	{"payload_bytes", FIELD_PAYLOAD_BYTES},
	{"key", FIELD_KEY},
	{"key_bytes", FIELD_KEY_BYTES},
	{"id", FIELD_ID},
	{"type", FIELD_TYPE},
	{"headers", FIELD_HEADERS},
	{"position", FIELD_POSITION},
	{"topic", FIELD_TOPIC},
	{"partition", FIELD_PARTITION},
	{"offset", FIELD_OFFSET},
	{"time", FIELD_TIME},
	{"consumer", FIELD_CONSUMER},
	{"state", FIELD_STATE},
	{"sqlstate", FIELD_SQLSTATE},
	{"reason", FIELD_REASON},
	{"attempts", FIELD_ATTEMPTS},
	{"patience", FIELD_PATIENCE},
};

static bool
is_word(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || (unsigned char) c >= 0x80;
}

/* Length of the quoted text that starts at p, to its end if it has none. */
static size_t
quoted(const char *p, bool escapes)
{
	const char	quote = p[0];
	size_t		i = 1;

	while (p[i] != '\0')
	{
		if (escapes && p[i] == '\\' && p[i + 1] != '\0')
			i += 2;
		else if (p[i] == quote && p[i + 1] == quote)
			i += 2;
		else if (p[i++] == quote)
			break;
	}
	return i;
}

/* Of $tag$...$tag$; 0 if it is none. */
static size_t
dollar_quoted(const char *p)
{
	size_t		tag = 1;
	const char *end;

	if (isdigit((unsigned char) p[1]))
		return 0;
	while (is_word(p[tag]) && p[tag] != '$')
		tag++;
	if (p[tag] != '$')
		return 0;
	tag++;
	for (end = p + tag; *end != '\0'; end++)
	{
		if (strncmp(end, p, tag) == 0)
			return (size_t) (end - p) + tag;
	}
	return strlen(p);
}

/* Of a comment; those between slashes and stars nest.  0 if it is none. */
static size_t
comment(const char *p)
{
	size_t		i = 2;
	int			depth = 1;

	if (p[0] == '-' && p[1] == '-')
		return strcspn(p, "\n");
	if (p[0] != '/' || p[1] != '*')
		return 0;
	while (p[i] != '\0' && depth > 0)
	{
		bool		opens = p[i] == '/' && p[i + 1] == '*';
		bool		closes = p[i] == '*' && p[i + 1] == '/';

		depth += opens ? 1 : closes ? -1 : 0;
		i += opens || closes ? 2 : 1;
	}
	return i;
}

/* Of what holds no field, at p; before it stands the character before.  0: look. */
static size_t
opaque(const char *p, char before)
{
	if (p[0] == '\'')
		return quoted(p, before == 'E' || before == 'e');
	if (p[0] == '"')
		return quoted(p, false);
	if (p[0] == '$' && !is_word(before))
		return dollar_quoted(p);
	if (p[0] == ':' && (p[1] == ':' || p[1] == '='))
		return 2;
	return comment(p);
}

static enum err_class
add_field(struct statement *s, struct text *sql, const char *name, size_t len, bool internal,
		  struct err *err)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strlen(names[i].name) != len || strncmp(names[i].name, name, len) != 0 ||
			(names[i].field >= FIELD_STATE && !internal))
			continue;
		if (s->nfields == STATEMENT_MAX_FIELDS)
			return err_set(err, ERR_CONFIG, "sql-invalid", "inbox.sql has more than %d fields", STATEMENT_MAX_FIELDS);
		s->fields[s->nfields++] = names[i].field;
		text_print(sql, "$%d", s->nfields);
		return ERR_NONE;
	}
	(void) err_set(err, ERR_CONFIG, "sql-invalid", "inbox.sql: a message has no field \":%.*s\"",
				   len < 40 ? (int) len : 40, name);
	return err_hint(err, "there are :payload :key :id :type :headers :position :topic :partition :offset :time :consumer, and :payload_bytes, :key_bytes as bytea");
}

enum err_class
statement_parse(struct statement *statement, const char *text, bool internal, struct err *err)
{
	struct text sql = {0};
	enum err_class class = ERR_NONE;
	char		before = ' ';

	statement->nfields = 0;
	statement->sql = NULL;
	while (*text != '\0' && class == ERR_NONE)
	{
		size_t		n = opaque(text, before);

		if (n == 0 && text[0] == ':' && (isalpha((unsigned char) text[1]) || text[1] == '_') &&
			!is_word(before) && before != ']' && before != ')')
		{
			n = 1;
			while (is_word(text[n]))
				n++;
			class = add_field(statement, &sql, text + 1, n - 1, internal, err);
		}
		else if (n == 0 && text[0] == '$' && isdigit((unsigned char) text[1]) && !is_word(before))
		{
			class = err_set(err, ERR_CONFIG, "sql-invalid", "inbox.sql names a parameter by number");
			(void) err_hint(err, "name fields: :payload, :key, :id");
		}
		else
		{
			n = n > 0 ? n : 1;
			text_add(&sql, text, n);
		}
		before = text[n - 1];
		text += n;
	}
	if (class == ERR_NONE && (sql.failed || sql.data == NULL))
		class = err_set(err, ERR_CONFIG, "sql-invalid", "inbox.sql is empty");
	if (class != ERR_NONE)
		text_free(&sql);
	statement->sql = sql.data;
	return class;
}

void
statement_free(struct statement *statement)
{
	text_free(&(struct text) {.data = statement->sql});
	statement->sql = NULL;
}
