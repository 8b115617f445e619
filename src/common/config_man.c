/*
 * config_man.c - the table of keys as a manual page of section 5.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "config_parts.h"

#include <ctype.h>
#include <string.h>

/* Text as man(7) takes it; it never begins a line with a dot or an apostrophe. */
static void
print_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (*text == '\\')
			(void) fputs("\\e", out);
		else if (*text == '-')
			(void) fputs("\\-", out);
		else if (*text == '"')
			(void) fputs("\\(dq", out);
		else if (*text == '\'')
			(void) fputs("\\(aq", out);
		else if (*text == '.' && isspace((unsigned char) text[1]))
			(void) fputs(".\\&", out);	/* an abbreviation, or not: no wide space */
		else
			(void) fputc(*text, out);
	}
}

static void
print_upper(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		(void) fputc(toupper((unsigned char) *text), out);
}

static void
print_top(const struct config_program *program, FILE *out)
{
	(void) fputs(".TH ", out);
	print_upper(out, program->name);
	(void) fputs(".CONF 5 \"\" pg_outbox pg_outbox\n.SH NAME\n", out);
	(void) fprintf(out, "%s.conf \\- configuration of %s\n", program->name, program->name);
	(void) fprintf(out, ".SH DESCRIPTION\nThe file %s is read if it exists, or the one that \\fB\\-c\\fP names.\n", program->default_file);
	(void) fputs("A line is a section in brackets, \\fIkey\\fP = \\fIvalue\\fP, or a comment that starts with # or ;.\n"
				 "There are no comments within a line, no continued lines, and no quotes around values.\n.PP\n", out);
	(void) fprintf(out, "The environment (\\fB%s_\\fP\\fISECTION\\fP_\\fIKEY\\fP) overrides the file, and \\fB\\-o\\fP overrides both.\n.PP\n",
				   program->env_prefix);
	(void) fputs("Sizes have a unit of kB, MB or GB (of 1024), durations one of ms, s, min, h or d.\n", out);
}

static void
print_value(const struct config_key *k, FILE *out)
{
	char		low[32];
	char		high[32];

	config_format_number(k->type, k->min, low, sizeof(low));
	config_format_number(k->type, k->max, high, sizeof(high));
	if (k->type == CONFIG_ENUM)
	{
		(void) fputs("One of ", out);
		print_text(out, k->choices);
		(void) fputs(".\n", out);
	}
	else if (k->max != 0)
	{
		(void) fputs("From ", out);
		print_text(out, low);
		(void) fprintf(out, " to %s.\n", high);
	}
	if (k->fallback != NULL)
	{
		(void) fputs("Default: ", out);
		print_text(out, k->fallback);
		(void) fputs(".\n", out);
	}
	if (k->flags & CONFIG_REQUIRED)
		(void) fputs("Required.\n", out);
	if (k->flags & CONFIG_RELOAD)
		(void) fputs("SIGHUP applies a change.\n", out);
	if (k->flags & CONFIG_SECRET)
	{
		(void) fputs("Never printed; ", out);
		print_text(out, k->key);
		(void) fputs("_file names a file that holds it.\n", out);
	}
}

void
config_print_man(const struct config_program *program, FILE *out)
{
	print_top(program, out);
	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		if (k == program->keys || strcmp(k->section, k[-1].section) != 0)
			(void) fprintf(out, ".SH \"[%s%s]\"\n", k->section,
						   config_is_repeated(program, k->section) ? " \\(dqschema.name\\(dq" : "");
		(void) fputs(".TP\n\\fB", out);
		print_text(out, strcmp(k->key, "*") == 0 ? "any other" : k->key);
		(void) fputs("\\fP\n", out);
		print_text(out, k->doc);
		(void) fputc('\n', out);
		print_value(k, out);
	}
	(void) fprintf(out, ".SH SEE ALSO\n.BR %s (1)\n", program->name);
}
