/*
 * murmur2.h - the hash of Kafka's Java client.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_MURMUR2_H
#define OUTBOX_MURMUR2_H

#include <stddef.h>
#include <stdint.h>

/*
 * MurmurHash2, 32 bits, with the seed of org.apache.kafka.common.utils.Utils:
 * (murmur2(key) & 0x7fffffff) % partitions is where the Java producer puts a
 * keyed record.
 */
extern uint32_t murmur2(const void *data, size_t len);

#endif							/* OUTBOX_MURMUR2_H */
