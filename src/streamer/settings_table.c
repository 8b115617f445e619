/*
 * settings_table.c - [table "schema.name"] as an option of the output plugin.
 *
 * Names are taken literally, as the catalog has them, so they go to the plugin
 * in double quotes; only a schema or table that needs none is left plain,
 * because the plugin repeats it in events.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "settings_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads one part up to stop; returns what follows, NULL if malformed. */
static const char *
read_part(const char *text, char stop, char *out)
{
	char	   *start = out;

	if (*text != '"')
	{
		while (*text != '\0' && *text != stop && *text != '"')
			*out++ = *text++;
	}
	else
	{
		for (text++; *text != '"' || text[1] == '"'; text++)
		{
			if (*text == '\0')
				return NULL;
			if (*text == '"')
				text++;
			*out++ = *text;
		}
		text++;
	}
	*out = '\0';
	return out > start && *text == stop ? text : NULL;
}

bool
settings_split_table(const char *text, char **schema, char **name)
{
	size_t		size = strlen(text) + 1;
	const char *at = NULL;

	*schema = malloc(size);
	*name = malloc(size);
	if (*schema != NULL && *name != NULL)
		at = read_part(text, '.', *schema);
	if (at != NULL)
		at = read_part(at + 1, '\0', *name);
	if (at != NULL)
		return true;
	free(*schema);
	free(*name);
	*schema = *name = NULL;
	return false;
}

const char *
settings_mapped(const struct config *config, const char *section, const char *role)
{
	const char *value = NULL;

	for (size_t i = 0; section != NULL && i < config_count(config); i++)
	{
		const struct config_value *v = config_at(config, i);

		if (strcmp(v->section, "table") == 0 && strcmp(v->name, section) == 0 &&
			strcmp(v->key, role) == 0)
			value = v->value;
	}
	return value;
}

/* In quotes, those inside doubled. */
static void
print_quoted(FILE *out, const char *text, char quote)
{
	(void) fputc(quote, out);
	for (; *text != '\0'; text++)
	{
		if (*text == quote)
			(void) fputc(quote, out);
		(void) fputc(*text, out);
	}
	(void) fputc(quote, out);
}

static void
print_identifier(FILE *out, const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char more[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

	if (strchr(first, name[0]) != NULL && strspn(name, more) == strlen(name))
		(void) fputs(name, out);
	else
		print_quoted(out, name, '"');
}

/* A value of this section: 'constant', column, or nothing. */
static bool
print_source(FILE *out, const char *value)
{
	size_t		len = strlen(value);

	if (len == 0)
	{
		(void) fputs("NULL", out);
		return true;
	}
	if (value[0] != '\'')
	{
		print_quoted(out, value, '"');
		return true;
	}
	/* the quotes inside are doubled, as in SQL */
	for (size_t i = 1; i + 1 < len; i++)
	{
		if (value[i] == '\'' && (++i + 1 >= len || value[i] != '\''))
			return false;
	}
	if (len < 2 || value[len - 1] != '\'')
		return false;
	(void) fputs(value, out);
	return true;
}

static bool
is_first_of_section(const struct config *config, size_t i)
{
	const struct config_value *v = config_at(config, i);

	if (strcmp(v->section, "table") != 0)
		return false;
	while (i-- > 0)
	{
		const struct config_value *w = config_at(config, i);

		if (strcmp(w->section, "table") == 0 && strcmp(w->name, v->name) == 0)
			return false;
	}
	return true;
}

/* Is there a later value of the same key (from -o) that replaces this one? */
static bool
is_overridden(const struct config *config, size_t i)
{
	const struct config_value *v = config_at(config, i);

	for (size_t j = i + 1; j < config_count(config); j++)
	{
		const struct config_value *w = config_at(config, j);

		if (strcmp(w->section, "table") == 0 && strcmp(w->name, v->name) == 0 &&
			strcmp(w->key, v->key) == 0)
			return true;
	}
	return false;
}

static enum err_class
print_mappings(FILE *out, const struct config *config, size_t first, struct err *err)
{
	const char *name = config_at(config, first)->name;
	const char *separator = " (";
	bool		any = false;

	for (size_t i = first; i < config_count(config); i++)
	{
		const struct config_value *v = config_at(config, i);

		if (strcmp(v->section, "table") != 0 || strcmp(v->name, name) != 0 ||
			v->key[0] == '\0' || is_overridden(config, i))
			continue;
		(void) fprintf(out, "%s%s = ", separator, v->key);
		separator = ", ";
		any = true;
		if (!print_source(out, v->value))
		{
			(void) err_set(err, ERR_CONFIG, "config-value", "%s: %s is not a constant in single quotes: %.100s",
						   v->where, v->key, v->value);
			return err_hint(err, "write a column's name as it is, or 'a constant' with its quotes doubled inside");
		}
	}
	if (any)
		(void) fputc(')', out);
	return ERR_NONE;
}

static enum err_class
load_table(struct settings *settings, const struct config *config, size_t first, struct err *err)
{
	const struct config_value *v = config_at(config, first);
	enum err_class class;
	char	   *schema;
	char	   *table;
	char	   *text = NULL;
	size_t		size;
	FILE	   *out;

	if (!settings_split_table(v->name, &schema, &table))
	{
		(void) err_set(err, ERR_CONFIG, "config-value", "%s: \"%s\" is not a table's qualified name", v->where, v->name);
		return err_hint(err, "write [table \"schema.name\"]; a part with a dot in it needs quotes: [table \"schema.\\\"odd.name\\\"\"]");
	}
	out = open_memstream(&text, &size);
	if (out == NULL)
		class = err_set(err, ERR_CONFIG, "out-of-memory", "out of memory");
	else
	{
		print_identifier(out, schema);
		(void) fputc('.', out);
		print_identifier(out, table);
		class = print_mappings(out, config, first, err);
		(void) fclose(out);
	}
	free(schema);
	free(table);
	if (class == ERR_NONE && text != NULL)
		settings->tables[settings->ntables++] = text;
	else
		free(text);
	return class;
}

enum err_class
settings_load_tables(struct settings *settings, const struct config *config, struct err *err)
{
	size_t		count = config_count(config);

	settings->tables = calloc(count + 1, sizeof(*settings->tables));
	if (settings->tables == NULL)
		return err_set(err, ERR_CONFIG, "out-of-memory", "out of memory");
	for (size_t i = 0; i < count; i++)
	{
		if (is_first_of_section(config, i) &&
			load_table(settings, config, i, err) != ERR_NONE)
			return err->class;
	}
	return ERR_NONE;
}
