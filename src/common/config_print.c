/*
 * config_print.c - what is in force, the example file and the manual.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "config_parts.h"

#include <ctype.h>
#include <string.h>

/* printed in a secret's place */
#define HIDDEN	"********"

/* Prints doc as comment lines of at most 78 columns. */
static void
print_comment(FILE *out, const char *doc)
{
	while (*doc != '\0')
	{
		size_t		len = strlen(doc);

		if (len > 76)
		{
			len = 76;
			while (len > 1 && doc[len] != ' ')
				len--;
		}
		(void) fprintf(out, "# %.*s\n", (int) len, doc);
		doc += len;
		while (*doc == ' ')
			doc++;
	}
}

static bool
new_section(const struct config_key *keys, const struct config_key *k)
{
	return k == keys || strcmp(k->section, k[-1].section) != 0;
}

static void
print_heading(const struct config_program *program, const char *section,
			  const char *name, FILE *out)
{
	(void) fprintf(out, "[%s", section);
	if (program->repeated != NULL && strcmp(program->repeated, section) == 0)
	{
		(void) fputs(" \"", out);
		for (; *name != '\0'; name++)
			(void) fprintf(out, "%s%c", *name == '"' || *name == '\\' ? "\\" : "", *name);
		(void) fputc('"', out);
	}
	(void) fputs("]\n", out);
}

/* ---- config show ---- */

static bool
is_last(const struct config *config, size_t i)
{
	const struct config_value *v = &config->entries[i].pub;

	for (size_t j = i + 1; j < config->n; j++)
	{
		const struct config_value *w = &config->entries[j].pub;

		if (strcmp(w->section, v->section) == 0 && strcmp(w->name, v->name) == 0 &&
			strcmp(w->key, v->key) == 0)
			return false;
	}
	return true;
}

static void
show_value(const struct config_value *v, FILE *out)
{
	(void) fprintf(out, "# %s\n%s = %s\n", v->where, v->key,
				   config_is_secret(v) && v->value[0] != '\0' ? HIDDEN : v->value);
}

/* The values of one section that the table doesn't name: of a free section. */
static void
show_free(const struct config *config, const char *section, FILE *out)
{
	for (size_t i = 0; i < config->n; i++)
	{
		const struct config_value *v = &config->entries[i].pub;

		if (strcmp(v->section, section) == 0 && strcmp(v->desc->key, "*") == 0 && is_last(config, i))
			show_value(v, out);
	}
}

static void
show_key(const struct config *config, const struct config_key *k, FILE *out)
{
	for (size_t i = config->n; i > 0; i--)
	{
		const struct config_value *v = &config->entries[i - 1].pub;

		if (v->desc == k)
		{
			show_value(v, out);
			return;
		}
	}
	if (k->fallback != NULL)
		(void) fprintf(out, "# default\n%s = %s\n", k->key, k->fallback);
	else
		(void) fprintf(out, "# not set\n# %s =\n", k->key);
}

/* One section of the repeated kind per name, in the order of their first line. */
static void
show_repeated(const struct config *config, FILE *out)
{
	for (size_t i = 0; i < config->n; i++)
	{
		const char *name = config->entries[i].pub.name;
		bool		seen = name[0] == '\0';

		for (size_t j = 0; j < i && !seen; j++)
			seen = strcmp(config->entries[j].pub.name, name) == 0;
		if (seen)
			continue;
		(void) fputc('\n', out);
		print_heading(config->program, config->program->repeated, name, out);
		for (size_t j = i; j < config->n; j++)
		{
			const struct config_value *v = &config->entries[j].pub;

			if (strcmp(v->name, name) == 0 && v->key[0] != '\0' && is_last(config, j))
				show_value(v, out);
		}
	}
}

void
config_show(const struct config *config, FILE *out)
{
	const struct config_program *program = config->program;

	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		bool		repeated = program->repeated != NULL && strcmp(k->section, program->repeated) == 0;

		if (repeated)
		{
			if (new_section(program->keys, k))
				show_repeated(config, out);
			continue;
		}
		if (new_section(program->keys, k))
		{
			if (k != program->keys)
				(void) fputc('\n', out);
			print_heading(program, k->section, "", out);
		}
		if (strcmp(k->key, "*") == 0)
			show_free(config, k->section, out);
		else
			show_key(config, k, out);
	}
}

/* ---- config example ---- */

void
config_print_example(const struct config_program *program, FILE *out)
{
	(void) fprintf(out, "# Configuration of %s, with all defaults.\n"
				   "# Environment variables (%s_SECTION_KEY) and -o section.key=value override it.\n",
				   program->name, program->env_prefix);
	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		bool		repeated = program->repeated != NULL && strcmp(k->section, program->repeated) == 0;

		(void) fputc('\n', out);
		if (new_section(program->keys, k))
		{
			if (repeated)
				(void) fputs("# ", out);
			print_heading(program, k->section, "schema.name", out);
		}
		print_comment(out, k->doc);
		if (strcmp(k->key, "*") == 0)
			continue;
		(void) fprintf(out, "%s%s =%s%s\n", k->flags & CONFIG_REQUIRED ? "" : "#", k->key,
					   k->fallback != NULL ? " " : "", k->fallback != NULL ? k->fallback : "");
	}
}

/* ---- config reference ---- */

static void
print_type(const struct config_key *k, FILE *out)
{
	char		low[32];
	char		high[32];

	config_format_number(k->type, k->min, low, sizeof(low));
	config_format_number(k->type, k->max, high, sizeof(high));
	switch (k->type)
	{
		case CONFIG_STRING:
			(void) fputs("text", out);
			return;
		case CONFIG_BOOL:
			(void) fputs("`on`, `off`", out);
			return;
		case CONFIG_ENUM:
			for (const char *p = k->choices;;)
			{
				size_t		n = strcspn(p, "|");

				(void) fprintf(out, "`%.*s`", (int) n, p);
				if (p[n] == '\0')
					return;
				(void) fputs(", ", out);
				p += n + 1;
			}
		case CONFIG_INT:
			(void) fputs("number", out);
			break;
		case CONFIG_SIZE:
			(void) fputs("size", out);
			break;
		case CONFIG_DURATION:
			(void) fputs("duration", out);
			break;
	}
	if (k->max != 0)
		(void) fprintf(out, ", %s to %s", low, high);
}

static void
print_notes(const struct config_key *k, FILE *out)
{
	if (k->flags & CONFIG_REQUIRED)
		(void) fputs(" Required.", out);
	if (k->flags & CONFIG_RELOAD)
		(void) fputs(" SIGHUP applies a change.", out);
	if (k->flags & CONFIG_SECRET)
		(void) fprintf(out, " Secret: never printed; `%s_file` names a file that holds it.", k->key);
}

void
config_print_manual(const struct config_program *program, FILE *out)
{
	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		if (new_section(program->keys, k))
		{
			bool		repeated = program->repeated != NULL && strcmp(k->section, program->repeated) == 0;

			(void) fprintf(out, "%s#### `[%s%s]`\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
						   k == program->keys ? "" : "\n", k->section, repeated ? " \"schema.name\"" : "");
		}
		(void) fprintf(out, "| %s%s%s | ", k->key[0] == '*' ? "" : "`",
					   k->key[0] == '*' ? "any other" : k->key, k->key[0] == '*' ? "" : "`");
		print_type(k, out);
		if (k->fallback != NULL)
			(void) fprintf(out, " | `%s` | %s", k->fallback, k->doc);
		else
			(void) fprintf(out, " | | %s", k->doc);
		print_notes(k, out);
		(void) fputs(" |\n", out);
	}
}
