/*
 * assignment.c - the partitions that this instance has, and how far each is.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "assignment.h"

#include <stdlib.h>
#include <string.h>

bool
assignment_add(struct assignment *a, const char *topic, int32_t partition)
{
	struct partition *list = realloc(a->list, (a->count + 1) * sizeof(*list));
	char	   *copy = strdup(topic);

	if (list)
		a->list = list;
	if (!list || !copy)
	{
		free(copy);
		return false;
	}
	a->list[a->count++] = (struct partition) {
		.topic = copy, .partition = partition, .next = OFFSET_NONE, .fetched = OFFSET_NONE,
		.committed = OFFSET_NONE, .batch = OFFSET_NONE
	};
	return true;
}

struct partition *
assignment_find(struct assignment *a, const char *topic, int32_t partition)
{
	for (size_t n = 0; n < a->count; n++)
	{
		size_t		i = (a->last + n) % a->count;

		if (a->list[i].partition != partition || strcmp(a->list[i].topic, topic) != 0)
			continue;
		a->last = i;
		return &a->list[i];
	}
	return NULL;
}

void
assignment_forget(struct assignment *a)
{
	for (size_t i = 0; i < a->count; i++)
	{
		a->list[i].epoch = 0;
		a->list[i].fetched = a->list[i].batch = OFFSET_NONE;
	}
}

void
assignment_clear(struct assignment *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->list[i].topic);
	free(a->list);
	*a = (struct assignment) {0};
}
