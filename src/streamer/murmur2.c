/*
 * murmur2.c - the hash of Kafka's Java client.
 *
 * Written from the description of MurmurHash2 (Austin Appleby, public domain);
 * tests/unit compares it with values of the Java client.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "murmur2.h"

#define MULTIPLIER	0x5bd1e995u
#define SEED		0x9747b28cu

uint32_t
murmur2(const void *data, size_t len)
{
	const unsigned char *octet = data;
	uint32_t	hash = SEED ^ (uint32_t) len;

	for (; len >= 4; octet += 4, len -= 4)
	{
		uint32_t	word = (uint32_t) octet[0] | (uint32_t) octet[1] << 8 |
			(uint32_t) octet[2] << 16 | (uint32_t) octet[3] << 24;

		word *= MULTIPLIER;
		word ^= word >> 24;
		word *= MULTIPLIER;
		hash *= MULTIPLIER;
		hash ^= word;
	}
	if (len > 2)
		hash ^= (uint32_t) octet[2] << 16;
	if (len > 1)
		hash ^= (uint32_t) octet[1] << 8;
	if (len > 0)
	{
		hash ^= octet[0];
		hash *= MULTIPLIER;
	}
	hash ^= hash >> 13;
	hash *= MULTIPLIER;
	hash ^= hash >> 15;
	return hash;
}
