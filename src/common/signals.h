/*
 * signals.h - signals as something to poll for.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SIGNALS_H
#define OUTBOX_SIGNALS_H

#include <stdbool.h>

struct signals
{
	unsigned	stop;			/* SIGTERM, SIGINT since the start */
	bool		reload;			/* SIGHUP; the reader clears it */
};

/* Takes over SIGTERM, SIGINT, SIGHUP; ignores SIGPIPE.  Returns the descriptor
 * to poll, or -1. */
extern int	signals_open(void);

/* After poll(): reads what has come. */
extern void signals_read(int fd, struct signals *signals);

#endif							/* OUTBOX_SIGNALS_H */
