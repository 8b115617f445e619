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
	static const struct option options[] = {CLI_LONG, {NULL, 0, NULL, 0}};
	int			libpq = PQlibVersion();
	int			option;

	while (argc > 1 && (option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1)
	{
		int			status = cli_option(cli, option, argv, help);

		if (status >= 0)
			return status;
	}
	if (argc > 1 && !cli_no_more(argc, argv))
		return 1;
	printf("inbox-consumer %s (libpq %d.%d, librdkafka %s)\n",
		   OUTBOX_VERSION, libpq / 10000, libpq % 10000, rd_kafka_version_str());
	return 0;
}
