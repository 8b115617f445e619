/*
 * inflight_test.c - the flush LSN is the end of the longest acknowledged
 * prefix, or a later keepalive, whatever the order of acknowledgements.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "inflight.h"

/* ---- examples, readable as such */

static struct inflight
fresh(lsn_t floor)
{
	struct inflight in;

	if (!inflight_init(&in, 16))
		abort();
	inflight_reset(&in, floor);
	return in;
}

/* A committed transaction of so many events of ten octets. */
static uint32_t
transaction(struct inflight *in, lsn_t end, int events)
{
	uint32_t	sequence = inflight_begin(in, end);

	for (int i = 0; i < events; i++)
		inflight_sent(in, 10);
	inflight_commit(in);
	return sequence;
}

static void
test_prefix(void)
{
	struct inflight in = fresh(100);
	uint32_t	a = transaction(&in, 200, 1);
	uint32_t	b = transaction(&in, 300, 2);
	uint32_t	c = transaction(&in, 400, 1);

	is_int((long long) in.flush, 100, "nothing is acknowledged: the floor");
	is_int((long long) in.events, 4, "four events are out");
	is_int((long long) in.octets, 40, "of forty octets");
	inflight_acked(&in, c, 10);
	is_int((long long) in.flush, 100, "the last one's ack moves nothing");
	inflight_acked(&in, b, 10);
	inflight_acked(&in, a, 10);
	is_int((long long) in.flush, 200, "the first one's ack stops at the second, half acknowledged");
	ok(!inflight_empty(&in), "it is not empty yet");
	inflight_acked(&in, b, 10);
	is_int((long long) in.flush, 400, "the gap closes: up to the last");
	ok(inflight_empty(&in) && in.events == 0 && in.octets == 0, "nothing is out");
	inflight_free(&in);
}

static void
test_commit(void)
{
	struct inflight in = fresh(100);
	uint32_t	a = inflight_begin(&in, 200);

	inflight_sent(&in, 10);
	inflight_acked(&in, a, 10);
	is_int((long long) in.flush, 100, "an open transaction with all its events acknowledged doesn't count");
	ok(!inflight_empty(&in), "nor is it gone");
	inflight_sent(&in, 10);
	inflight_commit(&in);
	is_int((long long) in.flush, 100, "a commit is no acknowledgement");
	inflight_acked(&in, a, 10);
	is_int((long long) in.flush, 200, "the last ack is, at the commit's end");
	a = inflight_begin(&in, 300);
	inflight_sent(&in, 10);
	inflight_acked(&in, a, 10);
	inflight_commit(&in);
	is_int((long long) in.flush, 300, "acknowledged before its commit: the commit moves it");
	transaction(&in, 400, 0);
	is_int((long long) in.flush, 400, "all events left out (dead letters): the commit moves it");
	inflight_free(&in);
}

static void
test_keepalive(void)
{
	struct inflight in = fresh(100);
	uint32_t	a,
				b;

	inflight_keepalive(&in, 150);
	is_int((long long) in.flush, 150, "a keepalive with nothing out moves it");
	inflight_keepalive(&in, 120);
	is_int((long long) in.flush, 150, "an older one doesn't move it back");
	a = transaction(&in, 200, 1);
	inflight_keepalive(&in, 250);
	is_int((long long) in.flush, 150, "a keepalive doesn't count while an event is out");
	inflight_acked(&in, a, 10);
	is_int((long long) in.flush, 250, "it counts when the event is acknowledged");
	a = transaction(&in, 300, 1);
	inflight_keepalive(&in, 350);
	b = transaction(&in, 400, 1);
	inflight_keepalive(&in, 450);
	inflight_acked(&in, b, 10);
	is_int((long long) in.flush, 250, "out of order: nothing");
	inflight_acked(&in, a, 10);
	is_int((long long) in.flush, 450, "in order again: the last keepalive");
	a = inflight_begin(&in, 600);
	inflight_keepalive(&in, 550);
	is_int((long long) in.flush, 450, "a keepalive in an open transaction says nothing");
	inflight_keepalive(&in, 650);
	inflight_commit(&in);
	is_int((long long) in.flush, 600, "nor after its commit");
	inflight_free(&in);
}

