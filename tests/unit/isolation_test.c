/*
 * isolation_test.c - of a refused batch only the record to blame is blamed, and
 * nothing overtakes.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include "isolation.h"

static void
test_examples(void)
{
	struct isolation i = {0};

	ok(isolation_allows(&i, "a", 10, 1000) && !isolation_is_active(&i), "no suspects: all is allowed");
	isolation_sent(&i, "a", 10);
	ok(!isolation_proves(&i, false), "a refusal proves nothing");
	ok(isolation_proves(&i, true), "unless the sink knows which one it was");
	isolation_suspect(&i, "a", 20);
	ok(isolation_is_active(&i), "a suspect");
	ok(!isolation_allows(&i, "a", 10, 1), "is not sent while something is in flight");
	ok(isolation_allows(&i, "b", 10, 1), "another topic is");
	ok(isolation_allows(&i, "a", 21, 1), "so is what lies behind the suspects");
	ok(isolation_allows(&i, "a", 10, 0), "with nothing in flight it is sent");
	isolation_sent(&i, "a", 10);
	ok(!isolation_allows(&i, "b", 10, 1), "and then nothing else");
	ok(isolation_proves(&i, false), "a refusal proves that it was this one");
	ok(isolation_allows(&i, "a", 20, 0), "the next suspect");
	isolation_sent(&i, "a", 20);
	ok(isolation_proves(&i, false), "likewise");
	ok(isolation_allows(&i, "b", 20, 0), "another topic in between");
	isolation_sent(&i, "b", 20);
	ok(!isolation_proves(&i, false), "is not proven by that");
	ok(isolation_allows(&i, "a", 21, 0) && !isolation_is_active(&i), "behind them all is as before");
}

static void
test_many_topics(void)
{
	struct isolation i = {0};
	char		topic[8];

	for (int n = 0; n < ISOLATION_TOPICS; n++)
	{
		(void) snprintf(topic, sizeof(topic), "t%d", n);
		isolation_suspect(&i, topic, 100 + (lsn_t) n);
	}
	ok(isolation_allows(&i, "other", 50, 1), "as many topics as can be told apart");
	isolation_suspect(&i, "t0", 90);
	ok(!isolation_allows(&i, "t0", 100, 1), "a topic's suspects reach as far as they ever did");
	isolation_suspect(&i, "one more", 50);
	ok(!isolation_allows(&i, "other", 107, 1), "one more: all topics are suspects, as far as any was");
	ok(isolation_allows(&i, "t0", 108, 1), "and no further");
	isolation_suspect(&i, "one more", 200);
	ok(!isolation_allows(&i, "one more", 150, 1) && isolation_allows(&i, "other", 150, 1), "others can be added again");
}

/* ---- any stream before a broker that refuses whole batches */

#define MESSAGES	300
#define TOPICS		12
#define WINDOW		20

struct record
{
	char		topic[8];
	lsn_t		lsn;
	bool		bad;
	bool		in_flight;
	bool		done;			/* delivered or blamed */
};

struct world
{
	struct record records[MESSAGES];
	int			next;			/* to be sent */
	int			inflight;
	struct isolation isolation;
	int			blamed;
	int			innocent;		/* blamed all the same */
	int			overtaken;
	int			restarts;
};

static void
make_stream(struct random *random, struct world *world)
{
	lsn_t		lsn = 100;
	uint32_t	rate = 1 + random_below(random, 60);
	uint32_t	topics = 1 + random_below(random, TOPICS);

	memset(world, 0, sizeof(*world));
	for (int i = 0; i < MESSAGES; i++)
	{
		if (random_once_in(random, 4))
			lsn += 1 + random_below(random, 5);
		(void) snprintf(world->records[i].topic, sizeof(world->records[i].topic), "t%u", random_below(random, topics));
		world->records[i].lsn = lsn;
		world->records[i].bad = random_once_in(random, rate);
	}
}

/* From the first transaction on of which something is not done. */
static void
restart(struct world *world)
{
	int			first = 0;

	while (first < MESSAGES && world->records[first].done)
		first++;
	while (first > 0 && first < MESSAGES && world->records[first - 1].lsn == world->records[first].lsn)
		first--;
	for (int i = 0; i < MESSAGES; i++)
		world->records[i].in_flight = false;
	world->next = first;
	world->inflight = 0;
	world->restarts++;
}

static void
deliver(struct world *world, int which)
{
	struct record *record = &world->records[which];

	if (!record->done)
		for (int i = 0; i < which; i++)
			world->overtaken += !world->records[i].done && strcmp(world->records[i].topic, record->topic) == 0;
	record->done = true;
	record->in_flight = false;
	world->inflight--;
}

/* What is in flight of one topic is a batch: it arrives, or all of it is refused. */
static void
answer(struct world *world, const char *topic)
{
	int			batch[WINDOW];
	int			n = 0;
	bool		refused = false;

	for (int i = 0; i < MESSAGES; i++)
		if (world->records[i].in_flight && strcmp(world->records[i].topic, topic) == 0)
		{
			batch[n++] = i;
			refused |= world->records[i].bad;
		}
	if (!refused)
	{
		for (int i = 0; i < n; i++)
			deliver(world, batch[i]);
		return;
	}
	if (isolation_proves(&world->isolation, false))
	{
		world->blamed++;
		world->innocent += n != 1 || world->inflight != 1 || !world->records[batch[0]].bad;
		deliver(world, batch[0]);
		return;
	}
	isolation_suspect(&world->isolation, topic, world->records[batch[n - 1]].lsn);
	restart(world);
}

static void
send_some(struct random *random, struct world *world)
{
	for (uint32_t i = random_below(random, WINDOW); i > 0; i--)
	{
		struct record *record = &world->records[world->next];

		if (world->next == MESSAGES || world->inflight == WINDOW)
			return;
		/* what was blamed once has become a dead letter */
		if (record->bad && record->done)
		{
			world->next++;
			continue;
		}
		if (!isolation_allows(&world->isolation, record->topic, record->lsn, (uint64_t) world->inflight))
			return;
		isolation_sent(&world->isolation, record->topic, record->lsn);
		record->in_flight = true;
		world->inflight++;
		world->next++;
	}
}

static void
test_streams(struct random *random)
{
	static struct world world;
	int			wrong = 0;
	int			restarts = 0;
	int			blamed = 0;

	for (int round = 0; round < 300; round++)
	{
		int			bad = 0;
		int			done = 0;
		int			steps = 0;

		make_stream(random, &world);
		for (int i = 0; i < MESSAGES; i++)
			bad += world.records[i].bad;
		while ((world.next < MESSAGES || world.inflight > 0) && ++steps < 100000)
		{
			char		topic[8];

			send_some(random, &world);
			(void) snprintf(topic, sizeof(topic), "t%u", random_below(random, TOPICS));
			answer(&world, topic);
		}
		for (int i = 0; i < MESSAGES; i++)
			done += world.records[i].done;
		wrong += done != MESSAGES || world.blamed != bad || world.innocent > 0 || world.overtaken > 0;
		restarts += world.restarts;
		blamed += world.blamed;
	}
	diag("%d blamed, after %d restarts", blamed, restarts);
	ok(blamed > 1000 && restarts > 1000, "enough happened");
	is_int(wrong, 0, "300 streams: all that is bad is blamed, nothing else, and nothing is lost or overtaken");
}

int
main(void)
{
	struct random random = random_start();

	test_examples();
	test_many_topics();
	test_streams(&random);
	return done_testing();
}
