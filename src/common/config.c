/*
 * config.c - configuration as one table per program: values and where they
 * come from.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "config_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* longest content of a key_file: certificates may come as such */
#define MAX_SECRET	(64 * 1024)

bool
config_is_repeated(const struct config_program *program, const char *section)
{
	return program->repeated != NULL && strcmp(program->repeated, section) == 0;
}

bool
config_is_free(const struct config_program *program, const char *section)
{
	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		if (strcmp(k->section, section) == 0 && strcmp(k->key, "*") == 0)
			return true;
	}
	return false;
}

bool
config_has_section(const struct config_program *program, const char *section)
{
	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		if (strcmp(k->section, section) == 0)
			return true;
	}
	return false;
}

static const struct config_key *
find_key(const struct config_program *program, const char *section, const char *key)
{
	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		if (strcmp(k->section, section) == 0 && strcmp(k->key, key) == 0)
			return k;
	}
	return NULL;
}

bool
config_is_secret(const struct config_value *value)
{
	if (value->desc->flags & CONFIG_SECRET)
		return true;
	/* properties of a newer librdkafka than the table knows */
	return strcmp(value->desc->key, "*") == 0 &&
		(strstr(value->key, "password") != NULL || strstr(value->key, "secret") != NULL);
}

/* ---- adding one value ---- */

static enum err_class
unknown_section(const struct config *config, const struct config_given *given, struct err *err)
{
	struct config_nearest nearest = {.word = given->section};

	for (const struct config_key *k = config->program->keys; k->section != NULL; k++)
		config_nearest_try(&nearest, k->section);
	(void) err_set(err, ERR_CONFIG, "config-unknown", "%s: there is no section [%s]",
				   given->where, given->section);
	if (nearest.best != NULL)
		return err_hint(err, "did you mean [%s]?", nearest.best);
	return err_hint(err, "\"%s config example\" prints all sections and keys", config->program->name);
}

static enum err_class
unknown_key(const struct config *config, const struct config_given *given, struct err *err)
{
	struct config_nearest nearest = {.word = given->key};
	const char *elsewhere = NULL;

	for (const struct config_key *k = config->program->keys; k->section != NULL; k++)
	{
		if (strcmp(k->section, given->section) == 0)
			config_nearest_try(&nearest, k->key);
		else if (strcmp(k->key, given->key) == 0)
			elsewhere = k->section;
	}
	(void) err_set(err, ERR_CONFIG, "config-unknown", "%s: there is no key \"%s\" in section [%s]",
				   given->where, given->key, given->section);
	if (given->key[0] == '#' || given->key[0] == ';')
		return err_hint(err, "a comment begins with the line, not behind blanks");
	if (elsewhere != NULL)
		return err_hint(err, "it belongs into section [%s]", elsewhere);
	if (nearest.best != NULL)
		return err_hint(err, "did you mean \"%s\"?", nearest.best);
	return err_hint(err, "\"%s config example\" prints all sections and keys", config->program->name);
}

static enum err_class
bad_value(const struct config_key *desc, const struct config_given *given,
		  const char *wrong, struct err *err)
{
	char		low[32];
	char		high[32];

	(void) err_set(err, ERR_CONFIG, "config-value", "%s: %s.%s %s%s%.100s%s",
				   given->where, given->section, given->key, wrong,
				   given->value[0] != '\0' ? ": \"" : "",
				   given->value[0] == '\0' ? "" : desc->flags & CONFIG_SECRET ? "********" : given->value,
				   given->value[0] != '\0' ? "\"" : "");
	config_format_number(desc->type, desc->min, low, sizeof(low));
	config_format_number(desc->type, desc->max, high, sizeof(high));
	switch (desc->type)
	{
		case CONFIG_ENUM:
			return err_hint(err, "choose one of %s", desc->choices);
		case CONFIG_BOOL:
			return err_hint(err, "write on or off");
		case CONFIG_STRING:
			break;
		case CONFIG_INT:
		case CONFIG_SIZE:
		case CONFIG_DURATION:
			if (desc->max == 0)
				return err_hint(err, "at least %s%s", low,
								desc->type == CONFIG_SIZE ? "; units are kB, MB and GB" :
								desc->type == CONFIG_DURATION ? "; units are ms, s, min, h and d" : "");
			return err_hint(err, "from %s to %s%s", low, high,
							desc->type == CONFIG_SIZE ? "; units are kB, MB and GB" :
							desc->type == CONFIG_DURATION ? "; units are ms, s, min, h and d" : "");
	}
	return err->class;
}

