/*
 * route_test.c - what becomes of an event: topic, key, partition, headers,
 * timestamp, and which events nobody can deliver.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include "murmur2.h"
#include "route.h"

#define NOW_MS	INT64_C(1760000000000)

static const struct timeline timeline = {.current = 3, .npast = 1, .past = {{2, 0x1000}}};

/* What a test is about stands in it; all else is this. */
struct setup
{
	const char *pattern;
	struct wire_transaction transaction;
	struct wire_event event;
	struct err	err;
	struct message message;
	char		text[4096];		/* of headers, which are changed */
};

static struct setup *
setup(void)
{
	static struct setup s;

	s = (struct setup) {
		.pattern = "outbox.event.${aggregatetype}",
		.transaction = {.lsn = 0x16B3748, .time_us = NOW_MS * 1000 + 999, .xid = 731},
		.event = {
			.member[OUTBOX_WIRE_ID] = slice_of("7"),
			.member[OUTBOX_WIRE_AGGREGATETYPE] = slice_of("order"),
			.member[OUTBOX_WIRE_AGGREGATEID] = slice_of("42"),
			.payload = slice_of("{}")
		}
	};
	return &s;
}

/* Returns the error's code, NULL if there is none. */
static const char *
route(struct setup *s)
{
	struct err	err = {0};
	struct router *router = route_new(s->pattern, &err);
	enum err_class class;

	if (!router)
		return err.code;
	s->err = err;
	class = route_event(router, &timeline, &s->transaction, &s->event, NOW_MS, &s->message, &s->err);
	route_free(router);
	return class == ERR_NONE ? NULL : class == ERR_DATA ? s->err.code : "wrong class";
}

static void
set(struct setup *s, enum outbox_wire_member member, const char *text)
{
	s->event.member[member] = slice_of(text);
}

/* headers are changed by reading them */
static void
set_headers(struct setup *s, const char *json)
{
	(void) snprintf(s->text, sizeof(s->text), "%s", json);
	set(s, OUTBOX_WIRE_HEADERS, s->text);
}

/* ---- topic */

static const char *
topic_of(const char *pattern, const char *row_topic, const char *aggregatetype)
{
	struct setup *s = setup();
	const char *code;

	s->pattern = pattern;
	set(s, OUTBOX_WIRE_TOPIC, row_topic);
	set(s, OUTBOX_WIRE_AGGREGATETYPE, aggregatetype);
	set(s, OUTBOX_WIRE_TYPE, "Placed");
	set(s, OUTBOX_WIRE_TABLE, "shop.outbox");
	code = route(s);
	if (!code && s->message.topic_len != strlen(s->message.topic))
		return "wrong length";
	return code ? code : s->message.topic;
}

