/*
 * segments.h - which of a batch's messages runs next, and which is to blame.
 *
 * A batch's SQL runs in one transaction, as much of it as possible under one
 * savepoint.  When it fails, the server says at which message; everything back
 * to the savepoint is undone.  So what stood before that message runs again,
 * as a segment of its own, and then the message alone, until it has been tried
 * often enough.  What comes after it goes on.  Each failure costs the segment
 * before it a second time.
 *
 * What is sent behind a failure is sent for nothing, and where one message fails
 * others may.  So after a failure only SEGMENTS_CAREFUL messages go at once, and
 * with each success twice as many.
 *
 * Pure: numbers in, numbers out.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_SEGMENTS_H
#define INBOX_SEGMENTS_H

#include <stddef.h>

#define SEGMENTS_CAREFUL	64

enum segments_next
{
	SEGMENTS_RUN,				/* start to limit - 1, under one savepoint */
	SEGMENTS_GIVE_UP,			/* the message at start has failed for good */
	SEGMENTS_DONE
};

struct segments
{
	size_t		n;				/* messages */
	size_t		start;
	size_t		limit;
	size_t		stride;			/* as many at once, at most */
	unsigned	max_attempts;	/* from 1 */
	size_t		suspect;		/* who failed last; n = nobody */
	unsigned	attempts;		/* of the suspect */
};

extern enum segments_next segments_begin(struct segments *segments, size_t n, unsigned max_attempts);

/* What was to be run has succeeded. */
extern enum segments_next segments_succeeded(struct segments *segments);

/* It failed at this message, start <= at < limit. */
extern enum segments_next segments_failed(struct segments *segments, size_t at);

/* After SEGMENTS_GIVE_UP: the message is dealt with, and now n messages are in
 * all, as some behind it may have gone with it. */
extern enum segments_next segments_given_up(struct segments *segments, size_t n);

#endif							/* INBOX_SEGMENTS_H */
