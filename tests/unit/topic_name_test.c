/*
 * topic_name_test.c - what Kafka takes as the name of a topic.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka/topic_name.h"

#include "tap.h"

static void
test_octets(void)
{
	static const char legal[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	int			wrong = 0;

	for (int octet = 0; octet < 256; octet++)
	{
		char		name[] = {'a', (char) octet, 'b'};

		wrong += topic_name_valid(name, 3) != (memchr(legal, octet, sizeof(legal) - 1) != NULL);
	}
	is_int(wrong, 0, "of all octets, letters, digits, '.', '_' and '-' are legal");
}

int
main(void)
{
	char		name[TOPIC_MAX_LEN + 1];

	test_octets();
	memset(name, 'a', sizeof(name));
	ok(!topic_name_valid(name, 0), "an empty name is none");
	ok(topic_name_valid(name, 1) && topic_name_valid(name, 249), "1 to 249 octets");
	ok(!topic_name_valid(name, 250), "one more");
	ok(!topic_name_valid(".", 1) && !topic_name_valid("..", 2), "\".\" and \"..\" are none");
	ok(topic_name_valid("...", 3) && topic_name_valid(".a", 2), "\"...\" and \".a\" are");
	return done_testing();
}
