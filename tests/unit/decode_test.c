/*
 * decode_test.c - the reader of the wire format takes all of the grammar in
 * wire.h, and nothing else.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"
#include "wire_encode.h"

#include <jansson.h>

#define BEGIN	"{\"begin\":\"0/16B3748\",\"wire\":1,\"xid\":731,\"time\":1760000000123456}\n"
#define EVENT	"{\"n\":0,\"id\":\"7\",\"size\":         2}\n{}\n"
#define COMMIT	"{\"commit\":\"0/16B3748\",\"events\":1}\n"

/*
 * Decodes one frame in a heap copy of its exact length, so that a sanitizer
 * sees every octet that is read beyond it.  Writes one letter for each item:
 * B, E, C, and X for an error.  What was understood is encoded again into
 * *again (if not NULL): the input was canonical if both are equal.
 */
static const char *
run(struct decoder *decoder, const char *data, size_t len, struct wire_out *again)
{
	static char items[512];
	size_t		n = 0;
	char	   *copy = malloc(len);
	struct err	err = {0};
	enum decode_item item;

	if (len > 0)
		memcpy(copy, data, len);
	decode_feed(decoder, copy, len);
	do
	{
		item = decode_next(decoder, &err);
		if (n < sizeof(items) - 1)
			items[n++] = ".BECX"[item];
		if (!again)
			continue;
		if (item == DECODE_BEGIN)
			wire_put_begin(again, &decoder->transaction);
		else if (item == DECODE_EVENT)
			wire_put_event(again, &decoder->event);
		else if (item == DECODE_COMMIT)
			wire_put_commit(again, &decoder->transaction);
	} while (item != DECODE_END && item != DECODE_ERROR);
	items[n - (item == DECODE_END ? 1 : 0)] = '\0';
	free(copy);
	return items;
}

static const char *
items_of(const char *data, size_t len)
{
	struct decoder decoder;

	decode_reset(&decoder);
	return run(&decoder, data, len, NULL);
}

/* ---- what has to be accepted, with its values */

static void
test_values(void)
{
	static const char frame[] =
		"{\"begin\":\"A/FFFFFFFF\",\"wire\":1,\"xid\":4294967295,\"time\":9223372036854775807}\n"
		"{\"n\":0,\"table\":\"outbox.event\",\"id\":\"i\",\"aggregatetype\":\"order\",\"aggregateid\":\"\","
		"\"type\":\"t\",\"topic\":\"o\",\"key\":\"k\",\"partition_key\":\"p\",\"headers\":\"{\\\"a\\\":1}\","
		"\"traceparent\":\"00-x\",\"timestamp\":\"12\",\"size\":        11}\n"
		"ab\n\0\"{}\n\xff}\n\n"
		"{\"n\":1,\"size\":null}\n\n"
		"{\"n\":2,\"size\":         0}\n\n"
		"{\"n\":3,\"id\":\"\",\"error\":\"payload-too-large\",\"size\":null}\n\n"
		"{\"commit\":\"A/FFFFFFFF\",\"events\":4}\n";
	static const char *const members[] = {
		"outbox.event", "i", "order", "", "t", "o", "k", "p", "{\"a\":1}", "00-x", "12", NULL
	};
	char		copy[sizeof(frame)];
	struct decoder d;
	struct err	err = {0};

	memcpy(copy, frame, sizeof(frame));
	decode_reset(&d);
	decode_feed(&d, copy, sizeof(frame) - 1);
	is_int(decode_next(&d, &err), DECODE_BEGIN, "begin line");
	ok(d.transaction.lsn == 0xAFFFFFFFFu, "its LSN");
	ok(d.transaction.xid == UINT32_MAX, "its xid");
	ok(d.transaction.time_us == INT64_MAX, "its time");
	is_int(decode_next(&d, &err), DECODE_EVENT, "event with all members");
	is_int(d.event.n, 0, "its index");
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		ok(slice_equal(d.event.member[i], slice_of(members[i])),
		   "member %s", wire_member_names[i]);
	ok(slice_equal(d.event.payload, (struct slice) {"ab\n\0\"{}\n\xff}\n", 11}),
	   "payload with any octets, among them what looks like the end of it");
	is_int(decode_next(&d, &err), DECODE_EVENT, "event without members");
	ok(d.event.n == 1 && !d.event.payload.data, "size null is an absent payload");
	ok(!d.event.member[OUTBOX_WIRE_ID].data, "nothing is left over of the last event's members");
	is_int(decode_next(&d, &err), DECODE_EVENT, "event with an empty payload");
	ok(d.event.payload.data && d.event.payload.len == 0, "size 0 is a payload that is empty");
	is_int(decode_next(&d, &err), DECODE_EVENT, "event with an error");
	ok(slice_equal(d.event.member[OUTBOX_WIRE_ERROR], slice_of(OUTBOX_ERROR_PAYLOAD_SIZE)) &&
	   d.event.member[OUTBOX_WIRE_ID].data && d.event.member[OUTBOX_WIRE_ID].len == 0,
	   "its code, and an empty string is not absent");
	is_int(decode_next(&d, &err), DECODE_COMMIT, "commit line");
	is_int(d.transaction.events, 4, "events are counted");
	is_int(decode_next(&d, &err), DECODE_END, "end of the frame");
	is_int(decode_next(&d, &err), DECODE_END, "and it stays so");
}

