/*
 * look.c - a consumer that reads the database as soon as it has an event.
 *
 *   look -b SERVERS -i TOPIC -d DSN
 *
 * An event {"account": 3, "version": 17} says that the account has this version
 * now.  It looks: a lower one, or none, means that the event was ahead of its data.
 * After each event it prints "EVENTS AHEAD", how many there were and how many of
 * them were ahead.  It reads all partitions from their beginning.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#define APP "look"
#include "../app.h"

#include <stdbool.h>

#define TIMEOUT_MS		30000

/* No group: nothing is committed, and it begins at once. */
static rd_kafka_t *
open_consumer(const char *servers, const char *topic)
{
	rd_kafka_t *consumer = kafka_client(RD_KAFKA_CONSUMER, kafka_conf((const char *const [][2]) {
		{"bootstrap.servers", servers},
		{"group.id", "look"},
		{"enable.auto.commit", "false"},
		{"fetch.wait.max.ms", "10"},
		{NULL, NULL}
	}));
	rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	const struct rd_kafka_metadata *metadata;

	rd_kafka_poll_set_consumer(consumer);
	if (rd_kafka_metadata(consumer, 0, handle, &metadata, TIMEOUT_MS) || metadata->topic_cnt != 1)
		die(1, "no metadata");
	for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	if (rd_kafka_assign(consumer, list))
		die(1, "cannot assign");
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);
	return consumer;
}

static bool
is_there(PGconn *conn, const rd_kafka_message_t *message)
{
	char	   *event = strndup(message->payload, message->len);
	int			rows;

	if (!event)
		die(1, "out of memory");
	rows = execute(conn, "SELECT 1 FROM account WHERE id = ($1::jsonb ->> 'account')::int "
				   "AND version >= ($1::jsonb ->> 'version')::bigint", 1, (const char *const *) &event);
	free(event);
	return rows > 0;
}

int
main(int argc, char **argv)
{
	const char *servers = NULL;
	const char *topic = NULL;
	const char *dsn = NULL;
	rd_kafka_t *consumer;
	PGconn	   *conn;
	long		events = 0;
	long		ahead = 0;
	int			option;

	while ((option = getopt(argc, argv, "b:i:d:")) >= 0)
		switch (option)
		{
			case 'b': servers = optarg; break;
			case 'i': topic = optarg; break;
			case 'd': dsn = optarg; break;
			default: return 2;
		}
	if (!servers || !topic || !dsn)
		die(2, "-b, -i and -d are needed");
	catch_signals();
	conn = database(dsn);
	consumer = open_consumer(servers, topic);
	while (!stop_requested)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

		if (!message)
			continue;
		if (!message->err)
		{
			ahead += !is_there(conn, message);
			printf("%ld %ld\n", ++events, ahead);
			fflush(stdout);
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	PQfinish(conn);
	return 0;
}
