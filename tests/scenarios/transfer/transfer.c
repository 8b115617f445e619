/*
 * transfer.c - the bank: each transfer becomes a debit and a credit.
 *
 *   transfer -b SERVERS -g GROUP [-t TRANSACTIONAL-ID] [options]
 *   transfer -b SERVERS -g GROUP offsets      how far the group has come
 *
 * It consumes topic "transfer", {"id": 7, "from": "a", "to": "b", "amount": 5},
 * and for each produces two records to topic "balance", keyed by account:
 * {"transfer": 7, "amount": -5} for a, and 5 for b.
 *
 *   -t ID        the right way: both records and the consumed offset share one
 *                Kafka transaction.  Without it, the wrong way: three separate
 *                steps, and whoever dies between them leaves a part behind.
 *   -n COUNT     transfers in one transaction, at most (default 1)
 *   -i, -u NAME  other topics than "transfer" and "balance"
 *
 * With a database beside Kafka (each transfer is also a row of table booked):
 *   -d DSN       where; the table has no key, so what comes twice is stored twice
 *   -k           table booked_once instead, whose key makes repetition harmless
 *   -o kafka     commit Kafka first; default: the database first
 *
 * For its tests:
 *   -p POINT:N   dies by SIGKILL at that point of the Nth transfer:
 *                begin, debit, credit, database, offsets, between, commit
 *   -z           stops by SIGSTOP there instead
 *
 * Any error ends it: what was open is aborted by the next instance's
 * init_transactions(), which then begins at the committed offset.  Exit status 3:
 * fenced by a newer instance.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#define APP "transfer"
#include "../app.h"

#include <inttypes.h>
#include <stdbool.h>

#include <jansson.h>

#define TIMEOUT_MS		30000
#define EXIT_FENCED		3

struct bank
{
	const char *servers;
	const char *group;
	const char *transactional_id;	/* NULL: the wrong way */
	const char *input;
	const char *output;
	int			batch;
	bool		once;			/* booked_once */
	bool		kafka_first;
	const char *point;			/* where to die */
	int			countdown;		/* at which transfer */
	int			death;			/* by which signal */

	rd_kafka_t *consumer;
	rd_kafka_t *producer;
	PGconn	   *database;		/* NULL: none */
	int			undelivered;
};

struct transfer
{
	int64_t		id;
	char		from[64];
	char		to[64];
	int64_t		amount;
};

/* An error of a transactional call, or NULL. */
static void
check(const char *what, rd_kafka_error_t *error)
{
	bool		fenced;

	if (!error)
		return;
	fenced = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__FENCED ||
		rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
		rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
		rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
	die(fenced ? EXIT_FENCED : 1, "%s: %s", what, rd_kafka_error_string(error));
}

/* ---------- Kafka ---------- */

static void
delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void) client;
	if (message->err)
		((struct bank *) opaque)->undelivered++;
}

static rd_kafka_t *
new_client(struct bank *bank, rd_kafka_type_t type, const char *const properties[][2])
{
	rd_kafka_conf_t *conf = kafka_conf(properties);

	rd_kafka_conf_set_opaque(conf, bank);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	return kafka_client(type, conf);
}

static void
open_kafka(struct bank *bank)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	const char *const producer[][2] = {
		{"bootstrap.servers", bank->servers},
		{"partitioner", "murmur2_random"},
		{"linger.ms", "0"},
		/* maps to a producer id and an epoch, which outlive this process */
		{"transactional.id", bank->transactional_id},
		{NULL, NULL}
	};
	const char *const consumer[][2] = {
		{"bootstrap.servers", bank->servers},
		{"group.id", bank->group},
		/* back at once after a crash, without waiting for the session's end */
		{"group.instance.id", "bank"},
		{"session.timeout.ms", "6000"},
		{"auto.offset.reset", "earliest"},
		/* offsets are committed with the work, never by the clock */
		{"enable.auto.commit", "false"},
		/* the other half: without it aborted transfers are consumed, too */
		{"isolation.level", bank->transactional_id ? "read_committed" : "read_uncommitted"},
		{NULL, NULL}
	};

	bank->producer = new_client(bank, RD_KAFKA_PRODUCER, producer);
	/* fences older instances and aborts what they left open; only then is it
	 * certain where the group stands */
	if (bank->transactional_id)
		check("init", rd_kafka_init_transactions(bank->producer, TIMEOUT_MS));
	bank->consumer = new_client(bank, RD_KAFKA_CONSUMER, consumer);
	rd_kafka_poll_set_consumer(bank->consumer);
	rd_kafka_topic_partition_list_add(topics, bank->input, RD_KAFKA_PARTITION_UA);
	rd_kafka_subscribe(bank->consumer, topics);
	rd_kafka_topic_partition_list_destroy(topics);
}

