/*
 * slot_info.c - what the server knows of a replication slot.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "slot_info.h"

#include <string.h>

/* to_jsonb() reads columns that older servers don't have as NULL */
static const char query[] =
"SELECT s.plugin, s.database, s.database = current_database(), s.active_pid,"
" concat_ws(', ', nullif(a.application_name, ''), 'user ' || a.usename, host(a.client_addr)),"
" s.restart_lsn, s.confirmed_flush_lsn, s.wal_status, s.safe_wal_size,"
" to_jsonb(s)->>'invalidation_reason', to_jsonb(s)->>'failover',"
" pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn), pg_wal_lsn_diff(w.lsn, s.restart_lsn),"
" s.temporary "
"FROM pg_catalog.pg_replication_slots s "
"CROSS JOIN (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
" ELSE pg_current_wal_lsn() END) w(lsn) "
"LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid "
"WHERE s.slot_name = $1";

PGresult *
slot_info_read(PGconn *conn, const char *slot, struct err *err)
{
	return pg_query(conn, "looking at the slot", query, 1, &slot, err);
}

enum err_class
slot_info_missing(const char *slot, struct err *err)
{
	(void) err_set(err, ERR_CONFIG, "slot-missing", "replication slot \"%s\" does not exist", slot);
	return err_hint(err, "create it with \"outbox-streamer slot create\"; events from before that moment are not in it");
}

enum err_class
slot_info_usable(const PGresult *row, const char *slot, struct err *err)
{
	const char *plugin = pg_value(row, 0, SLOT_PLUGIN_NAME);

	if (strcmp(plugin, SLOT_PLUGIN) != 0)
	{
		(void) err_set(err, ERR_CONFIG, "slot-plugin",
					   "replication slot \"%s\" was made for %s%s, not for the output plugin %s", slot,
					   plugin[0] != '\0' ? "the output plugin " : "physical replication", plugin, SLOT_PLUGIN);
		return err_hint(err, "set postgres.slot to another name, and create that slot");
	}
	if (strcmp(pg_value(row, 0, SLOT_HERE), "t") != 0)
	{
		(void) err_set(err, ERR_CONFIG, "slot-database", "replication slot \"%s\" belongs to database \"%s\"",
					   slot, pg_value(row, 0, SLOT_DATABASE));
		return err_hint(err, "set dbname in postgres.dsn, or postgres.slot to another name");
	}
	if (strcmp(pg_value(row, 0, SLOT_WAL_STATUS), "lost") == 0 ||
		pg_value(row, 0, SLOT_INVALIDATION)[0] != '\0')
	{
		const char *reason = pg_value(row, 0, SLOT_INVALIDATION);

		(void) err_set(err, ERR_FATAL, "slot-lost",
					   "replication slot \"%s\" is lost%s%s: the server has invalidated it, and events after %s can't be read from it any more",
					   slot, reason[0] != '\0' ? ", " : "", reason, pg_value(row, 0, SLOT_CONFIRMED_LSN));
		return err_hint(err, "drop and create the slot, then publish again the rows of the outbox table that were not delivered; max_slot_wal_keep_size says how much WAL a slot may keep");
	}
	return ERR_NONE;
}
