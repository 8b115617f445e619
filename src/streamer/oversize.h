/*
 * oversize.h - which sizes a topic has refused, so that no more are tried.
 *
 * What the broker refuses costs everybody a new beginning at the flush LSN; a
 * size that it has just refused need not be tried again.  Only what a message
 * that was alone in its batch has taught counts, without compression, and for
 * a while: then the next one is tried.  Pure.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_OVERSIZE_H
#define OUTBOX_OVERSIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "route.h"

#define OVERSIZE_TOPICS		32
#define OVERSIZE_MS			10000	/* so long it holds */

struct oversize
{
	int			ntopics;
	struct
	{
		char		topic[TOPIC_MAX_LEN + 1];
		size_t		octets;		/* as many, or more, are refused */
		int64_t		until;
	}			topics[OVERSIZE_TOPICS];
};

/* Octets of the message as a record (Kafka's format v2) that is alone in its batch. */
extern size_t oversize_octets(const struct message *message);

/* The topic takes no batch larger than that: what is larger as a record alone won't do. */
extern void oversize_limit(struct oversize *oversize, const char *topic, int64_t octets, int64_t now);

/* The broker has refused it for its size, by itself. */
extern void oversize_note(struct oversize *oversize, const struct message *message, int64_t now);

/* It is as large as one that was refused not long ago. */
extern bool oversize_refuses(struct oversize *oversize, const struct message *message, int64_t now);

#endif							/* OUTBOX_OVERSIZE_H */
