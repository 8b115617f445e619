/*
 * route.c - events to messages: topic, key, partition, headers, time.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "route.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "murmur2.h"

#define PIECES_MAX	16

/* the broker's default of message.timestamp.after.max.ms */
#define FUTURE_MAX_MS	(60 * 60 * 1000)

struct piece
{
	struct slice literal;		/* absent: a member of the head */
	enum outbox_wire_member member;
};

struct router
{
	const char *replay;			/* NULL: not a replay */
	char	   *pattern;		/* what the literals point into */
	int			npieces;
	struct piece pieces[PIECES_MAX];
};

static bool
read_placeholder(struct slice name, enum outbox_wire_member *member)
{
	static const struct
	{
		const char *name;
		enum outbox_wire_member member;
	}			placeholders[] = {
		{"aggregatetype", OUTBOX_WIRE_AGGREGATETYPE},
		{"type", OUTBOX_WIRE_TYPE},
		{"table", OUTBOX_WIRE_TABLE},
	};

	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (slice_equal(name, slice_of(placeholders[i].name)))
		{
			*member = placeholders[i].member;
			return true;
		}
	return false;
}

/* One piece of the pattern; NULL if it is none, else what follows it. */
static char *
read_piece(char *pos, struct piece *piece)
{
	char	   *open = strstr(pos, "${");
	char	   *close;

	if (open != pos)
	{
		piece->literal = (struct slice) {pos, open ? (size_t) (open - pos) : strlen(pos)};
		for (size_t i = 0; i < piece->literal.len; i++)
			if (!topic_octet_valid((unsigned char) pos[i]))
				return NULL;
		return pos + piece->literal.len;
	}
	close = strchr(open, '}');
	if (!close || !read_placeholder((struct slice) {open + 2, (size_t) (close - open - 2)},
									&piece->member))
		return NULL;
	return close + 1;
}

/* Cuts the pattern into literals and placeholders. */
static bool
read_pattern(struct router *router)
{
	char	   *pos = router->pattern;
	size_t		literals = 0;
	bool		fixed = true;

	while (*pos)
	{
		struct piece *piece = &router->pieces[router->npieces];

		if (router->npieces++ == PIECES_MAX)
			return false;
		pos = read_piece(pos, piece);
		if (!pos)
			return false;
		literals += piece->literal.len;
		fixed &= piece->literal.data != NULL;
	}
	return fixed ? topic_name_valid(router->pattern, literals) : literals <= TOPIC_MAX_LEN;
}

struct router *
route_new(const char *pattern, struct err *err)
{
	struct router *router = calloc(1, sizeof(*router));

	if (router)
		router->pattern = strdup(pattern);
	if (!router || !router->pattern)
		err_set(err, ERR_RETRY, "out-of-memory", "out of memory");
	else if (read_pattern(router))
		return router;
	else
	{
		err_set(err, ERR_CONFIG, "config-value", "outbox.topic \"%s\" can't be a topic", pattern);
		err_hint(err, "use letters, digits, '.', '_', '-' and the placeholders ${aggregatetype}, ${type}, ${table}");
	}
	route_free(router);
	return NULL;
}

void
route_free(struct router *router)
{
	if (router)
		free(router->pattern);
	free(router);
}

void
route_as_replay(struct router *router, const char *replay)
{
	router->replay = replay;
}

/* Which event it is, and why nobody can deliver it. */
static enum err_class
undeliverable(const struct message *message, const struct wire_event *event,
			  struct err *err, const char *code, const char *what)
{
	struct slice id = event->member[OUTBOX_WIRE_ID];
	int			len = (int) (id.len < 64 ? id.len : 64);

	if (message->lsn == LSN_INVALID)
		return err_set(err, ERR_DATA, code, "the row with id \"%.*s\" can't be delivered: %s",
					   len, id.data ? id.data : "", what);
	return err_set(err, ERR_DATA, code, "event %u of the transaction that ends at %X/%X (id \"%.*s\") can't be delivered: %s",
				   event->n, LSN_ARGS(message->lsn), len, id.data ? id.data : "", what);
}

static bool
append_topic(struct message *message, struct slice text)
{
	if (!text.data || text.len > TOPIC_MAX_LEN - message->topic_len)
		return false;
	memcpy(message->topic + message->topic_len, text.data, text.len);
	message->topic_len += text.len;
	return true;
}

