/*
 * config_value.c - the text of one value, read by its type.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "config_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit
{
	const char *name;
	int64_t		factor;
};

static const struct unit size_units[] = {
	{"", 1}, {"B", 1}, {"kB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024},
	{NULL, 0}
};

static const struct unit duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"min", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000},
	{NULL, 0}
};

/* Digits at the start of text; NULL if there are none or too many. */
static const char *
read_digits(const char *text, int64_t *number)
{
	int64_t		value = 0;

	if (!isdigit((unsigned char) *text))
		return NULL;
	for (; isdigit((unsigned char) *text); text++)
	{
		if (value > (INT64_MAX - 9) / 10)
			return NULL;
		value = value * 10 + (*text - '0');
	}
	*number = value;
	return text;
}

static const char *
parse_int(const char *text, int64_t *number)
{
	bool		negative = *text == '-';
	const char *end = read_digits(text + (negative ? 1 : 0), number);

	if (end == NULL || *end != '\0')
		return "is not a whole number";
	if (negative)
		*number = -*number;
	return NULL;
}

static const char *
parse_with_unit(const char *text, const struct unit *units, const char *complaint,
				int64_t *number)
{
	const char *end = read_digits(text, number);

	if (end == NULL)
		return complaint;
	while (*end == ' ')
		end++;
	if (*number == 0 && *end == '\0')
		return NULL;
	for (; units->name != NULL; units++)
	{
		if (strcasecmp(units->name, end) != 0)
			continue;
		if (*number > INT64_MAX / units->factor)
			return "is too large";
		*number *= units->factor;
		return NULL;
	}
	return complaint;
}

static const char *
parse_bool(const char *text, int64_t *number)
{
	static const char *const words[][2] = {
		{"off", "on"}, {"false", "true"}, {"no", "yes"}, {"0", "1"}
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		for (int b = 0; b < 2; b++)
		{
			if (strcasecmp(text, words[i][b]) == 0)
			{
				*number = b;
				return NULL;
			}
		}
	}
	return "is neither on nor off";
}

static const char *
parse_enum(const char *choices, const char *text, int64_t *number)
{
	size_t		len = strlen(text);
	int64_t		i = 0;

	for (const char *p = choices;; i++)
	{
		size_t		n = strcspn(p, "|");

		if (n == len && strncasecmp(p, text, n) == 0)
		{
			*number = i;
			return NULL;
		}
		if (p[n] == '\0')
			return "is not one of the choices";
		p += n + 1;
	}
}

const char *
config_parse_value(const struct config_key *desc, const char *text, int64_t *number)
{
	const char *wrong = NULL;

	*number = 0;
	switch (desc->type)
	{
		case CONFIG_STRING:
			return NULL;
		case CONFIG_BOOL:
			return parse_bool(text, number);
		case CONFIG_ENUM:
			return parse_enum(desc->choices, text, number);
		case CONFIG_INT:
			wrong = parse_int(text, number);
			break;
		case CONFIG_SIZE:
			wrong = parse_with_unit(text, size_units, "is not a size", number);
			break;
		case CONFIG_DURATION:
			wrong = parse_with_unit(text, duration_units, "is not a duration", number);
			break;
	}
	if (wrong != NULL)
		return wrong;
	if (*number < desc->min)
		return "is too small";
	if (desc->max != 0 && *number > desc->max)
		return "is too large";
	return NULL;
}

void
config_format_number(enum config_type type, int64_t number, char *buf, size_t size)
{
	const struct unit *units = type == CONFIG_SIZE ? size_units :
		type == CONFIG_DURATION ? duration_units : NULL;
	const struct unit *best = NULL;

	for (const struct unit *u = units; u != NULL && u->name != NULL; u++)
	{
		if (u->factor > 1 && number != 0 && number % u->factor == 0)
			best = u;
	}
	if (best == NULL && type == CONFIG_DURATION && number != 0)
		best = &duration_units[0];
	if (best == NULL)
		(void) snprintf(buf, size, "%lld", (long long) number);
	else
		(void) snprintf(buf, size, "%lld%s", (long long) (number / best->factor), best->name);
}

void
config_choice(const char *choices, int64_t number, char *buf, size_t size)
{
	const char *p = choices;

	for (; number > 0 && strchr(p, '|') != NULL; number--)
		p = strchr(p, '|') + 1;
	(void) snprintf(buf, size, "%.*s", (int) strcspn(p, "|"), p);
}

/* Levenshtein's distance, of words up to 63 octets. */
static size_t
distance(const char *a, const char *b)
{
	size_t		row[64];
	size_t		n = strlen(b);

	if (n > 63 || strlen(a) > 63)
		return 64;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++)
	{
		size_t		diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++)
		{
			size_t		above = row[j];
			size_t		best = diagonal + (tolower((unsigned char) a[i - 1]) == b[j - 1] ? 0 : 1);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[n];
}

void
config_nearest_try(struct config_nearest *nearest, const char *candidate)
{
	size_t		d = distance(nearest->word, candidate);
	size_t		len = strlen(nearest->word);

	if (d <= (len > 6 ? 3 : len > 3 ? 2 : 1) &&
		(nearest->best == NULL || d < nearest->distance))
	{
		nearest->best = candidate;
		nearest->distance = d;
	}
}
