/*
 * outbox_decoder.c - logical decoding output plugin for outbox tables
 *
 * The callbacks: they decide which changes are events and hand those on.  What
 * is written stands in wire.h.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "replication/slot.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

/* changes of other tables after which it is time to look around */
#define SKIP_INTERVAL		100

extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *cb);

static void
startup_cb(LogicalDecodingContext *ctx, OutputPluginOptions *opt, bool is_init)
{
	MemoryContext old = MemoryContextSwitchTo(ctx->context);
	OutboxState *state = palloc0(sizeof(OutboxState));

	ctx->output_plugin_private = state;

	/* payloads are octets, not text in the client's encoding */
	opt->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
	opt->receive_rewrites = false;

	/* creating a slot passes no options, and nothing will be decoded */
	if (!is_init)
	{
		outbox_parse_options(ctx->output_plugin_options, &state->options);
		state->relmap = outbox_relmap_create(ctx->context, state->options.tables);
		state->event_context = AllocSetContextCreate(ctx->context, "outbox_decoder event",
													 ALLOCSET_DEFAULT_SIZES);
		state->encoding = GetDatabaseEncoding();
		initStringInfo(&state->frame);
		initStringInfo(&state->scratch);
		if (state->options.cork)
			outbox_cork(ctx);
	}
	MemoryContextSwitchTo(old);
}

static void
begin_cb(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	OutboxState *state = ctx->output_plugin_private;

	(void) txn;
	state->begun = false;
	state->nevents = 0;
	state->nskipped = 0;
}

/*
 * A change that gives no event.  A transaction of nothing else may take longer
 * than wal_sender_timeout, and longer than anything should be held back.
 */
static inline void
skip_change(LogicalDecodingContext *ctx, OutboxState *state)
{
	if (++state->nskipped < SKIP_INTERVAL)
		return;
	state->nskipped = 0;
	outbox_uncork();
	if (OUTBOX_REPORT_LONG_TRANSACTIONS)
		OutputPluginUpdateProgress(ctx, false);
}

static inline void
end_event(OutboxState *state, MemoryContext old)
{
	state->nevents++;
	state->nskipped = 0;
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->event_context);
}

/* shard.c's question, and nothing left of it */
static bool
row_is_ours(OutboxState *state, const OutboxRelation *known, Relation relation, HeapTuple tuple)
{
	MemoryContext old = MemoryContextSwitchTo(state->event_context);
	bool		result = outbox_row_is_ours(state, known, relation, tuple);

	MemoryContextSwitchTo(old);
	MemoryContextReset(state->event_context);
	return result;
}

static void
change_cb(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation relation,
		  ReorderBufferChange *change)
{
	OutboxState *state = ctx->output_plugin_private;
	const OutboxRelation *known;
	HeapTuple	tuple;
	MemoryContext old;

	if (change->action != REORDER_BUFFER_CHANGE_INSERT ||
		(known = outbox_relmap_lookup(state->relmap, relation)) == NULL ||
		(tuple = OUTBOX_NEW_TUPLE(change)) == NULL)
	{
		skip_change(ctx, state);
		return;
	}
	if (unlikely(state->options.nshards > 1) && !row_is_ours(state, known, relation, tuple))
	{
		skip_change(ctx, state);
		return;
	}
	outbox_event_begin(ctx, txn);
	old = MemoryContextSwitchTo(state->event_context);
	outbox_event_row(state, known, relation, tuple);
	end_event(state, old);
}

/* What this slot's own streamer tells of a dead letter: nobody else's business. */
static inline bool
is_of_our_dead_letter(const LogicalDecodingContext *ctx, const char *prefix)
{
	const Size	len = sizeof(OUTBOX_DEAD_LETTER_PREFIX) - 1;

	return strncmp(prefix, OUTBOX_DEAD_LETTER_PREFIX, len) == 0 &&
		strcmp(prefix + len, NameStr(ctx->slot->data.name)) == 0;
}

static inline bool
is_event(OutboxState *state, const char *prefix, const char *content, Size size)
{
	return state->options.message_prefix[0] != '\0' &&
		strcmp(prefix, state->options.message_prefix) == 0 &&
		(state->options.nshards == 1 || outbox_message_is_ours(state, content, size));
}

/*
 * Non-transactional messages are decoded before anybody knows whether their
 * transaction commits, and have no commit whose LSN could be confirmed.
 */
static void
message_cb(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr message_lsn,
		   bool transactional, const char *prefix, Size size, const char *content)
{
	OutboxState *state = ctx->output_plugin_private;
	MemoryContext old;
	bool		dead_letter;

	(void) message_lsn;
	if (!transactional)
		return;
	dead_letter = is_of_our_dead_letter(ctx, prefix);
	if (!dead_letter && !is_event(state, prefix, content, size))
	{
		skip_change(ctx, state);
		return;
	}
	outbox_event_begin(ctx, txn);
	old = MemoryContextSwitchTo(state->event_context);
	outbox_event_message(state, dead_letter ? OUTBOX_DEAD_LETTER_TABLE : NULL, content, size);
	end_event(state, old);
}

static void
commit_cb(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
	OutboxState *state = ctx->output_plugin_private;

	(void) commit_lsn;

	/*
	 * Told that a transaction was skipped, a server with synchronous standbys
	 * sends a keepalive for each.  That is for commits that wait for us; for
	 * others the keepalive at the end of the WAL will do.
	 */
	OutputPluginUpdateProgress(ctx, !state->begun && outbox_is_sync_standby());
	if (state->begun)
		outbox_frame_commit(ctx, txn);
}

static bool
filter_by_origin_cb(LogicalDecodingContext *ctx, RepOriginId origin_id)
{
	OutboxState *state = ctx->output_plugin_private;

	return state->options.only_local && origin_id != InvalidRepOriginId;
}

void
_PG_output_plugin_init(OutputPluginCallbacks *cb)
{
	cb->startup_cb = startup_cb;
	cb->begin_cb = begin_cb;
	cb->change_cb = change_cb;
	cb->message_cb = message_cb;
	cb->commit_cb = commit_cb;
	cb->filter_by_origin_cb = filter_by_origin_cb;
	/* no streaming and no two-phase callbacks: whole committed transactions */
}
