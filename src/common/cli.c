/*
 * cli.c - the command line that all programs share: options, commands, help.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static void
print_help(const struct cli_program *program)
{
	const struct config_program *config = program->config;

	printf("%s\n\n"
		   "Usage: %s [-c FILE] [-o SECTION.KEY=VALUE]... COMMAND [OPTION]...\n\n"
		   "Commands:\n", program->about, config->name);
	for (const struct cli_command *c = program->commands; c->name != NULL; c++)
		printf("  %-10s %s\n", c->name, c->doc);
	printf("\nOptions, before or after the command:\n"
		   "  -c, --config=FILE               configuration file (default %s)\n"
		   "  -o, --option=SECTION.KEY=VALUE  overrides file and environment; may be repeated\n"
		   "  -h, --help                      this help, or after a command, the command's\n"
		   "  -V, --version                   print the version\n\n"
		   "Environment: %s_SECTION_KEY for every key, for instance %s_POSTGRES_DSN.\n"
		   "Exit status: 0 asked to stop, 1 configuration or refused login, 2 fatal at run\n"
		   "time, 3 data that can't be delivered.\n",
		   config->default_file, config->env_prefix, config->env_prefix);
}

int
cli_fail(const struct err *err)
{
	log_err(LOG_LEVEL_ERROR, err);
	return err_exit_status(err->class);
}

int
cli_usage(const char *fmt,...)
{
	struct err	err = {0};
	char		text[256];
	va_list		args;

	va_start(args, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void) err_set(&err, ERR_CONFIG, "usage", "%s", text);
	(void) err_hint(&err, "\"%s --help\" lists commands and options", log_program());
	return cli_fail(&err);
}

int
cli_option(struct cli *cli, int option, char **argv, const char *help)
{
	switch (option)
	{
		case 'c':
			cli->file = optarg;
			return -1;
		case 'o':
			cli->overrides[cli->noverrides++] = optarg;
			return -1;
		case 'h':
			(void) fputs(help, stdout);
			return 0;
		case ':':
			return cli_usage("option %s needs a value", argv[optind - 1]);
		default:
			if (optopt != 0)
				return cli_usage("there is no option -%c", optopt);
			return cli_usage("there is no option %s", argv[optind - 1]);
	}
}

int
cli_options(struct cli *cli, int argc, char **argv, const char *help)
{
	static const struct option options[] = {CLI_LONG, {NULL, 0, NULL, 0}};
	int			option;
	int			status = -1;

	while (status < 0 && (option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1)
		status = cli_option(cli, option, argv, help);
	return status;
}

bool
cli_no_more(int argc, char **argv)
{
	if (optind >= argc)
		return true;
	(void) cli_usage("unexpected argument \"%s\"", argv[optind]);
	return false;
}

/* "a, b or c" */
static void
list_words(char *text, size_t size, const char *const *words)
{
	size_t		len = 0;

	for (size_t i = 0; words[i] && len < size; i++)
	{
		const char *between = i == 0 ? "" : words[i + 1] ? ", " : " or ";

		len += (size_t) snprintf(text + len, size - len, "%s%s", between, words[i]);
	}
}

const char *
cli_word(int argc, char **argv, const char *command, const char *const *words)
{
	char		all[160];
	const char *word;

	list_words(all, sizeof(all), words);
	if (optind >= argc)
	{
		(void) cli_usage("%s needs one of %s", command, all);
		return NULL;
	}
	word = argv[optind++];
	if (!cli_no_more(argc, argv))
		return NULL;
	for (size_t i = 0; words[i]; i++)
		if (strcmp(word, words[i]) == 0)
			return words[i];
	(void) cli_usage("there is no \"%s %.60s\": use %s", command, word, all);
	return NULL;
}

enum err_class
cli_load(struct cli *cli, bool whole)
{
	const struct cli_program *program = cli->program;
	struct err	err = {0};
	enum err_class class;

	class = config_load(program->config, cli->file, cli->overrides, cli->noverrides,
						environ, &cli->config, &err);
	if (class == ERR_NONE)
		class = program->load(cli->settings, cli->config, whole, &err);
	if (class == ERR_NONE)
		log_setup(program->config->name, (enum log_level) config_int(cli->config, "log", "level"),
				  (enum log_format) config_int(cli->config, "log", "format"));
	else
		(void) cli_fail(&err);
	return class;
}

int
cli_begin(struct cli *cli, int argc, char **argv)
{
	enum err_class class;

	if (!cli_no_more(argc, argv))
		return 1;
	class = cli_load(cli, true);
	return class == ERR_NONE ? -1 : err_exit_status(class);
}

static int
unknown_command(const struct cli_program *program, const char *name)
{
	struct err	err = {0};
	const char *like = NULL;

	for (const struct cli_command *c = program->commands; c->name != NULL; c++)
	{
		/* a slip of the finger mostly leaves the first two letters right */
		if (strncmp(c->name, name, 2) == 0)
			like = c->name;
	}
	(void) err_set(&err, ERR_CONFIG, "usage", "there is no command \"%s\"", name);
	if (like != NULL)
		(void) err_hint(&err, "did you mean \"%s\"?", like);
	else
		(void) err_hint(&err, "\"%s --help\" lists the commands", log_program());
	return cli_fail(&err);
}

/* Options before the command; returns -1 to go on, or the exit status. */
static int
read_options(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG,
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}
	};
	int			option;
	int			status;

	while ((option = getopt_long(argc, argv, "+" CLI_SHORT "V", options, NULL)) != -1)
	{
		if (option == 'h')
		{
			print_help(cli->program);
			return 0;
		}
		if (option == 'V')
			return cli->program->version(cli, 1, argv);
		status = cli_option(cli, option, argv, "");
		if (status >= 0)
			return status;
	}
	return -1;
}

static int
run_command(struct cli *cli, int argc, char **argv)
{
	for (const struct cli_command *c = cli->program->commands; c->name != NULL; c++)
	{
		if (strcmp(c->name, argv[0]) == 0)
		{
			optind = 0;			/* getopt starts anew, behind the command */
			return c->run(cli, argc, argv);
		}
	}
	return unknown_command(cli->program, argv[0]);
}

int
cli_main(const struct cli_program *program, struct settings *settings, int argc, char **argv)
{
	struct cli	cli = {.program = program, .settings = settings};
	int			status;

	log_setup(program->config->name, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	opterr = 0;
	cli.overrides = calloc((size_t) argc + 1, sizeof(*cli.overrides));
	if (cli.overrides == NULL)
		return cli_usage("out of memory");

	status = read_options(&cli, argc, argv);
	if (status < 0 && optind >= argc)
		status = cli_usage("a command is missing");
	else if (status < 0)
		status = run_command(&cli, argc - optind, argv + optind);

	program->free(settings);
	config_free(cli.config);
	free(cli.overrides);
	/* what was printed counts only if it arrived */
	if (fflush(stdout) != 0 && status == 0)
		status = 2;
	return status;
}
