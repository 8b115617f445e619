/*
 * cmd_version.c - inbox-consumer version.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>

static const char help[] =
"Usage: inbox-consumer version\n\n"
"Prints the versions of the program and of the libraries that it runs with.\n";

int
cmd_version(struct cli *cli, int argc, char **argv)
{
	int			libpq = PQlibVersion();
	int			status = argc > 1 ? cli_options(cli, argc, argv, help) : -1;

	if (status >= 0)
		return status;
	if (argc > 1 && !cli_no_more(argc, argv))
		return 1;
	printf("inbox-consumer %s (libpq %d.%d, librdkafka %s)\n",
		   OUTBOX_VERSION, libpq / 10000, libpq % 10000, rd_kafka_version_str());
	return 0;
}
