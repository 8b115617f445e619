/*
 * cmd_check.c - outbox-streamer check: everything that would stop the stream
 * later, in less than two seconds.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <stdio.h>

#include "cmd.h"

/* ms from the start; what is left of two seconds is for ending */
#define PG_TIME		1200
#define KAFKA_TIME	1650

static const char help[] =
"Usage: outbox-streamer check [OPTION]...\n\n"
"Verifies everything that would stop the stream later, within two seconds: one\n"
"line for each finding. Exit status 0 if nothing failed, else 1. It changes\n"
"nothing; to try the output plugin it makes a temporary slot.\n\n"
"      --sql                       prints what would mend it as an SQL script\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment; -o sink.type=stdout\n"
"                                  leaves out Kafka\n"
"  -h, --help                      this help\n";

enum
{
	OPTION_SQL = 256
};

static int
run(struct cli *cli, bool sql)
{
	struct check check = {.sql = sql};
	struct check_kafka *kafka = NULL;

	check.config = cli->config;
	check.settings = cli->settings;
	check.pg_deadline = clock_now() + PG_TIME;
	check.kafka_deadline = clock_now() + KAFKA_TIME;

	if (cli->settings->sink == SINK_KAFKA)
		kafka = check_kafka_start(&check);
	if (check_connect(&check))
	{
		check_server(&check);
		check_slot(&check);
		check_tables(&check);
		check_dead_letters(&check);
	}
	PQfinish(check.conn);
	if (kafka != NULL)
		check_kafka_finish(&check, kafka);
	check_summary(&check);
	return check.nfail == 0 ? 0 : 1;
}

int
cmd_check(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG,
		{"sql", no_argument, NULL, OPTION_SQL},
		{NULL, 0, NULL, 0}
	};
	bool		sql = false;
	int			option;
	int			status;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1)
	{
		if (option == OPTION_SQL)
		{
			sql = true;
			continue;
		}
		status = cli_option(cli, option, argv, help);
		if (status >= 0)
			return status;
	}
	status = cli_begin(cli, argc, argv);
	if (status >= 0)
		return status;
	return run(cli, sql);
}
