/*
 * config_parts.h - what the files of config share; nobody else includes it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CONFIG_PARTS_H
#define OUTBOX_CONFIG_PARTS_H

#include "config.h"

/* in the order of precedence */
enum config_source
{
	CONFIG_FROM_FILE,
	CONFIG_FROM_ENVIRONMENT,
	CONFIG_FROM_OPTION
};

struct config_entry
{
	struct config_value pub;
	enum config_source source;
};

struct config
{
	const struct config_program *program;
	struct config_entry *entries;
	size_t		n;
	size_t		capacity;
};

/* What somebody gave, before it is checked; borrowed strings. */
struct config_given
{
	enum config_source source;
	const char *where;			/* prefix of error messages */
	const char *section;
	const char *name;			/* of a repeated section; "" otherwise */
	const char *key;
	const char *value;
};

/* config.c: checks one value against the table and keeps a copy. */
extern enum err_class config_add(struct config *config,
								 const struct config_given *given, struct err *err);

/* The same for a section's heading: a repeated section exists without keys. */
extern enum err_class config_add_section(struct config *config,
										 const struct config_given *given,
										 struct err *err);

/* config.c: what the table says of a section. */
extern bool config_has_section(const struct config_program *program, const char *section);
extern bool config_is_free(const struct config_program *program, const char *section);
extern bool config_is_repeated(const struct config_program *program, const char *section);

/* config_given.c: adds what the environment has, or one -o. */
extern enum err_class config_add_environment(struct config *config, char *const *env,
											 struct err *err);
extern enum err_class config_add_option(struct config *config, const char *text,
										struct err *err);

/* config_file.c: adds all of a file, in its order. */
extern enum err_class config_read_file(struct config *config, const char *file,
									   struct err *err);
/* The same for octets in memory, with a NUL behind them; file is the name for
 * messages. */
extern enum err_class config_read_memory(struct config *config, const char *file,
										 const char *data, size_t len,
										 struct err *err);
/* Splits "table "schema.name"" in place; false with err set if malformed. */
extern bool config_split_section(const struct config_program *program, char *heading,
								 const char **section, const char **name);

/*
 * config_value.c: the value of one key's text.  Returns NULL, or what is wrong
 * with it ("is not a number"), static.  number is set for all but strings.
 */
extern const char *config_parse_value(const struct config_key *desc,
									  const char *text, int64_t *number);
/* A number as a file would have it: "16MB", "10s". */
extern void config_format_number(enum config_type type, int64_t number,
								 char *buf, size_t size);
/* The entry of choices with this number, into buf. */
extern void config_choice(const char *choices, int64_t number, char *buf, size_t size);

/* A whole file, NUL-terminated, to be freed; NULL with err set. */
extern char *config_slurp(const char *file, const char *where, size_t max,
						  size_t *len, struct err *err);

/* Is this value not to be shown?  By the table, or by a telling name. */
extern bool config_is_secret(const struct config_value *value);

/* The candidate most like word, or NULL if none is near. */
struct config_nearest
{
	const char *word;
	const char *best;
	size_t		distance;
};
extern void config_nearest_try(struct config_nearest *nearest, const char *candidate);

#endif							/* OUTBOX_CONFIG_PARTS_H */
