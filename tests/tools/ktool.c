/*
 * ktool.c - a small Kafka client for tests: topics, offsets, and an exact dump.
 *
 *   ktool -b SERVERS ping
 *   ktool -b SERVERS list
 *   ktool -b SERVERS create TOPIC PARTITIONS [NAME=VALUE ...]
 *   ktool -b SERVERS delete TOPIC ...
 *   ktool -b SERVERS alter TOPIC NAME=VALUE ...
 *   ktool -b SERVERS ends TOPIC
 *   ktool -b SERVERS [-X NAME=VALUE ...] produce TOPIC      (messages on stdin)
 *   ktool -b SERVERS [-X NAME=VALUE ...] dump [-e] TOPIC|^REGEX ...
 *
 * "produce" reads a message a line, with hexadecimal octets, or "-" for NULL:
 * partition (-1: by the key, as Java's client does) key value { name value }
 *
 * It shares no code with the programs under test and starts in milliseconds,
 * which the Java tools do not.  "dump" reads every partition of the topics from
 * its beginning, new topics and partitions included, without a consumer group;
 * -e ends it at what was the end of the partitions known when it started.  The
 * frames it writes are read by tests/lib/PgOutbox/Consumer.pm:
 *
 *   topic TAB partition TAB offset TAB timestamp-ms TAB received-us TAB
 *   key-length TAB value-length { TAB name-length ":" value-length } LF
 *   key value { name value } LF          (a length of -1 is NULL)
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "tool.h"

#define TIMEOUT_MS		15000
#define REFRESH_MS		100		/* how soon a new topic is noticed */

static volatile sig_atomic_t stop_requested = 0;

static void
on_signal(int signo)
{
	(void) signo;
	stop_requested = 1;
}

static int64_t
monotonic_ms(void)
{
	return microseconds(CLOCK_MONOTONIC) / 1000;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		errstr[512];

	if (rd_kafka_conf_set(conf, name, value, errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
		die("%s", errstr);
}

static const struct rd_kafka_metadata *
metadata(rd_kafka_t *rk)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t rc = rd_kafka_metadata(rk, 1, NULL, &md, TIMEOUT_MS);

	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("metadata: %s", rd_kafka_err2str(rc));
	return md;
}

/* ---- topics ---- */

/* Waits for an admin request's result event; dies if the request failed. */
static rd_kafka_event_t *
admin_result(rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);

	if (event == NULL)
		die("no answer within %d ms", TIMEOUT_MS);
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("%s", rd_kafka_event_error_string(event));
	return event;
}

static void
check_topic_results(const rd_kafka_topic_result_t **results, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("%s: %s", rd_kafka_topic_result_name(results[i]),
				rd_kafka_topic_result_error_string(results[i]));
	}
}

/* Splits "name=value" in place. */
static char *
split(char *pair)
{
	char	   *value = strchr(pair, '=');

	if (value == NULL)
		die("not NAME=VALUE: %s", pair);
	*value = '\0';
	return value + 1;
}

/* Creation is answered before every thread of the broker knows the topic. */
static void
wait_leaders(rd_kafka_t *rk, const char *topic, int partitions)
{
	int64_t		deadline = monotonic_ms() + TIMEOUT_MS;

	while (monotonic_ms() < deadline)
	{
		const struct rd_kafka_metadata *md = metadata(rk);
		bool		ready = false;

		for (int i = 0; i < md->topic_cnt; i++)
		{
			const struct rd_kafka_metadata_topic *t = &md->topics[i];

			if (strcmp(t->topic, topic) != 0 || t->partition_cnt != partitions)
				continue;
			ready = t->err == RD_KAFKA_RESP_ERR_NO_ERROR;
			for (int p = 0; p < t->partition_cnt; p++)
				ready = ready && t->partitions[p].leader >= 0;
		}
		rd_kafka_metadata_destroy(md);
		if (ready)
			return;
		usleep(10000);
	}
	die("%s: no leaders", topic);
}

static void
create_topic(rd_kafka_t *rk, int argc, char **argv)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_NewTopic_t *topic;
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	char		errstr[512];
	size_t		n;
	int			partitions;

	if (argc < 2)
		die("create TOPIC PARTITIONS [NAME=VALUE ...]");
	partitions = (int) strtol(argv[1], NULL, 10);
	topic = rd_kafka_NewTopic_new(argv[0], partitions, 1, errstr, sizeof(errstr));
	if (topic == NULL)
		die("%s", errstr);
	for (int i = 2; i < argc; i++)
	{
		char	   *value = split(argv[i]);

		rd_kafka_NewTopic_set_config(topic, argv[i], value);
	}
	rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
	event = admin_result(queue);
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	check_topic_results(results, n);
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	rd_kafka_queue_destroy(queue);
	wait_leaders(rk, argv[0], partitions);
}

