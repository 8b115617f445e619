/*
 * main.c - the program outbox-streamer: its commands and its settings.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"
#include "stream.h"

static const struct cli_command commands[] = {
	{"stream", cmd_stream, "stream events from PostgreSQL to Kafka"},
	{"check", cmd_check, "verify everything that would stop the stream later"},
	{"slot", cmd_slot, "create, drop or show the replication slot"},
	{"replay", cmd_replay, "send rows of the outbox table again"},
	{"deadletter", cmd_deadletter, "list, show, redrive or discard events that could not be delivered"},
	{"config", cli_config, "show the configuration in force, an example or the reference"},
	{"version", cmd_version, "print the versions of program and libraries"},
	{NULL, NULL, NULL}
};

/* [kafka] is looked at only where the sink is going to be used. */
static enum err_class
load(struct settings *settings, const struct config *config, bool whole, struct err *err)
{
	enum err_class class = settings_load(settings, config, err);

	if (class == ERR_NONE && whole)
		class = settings_check_sink(settings, err);
	return class;
}

static const struct cli_program program = {
	.config = &streamer_program,
	.commands = commands,
	.about = "outbox-streamer streams the events of an outbox table from PostgreSQL to Kafka.",
	.load = load,
	.free = settings_free,
	.metrics = stream_metrics,
	.version = cmd_version
};

int
main(int argc, char **argv)
{
	struct settings settings = {0};

	return cli_main(&program, &settings, argc, argv);
}
