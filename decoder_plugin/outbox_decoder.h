/*
 * outbox_decoder.h - what the files of the plugin share
 *
 * One OutboxState lives in ctx->output_plugin_private for as long as the
 * decoding context does.  Nothing here raises ERROR because of data: whatever
 * a row holds, the stream goes on (out of memory and a broken catalogue aside).
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_DECODER_H
#define OUTBOX_DECODER_H

#include "postgres.h"

#include "access/htup.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "replication/logical.h"
#include "utils/relcache.h"

#include "pgcompat.h"
#include "wire.h"

/*
 * Roles of columns are the members of a head from "id" to "timestamp", and the
 * payload, which takes a number of its own behind them.
 */
#define OUTBOX_ROLE_PAYLOAD		OUTBOX_WIRE_NMEMBERS
#define OUTBOX_NROLES			(OUTBOX_WIRE_NMEMBERS + 1)

/* why a value could not be written; OUTBOX_OK is 0 */
typedef enum OutboxResult
{
	OUTBOX_OK,
	OUTBOX_TOO_LARGE,
	OUTBOX_NOT_UTF8,
	OUTBOX_BAD_TYPE
} OutboxResult;

/* how a column's value becomes octets */
typedef enum OutboxKind
{
	OUTBOX_KIND_NULL,			/* no column, or mapped to NULL: always NULL */
	OUTBOX_KIND_LITERAL,
	OUTBOX_KIND_UNSUPPORTED,
	OUTBOX_KIND_TEXT,			/* text, varchar, bpchar, json */
	OUTBOX_KIND_NAME,
	OUTBOX_KIND_BYTEA,
	OUTBOX_KIND_JSONB,
	OUTBOX_KIND_UUID,
	OUTBOX_KIND_INT2,
	OUTBOX_KIND_INT4,
	OUTBOX_KIND_INT8,
	OUTBOX_KIND_NUMERIC,
	OUTBOX_KIND_ENUM,
	OUTBOX_KIND_TIMESTAMP		/* with or without time zone: microseconds */
} OutboxKind;

/* ---------- options.c ---------- */

typedef enum OutboxSource
{
	OUTBOX_SOURCE_DEFAULT,		/* the column of the role's name, if there is one */
	OUTBOX_SOURCE_NULL,
	OUTBOX_SOURCE_COLUMN,
	OUTBOX_SOURCE_LITERAL
} OutboxSource;

typedef struct OutboxRole
{
	OutboxSource source;
	char	   *text;			/* column name, or literal in server encoding */
} OutboxRole;

/* one "table" option */
typedef struct OutboxTable
{
	char	   *text;			/* the name as configured, without the mapping */
	char	   *schema;
	char	   *name;
	OutboxRole	roles[OUTBOX_NROLES];
} OutboxTable;

typedef struct OutboxOptions
{
	List	   *tables;			/* of OutboxTable, at least one */
	char	   *message_prefix; /* "" = no messages */
	Size		max_payload;	/* octets */
	int			frame_size;		/* octets */
	int			wire;			/* version that is written */
	bool		only_local;		/* origin = none */
	bool		wait_visible;
	bool		cork;
	uint32		shard;			/* which of ... */
	uint32		nshards;		/* ... how many; 1 = all events */
} OutboxOptions;

/*
 * Reads START_REPLICATION's options (a List of DefElem) into *options, with
 * defaults for those that are not given.  Raises ERROR for anything wrong.
 * Strings are allocated in the current memory context.
 */
extern void outbox_parse_options(List *defelems, OutboxOptions *options);

/* Parses the value of a "table" option (options_table.c); ERROR if it is wrong. */
extern OutboxTable *outbox_parse_table(const char *value);

/* Name of a role: the member's name, or "payload". */
extern const char *outbox_role_name(int role);

/* ---------- relmap.c ---------- */

/* how to write one member of a head from a row */
typedef struct OutboxMember
{
	const char *lead;			/* ,"name":" */
	int			leadlen;
	OutboxKind	kind;
	AttrNumber	attnum;			/* not for OUTBOX_KIND_LITERAL */
	const char *literal;		/* text in the server's encoding */
	int			literallen;
} OutboxMember;

/* what is known of a relation; valid until the next invalidation */
typedef struct OutboxRelation
{
	Oid			relid;			/* hash key */
	bool		is_ancestor;	/* others' entries were found through it */
	uint64		generation;		/* entry is valid if the map's is the same */
	const OutboxTable *table;	/* NULL: not an outbox table */
	const char *error;			/* OUTBOX_ERROR_* that every row has, or NULL */
	int			natts;			/* columns to look at: highest one needed */
	int			nmembers;
	OutboxMember members[OUTBOX_WIRE_NMEMBERS];
	int			key;			/* which member is the key; -1: none */
	int			aggregateid;	/* likewise */
	OutboxMember payload;
} OutboxRelation;

typedef struct OutboxRelmap OutboxRelmap;

/*
 * Makes the map, in the given context, whose end is also the map's: there is
 * at most one per process.  "tables" has to outlive it.
 */
extern OutboxRelmap *outbox_relmap_create(MemoryContext context, List *tables);

/*
 * Finds what is known of a relation, asking the (historic) catalogue only when
 * it must.  NULL: no outbox table.
 */
