/*
 * config.h - configuration as one table per program.
 *
 * A program describes every key in an array of struct config_key; the reader
 * of files, environment and -o options, the errors, "config show", the
 * reference manual and the example file all come from that table.
 *
 * Precedence: default < file < environment < -o section.key=value.
 * File: INI.  Environment: <PREFIX>_<SECTION>_<KEY> in upper case; in free
 * sections ([kafka]) an underscore stands for a dot in the key.  Any key that
 * is CONFIG_SECRET may also be given as key_file, naming a file whose content
 * (less one trailing newline) is the value.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CONFIG_H
#define OUTBOX_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

enum config_type
{
	CONFIG_STRING,
	CONFIG_INT,					/* min..max */
	CONFIG_SIZE,				/* octets; units kB MB GB (1024); min..max */
	CONFIG_DURATION,			/* milliseconds; units ms s min h d; min..max */
	CONFIG_BOOL,				/* on off true false yes no 1 0 */
	CONFIG_ENUM					/* one of choices, "a|b|c"; its number is the index */
};

#define CONFIG_REQUIRED		0x01	/* must have a value */
#define CONFIG_RELOAD		0x02	/* SIGHUP applies a change */
#define CONFIG_SECRET		0x04	/* never printed; key_file is allowed */

struct config_key
{
	const char *section;
	const char *key;			/* "*" = any key of this section (passed through) */
	enum config_type type;
	const char *fallback;		/* default as written in a file; NULL = none */
	const char *choices;		/* CONFIG_ENUM */
	int64_t		min,
				max;			/* numbers; both 0 = no bounds but >= 0 */
	unsigned	flags;
	const char *doc;			/* one or two sentences of the manual */
};

struct config_program
{
	const char *name;			/* "outbox-streamer" */
	const char *env_prefix;		/* "OUTBOX" */
	const char *default_file;	/* read only if it exists, unless named by -c */
	const struct config_key *keys;	/* ends with section == NULL */
	const char *repeated;		/* the one section that is repeated with a quoted
								 * name, [table "schema.name"]; its keys are in
								 * the table as any others.  NULL = none */
};

/*
 * A value that was given (not a default), with where it comes from.  A heading
 * of a repeated section is one too, with an empty key: such a section may have
 * no keys at all.
 */
struct config_value
{
	const char *section;
	const char *name;			/* of a repeated section; "" otherwise */
	const char *key;
	const char *value;
	char		where[256];		/* "file:12", "environment OUTBOX_X", "-o" */
	const struct config_key *desc;
};

struct config;					/* owns all its strings */

/*
 * Reads everything and checks it against the table.  file may be NULL
 * (default_file); overrides are "section.key=value" strings, environ-style
 * env ends with NULL.  On error: ERR_CONFIG, message starting with where.
 * On success *out is to be freed with config_free().
 */
extern enum err_class config_load(const struct config_program *program,
								  const char *file,
								  char *const *overrides, int noverrides,
								  char *const *env,
								  struct config **out, struct err *err);
extern void config_free(struct config *config);

/* Typed values: given or default.  Asking for a key that isn't in the table
 * is a programming error (abort).  String may be NULL (no value, no default). */
extern const char *config_string(const struct config *config, const char *section, const char *key);
extern int64_t config_int(const struct config *config, const char *section, const char *key);
extern bool config_bool(const struct config *config, const char *section, const char *key);

/* The values given, in order; a later one for the same key overrides. */
extern size_t config_count(const struct config *config);
extern const struct config_value *config_at(const struct config *config, size_t i);

/* Where the value in force comes from ("default" if not given). */
extern const char *config_where(const struct config *config, const char *section, const char *key);

/* Prints what is in force as a file, secrets as "********". */
extern void config_show(const struct config *config, FILE *out);

/* Prints the table: as a commented example file, as the manual (Markdown), or
 * as a manual page of section 5. */
extern void config_print_example(const struct config_program *program, FILE *out);
extern void config_print_manual(const struct config_program *program, FILE *out);
extern void config_print_man(const struct config_program *program, FILE *out);

#endif							/* OUTBOX_CONFIG_H */
