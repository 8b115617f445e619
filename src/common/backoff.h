/*
 * backoff.h - how long to wait before the next attempt.
 *
 * Exponential with full jitter over the upper half, so that many clients of
 * one server don't come back in step.  Pure: the random number is the
 * caller's.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_BACKOFF_H
#define OUTBOX_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS	100
#define BACKOFF_LAST_MS		5000

/* attempts: failures in a row before this one.  Milliseconds. */
static inline int64_t
backoff_ms(unsigned attempts, uint32_t random)
{
	int64_t		most = BACKOFF_FIRST_MS;

	while (attempts-- > 0 && most < BACKOFF_LAST_MS)
		most *= 2;
	if (most > BACKOFF_LAST_MS)
		most = BACKOFF_LAST_MS;
	return most / 2 + random % (uint32_t) (most / 2 + 1);
}

#endif							/* OUTBOX_BACKOFF_H */