static void
produce(struct bank *bank, const char *account, int64_t transfer, int64_t amount)
{
	char		value[128];
	int			len = snprintf(value, sizeof(value), "{\"transfer\": %" PRId64 ", \"amount\": %" PRId64 "}",
							   transfer, amount);
	rd_kafka_resp_err_t err = rd_kafka_producev(bank->producer, RD_KAFKA_V_TOPIC(bank->output),
												RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
												RD_KAFKA_V_KEY(account, strlen(account)),
												RD_KAFKA_V_VALUE(value, (size_t) len),
												RD_KAFKA_V_END);

	if (err)
		die(rd_kafka_fatal_error(bank->producer, NULL, 0) ? EXIT_FENCED : 1, "%s", rd_kafka_err2str(err));
}

/* ---------- the steps ---------- */

/* Dies here, if that was asked for; with all that was produced in the log. */
static void
point(struct bank *bank, const char *name)
{
	if (!bank->point || strcmp(bank->point, name) != 0 || --bank->countdown > 0)
		return;
	bank->point = NULL;
	rd_kafka_flush(bank->producer, TIMEOUT_MS);
	raise(bank->death);
}

static void
book(struct bank *bank, const struct transfer *t)
{
	char		id[24],
				amount[24];
	const char *values[] = {id, amount};

	snprintf(id, sizeof(id), "%" PRId64, t->id);
	snprintf(amount, sizeof(amount), "%" PRId64, t->amount);
	execute(bank->database, bank->once ?
			"INSERT INTO booked_once VALUES ($1, $2) ON CONFLICT (transfer) DO NOTHING" :
			"INSERT INTO booked VALUES ($1, $2)", 2, values);
}

static void
handle(struct bank *bank, const struct transfer *t)
{
	produce(bank, t->from, t->id, -t->amount);
	point(bank, "debit");
	produce(bank, t->to, t->id, t->amount);
	point(bank, "credit");
	if (bank->database)
		book(bank, t);
	point(bank, "database");
}

static rd_kafka_topic_partition_list_t *
position(struct bank *bank)
{
	rd_kafka_topic_partition_list_t *offsets;

	if (rd_kafka_assignment(bank->consumer, &offsets) || rd_kafka_position(bank->consumer, offsets))
		die(1, "no position");
	return offsets;
}

/* The consumed offsets become part of the transaction: they move if, and only
 * if, it commits, and only if we are still the group's member. */
static void
send_offsets(struct bank *bank)
{
	rd_kafka_topic_partition_list_t *offsets = position(bank);
	rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(bank->consumer);

	check("offsets", rd_kafka_send_offsets_to_transaction(bank->producer, offsets, metadata, TIMEOUT_MS));
	rd_kafka_consumer_group_metadata_destroy(metadata);
	rd_kafka_topic_partition_list_destroy(offsets);
}

static void
commit_offsets(struct bank *bank)
{
	rd_kafka_topic_partition_list_t *offsets = position(bank);

	if (rd_kafka_commit(bank->consumer, offsets, 0))
		die(1, "the offset was not committed");
	rd_kafka_topic_partition_list_destroy(offsets);
}

static void
commit_kafka(struct bank *bank)
{
	if (bank->transactional_id)
	{
		check("commit", rd_kafka_commit_transaction(bank->producer, -1));
		return;
	}
	if (rd_kafka_flush(bank->producer, TIMEOUT_MS) || bank->undelivered)
		die(1, "not delivered");
	point(bank, "offsets");
	commit_offsets(bank);
}

static void
begin(struct bank *bank)
{
	if (bank->transactional_id)
		check("begin", rd_kafka_begin_transaction(bank->producer));
	if (bank->database)
		execute(bank->database, "BEGIN", 0, NULL);
	point(bank, "begin");
}

static void
commit(struct bank *bank)
{
	if (bank->transactional_id)
	{
		send_offsets(bank);
		point(bank, "offsets");
	}
	if (bank->database && !bank->kafka_first)
		execute(bank->database, "COMMIT", 0, NULL);
	if (!bank->kafka_first)
		point(bank, "between");
	commit_kafka(bank);
	if (bank->kafka_first)
		point(bank, "between");
	if (bank->database && bank->kafka_first)
		execute(bank->database, "COMMIT", 0, NULL);
	point(bank, "commit");
}

