/*
 * backoff_test.c - waits grow, stay within bounds and differ between clients.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include "../../src/common/backoff.h"

int
main(void)
{
	struct random random = random_start();
	int			wrong = 0;
	bool		differ = false;

	is_int(backoff_ms(0, 0), BACKOFF_FIRST_MS / 2, "the shortest first wait");
	is_int(backoff_ms(0, BACKOFF_FIRST_MS / 2), BACKOFF_FIRST_MS, "the longest");
	is_int(backoff_ms(1, 0), BACKOFF_FIRST_MS, "the second is twice that");
	is_int(backoff_ms(1000, 0), BACKOFF_LAST_MS / 2, "it grows no more in the end");
	is_int(backoff_ms(UINT32_MAX, BACKOFF_LAST_MS / 2), BACKOFF_LAST_MS, "however many attempts there were");
	for (unsigned attempts = 0; attempts < 100; attempts++)
		for (int i = 0; i < 100; i++)
		{
			int64_t		wait = backoff_ms(attempts, (uint32_t) random_u64(&random));

			wrong += wait < BACKOFF_FIRST_MS / 2 || wait > BACKOFF_LAST_MS;
			wrong += attempts > 0 && wait < backoff_ms(attempts - 1, 0);
			differ |= wait != backoff_ms(attempts, (uint32_t) random_u64(&random));
		}
	is_int(wrong, 0, "any wait is within its bounds");
	ok(differ, "clients don't come back in step");
	return done_testing();
}
