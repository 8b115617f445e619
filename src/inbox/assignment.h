/*
 * assignment.h - the partitions that this instance has, and how far each is.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_ASSIGNMENT_H
#define INBOX_ASSIGNMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFFSET_NONE		(-1)

struct partition
{
	char	   *topic;
	int32_t		partition;
	int64_t		epoch;			/* of taking it in the database; 0 = not taken */
	int64_t		next;			/* first offset that is not applied; OFFSET_NONE =
								 * the beginning */
	int64_t		fetched;		/* first offset that is not in a batch */
	int64_t		committed;		/* told to Kafka */
	int64_t		batch;			/* next after the batch under way; OFFSET_NONE =
								 * none of it is of this partition */
};

struct assignment
{
	struct partition *list;
	size_t		count;
	size_t		last;			/* found last: mostly it is found next */
};

/* Adds one; false if memory is out. */
extern bool assignment_add(struct assignment *assignment, const char *topic, int32_t partition);

/* NULL if it isn't ours. */
extern struct partition *assignment_find(struct assignment *assignment,
										 const char *topic, int32_t partition);

/* What was taken or fetched counts no longer. */
extern void assignment_forget(struct assignment *assignment);
extern void assignment_clear(struct assignment *assignment);

#endif							/* INBOX_ASSIGNMENT_H */
