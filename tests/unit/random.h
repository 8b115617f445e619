/*
 * random.h - randomness that can be repeated.
 *
 * Property tests print their seed; SEED=n in the environment repeats a run.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TEST_RANDOM_H
#define OUTBOX_TEST_RANDOM_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

struct random
{
	uint64_t	state;
};

/* SplitMix64 (Steele, Lea, Flood 2014) */
__attribute__((unused)) static uint64_t
random_u64(struct random *random)
{
	uint64_t	z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* 0 .. bound - 1 */
__attribute__((unused)) static uint32_t
random_below(struct random *random, uint32_t bound)
{
	return (uint32_t) ((random_u64(random) >> 32) * bound >> 32);
}

/* True once in n times. */
__attribute__((unused)) static bool
random_once_in(struct random *random, uint32_t n)
{
	return random_below(random, n) == 0;
}

/* The seed of this run, printed: SEED if given, else one that differs. */
__attribute__((unused)) static struct random
random_start(void)
{
	const char *given = getenv("SEED");
	uint64_t	seed = given && *given ? strtoull(given, NULL, 10) :
		((uint64_t) time(NULL) << 16 ^ (uint64_t) getpid()) & 0xffffffffffff;

	diag("SEED=%llu", (unsigned long long) seed);
	return (struct random) {seed};
}

#endif							/* OUTBOX_TEST_RANDOM_H */
