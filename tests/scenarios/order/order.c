/*
 * order.c - the shop: saves what happened, and announces it.
 *
 *   order -d DSN -i TOPIC [-b SERVERS] [-o | -a] [-r] [-n COUNT] [-w MS] [-p POINT:N]
 *
 * Requests come in turn: somebody signs up (table customer), orders (orders), pays
 * (payment).  Each is one transaction that saves a row, announces it in an event
 * {"table": "orders", "id": 7}, and updates the row's status.  A request that fails is
 * rolled back, and the next one follows.
 *
 *   -b SERVERS   announces by producing to Kafka, in the middle of the transaction
 *   -a           after the commit instead
 *   -r           what could not be announced is rolled back; else the row counts more
 *   -o           announces by outbox.emit(); no broker is needed
 *   -n COUNT     requests to handle; default: until it is stopped
 *   -w MS        pause between two of them
 *   -p POINT:N   dies by SIGKILL at that point of the Nth request: announced, committed
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#define APP "order"
#include "../app.h"

#include <poll.h>
#include <stdbool.h>

#define PRODUCE_TIMEOUT_MS	"1000"
#define CONNECT_TIMEOUT_MS	2000

struct shop
{
	const char *servers;
	const char *topic;
	bool		outbox;
	bool		after;
	bool		roll_back;
	const char *point;			/* where to die */
	int			countdown;		/* at which request */

	PGconn	   *conn;
	rd_kafka_t *producer;
	bool		delivered;		/* the message last produced */
};

struct request
{
	char		id[24];
	const char *table;
	const char *event;
	const char *save;
	const char *update;
};

static const struct request kinds[] = {
	{.table = "customer", .event = "SignedUp",
		.save = "INSERT INTO customer VALUES ($1, 'new')",
	.update = "UPDATE customer SET status = 'complete' WHERE id = $1"},
	{.table = "orders", .event = "OrderComplete",
		.save = "INSERT INTO orders VALUES ($1, 'new')",
	.update = "UPDATE orders SET status = 'complete' WHERE id = $1"},
	{.table = "payment", .event = "PaymentReceived",
		.save = "INSERT INTO payment VALUES ($1, 'new')",
	.update = "UPDATE payment SET status = 'complete' WHERE id = $1"},
};

/* Dies here, if that was asked for. */
static void
point(struct shop *shop, const char *name)
{
	if (shop->point && strcmp(shop->point, name) == 0 && --shop->countdown <= 0)
		raise(SIGKILL);
}

/* A statement that may fail, as long as the server is there. */
static bool
attempt(struct shop *shop, const char *sql, int n, const char *const *values)
{
	PGresult   *result = PQexecParams(shop->conn, sql, n, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	if (PQstatus(shop->conn) != CONNECTION_OK)
		die(1, "%s", PQerrorMessage(shop->conn));
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* ---------- announcing ---------- */

static void
on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void) client;
	((struct shop *) opaque)->delivered = !message->err;
}

static void
open_producer(struct shop *shop)
{
	rd_kafka_conf_t *conf = kafka_conf((const char *const [][2]) {
		{"bootstrap.servers", shop->servers},
		{"linger.ms", "0"},
		/* somebody waits for an answer */
		{"message.timeout.ms", PRODUCE_TIMEOUT_MS},
		{NULL, NULL}
	});
	const struct rd_kafka_metadata *metadata;

	rd_kafka_conf_set_opaque(conf, shop);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	shop->producer = kafka_client(RD_KAFKA_PRODUCER, conf);
	/* or the first message would pay for the connection */
	if (!rd_kafka_metadata(shop->producer, 1, NULL, &metadata, CONNECT_TIMEOUT_MS))
		rd_kafka_metadata_destroy(metadata);
}

/* Produces and waits for the broker's word; false: it gave none in time. */
static bool
produce(struct shop *shop, const struct request *request, const char *payload)
{
	shop->delivered = false;
	if (rd_kafka_producev(shop->producer, RD_KAFKA_V_TOPIC(shop->topic),
						  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
						  RD_KAFKA_V_KEY(request->id, strlen(request->id)),
						  RD_KAFKA_V_VALUE((void *) payload, strlen(payload)),
						  RD_KAFKA_V_END))
		return false;
	rd_kafka_flush(shop->producer, -1);
	return shop->delivered;
}

static bool
announce(struct shop *shop, const struct request *request)
{
	char		payload[128];
	const char *values[] = {request->table, request->id, request->event, payload, shop->topic};

	snprintf(payload, sizeof(payload), "{\"table\": \"%s\", \"id\": %s}", request->table, request->id);
	if (shop->outbox)
		return attempt(shop, "SELECT outbox.emit($1, $2, $3, $4::jsonb, topic => $5)", 5, values);
	return produce(shop, request, payload);
}

/* ---------- a request ---------- */

static bool
save_and_announce(struct shop *shop, const struct request *request)
{
	const char *values[] = {request->id};

	if (!attempt(shop, request->save, 1, values))
		return false;
	/* a failed emit() has failed the transaction, too */
	if (!shop->after && !announce(shop, request) && (shop->outbox || shop->roll_back))
		return false;
	point(shop, "announced");
	return attempt(shop, request->update, 1, values);
}

static struct request
next_request(struct shop *shop)
{
	PGresult   *result = query(shop->conn, "SELECT nextval('request')", 0, NULL);
	long		id = atol(PQgetvalue(result, 0, 0));
	struct request request = kinds[id % 3];

	snprintf(request.id, sizeof(request.id), "%ld", id);
	PQclear(result);
	return request;
}

static void
handle(struct shop *shop)
{
	struct request request = next_request(shop);
	bool		saved;

	execute(shop->conn, "BEGIN", 0, NULL);
	saved = save_and_announce(shop, &request);
	saved = attempt(shop, saved ? "COMMIT" : "ROLLBACK", 0, NULL) && saved;
	point(shop, "committed");
	if (saved && shop->after)
		announce(shop, &request);
}

static void
set_point(struct shop *shop, char *text)
{
	char	   *colon = strchr(text, ':');

	shop->countdown = colon ? atoi(colon + 1) : 1;
	if (colon)
		*colon = '\0';
	shop->point = text;
}

int
main(int argc, char **argv)
{
	struct shop shop = {.servers = NULL};
	const char *dsn = NULL;
	int			count = -1;
	int			pause = 0;
	int			option;

	while ((option = getopt(argc, argv, "b:d:i:oarn:w:p:")) >= 0)
		switch (option)
		{
			case 'b': shop.servers = optarg; break;
			case 'd': dsn = optarg; break;
			case 'i': shop.topic = optarg; break;
			case 'o': shop.outbox = true; break;
			case 'a': shop.after = true; break;
			case 'r': shop.roll_back = true; break;
			case 'n': count = atoi(optarg); break;
			case 'w': pause = atoi(optarg); break;
			case 'p': set_point(&shop, optarg); break;
			default: return 2;
		}
	if (!dsn || !shop.topic || !shop.servers == !shop.outbox)
		die(2, "-d, -i, and one of -b and -o are needed");
	catch_signals();
	shop.conn = database(dsn);
	if (!shop.outbox)
		open_producer(&shop);
	while (!stop_requested && count-- != 0)
	{
		handle(&shop);
		poll(NULL, 0, pause);
	}
	if (shop.producer)
		rd_kafka_destroy(shop.producer);
	PQfinish(shop.conn);
	return 0;
}
