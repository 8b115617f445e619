/*
 * split_test.c - which event of a split transaction is in which part.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include "split.h"

/* Event by event, as the sink goes through it: parts have their size, the last the rest. */
static void
test_walk(uint32_t total, uint32_t size, uint32_t parts)
{
	const struct split split = {.lsn = 1, .total = total, .size = size};
	uint32_t	part = 1;
	uint32_t	in_part = 0;
	int			wrong = 0;

	for (uint32_t n = 0; n < total; n++)
	{
		wrong += split_part(&split, n) != part;
		in_part++;
		if (!split_ends_part(&split, n))
			continue;
		wrong += in_part != size;
		in_part = 0;
		part++;
	}
	wrong += in_part == 0 || in_part > size || part != parts;
	is_int(wrong, 0, "%u events in parts of %u", total, size);
	is_int(split_parts(&split), parts, "they are %u", parts);
}

static void
test_sanity(void)
{
	struct split split = {.lsn = 1, .total = 25, .size = 10, .sent = 20};

	ok(split_is_sane(&split), "two of three parts are sent");
	split.sent = 10;
	ok(split_is_sane(&split), "one is");
	split.sent = 0;
	ok(!split_is_sane(&split), "none: that isn't kept");
	split.sent = 5;
	ok(!split_is_sane(&split), "half a part");
	split.sent = 30;
	ok(!split_is_sane(&split), "more than there is");
	split.sent = 20;
	split.size = 0;
	ok(!split_is_sane(&split), "parts of nothing");
}

int
main(void)
{
	test_walk(11, 10, 2);
	test_walk(20, 10, 2);
	test_walk(21, 10, 3);
	test_walk(2, 1, 2);
	test_walk(100001, 1000, 101);
	test_sanity();
	is_int(split_part(&(struct split) {.total = UINT32_MAX, .size = 1}, UINT32_MAX - 1), UINT32_MAX, "the last of as many as there can be");
	return done_testing();
}
