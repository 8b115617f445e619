/*
 * murmur2_test.c - keys go where the Java client puts them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include <librdkafka/rdkafka.h>

#include "murmur2.h"

/* what org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.1.0 gives */
static const struct
{
	const char *key;
	int32_t		hash;
}			java_texts[] = {
	{"", 275646681},
	{"21", -973932308},
	{"foobar", -790332482},
	{"a-little-bit-long-string", -985981536},
	{"a-little-bit-longer-string", -1486304829},
	{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
	{"abc", 479470107},
};

/* the same of n octets, octet i being (byte) (i * 73 + 200 + n), for n from 0 */
static const uint32_t java_octets[] = {
	275646681u, 1279037197u, 1613162590u, 1070609013u, 2885008398u, 366607098u,
	1699177777u, 3153205395u, 1990414764u, 2433118120u, 502801412u, 2327401086u,
	1020179820u,
};

static void
test_java(void)
{
	for (size_t i = 0; i < sizeof(java_texts) / sizeof(java_texts[0]); i++)
		is_int((int32_t) murmur2(java_texts[i].key, strlen(java_texts[i].key)),
			   java_texts[i].hash, "\"%s\"", java_texts[i].key);
	for (size_t n = 0; n < sizeof(java_octets) / sizeof(java_octets[0]); n++)
	{
		unsigned char *octets = malloc(n + 1);

		/* at an odd address, and nothing behind it */
		for (size_t i = 0; i < n; i++)
			octets[1 + i] = (unsigned char) (i * 73 + 200 + n);
		is_int(murmur2(octets + 1, n), java_octets[n], "%zu octets", n);
		free(octets);
	}
}

static void
test_librdkafka(struct random *random)
{
	int			wrong = 0;

	for (int round = 0; round < 100000; round++)
	{
		unsigned char key[64];
		size_t		len = random_below(random, sizeof(key) + 1);
		int32_t		partitions = round % 2 ? INT32_MAX : 1 + (int32_t) random_below(random, 1000);

		for (size_t i = 0; i < len; i++)
			key[i] = (unsigned char) random_u64(random);
		wrong += rd_kafka_msg_partitioner_murmur2(NULL, key, len, partitions, NULL, NULL) !=
			(int32_t) ((murmur2(key, len) & 0x7fffffff) % (uint32_t) partitions);
	}
	is_int(wrong, 0, "100000 random keys land where librdkafka %s puts them", rd_kafka_version_str());
}

int
main(void)
{
	struct random random = random_start();

	test_java();
	test_librdkafka(&random);
	return done_testing();
}
