/*
 * pace.c - commits events at a steady pace and measures when a consumer has them
 *
 *   pace -d CONNINFO -b BROKERS -t TOPIC -r RATE -s SECONDS [-w SECONDS] [-c SESSIONS]
 *
 * Each session inserts one event per transaction into outbox.event, with its
 * number as the aggregate id.  A consumer (read_committed, as early as it can
 * be) notes when each one comes.  Both use the same clock.  A latency is the
 * time from COMMIT having returned to the application until the consumer has
 * the message; a message that is there before COMMIT returns counts as 0.
 * What comes in the first -w seconds (none by default) is not counted.
 * Prints one line, in milliseconds:
 *
 *   events=N rate=R p50=M p90=M p99=M p999=M max=M insert_p50=M histogram=A,B,...
 *
 * where the histogram counts per 0.25 ms, the last one being the rest.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

#include "tool.h"

#define MAX_SESSIONS	64
#define BUCKETS			200
#define BUCKET_US		250
#define ARRIVAL_S		60		/* how long the last ones may take */

static const char *conninfo = "";
static const char *topic;
static int64_t total;
static int64_t warm;			/* as many events come before those that count */
static double rate;
static atomic_long next_event;
static int64_t begun;			/* when the first one is due, microseconds */
static int64_t *due_done;		/* when COMMIT returned */
static int64_t *asked;			/* when it was sent */
static int64_t *arrived;
static char payload[256];

static double
number(const char *text)
{
	char	   *end;
	double		value = strtod(text, &end);

	if (end == text || *end)
		die("not a number: %s", text);
	return value;
}

