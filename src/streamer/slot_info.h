/*
 * slot_info.h - what the server knows of a replication slot.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SLOT_INFO_H
#define OUTBOX_SLOT_INFO_H

#include "../common/err.h"
#include "../common/pg.h"

#define SLOT_PLUGIN	"outbox_decoder"

/* Columns of slot_info_read(), all text. */
enum slot_column
{
	SLOT_PLUGIN_NAME,			/* "" for a physical slot */
	SLOT_DATABASE,
	SLOT_HERE,					/* "t": it belongs to the database connected to */
	SLOT_ACTIVE_PID,			/* "" = not active */
	SLOT_ACTIVE_NAME,			/* application, user and address of that process */
	SLOT_RESTART_LSN,
	SLOT_CONFIRMED_LSN,
	SLOT_WAL_STATUS,
	SLOT_SAFE_WAL_SIZE,
	SLOT_INVALIDATION,			/* from PostgreSQL 17 on */
	SLOT_FAILOVER,				/* from PostgreSQL 17 on */
	SLOT_UNCONFIRMED,			/* octets of WAL behind the confirmed position */
	SLOT_RETAINED,				/* octets of WAL that the slot keeps */
	SLOT_TEMPORARY,
	SLOT_NCOLUMNS
};

/*
 * One row, or none if there is no such slot; pg_value(res, 0, SLOT_...).  NULL
 * with err set on failure.
 */
extern PGresult *slot_info_read(PGconn *conn, const char *slot, struct err *err);

/* "slot-missing", with a hint; returns its class. */
extern enum err_class slot_info_missing(const char *slot, struct err *err);

/* Is the slot one that we can stream from?  Fills err otherwise. */
extern enum err_class slot_info_usable(const PGresult *row, const char *slot, struct err *err);

#endif							/* OUTBOX_SLOT_INFO_H */
