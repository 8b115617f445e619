/*
 * progress.h - how far a slot's events have been delivered, as kept in Kafka.
 *
 * Exactly once needs the position and the events to become visible together:
 * a record of this is written inside the same Kafka transaction as the events.
 * Pure: what the record looks like, and what follows from one that was read.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_PROGRESS_H
#define OUTBOX_PROGRESS_H

#include "../common/err.h"
#include "../common/lsn.h"
#include "../common/slice.h"
#include "identity.h"
#include "split.h"

/*
 * A record that earlier versions would misread gets a higher one; they refuse it.
 * What has none was written before there were any, and is read as 1.
 */
#define PROGRESS_FORMAT		1

#define PROGRESS_TEXT_MAX	1024	/* names of control characters only fit, too */

struct progress
{
	int64_t		format;			/* of the record; if it is later than ours, nothing else is known */
	char		system[32];		/* system identifier */
	char		database[64];
	char		slot[64];
	int64_t		generation;		/* of the slot: outbox.generation */
	uint32_t	timeline;		/* that lsn lies on */
	lsn_t		lsn;			/* commit end LSN of the last one delivered */
	struct split split;			/* of the one behind it, if parts of it are delivered */
};

/* What a stream goes on from. */
struct progress_start
{
	lsn_t		lsn;			/* what ends up to here is delivered */
	struct split split;
};

/*
 * Names in Kafka, made of the slot's identity, not of host or process, so that
 * a second instance finds and fences the first.  Each slot has a topic of one
 * partition to itself: an open transaction of another slot would hold back
 * what can be read.
 */
extern void progress_topic(char *out, size_t size, const char *system, const char *slot);
extern void progress_transactional_id(char *out, size_t size, const char *system, const char *slot);

/* The record's value: a JSON object.  Returns its length; 0 if a name isn't UTF-8. */
extern size_t progress_write(const struct progress *progress, char out[PROGRESS_TEXT_MAX]);

/* False: it is no such record, of whatever format. */
extern bool progress_read(struct slice text, struct progress *progress);

/*
 * What to go on from.  found is what was read (NULL: there is none), current
 * names the slot as it is now (timeline and lsn are not looked at).
 *
 *   none, or of an earlier generation    the slot's own position: first start
 *   at or above the slot's position      the progress: what lies between is skipped
 *   on an older timeline                 the progress, but not past the switch point:
 *                                        what came after it on the old one is gone
 *   (parts of the transaction behind it count, if it is on this timeline)
 *   of a later format                    ERR_FATAL: a newer version wrote it
 *   below the slot's position            ERR_FATAL: somebody else moved the slot
 *   above what the server has written    ERR_FATAL: the server is an older copy
 *   of another database or system, a later generation, or of
 *   a timeline that is no ancestor       ERR_FATAL
 */
extern enum err_class progress_judge(const struct progress *current,
									 const struct replication_identity *identity,
									 const struct progress *found,
									 struct progress_start *start, struct err *err);

#endif							/* OUTBOX_PROGRESS_H */