static void
parse(const rd_kafka_message_t *message, struct transfer *t)
{
	json_error_t error;
	json_t	   *object = json_loadb(message->payload, message->len, 0, &error);
	const char *from,
			   *to;
	json_int_t	id,
				amount;

	if (!object || json_unpack(object, "{s:I, s:s, s:s, s:I}", "id", &id, "from", &from, "to", &to,
							   "amount", &amount))
		die(1, "not a transfer: %.*s", (int) message->len, (const char *) message->payload);
	t->id = id;
	t->amount = amount;
	snprintf(t->from, sizeof(t->from), "%s", from);
	snprintf(t->to, sizeof(t->to), "%s", to);
	json_decref(object);
}

/* Up to a batch of transfers, in one transaction. */
static void
work(struct bank *bank)
{
	int			handled = 0;

	while (handled < bank->batch)
	{
		rd_kafka_message_t *message = rd_kafka_consumer_poll(bank->consumer, handled ? 0 : 100);
		struct transfer t;

		if (!message)
			break;
		if (message->err)
		{
			bool		fatal = rd_kafka_fatal_error(bank->consumer, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;

			if (fatal)
				die(EXIT_FENCED, "%s", rd_kafka_message_errstr(message));
			rd_kafka_message_destroy(message);
			continue;
		}
		parse(message, &t);
		rd_kafka_message_destroy(message);
		if (handled++ == 0)
			begin(bank);
		handle(bank, &t);
	}
	if (handled)
		commit(bank);
	rd_kafka_poll(bank->producer, 0);
}

/* ---------- the command line ---------- */

/* Sum of the group's committed offsets over the topic's partitions. */
static int
show_offsets(struct bank *bank)
{
	const char *const properties[][2] = {
		{"bootstrap.servers", bank->servers},
		{"group.id", bank->group},
		{"isolation.level", "read_uncommitted"},	/* don't wait for open ones */
		{NULL, NULL}
	};
	rd_kafka_t *consumer = new_client(bank, RD_KAFKA_CONSUMER, properties);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, bank->input, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	int64_t		sum = 0;

	if (rd_kafka_metadata(consumer, 0, topic, &metadata, TIMEOUT_MS) || metadata->topic_cnt != 1)
		die(1, "no metadata");
	for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
		rd_kafka_topic_partition_list_add(list, bank->input, metadata->topics[0].partitions[i].id);
	if (rd_kafka_committed(consumer, list, TIMEOUT_MS))
		die(1, "no offsets");
	for (int i = 0; i < list->cnt; i++)
		sum += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
	printf("%" PRId64 "\n", sum);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(topic);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return 0;
}

static void
set_point(struct bank *bank, char *text)
{
	char	   *colon = strchr(text, ':');

	bank->countdown = colon ? atoi(colon + 1) : 1;
	if (colon)
		*colon = '\0';
	bank->point = text;
}

int
main(int argc, char **argv)
{
	struct bank bank = {.input = "transfer", .output = "balance", .batch = 1, .death = SIGKILL};
	const char *dsn = NULL;
	int			option;

	while ((option = getopt(argc, argv, "b:g:t:n:i:u:d:ko:p:z")) >= 0)
		switch (option)
		{
			case 'b': bank.servers = optarg; break;
			case 'g': bank.group = optarg; break;
			case 't': bank.transactional_id = optarg; break;
			case 'n': bank.batch = atoi(optarg); break;
			case 'i': bank.input = optarg; break;
			case 'u': bank.output = optarg; break;
			case 'd': dsn = optarg; break;
			case 'k': bank.once = true; break;
			case 'o': bank.kafka_first = strcmp(optarg, "kafka") == 0; break;
			case 'p': set_point(&bank, optarg); break;
			case 'z': bank.death = SIGSTOP; break;
			default: return 2;
		}
	if (!bank.servers || !bank.group)
		die(2, "-b and -g are needed");
	if (optind < argc && strcmp(argv[optind], "offsets") == 0)
		return show_offsets(&bank);

	catch_signals();
	if (dsn)
		bank.database = database(dsn);
	open_kafka(&bank);
	while (!stop_requested)
		work(&bank);
	rd_kafka_consumer_close(bank.consumer);
	rd_kafka_destroy(bank.consumer);
	rd_kafka_destroy(bank.producer);
	if (bank.database)
		PQfinish(bank.database);
	return 0;
}
