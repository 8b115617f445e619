/*
 * inbox.h - consumes until it is told to stop.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_INBOX_H
#define INBOX_INBOX_H

#include "../common/metrics.h"
#include "settings.h"

/* Reads the configuration again and applies of it what can be, on SIGHUP. */
struct inbox_reload
{
	enum err_class (*read) (void *arg, struct err *err);
	void	   *arg;
};

/* What it serves; ends with a name of NULL. */
extern const struct metric inbox_metrics[];

/* ERR_NONE: asked to stop.  Else why it can't go on. */
extern enum err_class inbox_run(const struct settings *settings,
								const struct inbox_reload *reload, struct err *err);

#endif							/* INBOX_INBOX_H */
