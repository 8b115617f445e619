/*
 * frame.c - begin lines, events and commit lines, gathered into frames
 *
 * Frames are filled in a buffer of ours and handed over whole, so that header
 * and progress calls of the server fall between two messages, never into one.
 * A frame is sent when the next event finds it full, so the commit line always
 * travels with the last event and a one-row transaction is one message.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "replication/output_plugin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* a buffer that has grown beyond this is given back */
#define KEEP_BUFFER		(1024 * 1024)

/* the longest member that stands in the head of an event that is too large */
#define SHORT_MEMBER	4096

/* what may follow the members: an error and the size */
#define HEAD_TAIL		64

#define UNIX_EPOCH_USECS \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* octets of a begin or commit line, with room to spare */
#define LINE_SPACE		160

static inline char *
put(char *dst, const char *text, Size len)
{
	memcpy(dst, text, len);
	return dst + len;
}

#define PUT(dst, text)		put((dst), (text), sizeof(text) - 1)

static inline char *
put_hex(char *dst, uint32 value)
{
	int			shift = 28;

	while (shift > 0 && (value >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*dst++ = "0123456789ABCDEF"[(value >> shift) & 0xF];
	return dst;
}

static inline char *
put_lsn(char *dst, XLogRecPtr lsn)
{
	dst = put_hex(dst, (uint32) (lsn >> 32));
	*dst++ = '/';
	return put_hex(dst, (uint32) lsn);
}

static inline char *
put_uint32(char *dst, uint32 value)
{
	return dst + pg_ultoa_n(value, dst);
}

/* room for n more octets; where they go */
static inline char *
reserve(StringInfo buffer, int n)
{
	if (buffer->maxlen - buffer->len <= n)
		enlargeStringInfo(buffer, n);
	return buffer->data + buffer->len;
}

static inline void
reserved(StringInfo buffer, const char *end)
{
	buffer->len = (int) (end - buffer->data);
}

static inline void
truncate_to(StringInfo buffer, int len)
{
	buffer->len = len;
}

static void
shrink(StringInfo buffer)
{
	MemoryContext context;

	if (buffer->maxlen <= KEEP_BUFFER)
		return;
	context = MemoryContextSwitchTo(GetMemoryChunkContext(buffer->data));
	pfree(buffer->data);
	initStringInfo(buffer);
	MemoryContextSwitchTo(context);
}

static void
send_frame(LogicalDecodingContext *ctx, bool last)
{
	OutboxState *state = ctx->output_plugin_private;

	OutputPluginPrepareWrite(ctx, last);
	appendBinaryStringInfo(ctx->out, state->frame.data, state->frame.len);
	state->frame.len = 0;
	shrink(&state->frame);
	OutputPluginWrite(ctx, last);
	shrink(ctx->out);
}

static void
put_begin(OutboxState *state, ReorderBufferTXN *txn)
{
	char	   *p = reserve(&state->frame, LINE_SPACE);

	p = PUT(p, OUTBOX_WIRE_BEGIN);
	p = put_lsn(p, txn->end_lsn);
	p = PUT(p, "\",\"wire\":");
	p = put_uint32(p, (uint32) state->options.wire);
	p = PUT(p, ",\"xid\":");
	p = put_uint32(p, txn->xid);
	p = PUT(p, ",\"time\":");
	p += pg_lltoa(txn->xact_time.commit_time + UNIX_EPOCH_USECS, p);
	p = PUT(p, "}\n");
	reserved(&state->frame, p);
}

void
outbox_event_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	OutboxState *state = ctx->output_plugin_private;

	if (!state->begun)
	{
		if (state->options.wait_visible)
			outbox_wait_visible(ctx, txn->xid);
		state->begun = true;
		put_begin(state, txn);
	}
	else if (state->frame.len >= state->options.frame_size)
		send_frame(ctx, false);
}

void
outbox_frame_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	OutboxState *state = ctx->output_plugin_private;
	char	   *p = reserve(&state->frame, LINE_SPACE);

	p = PUT(p, OUTBOX_WIRE_COMMIT);
	p = put_lsn(p, txn->end_lsn);
	p = PUT(p, "\",\"events\":");
	p = put_uint32(p, state->nevents);
	p = PUT(p, "}\n");
	reserved(&state->frame, p);
	send_frame(ctx, true);
}

