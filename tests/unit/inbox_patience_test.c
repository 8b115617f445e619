/*
 * inbox_patience_test.c - what one message may hold up the others, and many of them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox/patience.h"

#include "tap.h"

/* n messages that never end, one after the other: what they take together. */
static int64_t
take(struct patience *p, int n, int64_t *now)
{
	int64_t		begin = *now;

	while (n-- > 0)
	{
		int64_t		limit = patience_now(p, *now);

		*now += limit;
		patience_spend(p, limit);
	}
	return *now - begin;
}

int
main(void)
{
	struct patience p;
	int64_t		now = 1000000;

	patience_begin(&p, 50, now);
	is_int(patience_now(&p, now), 50, "one message gets all that it may have");
	is_int(take(&p, 1, &now), 50, "and takes it");
	ok(patience_now(&p, now) < 50, "the next gets less");
	ok(take(&p, 50, &now) < 500, "fifty together take less than half a second");
	is_int(patience_now(&p, now), PATIENCE_LEAST_MS, "when the purse is empty, each gets a little");
	now += 750;
	is_int(patience_now(&p, now), 50, "it fills again");
	now += 1000000;
	is_int(patience_now(&p, now), 50, "and never holds more");

	patience_begin(&p, 0, now);
	patience_spend(&p, 1000);
	is_int(patience_now(&p, now), 0, "0 is no limit");
	patience_begin(&p, 2, now);
	patience_spend(&p, 1000);
	is_int(patience_now(&p, now), 2, "less than the least may be wanted");

	is_int(patience_apart(0, 50, 10000), 50, "apart: as long as in a batch");
	is_int(patience_apart(7, 50, 10000), 7, "or what is given");
	is_int(patience_apart(20000, 50, 10000), 10000, "up to what an attempt may take");
	is_int(patience_apart(20000, 50, 0), 20000, "if there is such a limit");
	is_int(patience_apart(20000, 0, 7), 7, "without patience it is that limit at once");
	is_int(patience_apart(0, 1, 0), PATIENCE_LEAST_MS, "the least here, too");
	return done_testing();
}
