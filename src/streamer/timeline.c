/*
 * timeline.c - which timeline owns a WAL position.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "timeline.h"

/* A decimal and nothing else; 0 = it isn't one that can be a timeline. */
static uint32_t
read_id(const char *text, size_t len)
{
	uint64_t	value = 0;

	if (len > 10)
		return 0;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return 0;
		value = value * 10 + (uint64_t) (text[i] - '0');
	}
	return value > UINT32_MAX ? 0 : (uint32_t) value;
}

/* Timelines and their ends only rise, up to the current one. */
static bool
in_order(const struct timeline *timeline, uint32_t id, lsn_t end)
{
	size_t		last = timeline->npast - 1;

	return id < timeline->current &&
		(timeline->npast == 0 ||
		 (id > timeline->past[last].id && end >= timeline->past[last].end));
}

static bool
read_line(struct timeline *timeline, struct slice line)
{
	const char *tab = memchr(line.data, '\t', line.len);
	const char *end = line.data + line.len;
	const char *second;
	uint32_t	id = tab ? read_id(line.data, (size_t) (tab - line.data)) : 0;
	lsn_t		lsn;

	if (id == 0)
		return false;
	second = memchr(tab + 1, '\t', (size_t) (end - tab - 1));
	if (!second || !lsn_parse(tab + 1, (size_t) (second - tab - 1), &lsn) ||
		!in_order(timeline, id, lsn))
		return false;
	if (timeline->npast == TIMELINE_MAX)
		memmove(&timeline->past[0], &timeline->past[1],
				--timeline->npast * sizeof(timeline->past[0]));
	timeline->past[timeline->npast].id = id;
	timeline->past[timeline->npast++].end = lsn;
	return true;
}

enum err_class
timeline_read(struct timeline *timeline, uint32_t current, struct slice history,
			  struct err *err)
{
	*timeline = (struct timeline) {.current = current};
	while (history.len > 0)
	{
		const char *newline = memchr(history.data, '\n', history.len);
		size_t		len = newline ? (size_t) (newline - history.data) : history.len;
		struct slice line = {history.data, len};

		/* comments and blank lines may stand in a history file */
		if (len > 0 && line.data[0] != '#' && !read_line(timeline, line))
			return err_set(err, ERR_FATAL, "timeline-history",
						   "the history of timeline %u can't be read at \"%.*s\"",
						   current, (int) (len < 60 ? len : 60), line.data);
		history.data += len + (newline ? 1 : 0);
		history.len -= len + (newline ? 1 : 0);
	}
	return ERR_NONE;
}

uint32_t
timeline_of(const struct timeline *timeline, lsn_t end)
{
	/* a commit that ends at the switch point was the last of the old one */
	for (size_t i = 0; i < timeline->npast; i++)
		if (end <= timeline->past[i].end)
			return timeline->past[i].id;
	return timeline->current;
}
