/*
 * progress.c - how far a slot's events have been delivered, as kept in Kafka.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

void
progress_topic(char *out, size_t size, const char *system, const char *slot)
{
	snprintf(out, size, "outbox.progress.%s.%s", system, slot);
}

void
progress_transactional_id(char *out, size_t size, const char *system, const char *slot)
{
	snprintf(out, size, "outbox-streamer.%s.%s", system, slot);
}

size_t
progress_write(const struct progress *p, char out[PROGRESS_TEXT_MAX])
{
	char		lsn[24];
	char		split_lsn[24];
	json_t	   *object;
	size_t		len;

	snprintf(lsn, sizeof(lsn), "%X/%X", LSN_ARGS(p->lsn));
	object = json_pack("{s:i, s:s, s:s%, s:s, s:I, s:I, s:s}",
					   "format", PROGRESS_FORMAT,
					   "system", p->system,
					   "database", p->database, strlen(p->database),
					   "slot", p->slot,
					   "generation", (json_int_t) p->generation,
					   "timeline", (json_int_t) p->timeline,
					   "lsn", lsn);
	if (p->split.lsn != LSN_INVALID)
	{
		snprintf(split_lsn, sizeof(split_lsn), "%X/%X", LSN_ARGS(p->split.lsn));
		json_object_set_new(object, "split",
							json_pack("{s:s, s:I, s:I, s:I}", "lsn", split_lsn,
									  "events", (json_int_t) p->split.total,
									  "size", (json_int_t) p->split.size,
									  "sent", (json_int_t) p->split.sent));
	}
	len = json_dumpb(object, out, PROGRESS_TEXT_MAX, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(object);
	return len <= PROGRESS_TEXT_MAX ? len : 0;
}

static bool
copy(char *to, size_t size, const char *from)
{
	return (size_t) snprintf(to, size, "%s", from) < size;
}

/* The member "split"; it may be missing. */
static bool
read_split(const json_t *object, struct split *split)
{
	json_t	   *member = json_object_get(object, "split");
	const char *lsn;
	json_int_t	total,
				size,
				sent;

	*split = (struct split) {0};
	if (!member)
		return true;
	if (json_unpack(member, "{s:s, s:I, s:I, s:I}", "lsn", &lsn,
					"events", &total, "size", &size, "sent", &sent) != 0 ||
		!lsn_parse(lsn, strlen(lsn), &split->lsn) ||
		total < 0 || total > UINT32_MAX || size < 0 || size > UINT32_MAX || sent < 0 || sent > UINT32_MAX)
		return false;
	split->total = (uint32_t) total;
	split->size = (uint32_t) size;
	split->sent = (uint32_t) sent;
	return split_is_sane(split);
}

/* The member "format"; it may be missing. */
static bool
read_format(const json_t *object, int64_t *format)
{
	json_t	   *member = json_object_get(object, "format");

	*format = member ? json_integer_value(member) : 1;
	return *format >= 1;		/* what is no integer is 0 */
}

/* The members of our own format. */
static bool
read_members(json_t *object, struct progress *p)
{
	const char *system,
			   *database,
			   *slot,
			   *lsn;
	json_int_t	generation,
				timeline;
	bool		ok;

	ok = json_unpack(object, "{s:s, s:s, s:s, s:I, s:I, s:s}",
							   "system", &system, "database", &database, "slot", &slot,
							   "generation", &generation, "timeline", &timeline,
							   "lsn", &lsn) == 0 &&
		copy(p->system, sizeof(p->system), system) &&
		copy(p->database, sizeof(p->database), database) &&
		copy(p->slot, sizeof(p->slot), slot) &&
		timeline > 0 && timeline <= UINT32_MAX &&
		lsn_parse(lsn, strlen(lsn), &p->lsn) &&
		read_split(object, &p->split) &&
		(p->split.lsn == LSN_INVALID || p->split.lsn > p->lsn);
	if (ok)
	{
		p->generation = generation;
		p->timeline = (uint32_t) timeline;
	}
	return ok;
}

bool
progress_read(struct slice text, struct progress *p)
{
	json_error_t error;
	json_t	   *object = text.data ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error) : NULL;
	bool		ok = object && read_format(object, &p->format) &&
		(p->format > PROGRESS_FORMAT || read_members(object, p));

	json_decref(object);
	return ok;
}

static enum err_class
refuse(const struct progress *found, struct err *err, const char *code, const char *what,
	   const char *hint)
{
	err_set(err, ERR_FATAL, code,
			"the progress that Kafka has for slot \"%s\" (%X/%X on timeline %" PRIu32 ") %s",
			found->slot, LSN_ARGS(found->lsn), found->timeline, what);
	return err_hint(err, "%s", hint);
}

/* Where the timeline ended; LSN_INVALID if it is no ancestor. */
static lsn_t
switch_point(const struct timeline *timeline, uint32_t id)
{
	for (size_t i = 0; i < timeline->npast; i++)
		if (timeline->past[i].id == id)
			return timeline->past[i].end;
	return LSN_INVALID;
}

enum err_class
progress_judge(const struct progress *current, const struct replication_identity *identity,
			   const struct progress *found, struct progress_start *start, struct err *err)
{
	lsn_t		lsn;
	struct split split;

	*start = (struct progress_start) {.lsn = identity->confirmed};
	if (found && found->format > PROGRESS_FORMAT)
	{
		err_set(err, ERR_FATAL, "progress-format",
				"the progress that Kafka has for slot \"%s\" is of format %" PRId64 ", of which this version knows %d",
				current->slot, found->format, PROGRESS_FORMAT);
		return err_hint(err, "a newer outbox-streamer wrote it: start that one");
	}
	if (!found || found->generation < current->generation)
		return ERR_NONE;
	if (strcmp(found->system, current->system) != 0 || strcmp(found->slot, current->slot) != 0 ||
		strcmp(found->database, current->database) != 0)
		return refuse(found, err, "progress-foreign", "is of another database or system",
					  "was its topic copied? delete the topic if the slot has never been streamed exactly-once");
	if (found->generation > current->generation)
		return refuse(found, err, "progress-generation", "is of a later generation of the slot",
					  "set outbox.generation to what the other instances have");
	lsn = found->lsn;
	split = found->split;
	if (found->timeline != identity->timeline.current)
	{
		lsn_t		end = switch_point(&identity->timeline, found->timeline);

		if (end == LSN_INVALID)
			return refuse(found, err, "progress-timeline", "is of a timeline that is no ancestor of the server's",
						  "this server is not the successor of the one that was streamed from");
		if (lsn > end)
			lsn = end;
		if (split.lsn > end)
			split = (struct split) {0};
	}
	if (lsn > identity->wal_flush || split.lsn > identity->wal_flush)
		return refuse(found, err, "progress-ahead", "is ahead of the server",
					  "the server was restored from an older copy: create the slot anew and raise outbox.generation, knowing that events between were published");
	if (lsn < identity->confirmed)
		return refuse(found, err, "progress-behind", "is behind the slot",
					  "somebody else has moved or re-created the slot, and events may be missing: replay them, then raise outbox.generation to go on from the slot's position");
	*start = (struct progress_start) {.lsn = lsn, .split = split};
	return ERR_NONE;
}
