/*
 * cmd_check_slot.c - "check": the slot, and whether the plugin can be loaded.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slot_info.h"
#include "wire.h"

/* ms that creating a slot may wait for running transactions */
#define PROBE_PATIENCE	600

/* octets behind the end of WAL that deserve a word */
#define MUCH_WAL		INT64_C(1073741824)

/* ---- the slot ---- */

static void
check_lag(struct check *check, const PGresult *row)
{
	int64_t		unconfirmed = check_number(pg_value(row, 0, SLOT_UNCONFIRMED));
	const char *safe = pg_value(row, 0, SLOT_SAFE_WAL_SIZE);

	if (unconfirmed > MUCH_WAL)
		check_warn(check, "slot-lag", NULL, "if a streamer runs, see what it waits for in its log",
				   "%lld MB of WAL are unconfirmed", (long long) (unconfirmed >> 20));
	else
		check_ok(check, "slot-lag", "%lld kB of WAL are unconfirmed", (long long) (unconfirmed >> 10));
	if (strcmp(pg_value(row, 0, SLOT_WAL_STATUS), "unreserved") == 0)
		check_warn(check, "slot-unreserved", NULL, "start the streamer now, and raise max_slot_wal_keep_size",
				   "the slot is about to be lost: it keeps more WAL than max_slot_wal_keep_size");
	else if (safe[0] != '\0' && check_number(safe) < MUCH_WAL / 16)
		check_warn(check, "slot-limit", NULL, "start the streamer, and raise max_slot_wal_keep_size",
				   "only %lld kB of WAL more and the slot can be lost", (long long) (check_number(safe) >> 10));
}

static void
report_missing(struct check *check)
{
	struct err	err = {0};
	char		remedy[256];

	(void) snprintf(remedy, sizeof(remedy), "SELECT pg_create_logical_replication_slot('%s', '%s');",
					check->settings->slot, SLOT_PLUGIN);
	(void) slot_info_missing(check->settings->slot, &err);
	check_fail_err(check, &err, remedy);
}

static void
report_slot(struct check *check, const PGresult *row)
{
	const char *slot = check->settings->slot;
	struct err	err = {0};

	if (slot_info_usable(row, slot, &err) != ERR_NONE)
	{
		char		remedy[256];

		(void) snprintf(remedy, sizeof(remedy), "SELECT pg_drop_replication_slot('%s');\n"
						"SELECT pg_create_logical_replication_slot('%s', '%s');", slot, slot, SLOT_PLUGIN);
		check_fail_err(check, &err, strcmp(err.code, "slot-lost") == 0 ? remedy : NULL);
		return;
	}
	if (pg_value(row, 0, SLOT_ACTIVE_PID)[0] != '\0')
		check_ok(check, "slot", "\"%s\" is in use by process %s (%s): one more instance waits until it is free",
				 slot, pg_value(row, 0, SLOT_ACTIVE_PID), pg_value(row, 0, SLOT_ACTIVE_NAME));
	else
		check_ok(check, "slot", "\"%s\" is free, confirmed up to %s", slot, pg_value(row, 0, SLOT_CONFIRMED_LSN));
	check_lag(check, row);
}

/* ---- the plugin ---- */

/*
 * What the setting says, where the server knows it and lets us read it.  One
 * name that holds commas is the mark of a list that was given as one string
 * to ALTER SYSTEM.
 */
static void
explain_not_allowed(struct check *check, struct err *err)
{
	struct err	ignored = {0};
	PGresult   *res = check_query(check, "reading settings", &ignored,
								  "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'output_plugin_libraries'");

	if (res != NULL && PQntuples(res) > 0 && strstr(pg_value(res, 0, 0), "\"") != NULL &&
		strchr(pg_value(res, 0, 0), ',') != NULL)
		(void) err_set(err, err->class, err->code,
					   "output_plugin_libraries = %s is one quoted name, not a list: no output plugin can be loaded",
					   pg_value(res, 0, 0));
	else if (res != NULL && PQntuples(res) > 0)
		(void) err_set(err, err->class, err->code, "output_plugin_libraries = %s does not allow %s",
					   pg_value(res, 0, 0), SLOT_PLUGIN);
	(void) err_hint(err, "postgresql.conf: output_plugin_libraries = 'pgoutput, test_decoding, %s'; or ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, %s (no quotes); then reload",
					SLOT_PLUGIN, SLOT_PLUGIN);
	PQclear(res);
}