static void
wait_until(int64_t when)
{
	struct timespec ts = {when / 1000000, when % 1000000 * 1000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void *
session(void *unused)
{
	PGconn	   *conn = PQconnectdb(conninfo);
	PGresult   *result;

	(void) unused;
	if (PQstatus(conn) != CONNECTION_OK)
		die("connection: %s", PQerrorMessage(conn));
	result = PQprepare(conn, "emit",
					   "INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload, topic)"
					   " VALUES ('bench', $1, 'paced', $2, $3)", 3, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("prepare: %s", PQerrorMessage(conn));
	PQclear(result);
	for (;;)
	{
		int64_t		i = atomic_fetch_add(&next_event, 1);
		char		number[24];
		const char *values[3] = {number, payload, topic};

		if (i >= total)
			break;
		snprintf(number, sizeof(number), "%" PRId64, i);
		wait_until(begun + (int64_t) ((double) i * 1e6 / rate));
		asked[i] = microseconds(CLOCK_MONOTONIC);
		result = PQexecPrepared(conn, "emit", 3, values, NULL, NULL, 0);
		due_done[i] = microseconds(CLOCK_MONOTONIC);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			die("insert: %s", PQerrorMessage(conn));
		PQclear(result);
	}
	PQfinish(conn);
	return NULL;
}

static rd_kafka_t *
subscribe(const char *brokers)
{
	static const char *const properties[][2] = {
		{"group.id", "pace"}, {"enable.auto.commit", "false"},
		{"auto.offset.reset", "earliest"}, {"isolation.level", "read_committed"},
		{"fetch.wait.max.ms", "100"},
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle;
	rd_kafka_t *consumer;
	char		reason[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, reason, sizeof(reason));
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], reason, sizeof(reason)))
			die("configuration: %s", reason);
	consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
	if (!consumer)
		die("consumer: %s", reason);
	rd_kafka_poll_set_consumer(consumer);
	handle = rd_kafka_topic_new(consumer, topic, NULL);
	if (rd_kafka_metadata(consumer, 0, handle, &metadata, 10000) || metadata->topic_cnt != 1)
		die("topic: no metadata");
	for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
	rd_kafka_assign(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	return consumer;
}

static void
consume(rd_kafka_t *consumer)
{
	int64_t		left = total;
	int64_t		until = begun + (int64_t) ((double) total * 1e6 / rate) + ARRIVAL_S * 1000000LL;

	while (left > 0)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
		int64_t		now = microseconds(CLOCK_MONOTONIC);

		if (now > until)
			die("consumer: events are missing");
		if (!message)
			continue;
		if (!message->err && message->key_len < 24)
		{
			char		number[24] = {0};
			int64_t		i;

			memcpy(number, message->key, message->key_len);
			i = strtoll(number, NULL, 10);
			if (i >= 0 && i < total && arrived[i] == 0)
			{
				arrived[i] = now;
				left--;
			}
		}
		rd_kafka_message_destroy(message);
	}
}

static int
compare(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a,
				y = *(const int64_t *) b;

	return x < y ? -1 : x > y;
}

static double
quantile(const int64_t *sorted, double q)
{
	return (double) sorted[(int64_t) (q * (double) (total - warm - 1))] / 1000.0;
}

static void
report(double seconds)
{
	int64_t	   *latency = calloc((size_t) total, sizeof(*latency));
	int64_t	   *insert = calloc((size_t) total, sizeof(*insert));
	int64_t		histogram[BUCKETS] = {0};

	if (!latency || !insert)
		die("report: out of memory");
	for (int64_t i = 0; i < total - warm; i++)
	{
		int64_t		done = due_done[warm + i];
		int64_t		bucket;

		latency[i] = arrived[warm + i] > done ? arrived[warm + i] - done : 0;
		insert[i] = done - asked[warm + i];
		bucket = latency[i] / BUCKET_US;
		histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	}
	qsort(latency, (size_t) (total - warm), sizeof(*latency), compare);
	qsort(insert, (size_t) (total - warm), sizeof(*insert), compare);
	printf("events=%" PRId64 " rate=%.0f p50=%.2f p90=%.2f p99=%.2f p999=%.2f max=%.2f insert_p50=%.2f histogram=",
		   total - warm, (double) total / seconds, quantile(latency, 0.5), quantile(latency, 0.9),
		   quantile(latency, 0.99), quantile(latency, 0.999), quantile(latency, 1), quantile(insert, 0.5));
	for (int i = 0; i < BUCKETS; i++)
		printf("%s%" PRId64, i ? "," : "", histogram[i]);
	printf("\n");
	free(latency);
	free(insert);
}

int
main(int argc, char **argv)
{
	const char *brokers = NULL;
	int			sessions = 8;
	double		seconds = 10;
	double		warm_seconds = 0;
	pthread_t	threads[MAX_SESSIONS];
	rd_kafka_t *consumer;
	int64_t		last = 0;
	int			c;

	while ((c = getopt(argc, argv, "d:b:t:r:s:w:c:")) != -1)
	{
		switch (c)
		{
			case 'd': conninfo = optarg; break;
			case 'b': brokers = optarg; break;
			case 't': topic = optarg; break;
			case 'r': rate = number(optarg); break;
			case 's': seconds = number(optarg); break;
			case 'w': warm_seconds = number(optarg); break;
			case 'c': sessions = (int) number(optarg); break;
			default: die("usage: pace -d CONNINFO -b BROKERS -t TOPIC -r RATE -s SECONDS [-c SESSIONS]");
		}
	}
	if (!brokers || !topic || rate <= 0 || seconds <= 0 || sessions < 1 || sessions > MAX_SESSIONS)
		die("usage: -b, -t, -r and -s are needed");
	if (warm_seconds < 0)
		die("usage: -w can't be negative");
	warm = (int64_t) (rate * warm_seconds);
	total = warm + (int64_t) (rate * seconds);
	due_done = calloc((size_t) total, sizeof(*due_done));
	asked = calloc((size_t) total, sizeof(*asked));
	arrived = calloc((size_t) total, sizeof(*arrived));
	if (total - warm < 2 || !due_done || !asked || !arrived)
		die("size: out of memory");
	memset(payload, 'x', 200);
	memcpy(payload, "{\"pad\": \"", 9);
	memcpy(payload + 200, "\"}", 3);

	consumer = subscribe(brokers);
	begun = microseconds(CLOCK_MONOTONIC) + 1000000;
	for (int i = 0; i < sessions; i++)
		if (pthread_create(&threads[i], NULL, session, NULL))
			die("thread: can't be started");
	consume(consumer);
	for (int i = 0; i < sessions; i++)
		pthread_join(threads[i], NULL);
	for (int64_t i = 0; i < total; i++)
		if (due_done[i] > last)
			last = due_done[i];
	report((double) (last - begun) / 1e6);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return 0;
}
