/*
 * patience.h - how long a batch waits for one message's SQL, so that others don't wait too long.
 *
 * Under policy dead-letter a message whose SQL takes longer is undone and run
 * apart.  One such message costs the others that time, and many would cost
 * many times that.  So there is a purse of three times inbox.hold_up, from
 * which each of them is paid, and of which a message gets a third at most; a
 * fifth of the time flows back into it.  When it is empty, a message gets
 * PATIENCE_LEAST_MS: fifty of them then cost 150 ms.  Innocent
 * ones that need more than that just now are run apart soon.
 *
 * Pure: the time is the caller's, in milliseconds.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_PATIENCE_H
#define INBOX_PATIENCE_H

#include <stdint.h>

#define PATIENCE_LEAST_MS	3

struct patience
{
	int64_t		hold_up;		/* the most for one message; 0 = no limit */
	int64_t		purse;
	int64_t		at;				/* when the purse was looked at last */
};

static inline void
patience_begin(struct patience *p, int64_t hold_up, int64_t now)
{
	*p = (struct patience) {.hold_up = hold_up, .purse = 3 * hold_up, .at = now};
}

/* What a message gets now; 0 = no limit. */
static inline int64_t
patience_now(struct patience *p, int64_t now)
{
	int64_t		back = (now - p->at) / 5;
	int64_t		least = p->hold_up < PATIENCE_LEAST_MS ? p->hold_up : PATIENCE_LEAST_MS;

	if (back > 0)
	{
		p->at = now;
		p->purse = p->purse + back < 3 * p->hold_up ? p->purse + back : 3 * p->hold_up;
	}
	return p->purse / 3 > least ? p->purse / 3 : least;
}

/* A message that failed, or was stopped, has held up the others for so long. */
static inline void
patience_spend(struct patience *p, int64_t ms)
{
	p->purse = p->purse > ms ? p->purse - ms : 0;
}

/* What a message gets that is run apart: "given", or if that is 0 hold_up, but not more
 * than most; 0 = no limit.  Stopped even so, it is given twice that next time. */
static inline int64_t
patience_apart(int64_t given, int64_t hold_up, int64_t most)
{
	if (hold_up == 0)
		return most;
	if (given == 0)
		given = hold_up;
	if (given < PATIENCE_LEAST_MS)
		given = PATIENCE_LEAST_MS;
	return most > 0 && given > most ? most : given;
}

#endif							/* INBOX_PATIENCE_H */
