/*
 * inbox_segments_test.c - tests of src/inbox/segments.c, by example and against a model.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "inbox/segments.h"

#include <string.h>

#include "random.h"
#include "tap.h"

#define MOST	400

/* A database: which messages fail how often, and what it has kept. */
struct model
{
	int			failures[MOST]; /* left; -1 = always fails */
	int			attempts[MOST];
	int			applied[MOST];
	int			given_up[MOST];
	int			order[MOST];	/* what was dealt with, in order */
	int			n;
	int			runs;			/* statements, the wasted ones too */
	int			sent;			/* the same, and what the server has skipped */
};

/* Runs a segment as the server would: returns the message that failed, or limit. */
static size_t
run_segment(struct model *m, size_t start, size_t limit)
{
	for (size_t i = start; i < limit; i++)
	{
		m->runs++;
		if (m->failures[i] == 0)
			continue;
		m->attempts[i]++;
		if (m->failures[i] > 0)
			m->failures[i]--;
		return i;
	}
	return limit;
}

static void
deal(struct model *m, size_t i, int *how)
{
	how[i]++;
	m->order[m->n++] = (int) i;
}

static void
run_all(struct model *m, size_t n, unsigned attempts)
{
	struct segments s;
	enum segments_next next = segments_begin(&s, n, attempts);

	while (next != SEGMENTS_DONE && m->runs < 100000)
	{
		size_t		at;

		if (next == SEGMENTS_GIVE_UP)
		{
			deal(m, s.start, m->given_up);
			next = segments_given_up(&s, s.n);
			continue;
		}
		m->sent += (int) (s.limit - s.start);
		at = run_segment(m, s.start, s.limit);
		if (at < s.limit)
		{
			next = segments_failed(&s, at);
			continue;
		}
		for (size_t i = s.start; i < s.limit; i++)
			deal(m, i, m->applied);
		next = segments_succeeded(&s);
	}
}

static void
examples(void)
{
	struct model m = {0};
	struct segments s;

	ok(segments_begin(&s, 0, 2) == SEGMENTS_DONE, "nothing to do");
	run_all(&m, 5, 2);
	is_int(m.runs, 5, "without a failure each runs once");

	m = (struct model) {.failures = {[2] = -1}};
	run_all(&m, 5, 2);
	is_int(m.given_up[2], 1, "what always fails is given up");
	is_int(m.attempts[2], 2, "after the attempts allowed");
	is_int(m.runs, 3 + 2 + 1 + 2, "the two before it ran twice, those behind it once");

	m = (struct model) {.failures = {[2] = -1}};
	run_all(&m, 5, 1);
	is_int(m.attempts[2], 1, "one attempt is one");

	m = (struct model) {.failures = {[0] = 1}};
	run_all(&m, 3, 2);
	is_int(m.applied[0], 1, "what fails once is applied at the second attempt");

	m = (struct model) {.failures = {-1, -1, -1}};
	run_all(&m, 3, 3);
	is_int(m.given_up[0] + m.given_up[1] + m.given_up[2], 3, "all may fail");
}

/* Many that fail: what is sent is of the order of what there is. */
static void
careful(void)
{
	struct model m = {0};

	run_all(&m, MOST, 1);
	is_int(m.sent, MOST, "without a failure each is sent once");
	for (int i = 0; i < MOST; i += 20)
		m.failures[i] = -1;
	m.n = m.runs = m.sent = 0;
	run_all(&m, MOST, 1);
	ok(m.sent < MOST * 5, "where every twentieth fails, not much is sent for nothing");
	ok(m.runs < MOST * 5 / 2, "and each runs twice or so");
}

static void
fewer(void)
{
	struct segments s;

	(void) segments_begin(&s, 5, 1);
	ok(segments_failed(&s, 0) == SEGMENTS_GIVE_UP, "the first fails");
	ok(segments_given_up(&s, 3) == SEGMENTS_RUN && s.start == 1 && s.limit == 3, "and takes two others with it");
	ok(segments_succeeded(&s) == SEGMENTS_DONE, "the rest is done");
	(void) segments_begin(&s, 2, 1);
	(void) segments_failed(&s, 0);
	ok(segments_given_up(&s, 1) == SEGMENTS_DONE, "it may take all with it");
}

static void
at_random(void)
{
	struct random random = random_start();
	int			wrong = 0;

	for (int round = 0; round < 5000; round++)
	{
		struct model m = {0};
		size_t		n = random_below(&random, MOST);
		unsigned	attempts = 1 + (unsigned) random_below(&random, 4);
		unsigned	rare = 2 + (unsigned) random_below(&random, 200);
		int			failures[MOST];

		for (size_t i = 0; i < n; i++)
			if (random_once_in(&random, rare))
				m.failures[i] = (int) random_below(&random, 6) - 1;
		memcpy(failures, m.failures, sizeof(failures));
		run_all(&m, n, attempts);
		wrong += m.n != (int) n;
		for (size_t i = 0; i < n; i++)
		{
			bool		hopeless = failures[i] < 0 || failures[i] >= (int) attempts;

			wrong += m.order[i] != (int) i;
			wrong += m.applied[i] != !hopeless || m.given_up[i] != hopeless;
			wrong += hopeless && m.attempts[i] != (int) attempts;
		}
	}
	is_int(wrong, 0, "whatever fails, each message is dealt with once, in order, as it deserves");
}

int
main(void)
{
	examples();
	careful();
	fewer();
	at_random();
	return done_testing();
}
