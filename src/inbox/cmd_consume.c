/*
 * cmd_consume.c - inbox-consumer consume.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include "../common/log.h"
#include "inbox.h"

static const char help[] =
"Usage: inbox-consumer consume [OPTION]...\n\n"
"Consumes the topics and applies each message once, until it is told to stop\n"
"(SIGTERM, SIGINT). It waits for an unreachable database or broker. Any number\n"
"of instances may run: they share the partitions. SIGHUP reads [log] again.\n\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

static enum err_class
reload(void *arg, struct err *err)
{
	const struct cli *cli = arg;
	struct config *config;
	struct settings fresh;
	enum err_class class = config_load(&inbox_program, cli->file, cli->overrides, cli->noverrides,
									   environ, &config, err);

	if (class)
		return class;
	class = settings_load(&fresh, config, err);
	if (!class)
	{
		log_setup(inbox_program.name, (enum log_level) config_int(config, "log", "level"),
				  (enum log_format) config_int(config, "log", "format"));
		settings_free(&fresh);
	}
	config_free(config);
	return class;
}

int
cmd_consume(struct cli *cli, int argc, char **argv)
{
	struct inbox_reload callback = {.read = reload, .arg = cli};
	struct err	err = {0};
	int			status = cmd_begin(cli, argc, argv, help);

	if (status >= 0)
		return status;
	if (inbox_run(cli->settings, &callback, &err) == ERR_NONE)
		return 0;
	return cli_fail(&err);
}