static void
delete_topics(rd_kafka_t *rk, int argc, char **argv)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t **topics = calloc((size_t) argc + 1, sizeof(*topics));
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	size_t		n;

	if (!topics)
		die("out of memory");
	for (int i = 0; i < argc; i++)
		topics[i] = rd_kafka_DeleteTopic_new(argv[i]);
	rd_kafka_DeleteTopics(rk, topics, (size_t) argc, NULL, queue);
	event = admin_result(queue);
	results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
	check_topic_results(results, n);
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteTopic_destroy_array(topics, (size_t) argc);
	free(topics);
	rd_kafka_queue_destroy(queue);
}

/* Sets the named properties; others that were set go back to their defaults. */
static void
alter_topic(rd_kafka_t *rk, int argc, char **argv)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_ConfigResource_t *resource;
	rd_kafka_event_t *event;
	const rd_kafka_ConfigResource_t **results;
	size_t		n;

	if (argc < 2)
		die("alter TOPIC NAME=VALUE ...");
	resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[0]);
	for (int i = 1; i < argc; i++)
	{
		char	   *value = split(argv[i]);

		rd_kafka_ConfigResource_set_config(resource, argv[i], value);
	}
	rd_kafka_AlterConfigs(rk, &resource, 1, NULL, queue);
	event = admin_result(queue);
	results = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &n);
	for (size_t i = 0; i < n; i++)
	{
		if (rd_kafka_ConfigResource_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			die("%s: %s", argv[0], rd_kafka_ConfigResource_error_string(results[i]));
	}
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
}

static void
list_topics(rd_kafka_t *rk)
{
	const struct rd_kafka_metadata *md = metadata(rk);

	for (int i = 0; i < md->topic_cnt; i++)
		printf("%s\t%d\n", md->topics[i].topic, md->topics[i].partition_cnt);
	rd_kafka_metadata_destroy(md);
}

/*
 * Ends of a partition.  A broker that comes back, or was paused, is without leaders
 * for a moment: asked again until TIMEOUT_MS have passed.
 */
static void
query_ends(rd_kafka_t *rk, const char *topic, int32_t id, int64_t *low, int64_t *high)
{
	int64_t		deadline = monotonic_ms() + TIMEOUT_MS;
	rd_kafka_resp_err_t rc;

	while ((rc = rd_kafka_query_watermark_offsets(rk, topic, id, low, high, TIMEOUT_MS)) !=
		   RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		if (monotonic_ms() >= deadline)
			die("%s [%d]: %s", topic, id, rd_kafka_err2str(rc));
		usleep(10000);
	}
}

static void
print_ends(rd_kafka_t *rk, const char *topic)
{
	const struct rd_kafka_metadata *md = metadata(rk);
	bool		found = false;

	for (int i = 0; i < md->topic_cnt; i++)
	{
		if (strcmp(md->topics[i].topic, topic) != 0)
			continue;
		found = true;
		for (int p = 0; p < md->topics[i].partition_cnt; p++)
		{
			int32_t		id = md->topics[i].partitions[p].id;
			int64_t		low;
			int64_t		high;

			query_ends(rk, topic, id, &low, &high);
			printf("%d\t%" PRId64 "\t%" PRId64 "\n", id, low, high);
		}
	}
	rd_kafka_metadata_destroy(md);
	if (!found)
		die("no such topic: %s", topic);
}

/* ---- produce ---- */

/* Octets from hexadecimal digits, in place; false if the word says NULL. */
static bool
unhex(char *word, size_t *size)
{
	*size = 0;
	if (strcmp(word, "-") == 0)
		return false;
	for (const char *p = word; p[0] != '\0' && p[1] != '\0'; p += 2)
	{
		char		digits[3] = {p[0], p[1], '\0'};

		word[(*size)++] = (char) strtol(digits, NULL, 16);
	}
	return true;
}

static int	undelivered = 0;

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void) rk;
	(void) opaque;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		fprintf(stderr, "ktool: %s\n", rd_kafka_message_errstr(m));
		undelivered++;
	}
}

