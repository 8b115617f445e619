/*
 * wire.h - the wire format between outbox_decoder and outbox-streamer.
 *
 * The one place where the grammar stands.  Both sides include it: it holds
 * constants only, needs no other header and belongs to neither side.
 *
 * The format is newline-delimited JSON, so that a slot can also be read with
 * pg_recvlogical and a JSON tool, and canonical (fixed members, fixed order,
 * no optional white space but where stated), so that the streamer can read it
 * without a general JSON parser.
 *
 *   stream      = transaction *
 *   transaction = begin event+ commit
 *   begin       = {"begin":"<lsn>","wire":1,"xid":<uint32>,"time":<int64>} LF
 *   event       = head LF payload LF      (payload: exactly "size" octets)
 *   head        = {"n":<uint32> [,"<member>":"<string>"]* ,"size":<size>}
 *   commit      = {"commit":"<lsn>","events":<uint32>} LF
 *   lsn         = what %X/%X prints: upper case, no leading zeros
 *   size        = spaces and a decimal, 10 octets in all, or null
 *
 * begin.begin and commit.commit are both the commit record's *end* LSN
 * (ReorderBufferTXN.end_lsn): the position that may be confirmed once every
 * event of the transaction is durable elsewhere.  begin.time is the commit
 * time in microseconds since the Unix epoch.  "n" counts the transaction's
 * events from 0; (timeline, end LSN, n) is the event's position.
 * commit.events is the number of events of the transaction.
 *
 * The optional members of a head, in this order, each left out when NULL:
 *
 *   table          schema.name as configured; only where several tables are
 *   id             event id
 *   aggregatetype  aggregate type
 *   aggregateid    aggregate id
 *   type           event type
 *   topic          topic that this row asks for
 *   key            message key that this row asks for
 *   partition_key  what to choose the partition by, in the key's place
 *   headers        JSON text of an object, as a string
 *   traceparent    W3C trace context
 *   timestamp      microseconds since the Unix epoch, as a string
 *   error          an OUTBOX_ERROR_*: this event can't be output; size is null
 *
 * Strings are UTF-8.  Escaped are the quotation mark, the reverse solidus and
 * what lies below U+0020: \" \\ \b \f \n \r \t, others as \u00xx (lower-case
 * digits).  Nothing else is escaped, '/' and U+007F included.
 *
 * A payload of NULL has size null and no octets; its LF is there all the same.
 * A payload's octets are what the column's output gives in UTF-8 (for bytea:
 * the octets themselves), and nothing may be assumed of them.
 *
 * CopyData: one XLogData message carries one or more whole lines and events
 * (an event is never split), a transaction may span several messages and a
 * message never holds more than one transaction.  A transaction whose lines
 * fit into one message is exactly one message.  A transaction without events
 * sends nothing.
 *
 * Table-less events are transactional logical messages (pg_logical_emit_message)
 * with the prefix OUTBOX_MESSAGE_PREFIX.  Their content:
 *
 *   content = "1" field{10}        in the order id, aggregatetype, aggregateid,
 *                                  type, topic, key, partition_key, headers,
 *                                  traceparent, payload
 *   field   = "-,"                 NULL
 *           | <decimal> ":" octets ","
 *
 * What a streamer tells of a dead letter of its own has the prefix
 * OUTBOX_DEAD_LETTER_PREFIX followed by its slot's name.  That slot alone has
 * it, whatever message_prefix and shard are, and its head's "table" is
 * OUTBOX_DEAD_LETTER_TABLE, which says so for certain: nothing else has that.
 *
 * Versions: the client names the newest version it reads with the plugin option
 * "wire"; the plugin refuses one that it can't write and repeats the version in
 * every begin line.  A streamer of version N reads N and N-1.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_WIRE_H
#define OUTBOX_WIRE_H

#define OUTBOX_WIRE_VERSION		1
#define OUTBOX_WIRE_OLDEST		1

/* fixed pieces of the lines */
#define OUTBOX_WIRE_BEGIN		"{\"begin\":\""
#define OUTBOX_WIRE_HEAD		"{\"n\":"
#define OUTBOX_WIRE_COMMIT		"{\"commit\":\""
#define OUTBOX_WIRE_SIZE		"\"size\":"

