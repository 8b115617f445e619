/*
 * cmd.h - the commands of outbox-streamer: one file each, one table in main.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_CMD_H
#define OUTBOX_CMD_H

#include "../common/cli.h"
#include "settings.h"

/* See struct cli_command. */
extern int	cmd_stream(struct cli *cli, int argc, char **argv);
extern int	cmd_check(struct cli *cli, int argc, char **argv);
extern int	cmd_slot(struct cli *cli, int argc, char **argv);
extern int	cmd_replay(struct cli *cli, int argc, char **argv);
extern int	cmd_deadletter(struct cli *cli, int argc, char **argv);
extern int	cmd_version(struct cli *cli, int argc, char **argv);

#endif							/* OUTBOX_CMD_H */