/* Two lines of one file that say the same thing differently are a mistake. */
static enum err_class
check_duplicate(const struct config *config, const struct config_given *given,
				const char *key, struct err *err)
{
	for (size_t i = 0; i < config->n; i++)
	{
		const struct config_entry *e = &config->entries[i];
		const char *line;

		if (e->source != CONFIG_FROM_FILE || strcmp(e->pub.section, given->section) != 0 ||
			strcmp(e->pub.name, given->name) != 0 || strcmp(e->pub.key, key) != 0)
			continue;
		line = strrchr(e->pub.where, ':');
		(void) err_set(err, ERR_CONFIG, "config-duplicate",
					   "%s: %s.%s is already set in line %s", given->where,
					   given->section, key, line != NULL ? line + 1 : "?");
		return err_hint(err, "remove one of the two");
	}
	return ERR_NONE;
}

static enum err_class
keep(struct config *config, const struct config_given *given,
	 const struct config_key *desc, const char *key, const char *value, struct err *err)
{
	struct config_entry *e;

	if (config->n == config->capacity)
	{
		size_t		capacity = config->capacity == 0 ? 32 : config->capacity * 2;
		struct config_entry *grown = realloc(config->entries, capacity * sizeof(*grown));

		if (grown == NULL)
			return err_set(err, ERR_CONFIG, "config-file", "%s: out of memory", given->where);
		config->entries = grown;
		config->capacity = capacity;
	}
	e = &config->entries[config->n];
	memset(e, 0, sizeof(*e));
	e->source = given->source;
	e->pub.desc = desc;
	e->pub.section = desc->section;
	e->pub.name = strdup(given->name);
	e->pub.key = strdup(key);
	e->pub.value = strdup(value);
	(void) snprintf(e->pub.where, sizeof(e->pub.where), "%s", given->where);
	config->n++;
	if (e->pub.name == NULL || e->pub.key == NULL || e->pub.value == NULL)
		return err_set(err, ERR_CONFIG, "config-file", "%s: out of memory", given->where);
	return ERR_NONE;
}

/*
 * If key is that of a secret with "_file" behind it (from the environment, in
 * a free section, ".file"), returns the secret's description and puts its name
 * into base.
 */
static const struct config_key *
find_secret_file(const struct config_program *program, const struct config_given *given,
				 char *base, size_t size)
{
	size_t		len = strlen(given->key);
	const struct config_key *desc;

	if (len < 6 || len - 5 >= size ||
		(strcmp(given->key + len - 5, "_file") != 0 &&
		 !(given->source == CONFIG_FROM_ENVIRONMENT && strcmp(given->key + len - 5, ".file") == 0)))
		return NULL;
	memcpy(base, given->key, len - 5);
	base[len - 5] = '\0';
	desc = find_key(program, given->section, base);
	return desc != NULL && (desc->flags & CONFIG_SECRET) ? desc : NULL;
}

static enum err_class
add_value(struct config *config, const struct config_given *given,
		  const struct config_key *desc, const char *key, const char *value,
		  struct err *err)
{
	const char *wrong;
	int64_t		number;