static void
test_topic(void)
{
	char		name[TOPIC_MAX_LEN + 2];

	is_str(topic_of("outbox.event.${aggregatetype}", NULL, "order"), "outbox.event.order", "Debezium's default");
	is_str(topic_of("${aggregatetype}", NULL, "order"), "order", "a placeholder alone");
	is_str(topic_of("events", NULL, "order"), "events", "no placeholder");
	is_str(topic_of("${table}_${type}-${aggregatetype}.${type}", NULL, "order"), "shop.outbox_Placed-order.Placed",
		   "all placeholders");
	is_str(topic_of("${aggregatetype}${type}", NULL, "order"), "orderPlaced", "nothing between them");
	is_str(topic_of("events", "mine", "order"), "mine", "the row's own topic");
	is_str(topic_of("${aggregatetype}", "mine", NULL), "mine", "it needs no aggregate type");
	is_str(topic_of("${aggregatetype}", NULL, NULL), "topic-invalid", "no aggregate type");
	is_str(topic_of("x.${aggregatetype}", NULL, "an order"), "topic-invalid", "a space in it");
	is_str(topic_of("x.${aggregatetype}", NULL, "caf\xc3\xa9"), "topic-invalid", "no ASCII");
	is_str(topic_of("x.${aggregatetype}", NULL, "a/b"), "topic-invalid", "a solidus");
	is_str(topic_of("x.${aggregatetype}", NULL, "${type}"), "topic-invalid", "a placeholder from the row isn't one");
	is_str(topic_of("${aggregatetype}", NULL, ""), "topic-invalid", "an empty topic");
	is_str(topic_of("x", "", "order"), "topic-invalid", "an empty topic of the row's");
	is_str(topic_of("${aggregatetype}", NULL, "."), "topic-invalid", "\".\"");
	is_str(topic_of("${aggregatetype}${aggregatetype}", NULL, "."), "topic-invalid", "\"..\"");
	is_str(topic_of("x", ".", "order"), "topic-invalid", "\".\" of the row's");
	is_str(topic_of("x", "...", "order"), "...", "\"...\" is legal");
	is_str(topic_of("x", ".a", "order"), ".a", "so is \".a\"");
	memset(name, 'a', sizeof(name));
	name[TOPIC_MAX_LEN] = '\0';
	is_str(topic_of("x", name, "order"), name, "249 octets");
	is_str(topic_of("${aggregatetype}", NULL, name), name, "from a placeholder too");
	is_str(topic_of("x${aggregatetype}", NULL, name), "topic-invalid", "one more");
	name[TOPIC_MAX_LEN] = 'a';
	name[TOPIC_MAX_LEN + 1] = '\0';
	is_str(topic_of("x", name, "order"), "topic-invalid", "one more in the row's");
}

/* In a message on the heap, so that a sanitizer sees what is written beyond it. */
static void
test_long_topic(void)
{
	struct setup *s = setup();
	struct message *message = malloc(sizeof(*message));
	struct router *router = route_new("x${aggregatetype}", &s->err);

	memset(s->text, 'a', sizeof(s->text));
	s->event.member[OUTBOX_WIRE_AGGREGATETYPE] = (struct slice) {s->text, sizeof(s->text)};
	is_int(route_event(router, &timeline, &s->transaction, &s->event, NOW_MS, message, &s->err), ERR_DATA,
		   "4096 octets");
	route_free(router);
	free(message);
}

static void
test_pattern(void)
{
	static const struct
	{
		const char *what;
		const char *pattern;
	}			refused[] = {
		{"nothing", ""},
		{"a space", "my events"},
		{"an unknown placeholder", "x.${aggregate}"},
		{"a placeholder in capitals", "${TYPE}"},
		{"an empty placeholder", "${}"},
		{"an open placeholder", "x.${type"},
		{"another kind of placeholder", "x.$type"},
		{"braces", "x.{type}"},
		{"a dollar at the end", "x$"},
		{"no ASCII", "caf\xc3\xa9"},
		{"one dot", "."},
		{"two dots", ".."},
		{"too many placeholders", "${type}${type}${type}${type}${type}${type}${type}${type}${type}"
		"${type}${type}${type}${type}${type}${type}${type}${type}"},
	};
	char		name[TOPIC_MAX_LEN + 2];
	struct err	err = {0};
	struct router *router;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		err = (struct err) {0};
		ok(route_new(refused[i].pattern, &err) == NULL && err.class == ERR_CONFIG && err.hint[0],
		   "refused as a pattern: %s", refused[i].what);
	}
	is_str(err.code, "config-value", "the code");
	memset(name, 'a', sizeof(name));
	name[TOPIC_MAX_LEN + 1] = '\0';
	ok(route_new(name, &err) == NULL, "refused as a pattern: 250 octets");
	name[TOPIC_MAX_LEN] = '\0';
	router = route_new(name, &err);
	ok(router != NULL, "249 octets are taken");
	route_free(router);
	router = route_new("${type}${type}${type}${type}${type}${type}${type}${type}"
					   "${type}${type}${type}${type}${type}${type}${type}${type}", &err);
	ok(router != NULL, "so are 16 placeholders");
	route_free(router);
	route_free(NULL);
}

/* ---- key and partition */

