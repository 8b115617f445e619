/*
 * cmd_deadletter.c - outbox-streamer deadletter list|show|redrive|discard.
 *
 * It reads outbox.dead_letter and marks; the streamer that has the slot does
 * the rest.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include "../common/cli_deadletter.h"

static const char help[] =
"Usage: outbox-streamer deadletter list|show|redrive|discard [OPTION]...\n\n"
"  list     prints the dead letters of the slot, oldest first: position, state,\n"
"           attempts, code, when it was put there, id, topic, key\n"
"  show     prints all that is known of each\n"
"  redrive  lets the streamer send them again, with all that waits before them\n"
"           in the order of their key; what waits behind them follows\n"
"  discard  lets the streamer remove those that could not be delivered, for good;\n"
"           what waits behind them is sent\n\n"
"      --id=ID                     the event with this id\n"
"      --topic=TOPIC               those for this topic\n"
"      --key=KEY                   those with this key\n"
CLI_DEADLETTER_LIMITS;

/* $1 slot, $2 id, $3 topic, $4 key, $5 limit */
#define CHOSEN \
	" FROM outbox.dead_letter AS d WHERE d.slot = $1 AND ($2::text IS NULL OR d.event_id = $2)" \
	" AND ($3::text IS NULL OR d.topic = $3) AND ($4::text IS NULL OR d.key = $4)" \
	" ORDER BY d.position LIMIT $5::bigint"

static const char list_sql[] =
"SELECT d.position, d.state, d.attempts, d.code, to_char(d.parked_at, 'YYYY-MM-DD\"T\"HH24:MI:SSOF'),"
" d.event_id, d.topic, d.key" CHOSEN;

static const char show_sql[] =
"SELECT d.position, d.state, d.code, d.reason, d.attempts, d.parked_at, d.failed_at, d.committed_at,"
" d.event_id AS id, d.aggregatetype, d.aggregateid, d.type, d.topic, d.key, d.partition_key, d.headers,"
" d.traceparent, d.source AS \"table\", CASE WHEN d.complete THEN octet_length(d.payload) END AS payload_octets,"
" encode(d.payload, 'escape') AS payload" CHOSEN;

static void
where(const struct settings *settings, const char **dsn, const char **owner)
{
	*dsn = settings->dsn;
	*owner = settings->slot;
}

int
cmd_deadletter(struct cli *cli, int argc, char **argv)
{
	static const struct cli_deadletter deadletter = {
		.help = help,
		.where = where,
		.list_sql = list_sql,
		.show_sql = show_sql,
		.redrive_sql = "SELECT outbox.redrive($2, $3, $4, $1)",
		.discard_sql = "SELECT outbox.discard($2, $3, $4, $1)",
		.redriven = "marked; the streamer sends them",
		.discarded = "marked; the streamer removes them"
	};

	return cli_deadletter(cli, argc, argv, &deadletter);
}