	if (given->source == CONFIG_FROM_FILE &&
		check_duplicate(config, given, key, err) != ERR_NONE)
		return err->class;
	if (desc->type != CONFIG_STRING && value[0] == '\0')
		wrong = "has no value";
	else if ((desc->flags & CONFIG_REQUIRED) && value[0] == '\0')
		wrong = "must not be empty";
	else
		wrong = config_parse_value(desc, value, &number);
	if (wrong != NULL)
		return bad_value(desc, given, wrong, err);
	return keep(config, given, desc, key, value, err);
}

/* The value is a file's content, less one newline. */
static enum err_class
add_secret_file(struct config *config, const struct config_given *given,
				const struct config_key *desc, const char *key, struct err *err)
{
	size_t		len;
	char	   *content = config_slurp(given->value, given->where, MAX_SECRET, &len, err);
	enum err_class class;

	if (content == NULL)
		return err_hint(err, "%s.%s names a file whose content is the value", given->section, given->key);
	if (len > 0 && content[len - 1] == '\n')
		content[--len] = '\0';
	if (strlen(content) != len)
		class = err_set(err, ERR_CONFIG, "config-file", "%s: \"%s\" contains a NUL byte",
						given->where, given->value);
	else
		class = add_value(config, given, desc, key, content, err);
	free(content);
	return class;
}

static enum err_class
check_section(const struct config *config, const struct config_given *given, struct err *err)
{
	bool		named = given->name[0] != '\0';

	if (!config_has_section(config->program, given->section))
		return unknown_section(config, given, err);
	if (config_is_repeated(config->program, given->section) == named)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "config-unknown", "%s: section [%s] %s a name",
				   given->where, given->section, named ? "has no" : "needs");
	return err_hint(err, "write [%s%s]", given->section, named ? "" : " \"schema.name\"");
}

/*
 * Any key of the table is described there; in a free section, by "*".  What begins
 * like a comment or a section would not be read again as it is printed; it is an
 * indented comment.
 */
static const struct config_key *
describe_key(const struct config_program *program, const struct config_given *given)
{
	const struct config_key *desc = NULL;

	if (given->key[0] == '\0' || strcmp(given->key, "*") == 0 || strchr("#;[", given->key[0]) != NULL)
		return NULL;
	desc = find_key(program, given->section, given->key);
	if (desc == NULL && config_is_free(program, given->section))
		desc = find_key(program, given->section, "*");
	return desc;
}

enum err_class
config_add(struct config *config, const struct config_given *given, struct err *err)
{
	const struct config_key *desc;
	char		base[128];

	if (check_section(config, given, err) != ERR_NONE)
		return err->class;
	desc = find_secret_file(config->program, given, base, sizeof(base));
	if (desc != NULL)
		return add_secret_file(config, given, desc, base, err);
	desc = describe_key(config->program, given);
	if (desc == NULL)
		return unknown_key(config, given, err);
	return add_value(config, given, desc, given->key, given->value, err);
}

enum err_class
config_add_section(struct config *config, const struct config_given *given, struct err *err)
{
	const struct config_key *k = config->program->keys;

	if (check_section(config, given, err) != ERR_NONE)
		return err->class;
	if (given->name[0] == '\0')
		return ERR_NONE;
	while (strcmp(k->section, given->section) != 0)
		k++;
	return keep(config, given, k, "", "", err);
}

/* Splits [name "text"]: text may hold \" and \\ for a quotation mark and a backslash. */
bool
config_split_section(const struct config_program *program, char *heading,
					 const char **section, const char **name)
{
	size_t		len = program->repeated != NULL ? strlen(program->repeated) : 0;
	char	   *in;
	char	   *out;

	*section = heading;
	*name = "";
	if (len == 0 || strncmp(heading, program->repeated, len) != 0 ||
		(heading[len] != ' ' && heading[len] != '"'))
		return true;			/* a plain section, known or not */
	in = heading + len;
	while (*in == ' ')
		in++;
	heading[len] = '\0';
	if (*in != '"' || in == heading + len)
		return false;
	*name = out = ++in;
	while (*in != '\0' && *in != '"')
	{
		if (*in == '\\' && (in[1] == '"' || in[1] == '\\'))
			in++;
		*out++ = *in++;
	}
	if (*in != '"' || in[1] != '\0' || out == *name)
		return false;
	*out = '\0';
	return true;
}