static void
report_probe(struct check *check, struct err *err)
{
	if (strcmp(err->code, "wal-level") == 0)
		return;					/* said already, from the setting */
	if (strcmp(err->code, "canceled") == 0 || strcmp(err->code, "postgres-slow") == 0)
	{
		check_warn(check, "plugin", NULL, "try again when no long transaction runs (pg_stat_activity)",
				   "could not be tried: creating a slot waits for running transactions");
		return;
	}
	if (strcmp(err->code, "plugin-not-allowed") == 0)
	{
		explain_not_allowed(check, err);
		check_fail_err(check, err, "ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, outbox_decoder;\n"
					   "SELECT pg_reload_conf();");
	}
	else
		check_fail_err(check, err, NULL);
}

/* The plugin's options as the streamer would give them, as an SQL list. */
static char *
plugin_options(struct check *check)
{
	const struct settings *s = check->settings;
	char	   *text = NULL;
	size_t		size;
	FILE	   *out = open_memstream(&text, &size);

	if (out == NULL)
		abort();
	(void) fprintf(out, "'%s', '%d'", OUTBOX_OPTION_WIRE, OUTBOX_WIRE_VERSION);
	for (size_t i = 0; i < s->ntables; i++)
	{
		char	   *literal = check_literal(check, s->tables[i]);

		(void) fprintf(out, ", '%s', %s", OUTBOX_OPTION_TABLE, literal);
		PQfreemem(literal);
	}
	(void) fclose(out);
	return text;
}

/*
 * The honest probe: a temporary slot with the plugin.  It proves the right to
 * make one, wal_level, a free place, the list of allowed plugins and the
 * library at once; reading from it proves that the plugin takes our options.
 */
static void
check_plugin(struct check *check)
{
	struct err	err = {0};
	char		name[64];
	char	   *options;
	PGresult   *res;

	(void) snprintf(name, sizeof(name), "outbox_check_%ld", (long) getpid());
	PQclear(check_query(check, "setting a timeout", &err, "SET statement_timeout = %d", PROBE_PATIENCE));
	res = check_query(check, "trying the output plugin", &err,
					  "SELECT pg_catalog.pg_create_logical_replication_slot('%s', '%s', true)",
					  name, SLOT_PLUGIN);
	if (res == NULL)
	{
		report_probe(check, &err);
		return;
	}
	PQclear(res);
	options = plugin_options(check);
	res = check_query(check, "trying the output plugin's options", &err,
					  "SELECT count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes('%s', NULL, 1, VARIADIC ARRAY[%s]);"
					  "SELECT pg_catalog.pg_drop_replication_slot('%s')", name, options, name);
	free(options);
	if (res == NULL)
		check_fail_err(check, &err, NULL);
	else
		check_ok(check, "plugin", "%s can be loaded and takes our options (wire version %d)",
				 SLOT_PLUGIN, OUTBOX_WIRE_VERSION);
	PQclear(res);
}

void
check_slot(struct check *check)
{
	struct err	err = {0};
	PGresult   *res;
	char	   *slot;

	/* first, so that "check --sql" allows the plugin before it makes a slot */
	if (check->nfail == 0 || check->superuser || check->replication)
		check_plugin(check);

	slot = check_literal(check, check->settings->slot);
	res = check_query(check, "looking at the slot", &err, SLOT_INFO_QUERY "%s", slot);
	PQfreemem(slot);
	if (res == NULL)
		check_fail_err(check, &err, NULL);
	else if (PQntuples(res) == 0)
		report_missing(check);
	else
		report_slot(check, res);
	PQclear(res);
}