/* Words by strsep(), which keeps empty ones: an empty key is "". */
static void
produce_line(rd_kafka_t *rk, const char *topic, char *line)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	char	   *partition = strsep(&line, " ");
	char	   *key = strsep(&line, " ");
	char	   *value = strsep(&line, " ");
	char	   *name;
	size_t		key_size;
	size_t		value_size;
	bool		has_key;
	bool		has_value;
	rd_kafka_resp_err_t rc;

	if (value == NULL)
		die("produce: partition, key, value expected");
	has_key = unhex(key, &key_size);
	has_value = unhex(value, &value_size);
	while ((name = strsep(&line, " ")) != NULL)
	{
		char	   *text = strsep(&line, " ");
		size_t		size;

		if (text == NULL)
			die("produce: header %s without value", name);
		if (unhex(text, &size))
			rd_kafka_header_add(headers, name, -1, text, (ssize_t) size);
		else
			rd_kafka_header_add(headers, name, -1, NULL, 0);
	}
	rc = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
						   RD_KAFKA_V_PARTITION((int32_t) strtol(partition, NULL, 10)),
						   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
						   RD_KAFKA_V_KEY(has_key ? key : NULL, key_size),
						   RD_KAFKA_V_VALUE(has_value ? value : NULL, value_size),
						   RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("produce: %s", rd_kafka_err2str(rc));
	rd_kafka_poll(rk, 0);
}

