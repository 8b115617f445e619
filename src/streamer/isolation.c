/*
 * isolation.c - finding the one record that a broker refuses.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "isolation.h"

#include <string.h>

static bool
is_suspect(const struct isolation *isolation, const char *topic, lsn_t lsn)
{
	for (int i = 0; i < isolation->nsuspects; i++)
		if (lsn <= isolation->suspects[i].until &&
			(isolation->suspects[i].topic[0] == '\0' ||
			 strcmp(isolation->suspects[i].topic, topic) == 0))
			return true;
	return false;
}

void
isolation_suspect(struct isolation *isolation, const char *topic, lsn_t until)
{
	int			i = 0;

	isolation->alone = false;
	while (i < isolation->nsuspects && strcmp(isolation->suspects[i].topic, topic) != 0)
		i++;
	if (i == ISOLATION_TOPICS)
	{
		/* too many to tell apart: all topics */
		for (i = 0; i < ISOLATION_TOPICS; i++)
			if (isolation->suspects[i].until > until)
				until = isolation->suspects[i].until;
		isolation->nsuspects = i = 0;
		topic = "";
	}
	if (i == isolation->nsuspects)
	{
		isolation->nsuspects++;
		isolation->suspects[i].until = LSN_INVALID;
		memcpy(isolation->suspects[i].topic, topic, strlen(topic) + 1);
	}
	if (until > isolation->suspects[i].until)
		isolation->suspects[i].until = until;
}

/* Suspects that the stream has left behind are forgotten. */
static void
prune(struct isolation *isolation, lsn_t lsn)
{
	int			kept = 0;

	for (int i = 0; i < isolation->nsuspects; i++)
		if (isolation->suspects[i].until >= lsn)
			isolation->suspects[kept++] = isolation->suspects[i];
	isolation->nsuspects = kept;
}

bool
isolation_allows(struct isolation *isolation, const char *topic, lsn_t lsn, uint64_t inflight)
{
	if (isolation->nsuspects == 0 && !isolation->alone)
		return true;
	if (inflight > 0)
		return !isolation->alone && !is_suspect(isolation, topic, lsn);
	isolation->alone = false;
	prune(isolation, lsn);
	return true;
}

void
isolation_sent(struct isolation *isolation, const char *topic, lsn_t lsn)
{
	if (isolation->nsuspects > 0)
		isolation->alone = is_suspect(isolation, topic, lsn);
}

bool
isolation_proves(const struct isolation *isolation, bool alone)
{
	return alone || isolation->alone;
}