static void
test_escapes(void)
{
	struct wire_out out = {0};
	struct decoder d;
	struct err	err = {0};
	char		all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char) i;
	wire_put(&out, BEGIN, sizeof(BEGIN) - 1);
	wire_put_event(&out, &(struct wire_event) {
		.member[OUTBOX_WIRE_KEY] = {all, sizeof(all)},
		.member[OUTBOX_WIRE_HEADERS] = slice_of("plain"),
		.payload = {all, sizeof(all)}
	});
	decode_reset(&d);
	decode_feed(&d, out.data, out.len);
	decode_next(&d, &err);
	is_int(decode_next(&d, &err), DECODE_EVENT, "string of all 256 octets, escaped");
	ok(slice_equal(d.event.member[OUTBOX_WIRE_KEY], (struct slice) {all, sizeof(all)}),
	   "it is unescaped in place");
	ok(slice_equal(d.event.member[OUTBOX_WIRE_HEADERS], slice_of("plain")), "the string behind it too");
	ok(slice_equal(d.event.payload, (struct slice) {all, sizeof(all)}),
	   "a payload's octets are left alone");
	free(out.data);
}

static void
test_largest_head(void)
{
	size_t		fixed = sizeof("{\"n\":0,\"headers\":\"\",\"size\":null}") - 1;

	for (size_t beyond = 0; beyond <= 1; beyond++)
	{
		size_t		len = OUTBOX_WIRE_MAX_HEAD - fixed + beyond;
		char	   *text = malloc(len);
		struct wire_out out = {0};

		memset(text, 'x', len);
		wire_put(&out, BEGIN, sizeof(BEGIN) - 1);
		wire_put_event(&out, &(struct wire_event) {.member[OUTBOX_WIRE_HEADERS] = {text, len}});
		is_str(items_of(out.data, out.len), beyond ? "BX" : "BE",
			   "head line of OUTBOX_WIRE_MAX_HEAD%s octets", beyond ? " + 1" : "");
		free(text);
		free(out.data);
	}
}

/* ---- what has to be refused, and where */

struct refusal
{
	const char *what;
	const char *frame;			/* no NUL inside */
	const char *items;
};

