/*
 * cmd_check_server.c - "check": login, rights and settings of the server.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OLDEST_SERVER	150000
#define NEWEST_SERVER	180000

/* ---- login ---- */

/*
 * As the streamer does it, or, so that the rest can be looked at, without
 * replication.
 */
bool
check_connect(struct check *check)
{
	struct err	err = {0};
	struct err	plain = {0};
	int64_t		left = check->pg_deadline - clock_now();

	check->conn = pg_connect(check->settings->dsn, true, STREAMER_APPLICATION, (int) left, &err);
	check->replication = check->conn != NULL;
	if (check->conn == NULL && check->pg_deadline - clock_now() > 50)
		check->conn = pg_connect(check->settings->dsn, false, STREAMER_APPLICATION,
								 (int) (check->pg_deadline - clock_now()), &plain);
	if (check->conn == NULL)
	{
		check_fail_err(check, &err, NULL);
		return false;
	}
	/* the role may have one in which somebody has put look-alikes */
	PQclear(check_query(check, "setting search_path", &plain, "SET search_path = pg_catalog, pg_temp"));
	check_ok(check, "login", "connected to database \"%s\" of \"%s\", port %s, as \"%s\"",
			 PQdb(check->conn), PQhost(check->conn), PQport(check->conn), PQuser(check->conn));
	if (!check->replication)
		check_fail(check, "replication-login", NULL, err.hint, "%s", err.message);
	return true;
}

/* The progress topic of exactly-once is named after the system. */
static void
read_system(struct check *check)
{
	struct err	err = {0};
	PGresult   *res;

	if (check->settings->delivery != DELIVERY_EXACTLY_ONCE || !check->replication)
		return;
	res = check_query(check, "identifying the system", &err, "IDENTIFY_SYSTEM");
	if (res != NULL)
		(void) snprintf(check->system, sizeof(check->system), "%s", pg_value(res, 0, 0));
	else
		check_fail_err(check, &err, NULL);
	PQclear(res);
}

/* ---- rights ---- */

static void
check_role(struct check *check)
{
	struct err	err = {0};
	PGresult   *res = check_query(check, "looking at the role", &err,
								  "SELECT rolreplication, rolsuper,"
								  " 'ALTER ROLE ' || quote_ident(rolname) || ' REPLICATION;'"
								  " FROM pg_catalog.pg_roles WHERE rolname = current_user");

	if (res == NULL)
	{
		check_fail_err(check, &err, NULL);
		return;
	}
	check->superuser = strcmp(pg_value(res, 0, 1), "t") == 0;
	if (check->superuser)
		check_warn(check, "replication-right", NULL, "use a role that has LOGIN and REPLICATION only",
				   "\"%s\" is a superuser; REPLICATION suffices", PQuser(check->conn));
	else if (strcmp(pg_value(res, 0, 0), "t") == 0)
		check_ok(check, "replication-right", "\"%s\" has REPLICATION", PQuser(check->conn));
	else
		check_fail(check, "replication-right", pg_value(res, 0, 2), pg_value(res, 0, 2),
				   "role \"%s\" lacks REPLICATION", PQuser(check->conn));
	PQclear(res);
}

/* ---- settings ---- */

/* A setting as the server has it, "" if it doesn't know it or doesn't tell. */
static const char *
setting(const PGresult *rows, const char *name)
{
	for (int i = 0; i < PQntuples(rows); i++)
	{
		if (strcmp(pg_value(rows, i, 0), name) == 0)
			return pg_value(rows, i, 1);
	}
	return "";
}

static PGresult *
read_settings(struct check *check)
{
	struct err	err = {0};
	PGresult   *rows = check_query(check, "reading settings", &err,
								   "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN"
								   " ('wal_level', 'max_replication_slots', 'max_wal_senders', 'synchronous_standby_names',"
								   " 'wal_sender_timeout', 'max_slot_wal_keep_size', 'idle_replication_slot_timeout')");

	if (rows == NULL)
		check_fail_err(check, &err, NULL);
	return rows;
}

static void
check_version(struct check *check)
{
	int			version = PQserverVersion(check->conn);
	const char *text = PQparameterStatus(check->conn, "server_version");

	if (version < OLDEST_SERVER)
		check_fail(check, "server-version", NULL, "upgrade to PostgreSQL 15 or later",
				   "PostgreSQL %s is too old", text);
	else if (version >= NEWEST_SERVER + 10000)
		check_warn(check, "server-version", NULL, "look for a newer version of this program",
				   "PostgreSQL %s is newer than what this version was tested with", text);
	else
		check_ok(check, "server-version", "PostgreSQL %s", text);
}

static void
check_wal_level(struct check *check, const PGresult *rows)
{
	const char *value = setting(rows, "wal_level");

	if (strcmp(value, "logical") == 0)
		check_ok(check, "wal-level", "wal_level = logical");
	else
		check_fail(check, "wal-level", "ALTER SYSTEM SET wal_level = logical;\n-- then restart the server",
				   "ALTER SYSTEM SET wal_level = logical, and restart the server",
				   "wal_level = %s writes too little for logical decoding", value);
}