static bool
set_topic(const struct router *router, const struct wire_event *event,
		  struct message *message)
{
	bool		fits = true;

	message->topic_len = 0;
	if (event->member[OUTBOX_WIRE_TOPIC].data)
		fits = append_topic(message, event->member[OUTBOX_WIRE_TOPIC]);
	else
		for (int i = 0; i < router->npieces && fits; i++)
			fits = append_topic(message, router->pieces[i].literal.data ?
								router->pieces[i].literal :
								event->member[router->pieces[i].member]);
	if (!fits || !topic_name_valid(message->topic, message->topic_len))
		return false;
	message->topic[message->topic_len] = '\0';
	return true;
}

static char *
put_hex(char *out, uint64_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value >>= 4)
		out[i] = "0123456789ABCDEF"[value & 15];
	return out + digits;
}

static void
set_position(struct message *message, uint32_t timeline)
{
	char	   *out = put_hex(message->position, timeline, 8);

	*out++ = '/';
	out = put_hex(out, message->lsn, 16);
	*out++ = '/';
	out = put_hex(out, message->n, 8);
	*out = '\0';
}

static void
add_header(struct message *message, const char *name, struct slice value)
{
	if (value.data)
		message->headers[message->nheaders++] =
			(struct header) {slice_of(name), value};
}

static bool
is_one_of(struct slice name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equal(name, slice_of(names[i])))
			return true;
	return false;
}

/* A consumer that takes the last header of a name would take the row's for ours. */
static bool
is_reserved(struct slice name, bool copy)
{
	static const char *const ours[] = {
		HEADER_ID, HEADER_TYPE, HEADER_POSITION, HEADER_PART, HEADER_REPLAY, HEADER_REDRIVEN
	};
	static const char *const of_copies[COPY_HEADERS] = {
		HEADER_DEAD_LETTER_CODE, HEADER_DEAD_LETTER_REASON, HEADER_DEAD_LETTER_TOPIC,
		HEADER_DEAD_LETTER_POSITION, HEADER_DEAD_LETTER_SLOT, HEADER_DEAD_LETTER_PAYLOAD
	};

	return is_one_of(name, ours, sizeof(ours) / sizeof(ours[0])) ||
		(!copy && is_one_of(name, of_copies, COPY_HEADERS));
}

/* Returns their number, or -1 with *reason filled. */
static int
read_headers(struct slice text, bool copy, struct header *out, const char **reason)
{
	int			n = headers_read(text, out, HEADERS_MAX + (copy ? COPY_HEADERS : 0), reason);

	for (int i = 0; i < n; i++)
		if (is_reserved(out[i].name, copy))
		{
			*reason = "a header of the row has a name that is the streamer's own";
			return -1;
		}
	return n;
}

int
route_count_headers(struct slice text)
{
	struct header headers[HEADERS_MAX];
	const char *reason;

	return read_headers(text, false, headers, &reason);
}

/* Our own first, in a fixed order, then the row's. */
static const char *
set_headers(const struct router *router, const struct wire_event *event, struct message *message)
{
	const char *reason = NULL;

	message->nheaders = 0;
	add_header(message, HEADER_ID, event->member[OUTBOX_WIRE_ID]);
	add_header(message, HEADER_TYPE, event->member[OUTBOX_WIRE_TYPE]);
	if (router->replay)
		add_header(message, HEADER_REPLAY, slice_of(router->replay));
	else
		add_header(message, HEADER_POSITION, (struct slice) {message->position, POSITION_LEN});
	add_header(message, HEADER_TRACEPARENT, event->member[OUTBOX_WIRE_TRACEPARENT]);
	if (event->member[OUTBOX_WIRE_HEADERS].data)
	{
		int			n = read_headers(event->member[OUTBOX_WIRE_HEADERS], route_is_copy(event),
									 message->headers + message->nheaders, &reason);

		if (n < 0)
			return reason;
		message->nheaders += n;
	}
	return NULL;
}

/* A decimal of microseconds; 0 = it isn't one that can be a time. */
static int64_t
read_us(struct slice text)
{
	int64_t		us = 0;

	if (text.len > 18)
		return 0;
	for (size_t i = 0; i < text.len; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		us = us * 10 + (text.data[i] - '0');
	}
	return us;
}

