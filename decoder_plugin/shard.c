/*
 * shard.c - which of several slots an event belongs to
 *
 * With option shard = i/n a slot's stream holds the events whose key hashes to
 * i, so that n slots share the work and every key's events stay in one stream,
 * in order.  The key is what the streamer takes for it: the row's key, else its
 * aggregate id.  Without any (or where it can't be read) an event is shard 0's:
 * exactly one stream has it, also if it is one that can't be delivered.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "access/htup_details.h"
#include "utils/rel.h"

/* where a message has its key and its aggregate id */
#define MESSAGE_AGGREGATEID		2
#define MESSAGE_KEY				5

#define FNV_BASIS	UINT64CONST(0xcbf29ce484222325)
#define FNV_PRIME	UINT64CONST(0x100000001b3)

/*
 * FNV-1a, its high half folded in.  It has to be the same on every server that
 * a slot may move to, so none of the server's own hashes will do; and it has
 * nothing to do with Kafka's, or every shard would fill some partitions only.
 */
static uint32
hash_key(const char *key, Size len)
{
	uint64		hash = FNV_BASIS;

	for (Size i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) key[i]) * FNV_PRIME;
	hash ^= hash >> 32;
	hash *= FNV_PRIME;
	return (uint32) (hash >> 32) ^ (uint32) hash;
}

static inline bool
is_ours(const OutboxState *state, const char *key, Size len)
{
	return hash_key(key, len) % state->options.nshards == state->options.shard;
}

/* reads a member into the scratch buffer; false: NULL, not there or not readable */
static bool
read_member(OutboxState *state, const OutboxMember *member)
{
	StringInfo	text = &state->scratch;

	resetStringInfo(text);
	if (member == NULL)
		return false;
	if (member->kind == OUTBOX_KIND_LITERAL)
		return outbox_append_text(state, text, member->literal, member->literallen,
								  OUTBOX_WIRE_MAX_HEAD, false) == OUTBOX_OK;
	if (state->nulls[member->attnum - 1])
		return false;
	return outbox_append_value(state, text, member->kind, state->values[member->attnum - 1],
							   OUTBOX_WIRE_MAX_HEAD, false) == OUTBOX_OK;
}

static const OutboxMember *
find_member(const OutboxRelation *relation, int number)
{
	return number < 0 ? NULL : &relation->members[number];
}

bool
outbox_row_is_ours(OutboxState *state, const OutboxRelation *relation, Relation rel,
				   HeapTuple tuple)
{
	heap_deform_tuple(tuple, RelationGetDescr(rel), state->values, state->nulls);
	if (!read_member(state, find_member(relation, relation->key)) &&
		!read_member(state, find_member(relation, relation->aggregateid)))
		return state->options.shard == 0;
	return is_ours(state, state->scratch.data, state->scratch.len);
}

bool
outbox_message_is_ours(OutboxState *state, const char *content, Size size)
{
	OutboxSlice fields[OUTBOX_MESSAGE_FIELDS];
	const OutboxSlice *key = &fields[MESSAGE_KEY];

	if (!outbox_split_message(content, size, fields))
		return state->options.shard == 0;
	if (key->data == NULL)
		key = &fields[MESSAGE_AGGREGATEID];
	if (key->data == NULL)
		return state->options.shard == 0;
	return is_ours(state, key->data, key->len);
}
