/*
 * lsn_test.c - reading WAL positions, strictly.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "common/lsn.h"

#include <inttypes.h>

#include "random.h"
#include "tap.h"

static bool
reads(const char *text, lsn_t expected)
{
	lsn_t		lsn = 0xdeadbeef;

	return lsn_parse(text, strlen(text), &lsn) && lsn == expected;
}

static bool
refuses(const char *text)
{
	lsn_t		lsn = 42;

	return !lsn_parse(text, strlen(text), &lsn) && lsn == 42;
}

int
main(void)
{
	static const char *const bad[] = {
		"", "/", "0", "0/", "/0", "0//0", "0/0/0", " 0/0", "0/0 ", "0 /0", "-1/0", "0/+1", "0x1/0",
		"123456789/0", "0/123456789", "g/0", "0/g", "0/0\n", "16B3748", "0\\0"
	};
	struct random random;
	int			failures = 0;

	ok(reads("0/0", 0), "zero");
	ok(reads("0/16B3748", 0x16B3748), "as PostgreSQL prints it");
	ok(reads("16/b374d848", UINT64_C(0x16B374D848)), "lower case");
	ok(reads("00000001/00000002", UINT64_C(0x100000002)), "leading zeros");
	ok(reads("FFFFFFFF/FFFFFFFF", UINT64_MAX), "the largest");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(refuses(bad[i]), "refused: \"%s\"", bad[i]);

	{
		lsn_t		lsn;

		ok(lsn_parse("0/1234", 5, &lsn) && lsn == 0x123, "no further than the length");
		ok(!lsn_parse("0/1234", 2, &lsn), "nothing behind the length counts");
	}

	random = random_start();
	for (int i = 0; i < 20000; i++)
	{
		lsn_t		lsn = random_u64(&random) >> random_below(&random, 64);
		char		text[32];

		(void) snprintf(text, sizeof(text), "%X/%X", LSN_ARGS(lsn));
		if (!reads(text, lsn))
			failures++;
	}
	is_int(failures, 0, "what is printed is read again");
	return done_testing();
}