/*
 * The commit time, unless a column is mapped to it.  Brokers refuse what lies
 * too far ahead, and the client reads 0 as "now": a column's value must lie
 * behind that, a server whose clock is wrong is no reason to refuse events.
 */
static bool
set_timestamp(const struct wire_transaction *transaction,
			  const struct wire_event *event, int64_t now_ms,
			  struct message *message)
{
	struct slice text = event->member[OUTBOX_WIRE_TIMESTAMP];
	int64_t		ms = (text.data ? read_us(text) : transaction->time_us) / 1000;

	if (ms <= 0)
	{
		if (text.data)
			return false;
		ms = now_ms;
	}
	message->timestamp_ms = ms < now_ms + FUTURE_MAX_MS ? ms : now_ms + FUTURE_MAX_MS;
	return true;
}

/* What the plugin says of an event that it could not output. */
static enum err_class
plugin_error(const struct message *message, const struct wire_event *event,
			 struct err *err)
{
	static const struct
	{
		const char *code;
		const char *what;
	}			errors[] = {
		{OUTBOX_ERROR_PAYLOAD_SIZE, "its payload is larger than outbox.max_payload"},
		{OUTBOX_ERROR_PAYLOAD_ENCODING, "its payload has no counterpart in UTF-8"},
		{OUTBOX_ERROR_PAYLOAD_TYPE, "its payload column has a type that is not supported"},
		{OUTBOX_ERROR_FIELD_SIZE, "its fields besides the payload are larger than 1 MiB"},
		{OUTBOX_ERROR_FIELD_ENCODING, "one of its fields has no counterpart in UTF-8"},
		{OUTBOX_ERROR_FIELD_TYPE, "one of its columns has a type that is not supported"},
		{OUTBOX_ERROR_COLUMN, "its table lacks a column that is mapped"},
		{OUTBOX_ERROR_MESSAGE, "a logical message with the prefix was not written by outbox.emit_message()"},
	};
	struct slice code = event->member[OUTBOX_WIRE_ERROR];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (slice_equal(code, slice_of(errors[i].code)))
			return undeliverable(message, event, err, errors[i].code, errors[i].what);
	return undeliverable(message, event, err, "plugin-error",
						 "the plugin could not output it");
}

enum err_class
route_event(const struct router *router, const struct timeline *timeline,
			const struct wire_transaction *transaction,
			const struct wire_event *event, int64_t now_ms,
			struct message *message, struct err *err)
{
	struct slice partition_key = event->member[OUTBOX_WIRE_PARTITION_KEY];
	const char *reason;
	bool		routed;

	message->lsn = transaction->lsn;
	message->n = event->n;
	set_position(message, timeline_of(timeline, transaction->lsn));
	/* as far as they are known: who waits behind a refused event goes by them */
	message->key = event->member[OUTBOX_WIRE_KEY].data ?
		event->member[OUTBOX_WIRE_KEY] : event->member[OUTBOX_WIRE_AGGREGATEID];
	routed = set_topic(router, event, message);
	if (!routed)
		message->topic_len = 0;
	if (event->member[OUTBOX_WIRE_ERROR].data)
		return plugin_error(message, event, err);
	if (!routed)
		return undeliverable(message, event, err, "topic-invalid",
							 "its topic is no legal name for Kafka");
	reason = set_headers(router, event, message);
	if (reason)
		return undeliverable(message, event, err, "headers-invalid", reason);
	if (!set_timestamp(transaction, event, now_ms, message))
		return undeliverable(message, event, err, "timestamp-invalid",
							 "its timestamp is not after the Unix epoch");
	message->payload = event->payload;
	message->has_partition_key = partition_key.data != NULL;
	if (partition_key.data)
		message->partition_hash = murmur2(partition_key.data, partition_key.len) & 0x7fffffff;
	return ERR_NONE;
}

void
route_mark_part(struct message *message, uint32_t part, uint32_t parts)
{
	int			len = snprintf(message->part, sizeof(message->part), "%" PRIu32 "/%" PRIu32, part, parts);

	add_header(message, HEADER_PART, (struct slice) {message->part, (size_t) len});
}

bool
route_omit_payload(struct message *message)
{
	if (!message->payload.data)
		return false;
	message->payload = (struct slice) {NULL, 0};
	add_header(message, HEADER_DEAD_LETTER_PAYLOAD, slice_of(DEAD_LETTER_PAYLOAD_OMITTED));
	return true;
}
