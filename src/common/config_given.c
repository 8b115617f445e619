/*
 * config_given.c - configuration from the environment and from -o.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "config_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * Kubernetes sets variables for every Service of the namespace: one that is
 * called outbox-kafka gives OUTBOX_KAFKA_SERVICE_HOST, OUTBOX_KAFKA_PORT and so
 * on.  They're not meant for us.
 */
static bool
is_service_link(const char *key, const char *value)
{
	return strcmp(key, "service_host") == 0 || starts_with(key, "service_port") ||
		(starts_with(key, "port_") && isdigit((unsigned char) key[5])) ||
		starts_with(value, "tcp://") || starts_with(value, "udp://") ||
		starts_with(value, "sctp://");
}

/* One variable; those of other sections than ours are somebody else's. */
static enum err_class
add_variable(struct config *config, const char *variable, struct err *err)
{
	const struct config_program *program = config->program;
	struct config_given given = {.source = CONFIG_FROM_ENVIRONMENT, .name = ""};
	const char *equals = strchr(variable, '=');
	size_t		prefix = strlen(program->env_prefix) + 1;
	char		name[128];
	char		where[160];
	char	   *key;

	if (equals == NULL || (size_t) (equals - variable) >= sizeof(name))
		return ERR_NONE;
	(void) snprintf(where, sizeof(where), "environment %.*s", (int) (equals - variable), variable);
	(void) snprintf(name, sizeof(name), "%.*s", (int) (equals - variable - (ptrdiff_t) prefix), variable + prefix);
	for (char *p = name; *p != '\0'; p++)
		*p = (char) tolower((unsigned char) *p);
	key = strchr(name, '_');
	if (key == NULL)
		return ERR_NONE;
	*key++ = '\0';
	if (!config_has_section(program, name) || config_is_repeated(program, name) || is_service_link(key, equals + 1))
		return ERR_NONE;
	if (config_is_free(program, name))
	{
		for (char *p = key; *p != '\0'; p++)
			*p = *p == '_' ? '.' : *p;
	}
	given.where = where;
	given.section = name;
	given.key = key;
	given.value = equals + 1;
	return config_add(config, &given, err);
}

enum err_class
config_add_environment(struct config *config, char *const *env, struct err *err)
{
	const char *prefix = config->program->env_prefix;
	size_t		len = strlen(prefix);

	for (; env != NULL && *env != NULL; env++)
	{
		if (strncmp(*env, prefix, len) == 0 && (*env)[len] == '_' &&
			add_variable(config, *env, err) != ERR_NONE)
			return err->class;
	}
	return ERR_NONE;
}

/* Where the quoted name that starts at quote ends: at its closing quote. */
static char *
closing_quote(char *quote)
{
	char	   *p = quote + 1;

	while (*p != '\0' && *p != '"')
		p += *p == '\\' && p[1] != '\0' ? 2 : 1;
	return *p == '"' ? p : NULL;
}

/*
 * Splits section.key=value, or table "schema.name".key=value, in place.  False
 * if it is malformed.
 */
static bool
split_option(char *text, char **key, char **value)
{
	char	   *quote = strchr(text, '"');
	char	   *equals = strchr(text, '=');
	char	   *dot = strchr(text, '.');

	if (quote != NULL && (equals == NULL || quote < equals))
	{
		char	   *end = closing_quote(quote);

		if (end == NULL || end[1] != '.')
			return false;
		dot = end + 1;
		equals = strchr(dot, '=');
	}
	if (equals == NULL || dot == NULL || dot > equals)
		return false;
	*dot = *equals = '\0';
	*key = dot + 1;
	*value = equals + 1;
	return true;
}

enum err_class
config_add_option(struct config *config, const char *text, struct err *err)
{
	struct config_given given = {.source = CONFIG_FROM_OPTION, .where = "-o"};
	char	   *copy = strdup(text);
	char	   *key;
	char	   *value;
	enum err_class class;

	if (copy == NULL)
		return err_set(err, ERR_CONFIG, "config-file", "-o: out of memory");
	if (!split_option(copy, &key, &value) ||
		!config_split_section(config->program, copy, &given.section, &given.name))
	{
		/* no more of it than the name: what follows may be a secret */
		(void) err_set(err, ERR_CONFIG, "config-syntax", "-o %.*s: not of the form section.key=value",
					   (int) strcspn(text, "= "), text);
		class = err_hint(err, "for instance -o sink.type=stdout, or -o 'table \"schema.name\".payload=body'");
	}
	else
	{
		given.key = key;
		given.value = value;
		class = config_add(config, &given, err);
	}
	free(copy);
	return class;
}