static void
test_floor(void)
{
	struct inflight in = fresh(1000);
	uint32_t	a = transaction(&in, 200, 1);
	uint32_t	stale;

	inflight_acked(&in, a, 10);
	is_int((long long) in.flush, 1000, "a transaction below the floor doesn't move it back");
	inflight_keepalive(&in, 300);
	is_int((long long) in.flush, 1000, "nor does a keepalive");
	stale = transaction(&in, 1100, 3);
	inflight_begin(&in, 1200);
	inflight_reset(&in, 1050);
	ok(inflight_empty(&in) && in.events == 0 && in.octets == 0, "a reset forgets all");
	is_int((long long) in.flush, 1050, "and starts at the floor it was given");
	a = transaction(&in, 1100, 1);
	ok((int32_t) (a - stale) > 0, "sequence numbers go on: a late ack can't pass for a new one");
	inflight_free(&in);
}

static void
test_durable(void)
{
	struct inflight in = fresh(100);
	uint32_t	a = transaction(&in, 200, 2);
	uint32_t	b = transaction(&in, 300, 1);
	uint32_t	c;

	is_int((long long) inflight_end(&in, b), 300, "the end of one that is in flight");
	inflight_released(&in, 10);
	inflight_released(&in, 10);
	inflight_released(&in, 10);
	ok(in.events == 0 && in.octets == 0, "all is out of memory");
	is_int((long long) in.flush, 100, "but nothing is durable");
	ok(!inflight_settled(&in), "nor settled");
	inflight_keepalive(&in, 350);
	is_int((long long) in.flush, 100, "a keepalive knows the difference");
	inflight_durable(&in, a);
	is_int((long long) in.flush, 200, "the first is durable");
	c = inflight_begin(&in, 400);
	inflight_sent(&in, 10);
	inflight_durable(&in, b);
	is_int((long long) in.flush, 350, "the second is, and so counts the keepalive behind it");
	ok(inflight_settled(&in) && !inflight_empty(&in), "all is settled but what is open");
	inflight_commit(&in);
	ok(!inflight_settled(&in), "its commit changes that");
	inflight_released(&in, 10);
	inflight_durable(&in, c);
	ok(in.flush == 400 && inflight_settled(&in) && inflight_empty(&in), "until it is durable too");
	inflight_free(&in);
}

static void
test_full(void)
{
	struct inflight in;
	uint32_t	sequence[64];
	int			n = 0;

	ok(inflight_init(&in, 20), "a ring for 20 transactions");
	inflight_reset(&in, 0);
	while (!inflight_full(&in) && n < 64)
	{
		sequence[n] = transaction(&in, (lsn_t) (n + 1) * 10, 1);
		n++;
	}
	is_int(n, 32, "takes the next power of two");
	inflight_acked(&in, sequence[1], 10);
	ok(inflight_full(&in), "an ack in the middle makes no room");
	inflight_acked(&in, sequence[0], 10);
	ok(!inflight_full(&in), "one at the front does");
	is_int((long long) in.flush, 20, "for both");
	inflight_free(&in);
	inflight_free(&in);
	ok(true, "free twice is harmless");
}

/* ---- broken promises end the process rather than move the flush LSN */

static void
begin_twice(struct inflight *in)
{
	inflight_begin(in, 500);
	inflight_begin(in, 600);
}

static void
begin_backwards(struct inflight *in)
{
	transaction(in, 500, 0);
	inflight_begin(in, 500);
}

static void
begin_when_full(struct inflight *in)
{
	for (lsn_t i = 1; i <= 17; i++)
		transaction(in, 500 + i, 1);
}

static void
sent_outside(struct inflight *in)
{
	inflight_sent(in, 1);
}

static void
commit_outside(struct inflight *in)
{
	inflight_commit(in);
}

static void
ack_unknown(struct inflight *in)
{
	inflight_acked(in, 7, 0);
}

