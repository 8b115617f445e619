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

/*
 * The query, to be completed by the slot's name.  to_jsonb() reads columns
 * that older servers don't have as NULL.
 */
#define SLOT_INFO_QUERY \
	"SELECT s.plugin, s.database, s.database = current_database(), s.active_pid," \
	" concat_ws(', ', nullif(a.application_name, ''), 'user ' || a.usename, host(a.client_addr))," \
	" s.restart_lsn, s.confirmed_flush_lsn, s.wal_status, s.safe_wal_size," \
	" to_jsonb(s)->>'invalidation_reason', to_jsonb(s)->>'failover'," \
	" pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn), pg_wal_lsn_diff(w.lsn, s.restart_lsn)," \
	" s.temporary " \
	"FROM pg_catalog.pg_replication_slots s " \
	"CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()" \
	" ELSE pg_current_wal_lsn() END) w(lsn) " \
	"LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid " \
	"WHERE s.slot_name = "

/* Its columns, all text. */
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