extern const OutboxRelation *outbox_relmap_lookup(OutboxRelmap *map, Relation relation);

/* ---------- the state ---------- */

typedef struct OutboxState
{
	OutboxOptions options;
	OutboxRelmap *relmap;
	MemoryContext event_context;	/* reset after each event */

	/* server encoding to UTF-8 */
	int			encoding;
	bool		conversion_known;
	Oid			conversion;		/* InvalidOid: there is none */

	/* the frame being filled: whole lines and events of one transaction */
	StringInfoData frame;
	StringInfoData scratch;		/* for values that need a second pass */

	/* the transaction */
	bool		begun;			/* begin line written, visibility waited for */
	uint32		nevents;
	uint32		nskipped;		/* changes since the last progress report */

	/* visible.c */
	TransactionId horizon;		/* nothing older was running at some time */
	bool		warned_sync;

	/* the row at hand */
	Datum		values[MaxTupleAttributeNumber];
	bool		nulls[MaxTupleAttributeNumber];
} OutboxState;

/* ---------- frame.c ---------- */

/*
 * Starts an event of the transaction: sends what is buffered if that has
 * reached the frame size, writes the begin line if it is the first event.
 */
extern void outbox_event_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn);

/* Writes a row's event; what it allocates is in the current memory context. */
extern void outbox_event_row(OutboxState *state, const OutboxRelation *relation,
							 Relation rel, HeapTuple tuple);

/* Writes a message's event, likewise; table: what its head says of that, or NULL. */
extern void outbox_event_message(OutboxState *state, const char *table, const char *content,
								 Size size);

/* Writes the commit line and sends the last frame; call from commit_cb only. */
extern void outbox_frame_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn);

/* ---------- value.c ---------- */

/*
 * Appends a value to "out" in UTF-8, or leaves "out" as it was and says why it
 * couldn't.  "limit" counts octets before escaping.  With "escape", what JSON
 * demands is escaped.  The datum may be toasted in any way but on disk.
 */
extern OutboxResult outbox_append_value(OutboxState *state, StringInfo out, OutboxKind kind,
										Datum value, Size limit, bool escape);

/* The same for text in the server's encoding ... */
extern OutboxResult outbox_append_text(OutboxState *state, StringInfo out, const char *text,
									   Size len, Size limit, bool escape);

/* ... and escaped, for what is UTF-8 already. */
extern void outbox_append_escaped(StringInfo out, const char *text, Size len);

/*
 * Writes len octets, escaped, at dst, which has room for OUTBOX_ESCAPE_GROWTH
 * times as many and OUTBOX_ESCAPE_SLACK, and returns where they end.
 */
#define OUTBOX_ESCAPE_GROWTH	6
#define OUTBOX_ESCAPE_SLACK		16
extern char *outbox_escape(char *dst, const char *src, Size len);

/* ---------- jsonb_text.c, numeric_text.c ---------- */

/*
 * Appends what jsonb_out would give, up to "limit" octets; else leaves "out" as
 * it was.  data, size: the jsonb without its varlena header, in any alignment.
 */
extern OutboxResult outbox_append_jsonb(StringInfo out, const char *data, Size size, Size limit);

/* Octets that outbox_numeric_text() will write at most; 0: not a numeric. */
extern Size outbox_numeric_space(const char *data, Size size);

/* Writes what numeric_out would give at dst and returns where it ends. */
extern char *outbox_numeric_text(char *dst, const char *data, Size size);

/* ---------- message.c ---------- */

typedef struct OutboxSlice
{
	const char *data;			/* NULL: SQL's NULL */
	Size		len;
} OutboxSlice;

/*
 * Splits the content of a logical message into its fields, which borrow from
 * it.  false: malformed.
 */
extern bool outbox_split_message(const char *content, Size size,
								 OutboxSlice fields[OUTBOX_MESSAGE_FIELDS]);

/* ---------- shard.c ---------- */

/*
 * Does an event belong to this slot's shard?  For options.nshards > 1.  What
 * they allocate is in the current memory context.
 */
extern bool outbox_row_is_ours(OutboxState *state, const OutboxRelation *relation,
							   Relation rel, HeapTuple tuple);
extern bool outbox_message_is_ours(OutboxState *state, const char *content, Size size);

/* ---------- visible.c ---------- */

/*
 * Returns once others can see what the transaction has done (the README says
 * why and when it doesn't wait).  Call before the first octet of a transaction
 * is written and from change_cb or message_cb only.
 */
extern void outbox_wait_visible(LogicalDecodingContext *ctx, TransactionId xid);

/* Is this process a walsender that commits (may) wait for? */
extern bool outbox_is_sync_standby(void);

/* ---------- cork.c ---------- */

/*
 * From now until the context ends, a walsender's small messages leave together
 * while there is more WAL to read.  Elsewhere it does nothing.
 */
extern void outbox_cork(LogicalDecodingContext *ctx);

/*
 * Sends what is held back, as far as the socket takes it.  Call it before and in
 * whatever takes time outside of the server's own loop; it costs nothing if
 * nothing is held back.
 */
extern void outbox_uncork(void);

#endif							/* OUTBOX_DECODER_H */
