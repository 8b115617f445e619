/*
 * window_test.c - the window follows the batches.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include "random.h"
#include "window.h"

#define FULL	1000
#define LEAST	(FULL * WINDOW_LEAST)
#define MOST	20000

/* All that is in flight comes back in batches of a size, a number of times. */
static void
acknowledge(struct window *window, size_t batch, int rounds)
{
	for (int i = 0; i < rounds; i++)
		for (uint64_t left = window->events; left >= batch; left -= batch)
			window_acknowledged(window, batch, MOST);
}

static void
test_steps(void)
{
	struct window window = {0};

	is_int((int64_t) window_limit(&window, MOST), MOST, "a sink without an opinion has the configured limit");
	window_init(&window, FULL);
	is_int(window.events, LEAST, "it begins small");
	acknowledge(&window, FULL, 3);
	is_int(window.events, LEAST, "and stays so while batches are full");
	acknowledge(&window, 20, 1);
	is_int(window.events, LEAST * 2, "all in flight came back in small batches: it doubles");
	is_int((int64_t) window_limit(&window, MOST), LEAST * 2, "and is the limit");
	acknowledge(&window, 20, 3);
	is_int(window.events, MOST, "up to the configured limit");
	window_acknowledged(&window, FULL, MOST);
	is_int(window.events, MOST - FULL / WINDOW_SHRINK, "a full batch makes it smaller, by less");
	acknowledge(&window, FULL, 40);
	is_int(window.events, LEAST, "down to where it began");
}

/* The limit may be anything, and be changed meanwhile. */
static void
test_limits(struct random *random)
{
	struct window window = {0};
	int			wrong = 0;

	for (int i = 0; i < 20000; i++)
	{
		uint32_t	most = 1 + random_below(random, 3 * LEAST);

		if (i % 1000 == 0)
			window_init(&window, 1 + random_below(random, 2 * FULL));
		window_acknowledged(&window, random_below(random, 3 * FULL), most);
		wrong += window.events < 1 || window.events > most || window_limit(&window, most) > most;
		wrong += window.events < window.full * WINDOW_LEAST && window.events != most;
	}
	is_int(wrong, 0, "within its bounds, whatever comes");
}

int
main(void)
{
	struct random random = random_start();

	test_steps();
	test_limits(&random);
	return done_testing();
}