static void
put_head(OutboxState *state)
{
	char	   *p = reserve(&state->frame, LINE_SPACE);

	p = PUT(p, OUTBOX_WIRE_HEAD);
	p = put_uint32(p, state->nevents);
	reserved(&state->frame, p);
}

static const char *
field_error(OutboxResult result)
{
	switch (result)
	{
		case OUTBOX_OK:
			return NULL;
		case OUTBOX_TOO_LARGE:
			return OUTBOX_ERROR_FIELD_SIZE;
		case OUTBOX_NOT_UTF8:
			return OUTBOX_ERROR_FIELD_ENCODING;
		case OUTBOX_BAD_TYPE:
			return OUTBOX_ERROR_FIELD_TYPE;
	}
	return OUTBOX_ERROR_FIELD_TYPE;
}

static const char *
payload_error(OutboxResult result)
{
	switch (result)
	{
		case OUTBOX_OK:
			return NULL;
		case OUTBOX_TOO_LARGE:
			return OUTBOX_ERROR_PAYLOAD_SIZE;
		case OUTBOX_NOT_UTF8:
			return OUTBOX_ERROR_PAYLOAD_ENCODING;
		case OUTBOX_BAD_TYPE:
			return OUTBOX_ERROR_PAYLOAD_TYPE;
	}
	return OUTBOX_ERROR_PAYLOAD_TYPE;
}

/* the end of an event that has no payload: NULL, or "error" says why */
static void
put_no_payload(OutboxState *state, const char *error)
{
	StringInfo	frame = &state->frame;

	if (error != NULL)
	{
		appendBinaryStringInfo(frame, ",\"error\":\"", 10);
		appendBinaryStringInfo(frame, error, (int) strlen(error));
		appendBinaryStringInfo(frame, "\"", 1);
	}
	appendBinaryStringInfo(frame, "," OUTBOX_WIRE_SIZE "null}\n\n",
						   sizeof("," OUTBOX_WIRE_SIZE "null}\n\n") - 1);
}

/*
 * Writes the size with a blank number and the end of the head.  The payload is
 * to be appended; its length is then patched in by end_payload().
 */
static int
start_payload(StringInfo frame)
{
	char	   *p = reserve(frame, LINE_SPACE);

	p = PUT(p, "," OUTBOX_WIRE_SIZE);
	memset(p, ' ', OUTBOX_WIRE_SIZE_WIDTH);
	p += OUTBOX_WIRE_SIZE_WIDTH;
	p = PUT(p, "}\n");
	reserved(frame, p);
	return frame->len;
}

static void
end_payload(StringInfo frame, int start)
{
	uint32		size = (uint32) (frame->len - start);
	char	   *p = frame->data + start - 2;

	do
		*--p = (char) ('0' + size % 10);
	while ((size /= 10) > 0);
	p = reserve(frame, 1);
	*p++ = '\n';
	reserved(frame, p);
}

/* appends one member of a row's head; the first error stays */
static inline const char *
put_member(OutboxState *state, const OutboxMember *member, Size limit, const char *error)
{
	StringInfo	frame = &state->frame;
	const int	before = frame->len;
	OutboxResult result;
	char	   *p;

	if (member->kind != OUTBOX_KIND_LITERAL && state->nulls[member->attnum - 1])
		return error;

	p = reserve(frame, member->leadlen);
	reserved(frame, put(p, member->lead, member->leadlen));
	if (member->kind == OUTBOX_KIND_LITERAL)
		result = outbox_append_text(state, frame, member->literal, member->literallen,
									limit, true);
	else
		result = outbox_append_value(state, frame, member->kind,
									 state->values[member->attnum - 1], limit, true);
	if (result == OUTBOX_OK)
	{
		p = reserve(frame, 1);
		*p++ = '"';
		reserved(frame, p);
		return error;
	}
	truncate_to(frame, before);
	return error ? error : field_error(result);
}

static const char *
put_members(OutboxState *state, const OutboxRelation *relation)
{
	const int	start = state->frame.len;
	const char *error = relation->error;

	put_head(state);
	for (int i = 0; i < relation->nmembers; i++)
		error = put_member(state, &relation->members[i], OUTBOX_WIRE_MAX_HEAD, error);
	if (likely(state->frame.len - start <= OUTBOX_WIRE_MAX_HEAD - HEAD_TAIL))
		return error;

	/* once more with what is short, so that it can be told which event it was */
	truncate_to(&state->frame, start);
	put_head(state);
	for (int i = 0; i < relation->nmembers; i++)
		put_member(state, &relation->members[i], SHORT_MEMBER, NULL);
	return error ? error : OUTBOX_ERROR_FIELD_SIZE;
}

