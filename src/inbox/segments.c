/*
 * segments.c - which of a batch's messages runs next, and which is to blame.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "segments.h"

static enum segments_next
go_on(struct segments *s, size_t start)
{
	s->start = start;
	if (start == s->n)
		return SEGMENTS_DONE;
	if (start == s->suspect)
	{
		s->limit = start + 1;
		return s->attempts >= s->max_attempts ? SEGMENTS_GIVE_UP : SEGMENTS_RUN;
	}
	s->limit = s->n - start > s->stride ? start + s->stride : s->n;
	return SEGMENTS_RUN;
}

enum segments_next
segments_begin(struct segments *s, size_t n, unsigned max_attempts)
{
	*s = (struct segments) {.n = n, .stride = n, .max_attempts = max_attempts, .suspect = n};
	return go_on(s, 0);
}

enum segments_next
segments_succeeded(struct segments *s)
{
	if (s->stride < s->n && s->limit - s->start == s->stride)
		s->stride *= 2;
	return go_on(s, s->limit);
}

enum segments_next
segments_failed(struct segments *s, size_t at)
{
	if (at != s->suspect)
	{
		s->suspect = at;
		s->attempts = 0;
	}
	s->attempts++;
	s->stride = SEGMENTS_CAREFUL;
	if (at == s->start)
		return go_on(s, at);
	s->limit = at;
	return SEGMENTS_RUN;
}

enum segments_next
segments_given_up(struct segments *s, size_t n)
{
	s->n = n;
	s->suspect = n;
	s->attempts = 0;
	return go_on(s, s->start + 1);
}