static void
ack_twice(struct inflight *in)
{
	transaction(in, 500, 1);
	inflight_acked(in, transaction(in, 600, 1), 10);
	inflight_acked(in, in->next - 1, 0);
}

static void
ack_after_reset(struct inflight *in)
{
	uint32_t	stale = transaction(in, 500, 1);

	inflight_reset(in, 0);
	transaction(in, 500, 1);
	inflight_acked(in, stale, 10);
}

static void
durable_open(struct inflight *in)
{
	inflight_durable(in, inflight_begin(in, 500));
}

static void
durable_unknown(struct inflight *in)
{
	transaction(in, 500, 1);
	inflight_durable(in, in->next);
}

static void
release_unknown(struct inflight *in)
{
	inflight_released(in, 0);
}

static void
test_promises(void)
{
	static const struct
	{
		const char *what;
		void		(*run) (struct inflight *);
	}			broken[] = {
		{"begin in a transaction", begin_twice},
		{"begin at no higher LSN", begin_backwards},
		{"begin in a full ring", begin_when_full},
		{"event outside a transaction", sent_outside},
		{"commit outside a transaction", commit_outside},
		{"ack of a transaction that isn't there", ack_unknown},
		{"ack of more events than are out", ack_twice},
		{"ack from before a reset", ack_after_reset},
		{"an open transaction said to be durable", durable_open},
		{"one that hasn't begun said to be durable", durable_unknown},
		{"more events released than were sent", release_unknown},
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
	{
		int			status = 0;
		pid_t		child = fork();

		if (child == 0)
		{
			struct inflight in = fresh(0);
			int			null = open("/dev/null", O_WRONLY);

			dup2(null, 1);
			dup2(null, 2);
			broken[i].run(&in);
			_exit(0);
		}
		waitpid(child, &status, 0);
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "aborts: %s", broken[i].what);
	}
}

/* ---- any history against a model that is too simple to be wrong */

#define ITEMS_MAX	400

/* the stream in its order, transactions and keepalives */
struct item
{
	bool		keepalive;
	lsn_t		lsn;
	bool		committed;
	uint32_t	sequence;
	int			out;			/* events in the sink's memory */
	bool		waiting;		/* released, but not yet durable */
};

struct model
{
	struct item items[ITEMS_MAX];
	int			n;
	lsn_t		floor;
	bool		grouped;		/* events are released, transactions become durable */
};

static bool
model_durable(const struct item *item)
{
	return item->keepalive || (item->committed && item->out == 0 && !item->waiting);
}

static lsn_t
model_flush(const struct model *model)
{
	lsn_t		flush = model->floor;

	for (int i = 0; i < model->n; i++)
	{
		const struct item *item = &model->items[i];

		if (!model_durable(item))
			break;
		if (item->lsn > flush)
			flush = item->lsn;
	}
	return flush;
}

static uint64_t
model_events(const struct model *model)
{
	uint64_t	events = 0;

	for (int i = 0; i < model->n; i++)
		events += (uint64_t) model->items[i].out;
	return events;
}

/* Transactions that are kept: from the first that isn't durable on. */
static uint32_t
model_kept(const struct model *model)
{
	uint32_t	kept = 0;

	for (int i = 0; i < model->n; i++)
	{
		const struct item *item = &model->items[i];

		if (!item->keepalive && (kept > 0 || !model_durable(item)))
			kept++;
	}
	return kept;
}

/* A transaction with events out, often the oldest; -1 = there is none. */
static int
random_out(struct random *random, const struct model *model)
{
	int			found = -1;
	uint32_t	seen = 0;
	bool		oldest = random_once_in(random, 3);

	for (int i = 0; i < model->n; i++)
	{
		if (model->items[i].out == 0)
			continue;
		if (random_once_in(random, ++seen))
			found = i;
		if (oldest)
			break;
	}
	return found;
}

/* One event has arrived. */
static void
arrive(struct random *random, struct inflight *in, struct model *model)
{
	int			i = random_out(random, model);

	if (i < 0)
		return;
	if (model->grouped)
		inflight_released(in, 3);
	else
		inflight_acked(in, model->items[i].sequence, 3);
	model->items[i].out--;
}

