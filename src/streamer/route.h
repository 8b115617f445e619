/*
 * route.h - events to messages: topic, key, partition, headers, time.
 *
 * Pure: it knows neither broker nor database.  The conventions are those of
 * Debezium's Outbox Event Router, so that its consumers need no change; the
 * README's section on messages lists all.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_ROUTE_H
#define OUTBOX_ROUTE_H

#include "../common/err.h"
#include "../common/slice.h"
#include "../kafka/topic_name.h"
#include "decode.h"
#include "headers.h"
#include "timeline.h"

/* id, type, position, traceparent and one more (part; or that it is redriven) come
 * on top of the row's own, and six to a dead letter's copy */
#define COPY_HEADERS		6
#define MESSAGE_HEADERS_MAX	(HEADERS_MAX + 5 + COPY_HEADERS)

/* timeline, LSN and index in hexadecimal, of fixed width: sorts as text */
#define POSITION_LEN		(8 + 1 + 16 + 1 + 8)

#define HEADER_ID			"id"
#define HEADER_TYPE			"eventType"
#define HEADER_POSITION		"outbox.position"
#define HEADER_TRACEPARENT	"traceparent"
#define HEADER_PART			"outbox.part"
#define HEADER_REPLAY		"outbox.replay"
#define HEADER_REDRIVEN		"outbox.redriven"	/* of what was a dead letter */

/* of a dead letter's copy for the dead-letter topic */
#define HEADER_DEAD_LETTER_CODE		"outbox.dead_letter.code"
#define HEADER_DEAD_LETTER_REASON	"outbox.dead_letter.reason"
#define HEADER_DEAD_LETTER_TOPIC	"outbox.dead_letter.topic"	/* that it was for */
#define HEADER_DEAD_LETTER_POSITION	"outbox.dead_letter.position"
#define HEADER_DEAD_LETTER_SLOT		"outbox.dead_letter.slot"
#define HEADER_DEAD_LETTER_PAYLOAD	"outbox.dead_letter.payload"
#define DEAD_LETTER_PAYLOAD_OMITTED	"omitted"

/* "n/m", both up to 2^32 */
#define PART_MAX_LEN		(10 + 1 + 10)

struct message
{
	char		topic[TOPIC_MAX_LEN + 1];
	size_t		topic_len;
	struct slice key;			/* absent: no key */
	struct slice payload;		/* absent: tombstone */
	int64_t		timestamp_ms;	/* since the Unix epoch */
	bool		has_partition_key;
	uint32_t	partition_hash; /* of partition_key: hash % partitions */
	int			nheaders;
	struct header headers[MESSAGE_HEADERS_MAX];

	/* where it comes from */
	lsn_t		lsn;
	uint32_t	n;
	char		position[POSITION_LEN + 1];
	char		part[PART_MAX_LEN + 1];
};

struct router;

/*
 * pattern: text with ${aggregatetype}, ${type} and ${table}.  NULL with
 * ERR_CONFIG if it can't be a topic.
 */
extern struct router *route_new(const char *pattern, struct err *err);
extern void route_free(struct router *router);

/*
 * What is routed from now on are rows that are sent again: a row doesn't know
 * its commit, so the transaction's lsn is LSN_INVALID, messages have no
 * position, and a header with this text (which the caller keeps).
 */
extern void route_as_replay(struct router *router, const char *replay);

/*
 * Fills *message.  Its slices point into the event, the transaction's frame
 * and the message itself: it can't be copied, and lives as long as the frame.
 * ERR_DATA: this event can't be delivered by anybody; only lsn, n and position
 * are set then, and topic (topic_len 0 = not known) and key as far as the event
 * has them.
 */
extern enum err_class route_event(const struct router *router,
								  const struct timeline *timeline,
								  const struct wire_transaction *transaction,
								  const struct wire_event *event,
								  int64_t now_ms,
								  struct message *message, struct err *err);

/* Adds the header that says of which part of its transaction a message is. */
extern void route_mark_part(struct message *message, uint32_t part, uint32_t parts);

/* Whether the event is a dead letter's copy, on its way to the dead-letter topic. */
static inline bool
route_is_copy(const struct wire_event *event)
{
	return slice_equal(event->member[OUTBOX_WIRE_TABLE], slice_of(OUTBOX_DEAD_LETTER_TABLE));
}

/* A copy that is too large goes without its payload, and says so.  False: it has none. */
extern bool route_omit_payload(struct message *message);

/* How many headers the row's text has (it is changed); -1: they can't be sent. */
extern int	route_count_headers(struct slice text);

#endif							/* OUTBOX_ROUTE_H */
