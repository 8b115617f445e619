/*
 * oversize_test.c - which sizes are refused unasked: a record's size to the octet,
 * by topic, for a while.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include "oversize.h"

static struct message *
message_of(const char *topic, size_t payload)
{
	static char text[100000];
	static struct message message;

	message = (struct message) {.payload = {text, payload}};
	(void) snprintf(message.topic, sizeof(message.topic), "%s", topic);
	return &message;
}

static void
test_octets(void)
{
	struct message *m = message_of("t", 0);

	/* Kafka's documentation, record format v2: length, attributes, two deltas, key
	 * (-1), value (0), headers (0), each a varint */
	is_int((long long) oversize_octets(m), 1 + 3 + 1 + 1 + 1, "an empty value and no key");
	m->payload = (struct slice) {NULL, 0};
	is_int((long long) oversize_octets(m), 7, "a tombstone takes as much");
	m->key = slice_of("key");
	is_int((long long) oversize_octets(m), 10, "a key");
	m->headers[m->nheaders++] = (struct header) {slice_of("h"), slice_of("value")};
	is_int((long long) oversize_octets(m), 10 + 2 + 6, "a header");
	m->headers[m->nheaders++] = (struct header) {slice_of("n"), {NULL, 0}};
	is_int((long long) oversize_octets(m), 18 + 2 + 1, "a null one");
	m->payload = (struct slice) {"", 63};
	is_int((long long) oversize_octets(m), 21 + 63 + 1, "and the record's length takes two octets, from 64 on");
	m->payload.len = 64;
	is_int((long long) oversize_octets(m), 21 + 64 + 2, "so does the value's");
	m->payload.len = 8192;
	is_int((long long) oversize_octets(m), 21 + 8192 + 3 - 1 + 3 - 1, "three, from 8192 on");
}

static void
test_refuses(void)
{
	struct oversize o = {0};

	ok(!oversize_refuses(&o, message_of("a", 90000), 100), "nothing is known: all is tried");
	oversize_note(&o, message_of("a", 1000), 100);
	ok(oversize_refuses(&o, message_of("a", 1000), 101), "as large as one that was refused");
	ok(oversize_refuses(&o, message_of("a", 1001), 101), "larger");
	ok(!oversize_refuses(&o, message_of("a", 999), 101), "an octet less is tried");
	ok(!oversize_refuses(&o, message_of("b", 5000), 101), "another topic may take it");
	oversize_note(&o, message_of("a", 900), 200);
	ok(oversize_refuses(&o, message_of("a", 900), 201), "a smaller one teaches more");
	oversize_note(&o, message_of("a", 2000), 300);
	ok(oversize_refuses(&o, message_of("a", 900), 301), "a larger one doesn't unteach it");
	ok(oversize_refuses(&o, message_of("a", 900), 300 + OVERSIZE_MS - 1), "until then");
	ok(!oversize_refuses(&o, message_of("a", 90000), 300 + OVERSIZE_MS), "then one is tried again");
	oversize_limit(&o, "b", 2000, 100);
	ok(!oversize_refuses(&o, message_of("b", 2000 - 9), 101) && oversize_octets(message_of("b", 2000 - 9)) == 2000, "a record as large as the largest batch is tried");
	ok(oversize_refuses(&o, message_of("b", 2000 - 8), 101), "an octet more is not");
	oversize_note(&o, message_of("a", 2000), 300 + OVERSIZE_MS);
	ok(!oversize_refuses(&o, message_of("a", 1999), 301 + OVERSIZE_MS), "and what was known before is forgotten");
}

static void
test_many_topics(void)
{
	struct oversize o = {0};
	char		topic[16];

	for (int i = 0; i <= OVERSIZE_TOPICS; i++)
	{
		(void) snprintf(topic, sizeof(topic), "t%d", i);
		oversize_note(&o, message_of(topic, 1000), 100 + i);
	}
	ok(!oversize_refuses(&o, message_of("t0", 1000), 200), "more than can be told apart: the oldest is found out again");
	ok(oversize_refuses(&o, message_of("t1", 1000), 200), "the second is known");
	ok(oversize_refuses(&o, message_of(topic, 1000), 200), "the newest, too");
}

int
main(void)
{
	test_octets();
	test_refuses();
	test_many_topics();
	return done_testing();
}
