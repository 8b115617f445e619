/*
 * store.c - puts a dead-letter topic into a table, in one of the wrong ways.
 *
 *   store -b SERVERS -g GROUP -i TOPIC -d DSN -w offset|database|two-phase [-x VALUE]
 *
 * For each message it inserts a row into letters and counts it in letter_count;
 * then the message is removed from the queue: its offset is committed.
 *
 *   -w offset      commits the offset first, then the row
 *   -w database    commits the row first, then the offset
 *   -w two-phase   prepares the row's transaction, commits the offset, and then
 *                  the prepared transaction
 *   -x VALUE       for tests: dies between the first and the second commit of the
 *                  message with this value
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#define APP "store"
#include "../app.h"

#include <inttypes.h>
#include <stdbool.h>

enum way
{
	OFFSET_FIRST,
	DATABASE_FIRST,
	TWO_PHASE
};

struct store
{
	const char *dies_at;
	enum way	way;
	PGconn	   *conn;
	rd_kafka_t *consumer;
};

static void
open_consumer(struct store *store, const char *servers, const char *group, const char *topic)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);

	store->consumer = kafka_client(RD_KAFKA_CONSUMER, kafka_conf((const char *const [][2]) {
		{"bootstrap.servers", servers},
		{"group.id", group},
		/* who comes back in time has its partitions at once */
		{"group.instance.id", "store"},
		{"auto.offset.reset", "earliest"},
		{"enable.auto.commit", "false"},
		{NULL, NULL}
	}));
	rd_kafka_poll_set_consumer(store->consumer);
	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	if (rd_kafka_subscribe(store->consumer, topics))
		die(1, "cannot subscribe");
	rd_kafka_topic_partition_list_destroy(topics);
}

static void
commit_offset(struct store *store, const rd_kafka_message_t *message)
{
	rd_kafka_resp_err_t err = rd_kafka_commit_message(store->consumer, message, 0);

	if (err)
		die(1, "offset: %s", rd_kafka_err2str(err));
}

static void
between(const struct store *store, const char *value)
{
	if (store->dies_at && strcmp(store->dies_at, value) == 0)
		die(9, "dies between the commits of %s", value);
}

static void
write_row(struct store *store, const char *value)
{
	execute(store->conn, "BEGIN", 0, NULL);
	execute(store->conn, "INSERT INTO letters (value) VALUES ($1)", 1, &value);
	execute(store->conn, "UPDATE letter_count SET n = n + 1", 0, NULL);
}

static void
handle(struct store *store, const rd_kafka_message_t *message)
{
	char	   *value = strndup(message->payload, message->len);
	char		name[64];
	char		command[128];

	if (!value)
		die(1, "out of memory");
	if (store->way == OFFSET_FIRST)
	{
		commit_offset(store, message);
		between(store, value);
		write_row(store, value);
		execute(store->conn, "COMMIT", 0, NULL);
	}
	else if (store->way == DATABASE_FIRST)
	{
		write_row(store, value);
		execute(store->conn, "COMMIT", 0, NULL);
		between(store, value);
		commit_offset(store, message);
	}
	else
	{
		snprintf(name, sizeof(name), "letter-%" PRId32 "-%" PRId64, message->partition, message->offset);
		write_row(store, value);
		snprintf(command, sizeof(command), "PREPARE TRANSACTION '%s'", name);
		execute(store->conn, command, 0, NULL);
		between(store, value);
		commit_offset(store, message);
		snprintf(command, sizeof(command), "COMMIT PREPARED '%s'", name);
		execute(store->conn, command, 0, NULL);
	}
	free(value);
}

static enum way
way_of(const char *name)
{
	static const char *const names[] = {"offset", "database", "two-phase"};

	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum way) i;
	die(2, "-w offset, database or two-phase");
}

int
main(int argc, char **argv)
{
	struct store store = {.dies_at = NULL};
	const char *servers = NULL;
	const char *group = NULL;
	const char *topic = NULL;
	const char *dsn = NULL;
	int			option;

	while ((option = getopt(argc, argv, "b:g:i:d:w:x:")) >= 0)
		switch (option)
		{
			case 'b': servers = optarg; break;
			case 'g': group = optarg; break;
			case 'i': topic = optarg; break;
			case 'd': dsn = optarg; break;
			case 'w': store.way = way_of(optarg); break;
			case 'x': store.dies_at = optarg; break;
			default: return 2;
		}
	if (!servers || !group || !topic || !dsn)
		die(2, "-b, -g, -i and -d are needed");
	catch_signals();
	store.conn = database(dsn);
	open_consumer(&store, servers, group, topic);
	while (!stop_requested)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(store.consumer, 100);

		if (message && !message->err)
			handle(&store, message);
		else if (message && rd_kafka_fatal_error(store.consumer, NULL, 0))
			die(1, "%s", rd_kafka_message_errstr(message));
		if (message)
			rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(store.consumer);
	rd_kafka_destroy(store.consumer);
	PQfinish(store.conn);
	return 0;
}
