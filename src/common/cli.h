/*
 * cli.h - the command line that all programs share: options, commands, help.
 *
 * A program is a table of commands, one file each, and a function that fills
 * its own struct settings; main() hands both to cli_main().
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CLI_H
#define OUTBOX_CLI_H

#include <getopt.h>
#include <stdbool.h>

#include "config.h"
#include "err.h"
#include "metrics.h"
#include "version.h"

extern char **environ;			/* unistd.h declares it for GNU sources only */

struct settings;				/* each program has its own */
struct cli;

struct cli_command
{
	const char *name;
	/* gets the arguments from its own name on, returns the exit status, logs
	 * its own errors */
	int			(*run) (struct cli *cli, int argc, char **argv);
	const char *doc;
};

struct cli_program
{
	const struct config_program *config;	/* its table has CLI_LOG_KEYS */
	const struct cli_command *commands; /* ends with name == NULL */
	const char *about;			/* the first line of --help */
	const struct metric *metrics;	/* what it serves; ends with name == NULL */

	/*
	 * Fills *settings from config; whole: also what only some commands need,
	 * see cli_load().  On error nothing is left to be freed.
	 */
	enum err_class (*load) (struct settings *settings, const struct config *config,
							bool whole, struct err *err);
	void		(*free) (struct settings *settings);
	/* as a command: prints the versions */
	int			(*version) (struct cli *cli, int argc, char **argv);
};

/* What the command line gave, before and after the command. */
struct cli
{
	const struct cli_program *program;
	const char *file;			/* -c, or NULL */
	char	  **overrides;		/* -o, each "section.key=value" */
	int			noverrides;
	struct config *config;		/* of cli_load() */
	struct settings *settings;	/* the caller's of cli_main(), zeroed */
};

/* Rows of a program's table that cli_load() reads itself. */
#define CLI_LOG_KEYS \
	{"log", "level", CONFIG_ENUM, "info", "debug|info|warning|error", 0, 0, CONFIG_RELOAD, \
	"The least important lines that are written to standard error."}, \
	{"log", "format", CONFIG_ENUM, "text", "text|json", 0, 0, CONFIG_RELOAD, \
	"text for people, json for collectors: one object per line."}

/* Runs the program; returns its exit status. */
extern int	cli_main(const struct cli_program *program, struct settings *settings,
					 int argc, char **argv);

/* Options of every command; the rest of an option string or array follows. */
#define CLI_SHORT	":c:o:h"
#define CLI_LONG \
	{"config", required_argument, NULL, 'c'}, \
	{"option", required_argument, NULL, 'o'}, \
	{"help", no_argument, NULL, 'h'}

/*
 * What a command does with an option of getopt_long() that isn't its own:
 * takes -c and -o, prints help for -h, complains about others.  Returns -1 to
 * go on, or the exit status to end with.
 */
extern int	cli_option(struct cli *cli, int option, char **argv, const char *help);

/* The options of a command that has none of its own.  -1 to go on, or the exit status. */
extern int	cli_options(struct cli *cli, int argc, char **argv, const char *help);

/* Complains about the command line; returns the exit status. */
extern int	cli_usage(const char *fmt,...) __attribute__((format(printf, 1, 2)));

/* Complains if arguments are left over; true if there are none. */
extern bool cli_no_more(int argc, char **argv);

/*
 * Loads configuration and settings, whole if the command needs all of them
 * (the streamer's sink), and sets up the log by them.  On error it has been
 * logged; the exit status is to be err_exit_status() of the class.
 */
extern enum err_class cli_load(struct cli *cli, bool whole);

/* After the options: no argument may be left over, and all is loaded.  -1 to go on, or
 * the exit status. */
extern int	cli_begin(struct cli *cli, int argc, char **argv);

/*
 * The word behind a command that needs one, such as "slot show": the only argument that may
 * be left, and one of words, which ends with NULL.  NULL: it is not, which has been said.
 */
extern const char *cli_word(int argc, char **argv, const char *command, const char *const *words);

/* Logs the error and returns the exit status of its class. */
extern int	cli_fail(const struct err *err);

/* The command "config": the same for all programs. */
extern int	cli_config(struct cli *cli, int argc, char **argv);

#endif							/* OUTBOX_CLI_H */
