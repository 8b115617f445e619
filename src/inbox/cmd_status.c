/*
 * cmd_status.c - inbox-consumer status.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <stdio.h>

#include "../common/pg.h"

#define CONNECT_MS	3000

static const char help[] =
"Usage: inbox-consumer status [OPTION]...\n\n"
"Prints what the database knows of this consumer: a line for each partition, with\n"
"the next offset and when it last went on, and how many dead letters there are.\n\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

static void
print_rows(const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++)
	{
		for (int column = 0; column < PQnfields(res); column++)
			printf("%s%s=%s", column > 0 ? " " : "", PQfname(res, column), pg_value(res, i, column));
		printf("\n");
	}
}

int
cmd_status(struct cli *cli, int argc, char **argv)
{
	static const char *const queries[] = {
		"SELECT topic, partition, next_offset, epoch, advanced_at::timestamptz(0) AS advanced FROM outbox.inbox_offset "
		"WHERE consumer = $1 ORDER BY topic, partition",
		"SELECT count(*) FILTER (WHERE state = 'failed') AS dead_letters, count(*) FILTER (WHERE state = 'queued') AS queued, "
		"min(stored_at)::timestamptz(0) AS oldest FROM outbox.inbox_dead_letter WHERE consumer = $1"
	};
	struct err	err = {0};
	int			status = cmd_begin(cli, argc, argv, help);
	PGconn	   *conn;

	if (status >= 0)
		return status;
	conn = pg_connect_command(cli->settings->dsn, "inbox-consumer status", CONNECT_MS, &err);
	for (size_t i = 0; conn && !err.class && i < sizeof(queries) / sizeof(queries[0]); i++)
	{
		PGresult   *res = pg_query(conn, "status", queries[i], 1, &cli->settings->consumer, &err);

		if (res)
			print_rows(res);
		PQclear(res);
	}
	PQfinish(conn);
	return err.class ? cli_fail(&err) : 0;
}