/* Some transactions become durable together: the first, as many as may. */
static void
group(struct random *random, struct inflight *in, struct model *model)
{
	int			last = -1;

	for (int i = 0; i < model->n; i++)
	{
		struct item *item = &model->items[i];

		if (item->keepalive || model_durable(item))
			continue;
		if (!item->committed || item->out > 0 || (last >= 0 && random_once_in(random, 3)))
			break;
		last = i;
	}
	if (last < 0)
		return;
	inflight_durable(in, model->items[last].sequence);
	for (int i = 0; i <= last; i++)
		model->items[i].waiting = false;
}

/* One step of a random history on both; octets are 3 for every event. */
static void
step(struct random *random, struct inflight *in, struct model *model, lsn_t *lsn, int *open)
{
	struct item *item = &model->items[model->n];
	lsn_t		wal_end;

	switch (random_below(random, 8))
	{
		case 0:
		case 1:
			if (*open >= 0)
			{
				inflight_commit(in);
				model->items[*open].committed = true;
				*open = -1;
			}
			else if (!inflight_full(in))
			{
				*lsn += 1 + random_below(random, 50);
				*item = (struct item) {.lsn = *lsn, .sequence = inflight_begin(in, *lsn)};
				*open = model->n++;
			}
			break;
		case 2:
		case 3:
			if (*open >= 0)
			{
				inflight_sent(in, 3);
				model->items[*open].out++;
				model->items[*open].waiting = model->grouped;
			}
			break;
		case 4:
			/* may also lie behind what came before: after a reconnect it does */
			if (*open < 0 && !random_once_in(random, 3))
				*lsn += random_below(random, 20);
			wal_end = *lsn > 14 ? *lsn - random_below(random, 3) * 7 : *lsn;
			inflight_keepalive(in, wal_end);
			if (*open < 0)
				model->items[model->n++] = (struct item) {.keepalive = true, .lsn = wal_end};
			break;
		default:
			/* a broker that stalls now and then */
			if (model->n / 50 % 2 && !random_once_in(random, 12))
				break;
			arrive(random, in, model);
			if (model->grouped && random_once_in(random, 4))
				group(random, in, model);
	}
}

static void
test_model(struct random *random, uint32_t first, bool grouped, const char *what)
{
	int			wrong = 0;
	int			moves = 0;
	int			full = 0;

	for (int round = 0; round < 300; round++)
	{
		static struct model model;
		struct inflight in;
		lsn_t		lsn = random_below(random, 1000);
		lsn_t		before;
		int			open = -1;

		if (!inflight_init(&in, 16))
			abort();
		inflight_reset(&in, random_below(random, 1200));
		in.first = in.next = first;
		model.n = 0;
		model.grouped = grouped;
		before = model.floor = in.flush;
		while (model.n < ITEMS_MAX - 1)
		{
			step(random, &in, &model, &lsn, &open);
			wrong += in.flush != model_flush(&model) || in.flush < before;
			wrong += in.events != model_events(&model) || in.octets != 3 * in.events;
			wrong += inflight_empty(&in) != (model_kept(&model) == 0);
			wrong += in.next - in.first != model_kept(&model);
			moves += in.flush > before;
			full += inflight_full(&in);
			before = in.flush;
		}
		inflight_free(&in);
	}
	diag("the flush LSN moved %d times, the ring was full %d times", moves, full);
	ok(moves > 1000 && full > 100, "%s: enough happened", what);
	is_int(wrong, 0, "%s: 300 random histories as the model says", what);
}

int
main(void)
{
	struct random random = random_start();

	test_prefix();
	test_commit();
	test_keepalive();
	test_floor();
	test_durable();
	test_full();
	test_promises();
	test_model(&random, 0, false, "from sequence 0");
	test_model(&random, UINT32_MAX - 20, false, "over the end of the sequence numbers");
	test_model(&random, UINT32_MAX - 200, false, "over their end, later");
	test_model(&random, 0, true, "grouped");
	test_model(&random, UINT32_MAX - 20, true, "grouped, over the end of the sequence numbers");
	return done_testing();
}
