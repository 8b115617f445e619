/*
 * inbox_parameters_test.c - tests of src/inbox/parameters.c and of common/utf8.h.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "random.h"
#include "tap.h"

#define SLICE(text)	{text, sizeof(text) - 1}

static const struct message_header headers[] = {
	{SLICE("id"), SLICE("m1")},
	{SLICE("eventType"), SLICE("Placed")},
	{SLICE("x"), SLICE("a\"b\\c\n\x01\xc3\xbc")},
	{SLICE("x"), {NULL, 0}},
	{SLICE("y"), SLICE("a\0b")},
	{SLICE("\xff"), SLICE("name")},
	{SLICE("x"), SLICE("\xed\xa0\x80")},
	{SLICE("outbox.position"), SLICE("00000001/0/0")},
	{SLICE("empty"), SLICE("")},
};

static const struct message full = {
	.topic = "orders", .partition = 3, .offset = 4711, .time = 1700000000123,
	.key = SLICE("k\0"), .payload = SLICE("p"), .headers = headers, .nheaders = sizeof(headers) / sizeof(headers[0])
};

static const struct message bare = {.topic = "t", .time = -1};

/* One field of a message, "NULL" if it is. */
static const char *
field(struct parameters *p, const char *name, const struct message *message)
{
	struct statement statement;
	struct err	err = {0};
	struct failure failure = {"failed", "23514", NULL, 7, 0};

	if (statement_parse(&statement, name, true, &err) != ERR_NONE ||
		!parameters_make(p, &statement, "billing", message, &failure))
		return "?";
	statement_free(&statement);
	return p->values[0] ? p->values[0] : "NULL";
}

static void
fields(void)
{
	struct parameters p = {0};
	struct statement statement;
	struct err	err = {0};

	is_str(field(&p, ":topic", &full), "orders", "topic");
	is_str(field(&p, ":partition", &full), "3", "partition");
	is_str(field(&p, ":offset", &full), "4711", "offset");
	is_str(field(&p, ":time", &full), "2023-11-14 22:13:20.123+00", "time");
	is_str(field(&p, ":consumer", &full), "billing", "consumer");
	is_str(field(&p, ":id", &full), "m1", "id");
	is_str(field(&p, ":type", &full), "Placed", "type");
	is_str(field(&p, ":position", &full), "00000001/0/0", "position");
	is_str(field(&p, ":payload", &full), "p", "payload");
	is_str(field(&p, ":key", &full), "k\xc0\x80", "an octet 0 becomes what the server refuses");
	(void) field(&p, ":key_bytes", &full);
	ok(p.lengths[0] == 2 && p.formats[0] == 1 && memcmp(p.values[0], "k\0", 2) == 0, "as bytea it is itself");
	is_str(field(&p, ":headers", &full),
		   "{\"id\": \"m1\", \"eventType\": \"Placed\", \"x\": [\"a\\\"b\\\\c\\u000a\\u0001\xc3\xbc\", null, {\"hex\": \"eda080\"}], "
		   "\"y\": {\"hex\": \"610062\"}, \"outbox.position\": \"00000001/0/0\", \"empty\": \"\"}", "headers");
	is_str(field(&p, ":state", &full), "failed", "state");
	is_str(field(&p, ":sqlstate", &full), "23514", "sqlstate");
	is_str(field(&p, ":reason", &full), "NULL", "reason");
	is_str(field(&p, ":attempts", &full), "7", "attempts");

	is_str(field(&p, ":payload", &bare), "NULL", "a tombstone");
	is_str(field(&p, ":key_bytes", &bare), "NULL", "no key");
	is_str(field(&p, ":id", &bare), "NULL", "no id");
	is_str(field(&p, ":type", &bare), "NULL", "no type");
	is_str(field(&p, ":time", &bare), "NULL", "no time");
	is_str(field(&p, ":headers", &bare), "{}", "no headers");

	ok(statement_parse(&statement, ":payload :offset :id", false, &err) == ERR_NONE &&
	   parameters_make(&p, &statement, "billing", &full, NULL), "several at once");
	is_str(p.values[0], "p", "the first");
	is_str(p.values[1], "4711", "the second");
	is_str(p.values[2], "m1", "the third");
	statement_free(&statement);
	parameters_free(&p);
}

static void
ids(void)
{
	struct message_header odd = {SLICE("id"), SLICE("\xff\x00")};
	struct message_header empty = {SLICE("id"), SLICE("")};
	struct message message = bare;
	struct text text = {0};

	message.headers = &odd;
	message.nheaders = 1;
	ok(parameters_id(&text, &message), "an id that is no text");
	is_str(text.data, "\\xff00", "is written in hexadecimal");
	message.headers = &empty;
	ok(!parameters_id(&text, &message), "an empty one is none");
	text_free(&text);
}

static void
arrays(void)
{
	struct text text = {0};

	parameters_element(&text, "a\"b\\c", 5);
	parameters_element(&text, NULL, 0);
	parameters_element(&text, "", 0);
	is_str(text.data, "{\"a\\\"b\\\\c\",NULL,\"\"", "elements of an array");
	text_clear(&text);
	parameters_octets(&text, (struct slice) SLICE("k\xff"));
	parameters_octets(&text, (struct slice) {NULL, 0});
	parameters_octets(&text, (struct slice) SLICE(""));
	is_str(text.data, "{\"\\\\x6bff\",NULL,\"\\\\x\"", "and of octets");
	text_free(&text);
}

static void
keys(void)
{
	struct message a = bare;
	struct message b = bare;

	ok(!message_same_key(&a, &b), "no keys are not alike");
	a.key = b.key = slice_of("k");
	ok(message_same_key(&a, &b), "the same key");
	b.topic = "u";
	ok(!message_same_key(&a, &b), "of another topic");
}

static void
utf8(void)
{
	struct random random = random_start();
	int			wrong = 0;

	ok(utf8_is_text("", 0) && utf8_is_text("\xf4\x8f\xbf\xbf", 4), "the empty one, the highest");
	ok(!utf8_is_text("a\0", 2), "no octet 0");
	ok(!utf8_is_text("\xc0\x80", 2) && !utf8_is_text("\xe0\x9f\xbf", 3) && !utf8_is_text("\xf0\x8f\xbf\xbf", 4), "nothing overlong");
	ok(!utf8_is_text("\xed\xa0\x80", 3) && !utf8_is_text("\xf4\x90\x80\x80", 4) && !utf8_is_text("\xf5\x80\x80\x80", 4), "no surrogate, nothing beyond");
	for (int i = 0; i < 20000; i++)
	{
		/* cut off anywhere, in a heap copy of its length */
		static const char whole[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80";
		size_t		len = random_below(&random, sizeof(whole));
		char	   *copy = malloc(len + 1 - 1 + (len == 0));
		bool		ends = len == 0 || len == 1 || len == 3 || len == 6 || len == 10;

		memcpy(copy, whole, len);
		wrong += utf8_is_text(copy, len) != ends;
		free(copy);
	}
	is_int(wrong, 0, "half a character is none");
}

int
main(void)
{
	fields();
	ids();
	arrays();
	keys();
	utf8();
	return done_testing();
}
