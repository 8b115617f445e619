/*
 * cmd_deadletter.c - inbox-consumer deadletter list|show|redrive|discard.
 *
 * It reads outbox.inbox_dead_letter and marks; the consumer that runs does the rest.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include "../common/cli_deadletter.h"

static const char help[] =
"Usage: inbox-consumer deadletter list|show|redrive|discard [OPTION]...\n\n"
"  list     prints the dead letters of this consumer, oldest first: topic,\n"
"           partition, offset, state, attempts, SQLSTATE, when it was put there, id, key\n"
"  show     prints all that is known of each\n"
"  redrive  lets the consumer run the SQL of failed ones again; what waits behind\n"
"           them follows in the order of their key\n"
"  discard  removes failed ones for good; what waits behind them is run\n\n"
"      --id=ID                     the message with this id\n"
"      --topic=TOPIC               those of this topic\n"
"      --key=KEY                   those with this key\n"
CLI_DEADLETTER_LIMITS;

/* $5 limit */
#define CHOSEN \
	" FROM outbox.inbox_dead_letter AS d WHERE d.consumer = $1 AND ($2::text IS NULL OR d.message_id = $2)" \
	" AND ($3::text IS NULL OR d.topic = $3) AND ($4::text IS NULL OR d.key = convert_to($4, 'UTF8'))" \
	" ORDER BY d.topic, d.partition, d.message_offset LIMIT $5::bigint"

static const char list_sql[] =
"SELECT d.topic, d.partition, d.message_offset, d.state, d.attempts, d.sqlstate, to_char(d.stored_at, 'YYYY-MM-DD\"T\"HH24:MI:SSOF'),"
" d.message_id, encode(d.key, 'escape')" CHOSEN;

static const char show_sql[] =
"SELECT d.topic, d.partition, d.message_offset AS offset, d.state, d.sqlstate, d.reason, d.attempts, d.stored_at, d.retry_at,"
" d.message_id AS id, d.message_time AS time, encode(d.key, 'escape') AS key, d.type, d.headers,"
" octet_length(d.payload) AS payload_octets, encode(d.payload, 'escape') AS payload" CHOSEN;

static void
where(const struct settings *settings, const char **dsn, const char **owner)
{
	*dsn = settings->dsn;
	*owner = settings->consumer;
}

int
cmd_deadletter(struct cli *cli, int argc, char **argv)
{
	static const struct cli_deadletter deadletter = {
		.help = help,
		.where = where,
		.list_sql = list_sql,
		.show_sql = show_sql,
		.redrive_sql = "SELECT outbox.redrive_inbox($1, $2, $3, convert_to($4, 'UTF8'))",
		.discard_sql = "SELECT outbox.discard_inbox($1, $2, $3, convert_to($4, 'UTF8'))",
		.redriven = "marked; the consumer runs them",
		.discarded = "removed; the consumer runs what waits behind"
	};

	return cli_deadletter(cli, argc, argv, &deadletter);
}
