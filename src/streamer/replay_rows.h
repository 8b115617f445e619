/*
 * replay_rows.h - the rows to be sent again, one at a time.
 *
 * A cursor that outlives its transaction: the server keeps the selection in a
 * temporary file, so that a slow replay holds no snapshot and this process no
 * more than a row.  Its functions wait for the server.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_REPLAY_ROWS_H
#define OUTBOX_REPLAY_ROWS_H

#include "decode.h"
#include "replay_query.h"

struct replay_rows;

enum replay_item
{
	REPLAY_ROW,
	REPLAY_END,
	REPLAY_ERROR				/* err is filled */
};

/*
 * Connects, and checks selection and query in a transaction that can't write.
 * timeout_ms is the server's for each statement that selects.  NULL on error.
 */
extern struct replay_rows *replay_rows_new(const struct settings *settings,
										   const struct config *config,
										   const struct replay_selection *selection,
										   int64_t timeout_ms, struct err *err);
extern void replay_rows_free(struct replay_rows *rows);

/* How many there are now. */
extern enum err_class replay_rows_count(struct replay_rows *rows, uint64_t *count, struct err *err);

/* Selects them.  *lsn: all of them were committed before it. */
extern enum err_class replay_rows_open(struct replay_rows *rows, lsn_t *lsn, struct err *err);

/*
 * Has the slot confirmed everything up to there?  *missing: there is no such
 * slot.
 */
extern enum err_class replay_rows_confirmed(struct replay_rows *rows, const char *slot, lsn_t lsn,
											bool *confirmed, bool *missing, struct err *err);

/*
 * The next one: what the plugin would have sent for it, with n counting rows,
 * and its time in microseconds (0: not asked for).  Valid until the next call.
 */
extern enum replay_item replay_rows_next(struct replay_rows *rows, struct wire_event *event,
										 int64_t *time_us, struct err *err);

#endif							/* OUTBOX_REPLAY_ROWS_H */