void
outbox_event_row(OutboxState *state, const OutboxRelation *relation, Relation rel,
				 HeapTuple tuple)
{
	const OutboxMember *payload = &relation->payload;
	const char *error;
	OutboxResult result;
	int			head_end;
	int			start;

	heap_deform_tuple(tuple, RelationGetDescr(rel), state->values, state->nulls);
	error = put_members(state, relation);
	if (error != NULL || payload->kind == OUTBOX_KIND_NULL ||
		(payload->kind != OUTBOX_KIND_LITERAL && state->nulls[payload->attnum - 1]))
	{
		put_no_payload(state, error);
		return;
	}
	head_end = state->frame.len;
	start = start_payload(&state->frame);
	if (payload->kind == OUTBOX_KIND_LITERAL)
		result = outbox_append_text(state, &state->frame, payload->literal, payload->literallen,
									state->options.max_payload, false);
	else
		result = outbox_append_value(state, &state->frame, payload->kind,
									 state->values[payload->attnum - 1],
									 state->options.max_payload, false);
	if (likely(result == OUTBOX_OK))
		end_payload(&state->frame, start);
	else
	{
		truncate_to(&state->frame, head_end);
		put_no_payload(state, payload_error(result));
	}
}

/* members that a message's fields become, in their order; the payload follows */
static const char *const message_leads[OUTBOX_MESSAGE_FIELDS - 1] = {
	",\"id\":\"", ",\"aggregatetype\":\"", ",\"aggregateid\":\"", ",\"type\":\"",
	",\"topic\":\"", ",\"key\":\"", ",\"partition_key\":\"", ",\"headers\":\"",
	",\"traceparent\":\""
};

static const char *
put_fields(OutboxState *state, const OutboxSlice *fields, Size limit)
{
	const char *error = NULL;

	for (int i = 0; i < OUTBOX_MESSAGE_FIELDS - 1; i++)
	{
		const OutboxSlice *field = &fields[i];

		if (field->data == NULL)
			continue;
		if (field->len > limit)
			error = error ? error : OUTBOX_ERROR_FIELD_SIZE;
		else if (pg_encoding_verifymbstr(PG_UTF8, field->data, (int) field->len) != (int) field->len)
			error = error ? error : OUTBOX_ERROR_FIELD_ENCODING;
		else
		{
			appendStringInfoString(&state->frame, message_leads[i]);
			outbox_append_escaped(&state->frame, field->data, field->len);
			appendStringInfoChar(&state->frame, '"');
		}
	}
	return error;
}

static void
put_message_head(OutboxState *state, const char *table)
{
	put_head(state);
	if (table)
		appendStringInfo(&state->frame, ",\"table\":\"%s\"", table);
}

void
outbox_event_message(OutboxState *state, const char *table, const char *content, Size size)
{
	OutboxSlice fields[OUTBOX_MESSAGE_FIELDS];
	const OutboxSlice *payload = &fields[OUTBOX_MESSAGE_FIELDS - 1];
	StringInfo	frame = &state->frame;
	const int	before = frame->len;
	const char *error;
	int			start;

	put_message_head(state, table);
	if (!outbox_split_message(content, size, fields))
	{
		put_no_payload(state, OUTBOX_ERROR_MESSAGE);
		return;
	}
	error = put_fields(state, fields, OUTBOX_WIRE_MAX_HEAD);
	if (frame->len - before > OUTBOX_WIRE_MAX_HEAD - HEAD_TAIL)
	{
		truncate_to(frame, before);
		put_message_head(state, table);
		put_fields(state, fields, SHORT_MEMBER);
		error = error ? error : OUTBOX_ERROR_FIELD_SIZE;
	}
	if (error == NULL && payload->data != NULL && payload->len > state->options.max_payload)
		error = OUTBOX_ERROR_PAYLOAD_SIZE;
	if (error != NULL || payload->data == NULL)
	{
		put_no_payload(state, error);
		return;
	}
	start = start_payload(frame);
	appendBinaryStringInfo(frame, payload->data, (int) payload->len);
	end_payload(frame, start);
}