/* ---- loading ---- */

static enum err_class
check_required(const struct config *config, struct err *err)
{
	const struct config_program *program = config->program;

	for (const struct config_key *k = program->keys; k->section != NULL; k++)
	{
		char		upper[64];

		if (!(k->flags & CONFIG_REQUIRED) || config_is_repeated(program, k->section) ||
			config_string(config, k->section, k->key) != NULL)
			continue;
		(void) snprintf(upper, sizeof(upper), "%s_%s_%s", program->env_prefix, k->section, k->key);
		for (char *p = upper; *p != '\0'; p++)
			*p = *p == '.' ? '_' : (char) toupper((unsigned char) *p);
		(void) err_set(err, ERR_CONFIG, "config-missing", "%s.%s is not set", k->section, k->key);
		return err_hint(err, "set %s under [%s] in the file (-c FILE, default %s), in the environment as %s, or with -o %s.%s=VALUE",
						k->key, k->section, program->default_file, upper, k->section, k->key);
	}
	return ERR_NONE;
}

enum err_class
config_load(const struct config_program *program, const char *file,
			char *const *overrides, int noverrides, char *const *env,
			struct config **out, struct err *err)
{
	struct config *config = calloc(1, sizeof(*config));
	enum err_class class = ERR_NONE;

	*out = NULL;
	if (config == NULL)
		return err_set(err, ERR_CONFIG, "config-file", "out of memory");
	config->program = program;

	if (file != NULL)
		class = config_read_file(config, file, err);
	else if (access(program->default_file, F_OK) == 0 || errno == EACCES)
		class = config_read_file(config, program->default_file, err);
	if (class == ERR_NONE)
		class = config_add_environment(config, env, err);
	for (int i = 0; i < noverrides && class == ERR_NONE; i++)
		class = config_add_option(config, overrides[i], err);
	if (class == ERR_NONE)
		class = check_required(config, err);

	if (class != ERR_NONE)
		config_free(config);
	else
		*out = config;
	return class;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n; i++)
	{
		struct config_value *v = &config->entries[i].pub;

		free((void *) v->name);
		free((void *) v->key);
		free((void *) v->value);
	}
	free(config->entries);
	free(config);
}

/* ---- looking up ---- */

static const struct config_value *
given_value(const struct config *config, const char *section, const char *key)
{
	for (size_t i = config->n; i > 0; i--)
	{
		const struct config_value *v = &config->entries[i - 1].pub;

		if (strcmp(v->section, section) == 0 && strcmp(v->key, key) == 0)
			return v;
	}
	return NULL;
}

static int64_t
number_of(const struct config *config, const char *section, const char *key)
{
	const struct config_key *desc = find_key(config->program, section, key);
	const char *text = config_string(config, section, key);
	int64_t		number = 0;

	if (text != NULL)
		(void) config_parse_value(desc, text, &number);
	return number;
}

const char *
config_string(const struct config *config, const char *section, const char *key)
{
	const struct config_key *desc = find_key(config->program, section, key);
	const struct config_value *v;

	if (desc == NULL)
		abort();
	v = given_value(config, section, key);
	return v != NULL ? v->value : desc->fallback;
}

int64_t
config_int(const struct config *config, const char *section, const char *key)
{
	return number_of(config, section, key);
}

bool
config_bool(const struct config *config, const char *section, const char *key)
{
	return number_of(config, section, key) != 0;
}

size_t
config_count(const struct config *config)
{
	return config->n;
}

const struct config_value *
config_at(const struct config *config, size_t i)
{
	return i < config->n ? &config->entries[i].pub : NULL;
}

const char *
config_where(const struct config *config, const char *section, const char *key)
{
	const struct config_value *v = given_value(config, section, key);

	return v != NULL ? v->where : "default";
}
