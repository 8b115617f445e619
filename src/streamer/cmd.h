/*
 * cmd.h - the commands of outbox-streamer: one file each, one table in main.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CMD_H
#define OUTBOX_CMD_H

#include <getopt.h>

#include "settings.h"

#define OUTBOX_STREAMER_VERSION	"1.0"

extern char **environ;			/* unistd.h declares it for GNU sources only */

/* What the command line gave, before and after the command. */
struct cli
{
	const char *file;			/* -c, or NULL */
	char	  **overrides;		/* -o, each "section.key=value" */
	int			noverrides;
	struct config *config;		/* of cli_load() */
	struct settings settings;
};

/*
 * A command gets the arguments from its own name on, and returns the exit
 * status.  It logs its own errors.
 */
extern int	cmd_stream(struct cli *cli, int argc, char **argv);
extern int	cmd_check(struct cli *cli, int argc, char **argv);
extern int	cmd_slot(struct cli *cli, int argc, char **argv);
extern int	cmd_config(struct cli *cli, int argc, char **argv);
extern int	cmd_version(struct cli *cli, int argc, char **argv);

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

/* Complains about the command line; returns the exit status. */
extern int	cli_usage(const char *fmt,...) __attribute__((format(printf, 1, 2)));

/* Complains if arguments are left over; true if there are none. */
extern bool cli_no_more(int argc, char **argv);

/*
 * Loads configuration and settings, those of the sink too if it is going to be
 * used, and sets up the log by them.  On error it has been logged; the exit
 * status is to be err_exit_status() of the class.
 */
extern enum err_class cli_load(struct cli *cli, bool sink);

/* Logs the error and returns the exit status of its class. */
extern int	cli_fail(const struct err *err);

#endif							/* OUTBOX_CMD_H */
