/*
 * cmd.h - the commands of inbox-consumer: one file each, one table in main.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_CMD_H
#define INBOX_CMD_H

#include "../common/cli.h"
#include "settings.h"

/* See struct cli_command. */
extern int	cmd_consume(struct cli *cli, int argc, char **argv);
extern int	cmd_check(struct cli *cli, int argc, char **argv);
extern int	cmd_status(struct cli *cli, int argc, char **argv);
extern int	cmd_deadletter(struct cli *cli, int argc, char **argv);
extern int	cmd_version(struct cli *cli, int argc, char **argv);

/*
 * Reads the options of a command that has none of its own, and loads the
 * settings.  Returns -1 to go on, or the exit status.
 */
extern int	cmd_begin(struct cli *cli, int argc, char **argv, const char *help);

#endif							/* INBOX_CMD_H */