static void
test_key(void)
{
	struct setup *s = setup();

	is_str(route(s), NULL, "an event with the least that one has");
	ok(slice_equal(s->message.key, slice_of("42")), "its key is the aggregate id");
	ok(!s->message.has_partition_key, "its partition is the key's");
	set(s, OUTBOX_WIRE_KEY, "k");
	route(s);
	ok(slice_equal(s->message.key, slice_of("k")), "the row's own key");
	set(s, OUTBOX_WIRE_KEY, "");
	route(s);
	ok(s->message.key.data && s->message.key.len == 0, "an empty key is a key");
	set(s, OUTBOX_WIRE_KEY, NULL);
	set(s, OUTBOX_WIRE_AGGREGATEID, "");
	route(s);
	ok(s->message.key.data && s->message.key.len == 0, "so is an empty aggregate id");
	set(s, OUTBOX_WIRE_AGGREGATEID, NULL);
	is_str(route(s), NULL, "neither of them");
	ok(!s->message.key.data, "is no key at all");
	s->event.member[OUTBOX_WIRE_KEY] = (struct slice) {"\0\xff", 2};
	route(s);
	ok(slice_equal(s->message.key, (struct slice) {"\0\xff", 2}), "any octets make a key");

	set(s, OUTBOX_WIRE_PARTITION_KEY, "foobar");
	route(s);
	ok(s->message.has_partition_key, "a partition key");
	is_int(s->message.partition_hash, -790332482 & 0x7fffffff, "is hashed as the Java client does it");
	ok(slice_equal(s->message.key, (struct slice) {"\0\xff", 2}), "the key stays");
	set(s, OUTBOX_WIRE_PARTITION_KEY, "");
	route(s);
	ok(s->message.has_partition_key && s->message.partition_hash == (murmur2("", 0) & 0x7fffffff),
	   "an empty one is one");
}

static void
test_payload(void)
{
	struct setup *s = setup();

	route(s);
	ok(s->message.payload.data == s->event.payload.data && s->message.payload.len == 2,
	   "the payload is the event's own octets");
	s->event.payload = (struct slice) {NULL, 0};
	is_str(route(s), NULL, "no payload");
	ok(!s->message.payload.data, "is a tombstone");
	s->event.payload = slice_of("");
	route(s);
	ok(s->message.payload.data && s->message.payload.len == 0, "an empty payload is none");
}

/* ---- headers and position */

static const char *
headers_of(const struct message *message)
{
	static char out[2048];
	size_t		used = 0;

	out[0] = '\0';
	for (int i = 0; i < message->nheaders; i++)
		used += (size_t) snprintf(out + used, sizeof(out) - used, "%.*s%s%.*s;",
								  (int) message->headers[i].name.len, message->headers[i].name.data,
								  message->headers[i].value.data ? "=" : "",
								  (int) message->headers[i].value.len,
								  message->headers[i].value.data ? message->headers[i].value.data : "");
	return out;
}

#define POSITION	"outbox.position=00000003/00000000016B3748/00000000;"