static const struct refusal refusals[] = {
	/* order of lines */
	{"event outside a transaction", EVENT, "X"},
	{"commit outside a transaction", COMMIT, "X"},
	{"begin in a transaction", BEGIN BEGIN, "BX"},
	{"event after the commit", BEGIN EVENT COMMIT EVENT, "BECX"},
	{"second commit", BEGIN EVENT COMMIT COMMIT, "BECX"},
	{"empty line", "\n", "X"},
	{"empty line in a transaction", BEGIN "\n", "BX"},
	{"something else", "BEGIN 731\n", "X"},
	{"something else in a transaction", BEGIN "{\"m\":0}\n", "BX"},

	/* counts and LSNs */
	{"transaction without events", BEGIN "{\"commit\":\"0/16B3748\",\"events\":0}\n", "BX"},
	{"commit of fewer events than came", BEGIN EVENT "{\"commit\":\"0/16B3748\",\"events\":0}\n", "BEX"},
	{"commit of more events than came", BEGIN EVENT "{\"commit\":\"0/16B3748\",\"events\":2}\n", "BEX"},
	{"commit with another LSN", BEGIN EVENT "{\"commit\":\"0/16B3749\",\"events\":1}\n", "BEX"},
	{"commit with another upper half", BEGIN EVENT "{\"commit\":\"1/16B3748\",\"events\":1}\n", "BEX"},
	{"first event isn't number 0", BEGIN "{\"n\":1,\"size\":null}\n\n", "BX"},
	{"event repeated", BEGIN EVENT EVENT, "BEX"},
	{"event left out", BEGIN EVENT "{\"n\":2,\"size\":null}\n\n", "BEX"},

	/* begin */
	{"LSN 0/0", "{\"begin\":\"0/0\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN in lower case", "{\"begin\":\"0/16b3748\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN with a leading zero", "{\"begin\":\"0/016B3748\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN with a leading zero in its upper half", "{\"begin\":\"01/16B3748\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN of nine digits", "{\"begin\":\"0/116B37480\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN without its lower half", "{\"begin\":\"16/\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN without a solidus", "{\"begin\":\"16B3748\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"LSN that never ends", "{\"begin\":\"0/16B3748,wire:1,xid:1,time:1,very long\"}\n", "X"},
	{"wire 0", "{\"begin\":\"0/1\",\"wire\":0,\"xid\":1,\"time\":1}\n", "X"},
	{"wire 2", "{\"begin\":\"0/1\",\"wire\":2,\"xid\":1,\"time\":1}\n", "X"},
	{"wire 9", "{\"begin\":\"0/1\",\"wire\":9,\"xid\":1,\"time\":1}\n", "X"},
	{"wire 11", "{\"begin\":\"0/1\",\"wire\":11,\"xid\":1,\"time\":1}\n", "X"},
	{"wire 01", "{\"begin\":\"0/1\",\"wire\":01,\"xid\":1,\"time\":1}\n", "X"},
	{"xid of 33 bits", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":4294967296,\"time\":1}\n", "X"},
	{"xid below zero", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":-1,\"time\":1}\n", "X"},
	{"no xid", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":,\"time\":1}\n", "X"},
	{"time of 64 bits", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":9223372036854775808}\n", "X"},
	{"time of many digits", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":99999999999999999999999}\n", "X"},
	{"time with a fraction", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":1.5}\n", "X"},
	{"time -0", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":-0}\n", "X"},
	{"time -", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":-}\n", "X"},
	{"begin with a member more", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":1,\"a\":1}\n", "X"},
	{"begin with members in another order", "{\"begin\":\"0/1\",\"xid\":1,\"wire\":1,\"time\":1}\n", "X"},
	{"begin with white space", "{\"begin\": \"0/1\",\"wire\":1,\"xid\":1,\"time\":1}\n", "X"},
	{"begin with CR", "{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":1}\r\n", "X"},

	/* head */
	{"head without size", BEGIN "{\"n\":0}\n\n", "BX"},
	{"head without index", BEGIN "{\"size\":null}\n\n", "BX"},
	{"index 00", BEGIN "{\"n\":00,\"size\":null}\n\n", "BX"},
	{"index that is empty", BEGIN "{\"n\":,\"size\":null}\n\n", "BX"},
	{"members in another order", BEGIN "{\"n\":0,\"type\":\"t\",\"id\":\"7\",\"size\":null}\n\n", "BX"},
	{"member repeated", BEGIN "{\"n\":0,\"id\":\"7\",\"id\":\"7\",\"size\":null}\n\n", "BX"},
	{"unknown member", BEGIN "{\"n\":0,\"ident\":\"7\",\"size\":null}\n\n", "BX"},
	{"member that is null", BEGIN "{\"n\":0,\"id\":null,\"size\":null}\n\n", "BX"},
	{"member that is a number", BEGIN "{\"n\":0,\"id\":7,\"size\":null}\n\n", "BX"},
	{"member with white space", BEGIN "{\"n\":0, \"id\":\"7\",\"size\":null}\n\n", "BX"},
	{"member behind the size", BEGIN "{\"n\":0,\"size\":null,\"id\":\"7\"}\n\n", "BX"},
	{"error with a payload", BEGIN "{\"n\":0,\"error\":\"e\",\"size\":         1}\nx\n", "BX"},
	{"error with an empty payload", BEGIN "{\"n\":0,\"error\":\"e\",\"size\":         0}\n\n", "BX"},

	/* size and payload */
	{"size that is not padded", BEGIN "{\"n\":0,\"size\":2}\n{}\n", "BX"},
	{"size of eleven octets", BEGIN "{\"n\":0,\"size\":          2}\n{}\n", "BX"},
	{"size padded with zeros", BEGIN "{\"n\":0,\"size\":0000000002}\n{}\n", "BX"},
	{"size of spaces", BEGIN "{\"n\":0,\"size\":          }\n\n", "BX"},
	{"size padded behind", BEGIN "{\"n\":0,\"size\":2         }\n{}\n", "BX"},
	{"size below zero", BEGIN "{\"n\":0,\"size\":        -1}\n\n", "BX"},
	{"size NULL in capitals", BEGIN "{\"n\":0,\"size\":NULL}\n\n", "BX"},
	{"size null, padded", BEGIN "{\"n\":0,\"size\":      null}\n\n", "BX"},
	{"size beyond the frame", BEGIN "{\"n\":0,\"size\":         5}\n{}\n", "BX"},
	{"size of 4 GiB - 1", BEGIN "{\"n\":0,\"size\":4294967295}\n{}\n", "BX"},
	{"size of 9999999999", BEGIN "{\"n\":0,\"size\":9999999999}\n{}\n", "BX"},
	{"size one too small", BEGIN "{\"n\":0,\"size\":         1}\n{}\n", "BX"},
	{"size one too large", BEGIN "{\"n\":0,\"size\":         3}\n{}\n" COMMIT, "BX"},
	{"null payload with octets", BEGIN "{\"n\":0,\"size\":null}\nnull\n", "BX"},
	{"payload without its LF", BEGIN "{\"n\":0,\"size\":         2}\n{}" COMMIT, "BX"},

	/* strings */
	{"control character as it is", BEGIN "{\"n\":0,\"id\":\"a\tb\",\"size\":null}\n\n", "BX"},
	{"control character behind an escape", BEGIN "{\"n\":0,\"id\":\"\\n\tb\",\"size\":null}\n\n", "BX"},
	{"LF in a string", BEGIN "{\"n\":0,\"id\":\"a\nb\",\"size\":null}\n\n", "BX"},
	{"escaped solidus", BEGIN "{\"n\":0,\"id\":\"\\/\",\"size\":null}\n\n", "BX"},
	{"escape that is unknown", BEGIN "{\"n\":0,\"id\":\"\\a\",\"size\":null}\n\n", "BX"},
	{"\\u of a letter", BEGIN "{\"n\":0,\"id\":\"\\u0041\",\"size\":null}\n\n", "BX"},
	{"\\u0020", BEGIN "{\"n\":0,\"id\":\"\\u0020\",\"size\":null}\n\n", "BX"},
	{"\\u in upper case", BEGIN "{\"n\":0,\"id\":\"\\u001F\",\"size\":null}\n\n", "BX"},
	{"\\u of three digits", BEGIN "{\"n\":0,\"id\":\"\\u001\",\"size\":null}\n\n", "BX"},
	{"\\u beyond the first page", BEGIN "{\"n\":0,\"id\":\"\\u0101\",\"size\":null}\n\n", "BX"},
	{"\\u000a for \\n", BEGIN "{\"n\":0,\"id\":\"\\u000a\",\"size\":null}\n\n", "BX"},
	{"\\u0008 for \\b", BEGIN "{\"n\":0,\"id\":\"\\u0008\",\"size\":null}\n\n", "BX"},
	{"string that never ends", BEGIN "{\"n\":0,\"id\":\"abc", "BX"},
	{"string that ends in an escape", BEGIN "{\"n\":0,\"id\":\"abc\\", "BX"},
	{"string that ends in \\u", BEGIN "{\"n\":0,\"id\":\"abc\\u00", "BX"},

	/* commit */
	{"commit with a member more", BEGIN EVENT "{\"commit\":\"0/16B3748\",\"events\":1,\"a\":1}\n", "BEX"},
	{"commit without events", BEGIN EVENT "{\"commit\":\"0/16B3748\"}\n", "BEX"},
	{"commit with a leading zero", BEGIN EVENT "{\"commit\":\"0/16B3748\",\"events\":01}\n", "BEX"},
	{"commit with an LSN in lower case", BEGIN EVENT "{\"commit\":\"0/16b3748\",\"events\":1}\n", "BEX"},
};

static void
test_refusals(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		is_str(items_of(refusals[i].frame, strlen(refusals[i].frame)), refusals[i].items,
			   "refused: %s", refusals[i].what);
	is_str(items_of(BEGIN EVENT COMMIT, sizeof(BEGIN EVENT COMMIT) - 1), "BEC",
		   "what the refused ones were made from is accepted");
	is_str(items_of("{\"begin\":\"0/1\",\"wire\":1,\"xid\":1,\"time\":-1}\n", 43), "B",
		   "a clock before 1970 is a legal time");
}

static void
test_error(void)
{
	struct decoder d;
	struct err	err = {0};
	char		line[] = "hello\x01 world";

	decode_reset(&d);
	decode_feed(&d, line, sizeof(line) - 1);
	decode_next(&d, &err);
	is_int(err.class, ERR_FATAL, "an error is fatal");
	is_str(err.code, "wire-format", "its code");
	ok(strstr(err.message, "\"hello  world\"") != NULL, "it shows the line");
	ok(err.hint[0] != '\0', "and has a hint");
}

/* ---- frames */

/* Every prefix is an error unless it ends where a line or an event ends. */
static void
test_truncations(void)
{
	static const char frame[] =
		BEGIN
		"{\"n\":0,\"id\":\"a\\n\\u0001b\",\"aggregateid\":\"\",\"size\":         4}\n}\n\n{\n"
		"{\"n\":1,\"error\":\"e\",\"size\":null}\n\n"
		"{\"commit\":\"0/16B3748\",\"events\":2}\n";
	size_t		len = sizeof(frame) - 1;
	size_t		begin = sizeof(BEGIN) - 1;
	size_t		first = begin + strlen("{\"n\":0,\"id\":\"a\\n\\u0001b\",\"aggregateid\":\"\",\"size\":         4}\n}\n\n{\n");
	size_t		second = first + strlen("{\"n\":1,\"error\":\"e\",\"size\":null}\n\n");
	int			wrong = 0;

	for (size_t cut = 0; cut <= len; cut++)
	{
		const char *items = items_of(frame, cut);
		const char *expected = cut == 0 ? "" : cut < begin ? "X" : cut == begin ? "B" :
			cut < first ? "BX" : cut == first ? "BE" : cut < second ? "BEX" :
			cut == second ? "BEE" : cut < len ? "BEEX" : "BEEC";

		if (strcmp(items, expected) != 0)
		{
			wrong++;
			diag("%zu octets: %s, expected %s", cut, items, expected);
		}
	}
	is_int(wrong, 0, "a frame cut off at any of its %zu octets", len);
}

static void
test_several_frames(void)
{
	struct decoder d;

	decode_reset(&d);
	is_str(run(&d, BEGIN, sizeof(BEGIN) - 1, NULL), "B", "transaction in three frames: begin");
	is_str(run(&d, EVENT, sizeof(EVENT) - 1, NULL), "E", "event");
	is_str(run(&d, "", 0, NULL), "", "an empty frame");
	is_str(run(&d, COMMIT BEGIN, sizeof(COMMIT BEGIN) - 1, NULL), "CB", "commit");
	is_str(run(&d, BEGIN, sizeof(BEGIN) - 1, NULL), "X", "the next one is open");
	decode_reset(&d);
	is_str(run(&d, BEGIN EVENT, sizeof(BEGIN EVENT) - 1, NULL), "BE", "a reset forgets what was open");
	is_str(run(&d, BEGIN, sizeof(BEGIN) - 1, NULL), "X", "but only a reset");
}

/* ---- properties */

static struct slice
random_string(struct random *random, char *room, size_t max)
{
	size_t		len = random_below(random, (uint32_t) max + 1);
	uint32_t	kind = random_below(random, 4);

	for (size_t i = 0; i < len; i++)
		room[i] = kind == 0 ? (char) random_u64(random) :
			kind == 1 ? "\"\\\b\f\n\r\t/\x7f\x01{},:un0"[random_below(random, 17)] :
			(char) ('a' + random_below(random, 26));
	return (struct slice) {room, len};
}

static void
random_event(struct random *random, struct wire_event *event, char *room)
{
	memset(event->member, 0, sizeof(event->member));
	event->payload = (struct slice) {NULL, 0};
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		if (random_once_in(random, 2))
			event->member[i] = random_string(random, room + i * 40, 40);
	if (random_once_in(random, 4))
		return;
	event->member[OUTBOX_WIRE_ERROR] = (struct slice) {NULL, 0};
	if (!random_once_in(random, 5))
		event->payload = random_string(random, room + OUTBOX_WIRE_NMEMBERS * 40, 300);
}

static bool
same_event(const struct wire_event *a, const struct wire_event *b)
{
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		if (!slice_equal(a->member[i], b->member[i]))
			return false;
	return a->n == b->n && slice_equal(a->payload, b->payload);
}

static void
random_transaction(struct random *random, struct wire_transaction *transaction)
{
	*transaction = (struct wire_transaction) {
		.lsn = random_u64(random) >> random_below(random, 64) | 1,
		.xid = (uint32_t) random_u64(random),
		.time_us = (int64_t) (random_u64(random) >> random_below(random, 64))
	};
}

/* Any transaction, cut into frames between any two lines, comes out as it went in. */
static void
test_round_trip(struct random *random)
{
	static char room[16][OUTBOX_WIRE_NMEMBERS * 40 + 300];
	struct wire_event events[16];
	struct wire_out out = {0};
	int			wrong = 0;

	for (int round = 0; round < 2000; round++)
	{
		struct wire_transaction transaction;
		uint32_t	n = 1 + random_below(random, 16);
		uint32_t	seen = 0;
		struct decoder d;
		struct err	err = {0};
		enum decode_item item = DECODE_END;

		random_transaction(random, &transaction);
		decode_reset(&d);
		out.len = 0;
		wire_put_begin(&out, &transaction);
		for (uint32_t i = 0; i <= n; i++)
		{
			if (i < n)
			{
				random_event(random, &events[i], room[i]);
				events[i].n = i;
				wire_put_event(&out, &events[i]);
			}
			else
			{
				transaction.events = n;
				wire_put_commit(&out, &transaction);
			}
			if (i < n && !random_once_in(random, 4))
				continue;
			decode_feed(&d, out.data, out.len);
			while ((item = decode_next(&d, &err)) == DECODE_BEGIN || item == DECODE_EVENT)
				if (item == DECODE_EVENT && (seen > i || !same_event(&d.event, &events[seen++])))
					wrong++;
			out.len = 0;
		}
		if (item != DECODE_COMMIT || decode_next(&d, &err) != DECODE_END || seen != n ||
			memcmp(&d.transaction, &transaction, sizeof(transaction)) != 0)
			wrong++;
	}
	free(out.data);
	is_int(wrong, 0, "2000 random transactions in random frames");
}

/* The value of one member as jansson sees it. */
static bool
same_as_jansson(json_t *object, const char *name, struct slice value)
{
	json_t	   *string = json_object_get(object, name);

	if (!string || !value.data)
		return !string == !value.data;
	return json_is_string(string) &&
		slice_equal(value, (struct slice) {json_string_value(string), json_string_length(string)});
}

/* 1: agrees, 0: doesn't, -1: jansson doesn't take strings that are no UTF-8 */
static int
compare_head(const char *line, size_t len, const struct wire_event *event)
{
	json_error_t error;
	json_t	   *head;
	json_t	   *size;
	bool		same;

	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS; i++)
		if (event->member[i].data)
		{
			json_t	   *string = json_stringn(event->member[i].data, event->member[i].len);

			if (!string)
				return -1;
			json_decref(string);
		}
	head = json_loadb(line, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	if (!head)
		return 0;
	size = json_object_get(head, "size");
	same = json_integer_value(json_object_get(head, "n")) == event->n &&
		(event->payload.data ? json_is_integer(size) &&
		 json_integer_value(size) == (json_int_t) event->payload.len : json_is_null(size));
	for (int i = 0; i < OUTBOX_WIRE_NMEMBERS && same; i++)
		same = same_as_jansson(head, wire_member_names[i], event->member[i]);
	json_decref(head);
	return same;
}

/* Overwrites, deletes or inserts an octet, with a taste for what matters. */
static size_t
mutate(struct random *random, char *data, size_t len)
{
	static const char tasty[] = "\"\\{}:,0123456789ntu/ \n\x1f\x80";
	size_t		at = random_below(random, (uint32_t) len);
	char		octet = random_once_in(random, 4) ? (char) random_u64(random) :
		tasty[random_below(random, sizeof(tasty) - 1)];

	switch (random_below(random, 3))
	{
		case 0:
			data[at] = octet;
			return len;
		case 1:
			memmove(data + at, data + at + 1, len - at - 1);
			return len - 1;
		default:
			memmove(data + at + 1, data + at, len - at);
			data[at] = octet;
			return len + 1;
	}
}

/*
 * Mutated heads: whatever is accepted says the same when it is encoded again,
 * octet for octet (so only the canonical form is), and means the same to
 * jansson.
 */
static void
test_mutated(struct random *random)
{
	struct wire_out out = {0};
	struct wire_out again = {0};
	char		room[OUTBOX_WIRE_NMEMBERS * 40 + 300];
	int			accepted = 0;
	int			not_canonical = 0;
	int			compared = 0;
	int			differ = 0;

	for (int round = 0; round < 60000; round++)
	{
		struct decoder d;
		struct wire_event event = {0};
		size_t		start = sizeof(BEGIN) - 1;
		size_t		len;
		const char *items;
		char	   *lf;

		random_event(random, &event, room);
		out.len = again.len = 0;
		wire_put(&out, BEGIN, start);
		wire_put_event(&out, &event);
		wire_put(&out, COMMIT, sizeof(COMMIT) - 1);
		len = out.len;
		wire_put(&out, "spare", 5);
		for (uint32_t i = random_below(random, 3); i > 0; i--)
			len = mutate(random, out.data, len);
		decode_reset(&d);
		items = run(&d, out.data, len, &again);
		if (strcmp(items, "BEC") == 0)
		{
			accepted++;
			not_canonical += again.len != len || memcmp(again.data, out.data, len) != 0;
		}
		if (items[1] != 'E' || memcmp(out.data, BEGIN, start) != 0)
			continue;
		/* run() has freed what the event points to: read it once more */
		lf = memchr(out.data + start, '\n', len - start);
		again.len = 0;
		wire_put(&again, out.data, len);
		decode_reset(&d);
		decode_feed(&d, again.data, len);
		decode_next(&d, &(struct err) {0});
		decode_next(&d, &(struct err) {0});
		switch (compare_head(out.data + start, (size_t) (lf - out.data) - start, &d.event))
		{
			case 0:
				differ++;
				diag("differs: %.*s", (int) (lf - out.data - (long) start), out.data + start);
				break;
			case 1:
				compared++;
		}
	}
	free(out.data);
	free(again.data);
	diag("%d accepted, %d compared with jansson", accepted, compared);
	ok(accepted > 10000 && compared > 5000, "enough mutated heads are accepted to say something");
	is_int(not_canonical, 0, "what is accepted is canonical");
	is_int(differ, 0, "what is accepted means the same to jansson");
}

/* One octet at a time: every position, every value. */
static void
test_every_octet(void)
{
	static const char frame[] = BEGIN "{\"n\":0,\"id\":\"\\u001f\\n\",\"size\":         2}\n{}\n" COMMIT;
	struct wire_out again = {0};
	char		copy[sizeof(frame)];
	int			not_canonical = 0;

	for (size_t at = 0; at < sizeof(frame) - 1; at++)
		for (int octet = 0; octet < 256; octet++)
		{
			struct decoder d;

			memcpy(copy, frame, sizeof(frame));
			copy[at] = (char) octet;
			again.len = 0;
			decode_reset(&d);
			if (strcmp(run(&d, copy, sizeof(frame) - 1, &again), "BEC") == 0 &&
				(again.len != sizeof(frame) - 1 || memcmp(again.data, copy, again.len) != 0))
			{
				not_canonical++;
				diag("accepted with '%c' (%d) at %zu", octet < 0x20 ? '?' : octet, octet, at);
			}
		}
	free(again.data);
	is_int(not_canonical, 0, "any octet at any place: what is accepted is canonical");
}

int
main(void)
{
	struct random random = random_start();

	test_values();
	test_escapes();
	test_largest_head();
	test_refusals();
	test_error();
	test_truncations();
	test_several_frames();
	test_every_octet();
	test_round_trip(&random);
	test_mutated(&random);
	return done_testing();
}
