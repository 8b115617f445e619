/*
 * decode.h - frames to events: a strict reader of decoder_plugin/wire.h.
 *
 * Pure: no I/O, no allocation.  It takes nothing but the canonical form, and
 * checks what can be checked: the order of lines, the count of events, the
 * LSNs of begin and commit.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_DECODE_H
#define OUTBOX_DECODE_H

#include <stdint.h>

#include "../../decoder_plugin/wire.h"
#include "../common/err.h"
#include "../common/lsn.h"
#include "../common/slice.h"

struct wire_transaction
{
	lsn_t		lsn;			/* end of the commit record */
	int64_t		time_us;		/* commit time, microseconds since the Unix epoch */
	uint32_t	xid;
	uint32_t	events;			/* read so far */
};

struct wire_event
{
	uint32_t	n;				/* index in its transaction */
	struct slice member[OUTBOX_WIRE_NMEMBERS];
	struct slice payload;		/* absent: tombstone, or member[ERROR] is present */
};

enum decode_item
{
	DECODE_END,					/* the frame is used up */
	DECODE_BEGIN,				/* decoder.transaction is new */
	DECODE_EVENT,				/* decoder.event is valid */
	DECODE_COMMIT,				/* decoder.transaction is complete */
	DECODE_ERROR				/* err is filled: ERR_FATAL, wire-format */
};

struct decoder
{
	/* results, valid until the next call */
	struct wire_transaction transaction;
	struct wire_event event;

	/* private */
	char	   *pos;
	char	   *end;
	bool		in_transaction;
};

/* A new stream: whatever was open is forgotten. */
extern void decode_reset(struct decoder *decoder);

/*
 * Gives the content of one XLogData message.  The octets stay the caller's,
 * must outlive the events, and are changed (strings are unescaped in place).
 */
extern void decode_feed(struct decoder *decoder, char *data, size_t len);

extern enum decode_item decode_next(struct decoder *decoder, struct err *err);

#endif							/* OUTBOX_DECODE_H */
