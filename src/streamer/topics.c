/*
 * topics.c - topic handles by name: a hash table with open addressing.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "topics.h"

#include <stdlib.h>
#include <string.h>

#include "murmur2.h"

struct topics
{
	rd_kafka_topic_t **slots;
	size_t		capacity;		/* a power of two */
	size_t		used;
	rd_kafka_topic_t *last;		/* streaks of one topic are common */
	size_t		last_len;
};

struct topics *
topics_new(void)
{
	struct topics *topics = calloc(1, sizeof(*topics));

	if (!topics)
		return NULL;
	topics->capacity = 64;
	topics->slots = calloc(topics->capacity, sizeof(*topics->slots));
	if (topics->slots)
		return topics;
	free(topics);
	return NULL;
}

void
topics_free(struct topics *topics)
{
	if (!topics)
		return;
	for (size_t i = 0; i < topics->capacity; i++)
		if (topics->slots[i])
			rd_kafka_topic_destroy(topics->slots[i]);
	free(topics->slots);
	free(topics);
}

/* The slot that holds the name, or the free one where it belongs. */
static rd_kafka_topic_t **
probe(rd_kafka_topic_t **slots, size_t capacity, const char *name, size_t len)
{
	size_t		i = murmur2(name, len) & (capacity - 1);

	while (slots[i] && strcmp(rd_kafka_topic_name(slots[i]), name) != 0)
		i = (i + 1) & (capacity - 1);
	return &slots[i];
}

static int
grow(struct topics *topics)
{
	size_t		capacity = topics->capacity * 2;
	rd_kafka_topic_t **slots = calloc(capacity, sizeof(*slots));

	if (!slots)
		return 0;
	for (size_t i = 0; i < topics->capacity; i++)
	{
		rd_kafka_topic_t *topic = topics->slots[i];

		if (topic)
			*probe(slots, capacity, rd_kafka_topic_name(topic),
				   strlen(rd_kafka_topic_name(topic))) = topic;
	}
	free(topics->slots);
	topics->slots = slots;
	topics->capacity = capacity;
	return 1;
}

rd_kafka_topic_t *
topics_get(struct topics *topics, rd_kafka_t *producer, const char *name, size_t len)
{
	rd_kafka_topic_t **slot;

	if (topics->last && topics->last_len == len &&
		memcmp(rd_kafka_topic_name(topics->last), name, len) == 0)
		return topics->last;
	if (topics->used * 2 >= topics->capacity && !grow(topics))
		return NULL;
	slot = probe(topics->slots, topics->capacity, name, len);
	if (!*slot)
	{
		*slot = rd_kafka_topic_new(producer, name, NULL);
		if (!*slot)
			return NULL;
		topics->used++;
	}
	topics->last = *slot;
	topics->last_len = len;
	return *slot;
}