static void
test_headers(void)
{
	struct setup *s = setup();

	route(s);
	is_str(headers_of(&s->message), "id=7;" POSITION, "headers of the least event");
	set(s, OUTBOX_WIRE_TYPE, "Placed");
	set(s, OUTBOX_WIRE_TRACEPARENT, "00-1-2-01");
	set_headers(s, "{\"tenant\": \"acme\", \"n\": 1.50, \"none\": null, \"o\": {\"a\": []}}");
	is_str(route(s), NULL, "an event with headers");
	is_str(headers_of(&s->message),
		   "id=7;eventType=Placed;" POSITION "traceparent=00-1-2-01;tenant=acme;n=1.50;none;o={\"a\": []};",
		   "ours first, then the row's in their order");
	set(s, OUTBOX_WIRE_ID, NULL);
	set(s, OUTBOX_WIRE_TYPE, "");
	set_headers(s, "{}");
	route(s);
	is_str(headers_of(&s->message), "eventType=;" POSITION "traceparent=00-1-2-01;",
		   "NULL is left out, empty is not");
	set_headers(s, "{\"tenant\": 1, \"outbox.position\": \"0\"}");
	is_str(route(s), "headers-invalid", "a header with a name of ours");
	set_headers(s, "{\"outbox.part\": \"1/2\"}");
	is_str(route(s), "headers-invalid", "another one");
	set_headers(s, "{\"outbox.replay\": \"x\"}");
	is_str(route(s), "headers-invalid", "and another");
	set_headers(s, "{\"outbox.redriven\": true}");
	is_str(route(s), "headers-invalid", "and the last one");
	set_headers(s, "{\"outbox.dead_letter.slot\": \"x\"}");
	is_str(route(s), "headers-invalid", "or one of a dead letter's copy");
	set_headers(s, "{\"tenant\": \"acme\"}");
	route(s);
	route_mark_part(&s->message, 1, 12);
	is_str(headers_of(&s->message), "eventType=;" POSITION "traceparent=00-1-2-01;tenant=acme;outbox.part=1/12;",
		   "a part of a transaction says so");
	route_mark_part(&s->message, UINT32_MAX, UINT32_MAX);
	is_int((long long) strlen(s->message.part), PART_MAX_LEN, "numbers as large as they get");
	set_headers(s, "[]");
	is_str(route(s), "headers-invalid", "headers that are no object");
	ok(strstr(s->err.message, "no JSON object") != NULL, "the reason: %s", s->err.message);
	set(s, OUTBOX_WIRE_HEADERS, "");
	is_str(route(s), "headers-invalid", "empty headers");
}

/* A row that is sent again has no position: nobody knows where it was committed. */
static void
test_replay(void)
{
	struct setup *s = setup();
	struct err	err = {0};
	struct router *router = route_new(s->pattern, &err);

	route_as_replay(router, "2026-11-22T18:00:00Z");
	s->transaction.lsn = LSN_INVALID;
	is_int(route_event(router, &timeline, &s->transaction, &s->event, NOW_MS, &s->message, &err), ERR_NONE,
		   "a row that is sent again");
	is_str(headers_of(&s->message), "id=7;outbox.replay=2026-11-22T18:00:00Z;", "says so, and has no position");
	set(s, OUTBOX_WIRE_TOPIC, "no topic");
	is_int(route_event(router, &timeline, &s->transaction, &s->event, NOW_MS, &s->message, &err), ERR_DATA,
		   "one that can't be");
	is_str(err.message, "the row with id \"7\" can't be delivered: its topic is no legal name for Kafka",
		   "is named by its id");
	route_free(router);
}

static void
test_most_headers(void)
{
	struct setup *s = setup();

	set(s, OUTBOX_WIRE_TYPE, "t");
	set(s, OUTBOX_WIRE_TRACEPARENT, "p");
	for (int members = HEADERS_MAX; members <= HEADERS_MAX + 1; members++)
	{
		size_t		len = 0;

		for (int i = 0; i < members; i++)
			len += (size_t) sprintf(s->text + len, "%s\"h\":\"\"", i == 0 ? "{" : ",");
		sprintf(s->text + len, "}");
		set(s, OUTBOX_WIRE_HEADERS, s->text);
		is_str(route(s), members == HEADERS_MAX ? NULL : "headers-invalid", "%d headers of the row's", members);
		if (members == HEADERS_MAX)
		{
			route_mark_part(&s->message, 1, 2);
			is_int(s->message.nheaders, MESSAGE_HEADERS_MAX - COPY_HEADERS, "and all of ours");
		}
	}
}

