/*
 * options_table.c - the value of option "table"
 *
 *   value   = schema "." table [ "(" mapping { "," mapping } ")" ]
 *   mapping = role "=" ( column | 'literal' | NULL )
 *
 * Identifiers are SQL's: folded to lower case unless in double quotes.  A
 * literal doubles its single quotes.  White space may stand between tokens.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "parser/scansup.h"

/* where the reader is in an option's value */
typedef struct Reader
{
	const char *value;			/* NUL-terminated, all of it */
	const char *at;
} Reader;

static const char *const member_names[] = {
#define OUTBOX_MEMBER_NAME(symbol, text) [OUTBOX_WIRE_##symbol] = (text),
	OUTBOX_WIRE_MEMBERS(OUTBOX_MEMBER_NAME)
#undef OUTBOX_MEMBER_NAME
};

const char *
outbox_role_name(int role)
{
	return role == OUTBOX_ROLE_PAYLOAD ? "payload" : member_names[role];
}

static inline bool
is_role(int role)
{
	return role != OUTBOX_WIRE_TABLE && role != OUTBOX_WIRE_ERROR;
}

_Noreturn static void
refuse(const Reader *reader, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("outbox_decoder: invalid value for option \"%s\": \"%s\"",
					OUTBOX_OPTION_TABLE, reader->value),
			 errdetail("%s expected at \"%s\".", expected, reader->at),
			 errhint("Write it as: schema.table (payload = body, aggregatetype = 'order').")));
}

static void
skip_space(Reader *reader)
{
	while (scanner_isspace(*reader->at))
		reader->at++;
}

static bool
take_char(Reader *reader, char c)
{
	skip_space(reader);
	if (*reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* reads "..." or '...' with its quotes doubled inside */
static char *
read_quoted(Reader *reader, const char *expected)
{
	const char	quote = *reader->at;
	const Reader start = *reader;
	StringInfoData text;

	initStringInfo(&text);
	for (reader->at++;; reader->at++)
	{
		if (*reader->at == '\0')
			refuse(&start, expected);
		if (*reader->at == quote)
		{
			reader->at++;
			if (*reader->at != quote)
				return text.data;
		}
		appendStringInfoChar(&text, *reader->at);
	}
}

static inline bool
is_ident_start(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* *quoted says whether it stood in double quotes */
static char *
read_identifier(Reader *reader, const char *expected, bool *quoted)
{
	const char *start;
	char	   *name;

	skip_space(reader);
	*quoted = *reader->at == '"';
	if (*quoted)
	{
		const Reader before = *reader;

		name = read_quoted(reader, expected);
		if (name[0] == '\0')
			refuse(&before, expected);
		truncate_identifier(name, strlen(name), false);
		return name;
	}
	start = reader->at;
	if (!is_ident_start((unsigned char) *start))
		refuse(reader, expected);
	while (is_ident_start((unsigned char) *reader->at) || *reader->at == '$' ||
		   (*reader->at >= '0' && *reader->at <= '9'))
		reader->at++;
	return downcase_truncate_identifier(start, (int) (reader->at - start), false);
}

static int
find_role(const char *name)
{
	for (int role = 0; role < OUTBOX_NROLES; role++)
		if (is_role(role) && strcmp(name, outbox_role_name(role)) == 0)
			return role;
	return -1;
}

_Noreturn static void
refuse_role(const char *name, const char *why)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int role = 0; role < OUTBOX_NROLES; role++)
		if (is_role(role))
			appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", outbox_role_name(role));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("outbox_decoder: role \"%s\" in option \"%s\" %s",
					name, OUTBOX_OPTION_TABLE, why),
			 errhint("Roles, each once, are: %s.", known.data)));
}

static void
read_mapping(Reader *reader, OutboxTable *table)
{
	bool		quoted;
	char	   *name = read_identifier(reader, "A role", &quoted);
	int			number = find_role(name);
	OutboxRole *role;

	if (number < 0)
		refuse_role(name, "is not known");
	role = &table->roles[number];
	if (role->source != OUTBOX_SOURCE_DEFAULT)
		refuse_role(name, "is given twice");
	if (!take_char(reader, '='))
		refuse(reader, "\"=\"");
	skip_space(reader);
	if (*reader->at == '\'')
	{
		role->source = OUTBOX_SOURCE_LITERAL;
		role->text = read_quoted(reader, "A literal in single quotes");
		return;
	}
	role->source = OUTBOX_SOURCE_COLUMN;
	role->text = read_identifier(reader, "A column, a literal in single quotes or NULL", &quoted);
	if (!quoted && strcmp(role->text, "null") == 0)
		role->source = OUTBOX_SOURCE_NULL;
}

OutboxTable *
outbox_parse_table(const char *value)
{
	OutboxTable *table = palloc0(sizeof(OutboxTable));
	Reader		reader = {.value = value, .at = value};
	const char *start;
	bool		quoted;

	skip_space(&reader);
	start = reader.at;
	table->schema = read_identifier(&reader, "A schema", &quoted);
	if (!take_char(&reader, '.'))
		refuse(&reader, "\".\" and a table");
	table->name = read_identifier(&reader, "A table", &quoted);
	table->text = pnstrdup(start, reader.at - start);
	if (take_char(&reader, '('))
	{
		do
			read_mapping(&reader, table);
		while (take_char(&reader, ','));
		if (!take_char(&reader, ')'))
			refuse(&reader, "\",\" or \")\"");
	}
	skip_space(&reader);
	if (*reader.at != '\0')
		refuse(&reader, "The end");
	return table;
}