/*
 * A free place is needed unless ours is counted already.
 */
static void
check_free(struct check *check, const PGresult *rows, const char *name, const char *code,
		   const char *count_sql)
{
	int			limit = (int) check_number(setting(rows, name));
	char		hint[160];
	char		remedy[160];
	struct err	err = {0};
	PGresult   *res;
	int			used;

	res = check_query(check, "counting", &err, "%s", count_sql);
	if (res == NULL)
	{
		check_fail_err(check, &err, NULL);
		return;
	}
	used = (int) check_number(pg_value(res, 0, 0));
	PQclear(res);
	(void) snprintf(remedy, sizeof(remedy), "ALTER SYSTEM SET %s = %d;\n-- then restart the server",
					name, limit + 10);
	(void) snprintf(hint, sizeof(hint), "ALTER SYSTEM SET %s = %d, and restart the server", name, limit + 10);
	if (used < limit)
		check_ok(check, code, "%d of %s = %d are in use", used, name, limit);
	else
		check_fail(check, code, remedy, hint, "all of %s = %d are in use", name, limit);
}

static void
check_places(struct check *check, const PGresult *rows)
{
	char	   *slot = check_literal(check, check->settings->slot);
	char		sql[512];

	(void) snprintf(sql, sizeof(sql), "SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE slot_name <> %s", slot);
	PQfreemem(slot);
	check_free(check, rows, "max_replication_slots", "slots-free", sql);
	check_free(check, rows, "max_wal_senders", "walsenders-free",
			   "SELECT count(*) FROM pg_catalog.pg_stat_activity"
			   " WHERE backend_type = 'walsender' AND pid <> pg_backend_pid()");
}

/* Is name one of the standbys that the setting lists? */
static bool
is_listed(const char *list, const char *name)
{
	size_t		len = strlen(name);

	while (*list != '\0')
	{
		size_t		n;

		list += strspn(list, " \t,()");
		if (*list == '"')
		{
			list++;
			n = strcspn(list, "\"");
		}
		else
			n = strcspn(list, " \t,()");
		if ((n == 1 && *list == '*') || (n == len && strncasecmp(list, name, n) == 0))
			return true;
		list += n;
		if (*list == '"')
			list++;
	}
	return false;
}

static void
check_synchronous(struct check *check, const PGresult *rows)
{
	const char *names = setting(rows, "synchronous_standby_names");
	const char *own = PQparameterStatus(check->conn, "application_name");

	if (own == NULL || own[0] == '\0')
		own = STREAMER_APPLICATION;
	if (is_listed(names, own))
		check_fail(check, "synchronous-standby", NULL,
				   "list the standbys' own names there, or set another application_name in postgres.dsn",
				   "synchronous_standby_names = '%s' takes the streamer (\"%s\") for a synchronous standby: commits would wait for it",
				   names, own);
	else
		check_ok(check, "synchronous-standby", "the streamer is not taken for a synchronous standby");
}

static void
check_timeout(struct check *check, const PGresult *rows)
{
	int64_t		timeout = check_number(setting(rows, "wal_sender_timeout"));

	if (timeout > 0 && check->settings->status_interval * INT64_C(2) > timeout)
		check_warn(check, "walsender-timeout", NULL, "set postgres.status_interval to less than half of it",
				   "wal_sender_timeout is %lld ms, postgres.status_interval %d ms",
				   (long long) timeout, check->settings->status_interval);
	else
		check_ok(check, "walsender-timeout", "wal_sender_timeout is %lld ms", (long long) timeout);
}

static void
check_keep_size(struct check *check, const PGresult *rows)
{
	const char *value = setting(rows, "max_slot_wal_keep_size");
	const char *idle = setting(rows, "idle_replication_slot_timeout");

	if (strcmp(value, "-1") == 0)
		check_warn(check, "slot-limit", NULL,
				   "watch retained_bytes of outbox.status, or set max_slot_wal_keep_size to what the disk can spare",
				   "max_slot_wal_keep_size is not set: the WAL of a stopped streamer can fill the server's disk");
	else
		check_ok(check, "slot-limit", "max_slot_wal_keep_size is %s MB: a streamer further behind loses its slot", value);
	if (idle[0] != '\0' && strcmp(idle, "0") != 0)
		check_warn(check, "slot-idle-limit", NULL, "make it longer than any outage of the streamer, or 0",
				   "idle_replication_slot_timeout is %s: a streamer that is away for longer loses its slot", idle);
}

static void
check_recovery(struct check *check)
{
	const char *standby = PQparameterStatus(check->conn, "in_hot_standby");

	if (standby != NULL && strcmp(standby, "on") == 0)
		check_warn(check, "standby", NULL, "stream from the primary, unless this is meant",
				   "this server is a standby");
}

void
check_server(struct check *check)
{
	PGresult   *rows;

	check_version(check);
	read_system(check);
	check_recovery(check);
	check_role(check);
	rows = read_settings(check);
	if (rows == NULL)
		return;
	check_wal_level(check, rows);
	check_places(check, rows);
	check_synchronous(check, rows);
	check_timeout(check, rows);
	check_keep_size(check, rows);
	PQclear(rows);
}