/* What goes to the dead-letter topic has headers that nobody else may have. */
static void
test_copy(void)
{
	struct setup *s = setup();
	char		row[] = "{\"a\": 1}",
				ours[] = "{\"outbox.dead_letter.code\": 1}";
	size_t		len = 0;

	set(s, OUTBOX_WIRE_TABLE, "outbox.dead_letter");
	set_headers(s, "{\"outbox.dead_letter.code\": \"c\", \"a\": \"b\"}");
	ok(route_is_copy(&s->event), "a dead letter's copy");
	is_str(route(s), NULL, "may say why");
	ok(route_omit_payload(&s->message), "it can go without its payload");
	ok(s->message.payload.data == NULL, "which is gone then");
	is_str(headers_of(&s->message), "id=7;" POSITION "outbox.dead_letter.code=c;a=b;outbox.dead_letter.payload=omitted;",
		   "and it says so");
	ok(!route_omit_payload(&s->message), "once");
	set_headers(s, "{\"id\": \"x\"}");
	is_str(route(s), "headers-invalid", "the id is ours all the same");
	for (int i = 0; i < HEADERS_MAX + COPY_HEADERS - 1; i++)
		len += (size_t) sprintf(s->text + len, "%s\"h\":\"\"", i == 0 ? "{" : ",");
	sprintf(s->text + len, "}");
	set(s, OUTBOX_WIRE_HEADERS, s->text);
	is_str(route(s), NULL, "the row's headers and five of ours");
	ok(route_omit_payload(&s->message) && s->message.nheaders <= MESSAGE_HEADERS_MAX, "there is room for all");
	is_int(route_count_headers((struct slice) {row, strlen(row)}), 1, "a row's headers are counted");
	is_int(route_count_headers((struct slice) {ours, strlen(ours)}), -1, "and may not be ours");
}

/* What is cut within a character is UTF-8 all the same. */
static void
test_long_id(void)
{
	struct setup *s = setup();

	set(s, OUTBOX_WIRE_ID, "x\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4");
	set(s, OUTBOX_WIRE_TOPIC, "/");
	is_str(route(s), "topic-invalid", "an id of 67 octets");
	ok(strstr(s->err.message, "\u00e4?\") can't") != NULL, "is cut within a character: %s", s->err.message);
}

static int
compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Positions compare as text as their numbers do. */
static void
test_position_order(struct random *random)
{
	struct setup *s = setup();
	struct router *router = route_new("x", &s->err);
	int			wrong = 0;

	for (int round = 0; round < 20000; round++)
	{
		struct timeline lines[2] = {{.current = 0}, {.current = 0}};
		lsn_t		lsn[2];
		uint32_t	n[2];
		char		text[2][POSITION_LEN + 1];
		int			expected;

		for (int i = 0; i < 2; i++)
		{
			bool		same = i == 1 && random_once_in(random, 2);

			lines[i].current = same ? lines[0].current : (uint32_t) random_u64(random) >> random_below(random, 32);
			lsn[i] = same && random_once_in(random, 2) ? lsn[0] : random_u64(random) >> random_below(random, 64);
			n[i] = (uint32_t) random_u64(random) >> random_below(random, 32);
			s->transaction.lsn = lsn[i];
			s->event.n = n[i];
			route_event(router, &lines[i], &s->transaction, &s->event, NOW_MS, &s->message, &s->err);
			wrong += strlen(s->message.position) != POSITION_LEN;
			wrong += s->message.lsn != lsn[i] || s->message.n != n[i];
			memcpy(text[i], s->message.position, POSITION_LEN + 1);
		}
		expected = lines[0].current != lines[1].current ? compare(lines[0].current, lines[1].current) :
			lsn[0] != lsn[1] ? compare(lsn[0], lsn[1]) : compare(n[0], n[1]);
		wrong += compare((uint64_t) strcmp(text[0], text[1]) + INT32_MAX, INT32_MAX) != expected;
	}
	route_free(router);
	is_int(wrong, 0, "20000 pairs of positions sort as text in stream order");
}

static void
test_position(void)
{
	struct setup *s = setup();

	s->transaction.lsn = 0x1000;
	s->event.n = UINT32_MAX - 1;
	route(s);
	is_str(s->message.position, "00000002/0000000000001000/FFFFFFFE", "a position on a past timeline");
	s->transaction.lsn = UINT64_MAX;
	route(s);
	is_str(s->message.position, "00000003/FFFFFFFFFFFFFFFF/FFFFFFFE", "on the current one");
	set(s, OUTBOX_WIRE_ERROR, OUTBOX_ERROR_PAYLOAD_SIZE);
	memset(&s->message, 0, sizeof(s->message));
	route(s);
	is_str(s->message.position, "00000003/FFFFFFFFFFFFFFFF/FFFFFFFE", "an event that can't be delivered has one");
	ok(s->message.lsn == UINT64_MAX && s->message.n == UINT32_MAX - 1, "as numbers too");
}