/* octets of a size that is a number: spaces, then decimal digits */
#define OUTBOX_WIRE_SIZE_WIDTH	10

/* longest head line in octets, its LF not counted; longer ones are errors */
#define OUTBOX_WIRE_MAX_HEAD	(1024 * 1024)

/* members of a head, in their order on the wire */
#define OUTBOX_WIRE_MEMBERS(X) \
	X(TABLE, "table") \
	X(ID, "id") \
	X(AGGREGATETYPE, "aggregatetype") \
	X(AGGREGATEID, "aggregateid") \
	X(TYPE, "type") \
	X(TOPIC, "topic") \
	X(KEY, "key") \
	X(PARTITION_KEY, "partition_key") \
	X(HEADERS, "headers") \
	X(TRACEPARENT, "traceparent") \
	X(TIMESTAMP, "timestamp") \
	X(ERROR, "error")

enum outbox_wire_member
{
#define OUTBOX_WIRE_MEMBER_ENUM(name, text) OUTBOX_WIRE_##name,
	OUTBOX_WIRE_MEMBERS(OUTBOX_WIRE_MEMBER_ENUM)
#undef OUTBOX_WIRE_MEMBER_ENUM
	OUTBOX_WIRE_NMEMBERS
};

/* why an event has no payload although its row has one */
#define OUTBOX_ERROR_PAYLOAD_SIZE		"payload-too-large"		/* above option max_payload */
#define OUTBOX_ERROR_PAYLOAD_ENCODING	"payload-not-utf8"		/* no UTF-8 counterpart */
#define OUTBOX_ERROR_PAYLOAD_TYPE		"payload-type"			/* column type not supported */
#define OUTBOX_ERROR_FIELD_SIZE			"head-too-large"		/* above OUTBOX_WIRE_MAX_HEAD */
#define OUTBOX_ERROR_FIELD_ENCODING		"field-not-utf8"
#define OUTBOX_ERROR_FIELD_TYPE			"field-type"
#define OUTBOX_ERROR_COLUMN				"missing-column"		/* a mapped column isn't there */
#define OUTBOX_ERROR_MESSAGE			"malformed-message"		/* logical message not as above */

/* logical messages */
#define OUTBOX_MESSAGE_PREFIX	"pg_outbox"
#define OUTBOX_MESSAGE_VERSION	'1'
#define OUTBOX_MESSAGE_FIELDS	10

/* logical messages about dead letters; the slot's name follows */
#define OUTBOX_DEAD_LETTER_PREFIX	"pg_outbox.dead_letter/"
#define OUTBOX_DEAD_LETTER_TABLE	"outbox.dead_letter"

/* names of the plugin's options */
#define OUTBOX_OPTION_WIRE			"wire"				/* newest version that the client reads */
#define OUTBOX_OPTION_TABLE			"table"				/* may be repeated; default outbox.event */
#define OUTBOX_OPTION_PREFIX		"message_prefix"	/* "" = no messages */
#define OUTBOX_OPTION_MAX_PAYLOAD	"max_payload"		/* octets */
#define OUTBOX_OPTION_FRAME_SIZE	"frame_size"		/* soft limit of a message, octets */
#define OUTBOX_OPTION_ORIGIN		"origin"			/* any | none (only local changes) */
#define OUTBOX_OPTION_WAIT_VISIBLE	"wait_visible"		/* on | off */
#define OUTBOX_OPTION_SHARD			"shard"				/* i/n: events whose key hashes to i */
#define OUTBOX_OPTION_CORK			"cork"				/* on | off */

/* the most that n may be in "i/n" */
#define OUTBOX_MAX_SHARDS	256

#endif							/* OUTBOX_WIRE_H */
