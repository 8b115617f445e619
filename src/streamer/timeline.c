/*
 * timeline.c - which timeline owns a WAL position.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "timeline.h"

#include <stdlib.h>

/* A number of at most ten digits at the start of text; 0 = there is none. */
static uint32_t
leading_number(struct slice text)
{
	uint64_t	value = 0;

	for (size_t i = 0; i < text.len && i < 10; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			break;
		value = value * 10 + (uint64_t) (text.data[i] - '0');
	}
	return value > UINT32_MAX ? 0 : (uint32_t) value;
}

static bool
read_line(struct timeline *timeline, struct slice line)
{
	const char *tab = memchr(line.data, '\t', line.len);
	const char *end = line.data + line.len;
	const char *second;
	uint32_t	id = leading_number(line);
	lsn_t		lsn;

	if (!tab || id == 0)
		return false;
	second = memchr(tab + 1, '\t', (size_t) (end - tab - 1));
	if (!second || !lsn_parse(tab + 1, (size_t) (second - tab - 1), &lsn))
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
