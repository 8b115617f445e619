/*
 * cli_config.c - the command config show|example|reference|man|metrics.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const char help_format[] =
"Usage: %s config show|example|reference|man|metrics [OPTION]...\n\n"
"  show       prints what is in force, with where each value comes from;\n"
"             secrets are printed as ********\n"
"  example    prints a file with all keys, their meaning and their defaults\n"
"  reference  prints the reference manual of all keys, in Markdown\n"
"  man        prints it as a manual page\n"
"  metrics    prints the reference of all metrics, in Markdown\n\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

static int
show(struct cli *cli)
{
	enum err_class class = cli_load(cli, false);

	if (class != ERR_NONE)
		return err_exit_status(class);
	config_show(cli->config, stdout);
	return 0;
}

int
cli_config(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = {"show", "example", "reference", "man", "metrics", NULL};
	char		help[1024];
	const char *what;
	int			status;

	(void) snprintf(help, sizeof(help), help_format, cli->program->config->name);
	status = cli_options(cli, argc, argv, help);
	if (status >= 0)
		return status;
	what = cli_word(argc, argv, "config", words);
	if (what == NULL)
		return 1;
	if (strcmp(what, "show") == 0)
		return show(cli);
	if (strcmp(what, "example") == 0)
		config_print_example(cli->program->config, stdout);
	else if (strcmp(what, "reference") == 0)
		config_print_manual(cli->program->config, stdout);
	else if (strcmp(what, "man") == 0)
		config_print_man(cli->program->config, stdout);
	else
		metrics_print(cli->program->metrics, stdout);
	return 0;
}