static void
produce(rd_kafka_t *rk, const char *topic)
{
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		length;

	while ((length = getline(&line, &size, stdin)) > 0)
	{
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		produce_line(rk, topic, line);
	}
	free(line);
	if (rd_kafka_flush(rk, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR || undelivered > 0)
		die("produce: %d not delivered", undelivered + rd_kafka_outq_len(rk));
}

/* ---- dump ---- */

struct dump
{
	rd_kafka_t *rk;
	rd_kafka_topic_partition_list_t *assigned;
	int			nopen;			/* with -e: partitions not yet read to their end */
	int			npatterns;
	char	  **patterns;
	regex_t    *compiled;
};

static bool
wanted(const struct dump *d, const char *topic)
{
	for (int i = 0; i < d->npatterns; i++)
	{
		if (d->patterns[i][0] == '^'
			? regexec(&d->compiled[i], topic, 0, NULL, 0) == 0
			: strcmp(d->patterns[i], topic) == 0)
			return true;
	}
	return false;
}

/* Takes up the partitions that have come into being; they start at the beginning. */
static void
assign_new(struct dump *d)
{
	rd_kafka_topic_partition_list_t *fresh = rd_kafka_topic_partition_list_new(8);
	const struct rd_kafka_metadata *md;

	/* a broker that is away for a while is not the reader's problem */
	if (rd_kafka_metadata(d->rk, 1, NULL, &md, 1000) != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		rd_kafka_topic_partition_list_destroy(fresh);
		return;
	}
	for (int i = 0; i < md->topic_cnt; i++)
	{
		const struct rd_kafka_metadata_topic *t = &md->topics[i];

		if (t->err != RD_KAFKA_RESP_ERR_NO_ERROR || !wanted(d, t->topic))
			continue;
		for (int p = 0; p < t->partition_cnt; p++)
		{
			int32_t		id = t->partitions[p].id;

			if (rd_kafka_topic_partition_list_find(d->assigned, t->topic, id) != NULL)
				continue;
			rd_kafka_topic_partition_list_add(d->assigned, t->topic, id);
			rd_kafka_topic_partition_list_add(fresh, t->topic, id)->offset = RD_KAFKA_OFFSET_BEGINNING;
		}
	}
	rd_kafka_metadata_destroy(md);
	if (fresh->cnt > 0)
	{
		rd_kafka_error_t *error = rd_kafka_incremental_assign(d->rk, fresh);

		if (error != NULL)
			die("assign: %s", rd_kafka_error_string(error));
		d->nopen += fresh->cnt;
	}
	rd_kafka_topic_partition_list_destroy(fresh);
}

static void
write_message(const rd_kafka_message_t *m)
{
	rd_kafka_timestamp_type_t type;
	rd_kafka_headers_t *headers = NULL;
	const char *name;
	const void *value;
	size_t		size;

	(void) rd_kafka_message_headers(m, &headers);
	printf("%s\t%" PRId32 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%lld\t%lld",
		   rd_kafka_topic_name(m->rkt), m->partition, m->offset,
		   rd_kafka_message_timestamp(m, &type), microseconds(CLOCK_REALTIME),
		   m->key == NULL ? -1LL : (long long) m->key_len,
		   m->payload == NULL ? -1LL : (long long) m->len);
	for (size_t i = 0; headers != NULL &&
		 rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		printf("\t%zu:%lld", strlen(name), value == NULL ? -1LL : (long long) size);
	putchar('\n');
	if (m->key != NULL)
		fwrite(m->key, 1, m->key_len, stdout);
	if (m->payload != NULL)
		fwrite(m->payload, 1, m->len, stdout);
	for (size_t i = 0; headers != NULL &&
		 rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
	{
		fputs(name, stdout);
		if (value != NULL)
			fwrite(value, 1, size, stdout);
	}
	putchar('\n');
}

static void
dump(rd_kafka_t *rk, bool until_end, int argc, char **argv)
{
	struct dump d = {.rk = rk, .npatterns = argc, .patterns = argv};
	int64_t		next_refresh = 0;

	d.assigned = rd_kafka_topic_partition_list_new(16);
	d.compiled = calloc((size_t) argc + 1, sizeof(*d.compiled));
	for (int i = 0; i < argc; i++)
	{
		if (argv[i][0] == '^' && regcomp(&d.compiled[i], argv[i], REG_EXTENDED | REG_NOSUB) != 0)
			die("bad pattern: %s", argv[i]);
	}
	if (until_end)
		assign_new(&d);

	while (!stop_requested && !(until_end && d.nopen == 0))
	{
		rd_kafka_message_t *m;

		if (!until_end && monotonic_ms() >= next_refresh)
		{
			assign_new(&d);
			next_refresh = monotonic_ms() + REFRESH_MS;
		}
		m = rd_kafka_consumer_poll(rk, 0);
		if (m == NULL)
		{
			/* all that was there is on its way; only then wait for more */
			fflush(stdout);
			m = rd_kafka_consumer_poll(rk, REFRESH_MS / 2);
		}
		if (m == NULL)
			continue;
		if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			write_message(m);
		else if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			d.nopen--;
		else
			fprintf(stderr, "ktool: %s\n", rd_kafka_message_errstr(m));
		rd_kafka_message_destroy(m);
	}
	fflush(stdout);
	rd_kafka_topic_partition_list_destroy(d.assigned);
	for (int i = 0; i < argc; i++)
	{
		if (argv[i][0] == '^')
			regfree(&d.compiled[i]);
	}
	free(d.compiled);
}

/* ---- main ---- */

static void
quiet(const rd_kafka_t *rk, int level, const char *fac, const char *buf)
{
	(void) rk;
	if (level <= 3)
		fprintf(stderr, "ktool: %s: %s\n", fac, buf);
}

/* Makes the client: a consumer for dump, a producer (for its admin calls) otherwise. */
static rd_kafka_t *
connect_to(rd_kafka_conf_t *conf, bool consumer)
{
	char		errstr[512];
	rd_kafka_t *rk;

	rd_kafka_conf_set_log_cb(conf, quiet);
	if (consumer)
	{
		set(conf, "group.id", "ktool");
		set(conf, "enable.auto.commit", "false");
		set(conf, "enable.partition.eof", "true");
		set(conf, "fetch.wait.max.ms", "50");
		set(conf, "reconnect.backoff.max.ms", "500");
	}
	else
	{
		set(conf, "partitioner", "murmur2_random");
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	}
	rk = rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
	if (rk == NULL)
		die("%s", errstr);
	if (consumer)
		rd_kafka_poll_set_consumer(rk);
	return rk;
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct sigaction action = {.sa_handler = on_signal};
	const char *command;
	rd_kafka_t *rk;
	int			opt;

	while ((opt = getopt(argc, argv, "+b:X:")) != -1)
	{
		if (opt == 'b')
			set(conf, "bootstrap.servers", optarg);
		else if (opt == 'X')
			set(conf, optarg, split(optarg));
		else
			return 2;
	}
	if (optind >= argc)
		die("no command");
	command = argv[optind++];
	argc -= optind;
	argv += optind;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);

	rk = connect_to(conf, strcmp(command, "dump") == 0);
	if (strcmp(command, "ping") == 0)
		rd_kafka_metadata_destroy(metadata(rk));
	else if (strcmp(command, "list") == 0)
		list_topics(rk);
	else if (strcmp(command, "create") == 0)
		create_topic(rk, argc, argv);
	else if (strcmp(command, "delete") == 0)
		delete_topics(rk, argc, argv);
	else if (strcmp(command, "alter") == 0)
		alter_topic(rk, argc, argv);
	else if (strcmp(command, "ends") == 0 && argc == 1)
		print_ends(rk, argv[0]);
	else if (strcmp(command, "produce") == 0 && argc == 1)
		produce(rk, argv[0]);
	else if (strcmp(command, "dump") == 0 && argc > 1 && strcmp(argv[0], "-e") == 0)
		dump(rk, true, argc - 1, argv + 1);
	else if (strcmp(command, "dump") == 0 && argc > 0)
		dump(rk, false, argc, argv);
	else
		die("unknown command: %s", command);
	/* a consumer's orderly close would wait for its group; nothing is held */
	if (strcmp(command, "dump") != 0)
		rd_kafka_destroy(rk);
	return 0;
}