/* ---- timestamp */

static void
test_timestamp(void)
{
	static const struct
	{
		const char *what;
		const char *timestamp;	/* NULL: no column */
		int64_t		commit_us;
		int64_t		expected;	/* 0: refused */
	}			cases[] = {
		{"the commit's time, in whole milliseconds", NULL, NOW_MS * 1000 + 999, NOW_MS},
		{"a commit that lies far back", NULL, 1000, 1},
		{"a server whose clock is ahead: an hour at most", NULL, (NOW_MS + 7200000) * 1000, NOW_MS + 3600000},
		{"a server whose clock is in 1970: now", NULL, 999, NOW_MS},
		{"a server whose clock is before 1970: now", NULL, -1, NOW_MS},
		{"a column", "1700000000123456", NOW_MS * 1000, 1700000000123},
		{"a column, whatever the commit's time", "1700000000123456", -1, 1700000000123},
		{"a column that lies ahead", "1760000001000000", NOW_MS * 1000, NOW_MS + 1000},
		{"a column that lies too far ahead", "1860000001000000", NOW_MS * 1000, NOW_MS + 3600000},
		{"the largest number", "999999999999999999", NOW_MS * 1000, NOW_MS + 3600000},
		{"one millisecond", "1000", NOW_MS * 1000, 1},
		{"less than one", "999", NOW_MS * 1000, 0},
		{"zero", "0", NOW_MS * 1000, 0},
		{"before 1970", "-1000000", NOW_MS * 1000, 0},
		{"nothing", "", NOW_MS * 1000, 0},
		{"words", "infinity", NOW_MS * 1000, 0},
		{"a fraction", "1700000000123456.5", NOW_MS * 1000, 0},
		{"too many digits", "1000000000000000000", NOW_MS * 1000, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		struct setup *s = setup();
		const char *code;

		s->transaction.time_us = cases[i].commit_us;
		set(s, OUTBOX_WIRE_TIMESTAMP, cases[i].timestamp);
		code = route(s);
		if (cases[i].expected)
			is_int(code ? -1 : s->message.timestamp_ms, cases[i].expected, "timestamp: %s", cases[i].what);
		else
			is_str(code, "timestamp-invalid", "timestamp refused: %s", cases[i].what);
	}
}

/* ---- errors */

static void
test_errors(void)
{
	static const char *const codes[] = {
		OUTBOX_ERROR_PAYLOAD_SIZE, OUTBOX_ERROR_PAYLOAD_ENCODING, OUTBOX_ERROR_PAYLOAD_TYPE,
		OUTBOX_ERROR_FIELD_SIZE, OUTBOX_ERROR_FIELD_ENCODING, OUTBOX_ERROR_FIELD_TYPE,
		OUTBOX_ERROR_COLUMN, OUTBOX_ERROR_MESSAGE
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
	{
		struct setup *s = setup();

		set(s, OUTBOX_WIRE_ERROR, codes[i]);
		s->event.payload = (struct slice) {NULL, 0};
		is_str(route(s), codes[i], "what the plugin can say: %s", codes[i]);
		diag("%s", s->err.message);
	}
	{
		struct setup *s = setup();

		set(s, OUTBOX_WIRE_ERROR, "payload-too-larg");
		is_str(route(s), "plugin-error", "what a newer plugin may say");
		set(s, OUTBOX_WIRE_ERROR, "");
		is_str(route(s), "plugin-error", "even nothing is an error");
		s->event.n = 17;
		route(s);
		ok(strstr(s->err.message, "event 17 ") && strstr(s->err.message, "0/16B3748") &&
		   strstr(s->err.message, "id \"7\""), "it says which event");
	}
}

int
main(void)
{
	struct random random = random_start();

	test_topic();
	test_long_topic();
	test_pattern();
	test_key();
	test_payload();
	test_headers();
	test_replay();
	test_most_headers();
	test_copy();
	test_long_id();
	test_position();
	test_position_order(&random);
	test_timestamp();
	test_errors();
	return done_testing();
}
