/*
 * cmd_version.c - outbox-streamer version.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "wire.h"

static const char help[] =
"Usage: outbox-streamer version\n\n"
"Prints the versions of the program, the wire format that it reads, and the\n"
"libraries that it runs with.\n";

int
cmd_version(struct cli *cli, int argc, char **argv)
{
	int			libpq = PQlibVersion();
	int			status = argc > 1 ? cli_options(cli, argc, argv, help) : -1;

	if (status >= 0)
		return status;
	if (argc > 1 && !cli_no_more(argc, argv))
		return 1;
	printf("outbox-streamer %s (wire %d to %d, libpq %d.%d, librdkafka %s)\n",
		   OUTBOX_VERSION, OUTBOX_WIRE_OLDEST, OUTBOX_WIRE_VERSION,
		   libpq / 10000, libpq % 10000, rd_kafka_version_str());
	return 0;
}
