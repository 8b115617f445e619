/*
 * main.c - the program inbox-consumer: its commands and its settings.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"
#include "inbox.h"

static const struct cli_command commands[] = {
	{"consume", cmd_consume, "apply messages from Kafka to PostgreSQL, each once"},
	{"check", cmd_check, "verify everything that would stop it later"},
	{"status", cmd_status, "show how far each partition is, and dead letters"},
	{"deadletter", cmd_deadletter, "list or show dead letters, let the consumer run or forget them"},
	{"config", cli_config, "show the configuration in force, an example or the reference"},
	{"version", cmd_version, "print the versions of program and libraries"},
	{NULL, NULL, NULL}
};

static enum err_class
load(struct settings *settings, const struct config *config, bool whole, struct err *err)
{
	(void) whole;
	return settings_load(settings, config, err);
}

static const struct cli_program program = {
	.config = &inbox_program,
	.commands = commands,
	.metrics = inbox_metrics,
	.about = "inbox-consumer applies messages from Kafka to PostgreSQL, each of them once.",
	.load = load,
	.free = settings_free,
	.version = cmd_version
};

int
cmd_begin(struct cli *cli, int argc, char **argv, const char *help)
{
	int			status = cli_options(cli, argc, argv, help);

	return status >= 0 ? status : cli_begin(cli, argc, argv);
}

int
main(int argc, char **argv)
{
	struct settings settings = {0};

	return cli_main(&program, &settings, argc, argv);
}
