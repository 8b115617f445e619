/*
 * timeline_test.c - which timeline owns a WAL position.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include <stdlib.h>

#include "timeline.h"

/* in a heap copy of its exact length, so that a sanitizer sees what is read beyond it */
static enum err_class
read_history(struct timeline *timeline, uint32_t current, const char *history, struct err *err)
{
	size_t		len = strlen(history);
	char	   *copy = malloc(len);
	enum err_class class;

	if (len > 0)
		memcpy(copy, history, len);
	*err = (struct err) {0};
	class = timeline_read(timeline, current, (struct slice) {copy, len}, err);
	free(copy);
	return class;
}

static void
test_owner(void)
{
	/* as a server writes it: a blank line between the entries */
	static const char history[] =
		"1\t0/3000158\tno recovery target specified\n\n"
		"2\t0/5000000\tbefore 2026-01-01 00:00:00+00\n\n"
		"4\t1/2A\tno recovery target specified\n";
	struct timeline timeline;
	struct err	err;

	is_int(timeline_read(&timeline, 1, (struct slice) {NULL, 0}, &err), ERR_NONE, "timeline 1 has no history");
	is_int(timeline_of(&timeline, 1), 1, "and owns all");
	is_int(timeline_of(&timeline, UINT64_MAX), 1, "to the end");

	is_int(read_history(&timeline, 5, history, &err), ERR_NONE, "history with three switches");
	is_int((long long) timeline.npast, 3, "three are known");
	is_int(timeline_of(&timeline, 1), 1, "a commit on the first");
	is_int(timeline_of(&timeline, 0x3000158), 1, "that ends at the switch: its last");
	is_int(timeline_of(&timeline, 0x3000159), 2, "the next one's first");
	is_int(timeline_of(&timeline, 0x5000000), 2, "its last");
	is_int(timeline_of(&timeline, 0x5000001), 4, "numbers may be left out");
	is_int(timeline_of(&timeline, 0x10000002A), 4, "the upper half counts");
	is_int(timeline_of(&timeline, 0x10000002B), 5, "the current one's first");

	is_int(read_history(&timeline, 3, "# a comment\n1\t0/3000158\tx\n2\t0/3000158\tno LF behind it", &err),
		   ERR_NONE, "comments, no LF at the end, two switches at one place");
	is_int(timeline_of(&timeline, 0x3000158), 1, "the older owns it");
	is_int(timeline_of(&timeline, 0x3000159), 3, "the one between has nothing");
	is_int(read_history(&timeline, UINT32_MAX, "4294967294\tFFFFFFFF/FFFFFFFF\t\n", &err), ERR_NONE,
		   "the largest numbers, no reason");
	is_int(timeline_of(&timeline, UINT64_MAX), 4294967294, "are understood");
}

static void
test_many(void)
{
	char	   *history = malloc(400 * 40);
	size_t		len = 0;
	struct timeline timeline;
	struct err	err;

	for (unsigned i = 1; i < 400; i++)
		len += (size_t) sprintf(history + len, "%u\t0/%X\tx\n", i, i * 0x1000);
	is_int(read_history(&timeline, 400, history, &err), ERR_NONE, "400 timelines");
	is_int((long long) timeline.npast, TIMELINE_MAX, "the newest are kept");
	is_int(timeline_of(&timeline, 399 * 0x1000), 399, "a commit on the last");
	is_int(timeline_of(&timeline, 399 * 0x1000 + 1), 400, "on the current one");
	is_int(timeline_of(&timeline, 144 * 0x1000), 144, "on the oldest that is kept");
	free(history);
}

static void
test_refusals(void)
{
	static const struct
	{
		const char *what;
		const char *history;
	}			refused[] = {
		{"no number", "x\t0/1\tx\n"},
		{"an empty number", "\t0/1\tx\n"},
		{"timeline 0", "0\t0/1\tx\n"},
		{"octets behind the number", "1x\t0/1\tx\n"},
		{"a number of eleven digits", "12345678901\t0/1\tx\n"},
		{"a number of 33 bits", "4294967296\t0/1\tx\n"},
		{"a sign", "-1\t0/1\tx\n"},
		{"no LSN", "1\n"},
		{"an LSN and no reason", "1\t0/1\n"},
		{"an empty LSN", "1\t\tx\n"},
		{"half an LSN", "1\t0/\tx\n"},
		{"something else for an LSN", "1\there\tx\n"},
		{"spaces for tabs", "1 0/1 x\n"},
		{"numbers that fall", "2\t0/1\tx\n1\t0/2\tx\n"},
		{"a number twice", "2\t0/1\tx\n2\t0/2\tx\n"},
		{"LSNs that fall", "1\t0/2\tx\n2\t0/1\tx\n"},
		{"the current one", "9\t0/2\tx\n"},
		{"a later one", "10\t0/2\tx\n"},
		{"a bad line behind good ones", "1\t0/1\tx\n\n2\t0/2\tx\n\nx"},
	};
	struct timeline timeline;
	struct err	err;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		is_int(read_history(&timeline, 9, refused[i].history, &err), ERR_FATAL,
			   "refused: %s", refused[i].what);
	is_str(err.code, "timeline-history", "the code");
	ok(strstr(err.message, "timeline 9") && strstr(err.message, "\"x\""), "the message: %s", err.message);
}

int
main(void)
{
	test_owner();
	test_many();
	test_refusals();
	return done_testing();
}
