/*
 * race.c - the consumer: one row for each user, with when they were last seen.
 *
 *   race -b SERVERS -g GROUP -i TOPIC -d DSN [-u] [-w]
 *
 * A message is {"user_id": 7, "last_access_time": "2026-01-01 12:00:00"}.  For each
 * it looks for the user's row in table test1, and updates it or inserts one; then it
 * commits its offset.  Nothing in the table forbids a second row.
 *
 *   -u           upserts into test2 instead, whose key is user_id
 *   -w           for tests: between looking and writing it goes through a gate, the
 *                advisory lock (partition, user); who holds that lock holds it there
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#define APP "race"
#include "../app.h"

#include <inttypes.h>
#include <stdbool.h>

#define USER	"($1::jsonb ->> 'user_id')::bigint"
#define SEEN	"($1::jsonb ->> 'last_access_time')::timestamp"

struct race
{
	const char *servers;
	const char *group;
	const char *topic;
	bool		upsert;
	bool		gate;
	PGconn	   *conn;
	rd_kafka_t *consumer;
};

/*
 * Partitions are taken and given back here, that is within a poll, and so never
 * in the middle of an event.  Without this function librdkafka gives them back at
 * once, while we may still be at work on one's last event, and somebody else
 * begins with that same event.
 */
static void
rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t err,
		  rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	bool		taken = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	(void) opaque;
	rd_kafka_assign(consumer, taken ? partitions : NULL);
	fprintf(stderr, "race: has %d partitions\n", taken ? partitions->cnt : 0);
}

static void
open_consumer(struct race *race)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_conf_t *conf = kafka_conf((const char *const [][2]) {
		{"bootstrap.servers", race->servers},
		{"group.id", race->group},
		{"session.timeout.ms", "6000"},
		{"auto.offset.reset", "earliest"},
		{"enable.auto.commit", "false"},
		{NULL, NULL}
	});

	rd_kafka_conf_set_rebalance_cb(conf, rebalance);
	race->consumer = kafka_client(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(race->consumer);
	rd_kafka_topic_partition_list_add(topics, race->topic, RD_KAFKA_PARTITION_UA);
	if (rd_kafka_subscribe(race->consumer, topics))
		die(1, "cannot subscribe");
	rd_kafka_topic_partition_list_destroy(topics);
}

static void
gate(const struct race *race, const char *event, int32_t partition)
{
	char		number[16];
	const char *values[] = {event, number};

	snprintf(number, sizeof(number), "%" PRId32, partition);
	if (race->gate)
		execute(race->conn, "SELECT pg_advisory_xact_lock_shared($2::int, (" USER ")::int)", 2, values);
}

static void
look_then_write(const struct race *race, const char *event, int32_t partition)
{
	bool		known = execute(race->conn, "SELECT id FROM test1 WHERE user_id = " USER, 1, &event) > 0;

	gate(race, event, partition);
	execute(race->conn, known ?
			"UPDATE test1 SET last_access_time = " SEEN " WHERE user_id = " USER :
			"INSERT INTO test1 (user_id, last_access_time) VALUES (" USER ", " SEEN ")",
			1, &event);
}

static void
upsert(const struct race *race, const char *event, int32_t partition)
{
	gate(race, event, partition);
	execute(race->conn, "INSERT INTO test2 (user_id, last_access_time) VALUES (" USER ", " SEEN ") "
			"ON CONFLICT (user_id) DO UPDATE SET last_access_time = excluded.last_access_time",
			1, &event);
}

static void
handle(const struct race *race, const rd_kafka_message_t *message)
{
	char	   *event = strndup(message->payload, message->len);

	if (!event)
		die(1, "out of memory");
	execute(race->conn, "BEGIN", 0, NULL);
	if (race->upsert)
		upsert(race, event, message->partition);
	else
		look_then_write(race, event, message->partition);
	execute(race->conn, "COMMIT", 0, NULL);
	free(event);
}

/* One event, and the offset behind it. */
static void
work(struct race *race)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(race->consumer, 100);

	if (!message)
		return;
	if (!message->err)
	{
		handle(race, message);
		/* a member that the group has left behind is refused: the event comes again, elsewhere */
		rd_kafka_commit_message(race->consumer, message, 0);
	}
	else if (rd_kafka_fatal_error(race->consumer, NULL, 0))
		die(1, "%s", rd_kafka_message_errstr(message));
	rd_kafka_message_destroy(message);
}

int
main(int argc, char **argv)
{
	struct race race = {.servers = NULL};
	const char *dsn = NULL;
	int			option;

	while ((option = getopt(argc, argv, "b:g:i:d:uw")) >= 0)
		switch (option)
		{
			case 'b': race.servers = optarg; break;
			case 'g': race.group = optarg; break;
			case 'i': race.topic = optarg; break;
			case 'd': dsn = optarg; break;
			case 'u': race.upsert = true; break;
			case 'w': race.gate = true; break;
			default: return 2;
		}
	if (!race.servers || !race.group || !race.topic || !dsn)
		die(2, "-b, -g, -i and -d are needed");
	catch_signals();
	race.conn = database(dsn);
	open_consumer(&race);
	while (!stop_requested)
		work(&race);
	rd_kafka_consumer_close(race.consumer);
	rd_kafka_destroy(race.consumer);
	PQfinish(race.conn);
	return 0;
}
