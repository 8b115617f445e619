/*
 * parked_test.c - the set of parked keys forgets none, and holds no other.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include "parked.h"

static struct parked_position
place(uint32_t timeline, lsn_t lsn, uint32_t n)
{
	return (struct parked_position) {timeline, n, lsn};
}

static void
test_positions(void)
{
	struct parked_position a = place(1, 100, 5);
	struct parked_position later = place(1, 100, 6);
	struct parked_position next = place(1, 101, 0);
	struct parked_position promoted = place(2, 50, 0);

	ok(parked_compare(&a, &a) == 0, "a position is itself");
	ok(parked_compare(&a, &later) < 0 && parked_compare(&later, &a) > 0, "by index");
	ok(parked_compare(&later, &next) < 0, "by transaction before index");
	ok(parked_compare(&next, &promoted) < 0, "by timeline before all");
}

static void
test_keys(void)
{
	uint64_t	key = parked_queue_of_key("orders", 6, slice_of("42"));
	struct parked_position a = place(1, 100, 5);
	struct parked_position b = place(1, 100, 6);

	ok(key == parked_queue_of_key("orders", 6, slice_of("42")), "a key's number is the same each time");
	ok(key != parked_queue_of_key("orders", 6, slice_of("43")), "another key's is another");
	ok(key != parked_queue_of_key("order", 5, slice_of("s42")), "topic and key don't run into each other");
	ok(parked_queue_of_key("orders", 6, slice_of("")) != 0, "an empty key is one");
	ok(parked_queue_of_event(&a) != parked_queue_of_event(&b), "events have numbers, too");
}

static void
test_since(void)
{
	struct parked parked;
	struct parked_position first = place(1, 100, 5);
	struct parked_position before = place(1, 100, 4);
	struct parked_position after = place(1, 200, 0);

	parked_init(&parked, 2);
	ok(!parked_holds(&parked, 7, &first) && !parked_find(&parked, 7), "nothing is parked");
	parked_remove(&parked, 7);
	ok(parked_add(&parked, 7, &first) != NULL, "a key");
	ok(parked_holds(&parked, 7, &first) && parked_holds(&parked, 7, &after), "it waits from its dead letter on");
	ok(!parked_holds(&parked, 7, &before), "what lies before has been delivered");
	parked_add(&parked, 7, &after);
	ok(parked_holds(&parked, 7, &first), "a later dead letter changes nothing");
	parked_add(&parked, 7, &before);
	ok(parked_holds(&parked, 7, &before), "an earlier one does");
	ok(parked_add(&parked, 8, &first) && !parked_add(&parked, 9, &first), "no more than there may be");
	ok(parked_add(&parked, 8, &first) != NULL, "but what is there can be added again");
	parked_remove(&parked, 7);
	ok(parked_add(&parked, 9, &first) && parked.count == 2, "one that was freed makes room");
	parked_clear(&parked);
}

#define QUEUES	3000

/* Against an array; numbers lie close together, so that they collide. */
static void
test_model(struct random *random)
{
	static bool model[QUEUES];
	struct parked parked;
	struct parked_position since = place(1, 1, 1);
	size_t		count = 0;
	int			wrong = 0;

	parked_init(&parked, QUEUES);
	for (int i = 0; i < 200000; i++)
	{
		uint32_t	q = random_below(random, QUEUES);
		/* two of three share the low bits that they are placed by */
		uint64_t	queue = q % 3 ? ((uint64_t) q << 32) + q % 16 + 1 : q + 1;

		if (random_below(random, 5) < (i / 50000 % 2 ? 2 : 3))
		{
			wrong += !parked_add(&parked, queue, &since);
			count += !model[q];
			model[q] = true;
		}
		else
		{
			parked_remove(&parked, queue);
			count -= model[q];
			model[q] = false;
		}
		q = random_below(random, QUEUES);
		queue = q % 3 ? ((uint64_t) q << 32) + q % 16 + 1 : q + 1;
		wrong += parked_holds(&parked, queue, &since) != model[q] || parked.count != count;
	}
	is_int(wrong, 0, "200,000 random steps as in an array");
	parked_clear(&parked);
}

static void
test_million(struct random *random)
{
	struct parked parked;
	struct parked_position since = place(1, 1, 1);
	uint64_t	seed = random->state;
	int			missing = 0;

	parked_init(&parked, 1000000);
	for (int i = 0; i < 1000000; i++)
		missing += !parked_add(&parked, random_u64(random) | 1, &since);
	random->state = seed;
	for (int i = 0; i < 1000000; i++)
		missing += !parked_holds(&parked, random_u64(random) | 1, &since);
	is_int(missing, 0, "a million keys");
	ok(parked.capacity * sizeof(*parked.entries) <= (size_t) 64 << 20, "in 64 MB");
	parked_clear(&parked);
}

int
main(void)
{
	struct random random = random_start();

	test_positions();
	test_keys();
	test_since();
	test_model(&random);
	test_million(&random);
	return done_testing();
}
