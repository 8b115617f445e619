/*
 * slot_info.c - what the server knows of a replication slot.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "slot_info.h"

#include <string.h>

PGresult *
slot_info_read(PGconn *conn, const char *slot, struct err *err)
{
	return pg_query(conn, "looking at the slot", SLOT_INFO_QUERY "$1", 1, &slot, err);
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
