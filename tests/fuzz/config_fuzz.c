/*
 * config_fuzz.c - any octets as a configuration file.
 *
 * What is taken is printed by config_show(), and must then be taken again and
 * print the same.  What is refused must be refused with a line of the file.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/config_parts.h"

/* no secrets here: their key_file would have files of any name read */
static const struct config_key keys[] = {
	{"main", "name", CONFIG_STRING, NULL, NULL, 0, 0, 0, ""},
	{"main", "count", CONFIG_INT, NULL, NULL, -10, 1000, 0, ""},
	{"main", "size", CONFIG_SIZE, NULL, NULL, 0, 0, 0, ""},
	{"main", "wait", CONFIG_DURATION, NULL, NULL, 0, 0, 0, ""},
	{"main", "flag", CONFIG_BOOL, NULL, NULL, 0, 0, 0, ""},
	{"main", "mode", CONFIG_ENUM, NULL, "a|bb|ccc", 0, 0, 0, ""},
	{"table", "id", CONFIG_STRING, NULL, NULL, 0, 0, 0, ""},
	{"table", "payload", CONFIG_STRING, NULL, NULL, 0, 0, 0, ""},
	{"kafka", "*", CONFIG_STRING, NULL, NULL, 0, 0, 0, ""},
	{0}
};

static const struct config_program program = {"fuzz", "FUZZ", "/nonexistent", keys, "table"};

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL if it is refused. */
static struct config *
read_octets(const char *data, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	struct err	err = {0};

	config->program = &program;
	if (config_read_memory(config, "file", data, size, &err) == ERR_NONE)
		return config;
	if (err.class != ERR_CONFIG || strncmp(err.message, "file:", 5) != 0 || strchr(err.message, '\n') != NULL)
		abort();
	config_free(config);
	return NULL;
}

static char *
show(const struct config *config, size_t *size)
{
	char	   *text = NULL;
	FILE	   *out = open_memstream(&text, size);

	config_show(config, out);
	(void) fclose(out);
	return text;
}

/* Without the comments, which name lines. */
static void
drop_comments(char *text)
{
	char	   *out = text;

	while (*text != '\0')
	{
		size_t		len = strcspn(text, "\n");

		len += text[len] == '\n';
		if (*text != '#')
		{
			memmove(out, text, len);
			out += len;
		}
		text += len;
	}
	*out = '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = malloc(size + 1);
	struct config *config;

	memcpy(copy, data, size);
	copy[size] = '\0';
	config = read_octets(copy, size);
	free(copy);
	if (config != NULL)
	{
		size_t		len;
		char	   *first = show(config, &len);
		struct config *again = read_octets(first, len);
		char	   *second;

		if (again == NULL)
			abort();
		second = show(again, &len);
		drop_comments(first);
		drop_comments(second);
		if (strcmp(first, second) != 0)
			abort();
		free(first);
		free(second);
		config_free(again);
		config_free(config);
	}
	return 0;
}
