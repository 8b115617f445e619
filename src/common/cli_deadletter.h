/*
 * cli_deadletter.h - the command deadletter list|show|redrive|discard, which both programs have.
 *
 * It reads a table and calls functions that mark; the program that runs does the rest.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CLI_DEADLETTER_H
#define OUTBOX_CLI_DEADLETTER_H

#include "cli.h"

/* The options that all of it has, for the help. */
#define CLI_DEADLETTER_LIMITS \
	"      --limit=N                   list, show: at most so many (default 100)\n" \
	"      --yes                       discard: really\n" \
	"  -c, --config=FILE               configuration file\n" \
	"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n" \
	"  -h, --help                      this help\n"

/* What is a program's own.  In its SQL $1 is the owner of the dead letters (slot or
 * consumer), $2 id, $3 topic, $4 key, each NULL if it is not given. */
struct cli_deadletter
{
	const char *help;
	void		(*where) (const struct settings *settings, const char **dsn, const char **owner);
	const char *list_sql;		/* $5: at most so many; a line each */
	const char *show_sql;		/* the same; a line for each column */
	const char *redrive_sql;	/* one number: how many */
	const char *discard_sql;
	const char *redriven;		/* what is said behind it */
	const char *discarded;
};

/* As a command, see struct cli_command. */
extern int	cli_deadletter(struct cli *cli, int argc, char **argv, const struct cli_deadletter *deadletter);

#endif							/* OUTBOX_CLI_DEADLETTER_H */
