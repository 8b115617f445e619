/*
 * replay.h - rows of an outbox table, sent again.
 *
 * The slot is not touched: what is sent here is read from the table, goes
 * through the same route and sink as everything else, and has the header
 * outbox.replay in the place of outbox.position.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_REPLAY_H
#define OUTBOX_REPLAY_H

#include "replay_query.h"

struct replay_options
{
	struct replay_selection selection;
	const char *topic;			/* in place of the rows' own; NULL = these */
	int64_t		rate;			/* events a second; 0 = as fast as it goes */
	int64_t		timeout_ms;		/* of statements that select; 0 = none */
	bool		no_wait;		/* also what the slot has not confirmed */
};

struct replay_result
{
	uint64_t	acked;
	bool		stopped;		/* before its end, as asked */
	char		mark[24];		/* value of the header: when it began, "" = it didn't */
};

/*
 * Runs to the end of the selection, an error or SIGTERM; says why it waits.
 * *result is filled in any case.
 */
extern enum err_class replay_run(const struct settings *settings, const struct config *config,
								 const struct replay_options *options,
								 struct replay_result *result, struct err *err);

#endif							/* OUTBOX_REPLAY_H */
