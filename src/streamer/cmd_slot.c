/*
 * cmd_slot.c - outbox-streamer slot create|drop|show.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../common/pg.h"
#include "slot_info.h"

#define CONNECT_TIMEOUT	10000	/* ms */
#define PATIENCE		2000	/* ms without a word while a slot is created */

static const char help[] =
"Usage: outbox-streamer slot create|drop|show [OPTION]...\n\n"
"  create  creates the slot postgres.slot; events committed from then on are\n"
"          delivered. An existing slot is never replaced. It waits for the\n"
"          transactions that run at this moment.\n"
"  drop    drops the slot: what it has not delivered is lost to the stream\n"
"  show    prints what the server knows of it\n\n"
"      --if-not-exists             create: an existing slot of ours is fine\n"
"      --failover                  create: synchronise it to standbys (PostgreSQL 17)\n"
"      --if-exists                 drop: no slot is fine\n"
"      --yes                       drop: really\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

struct slot_options
{
	bool		if_not_exists;
	bool		failover;
	bool		if_exists;
	bool		yes;
};

enum
{
	OPTION_IF_NOT_EXISTS = 256,
	OPTION_FAILOVER,
	OPTION_IF_EXISTS,
	OPTION_YES
};

/* ---- create ---- */

/* Waits for the result; says once why it takes long. */
static PGresult *
wait_result(PGconn *conn, const char *slot)
{
	bool		told = false;
	PGresult   *res;
	PGresult   *extra;

	while (PQisBusy(conn))
	{
		struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};

		if (poll(&fd, 1, told ? -1 : PATIENCE) == 0)
		{
			told = true;
			log_info("slot \"%s\" will be there when all transactions that run now have ended (pg_stat_activity shows them)", slot);
		}
		else if (!PQconsumeInput(conn))
			break;
	}
	res = PQgetResult(conn);
	while ((extra = PQgetResult(conn)) != NULL)
		PQclear(extra);
	return res;
}

/* The slot is there already: good enough, if it was asked for so. */
static enum err_class
keep_existing(PGresult *row, const char *slot, const struct slot_options *options, struct err *err)
{
	if (!options->if_not_exists)
	{
		(void) err_set(err, ERR_CONFIG, "slot-exists", "replication slot \"%s\" exists already", slot);
		return err_hint(err, "use it as it is, or --if-not-exists; \"outbox-streamer slot show\" tells about it");
	}
	if (slot_info_usable(row, slot, err) != ERR_NONE)
		return err->class;
	printf("slot %s exists, confirmed up to %s\n", slot, pg_value(row, 0, SLOT_CONFIRMED_LSN));
	return ERR_NONE;
}

static enum err_class
create(PGconn *conn, const char *slot, const struct slot_options *options, struct err *err)
{
	const char *sql = options->failover ?
		"SELECT slot_name, lsn FROM pg_catalog.pg_create_logical_replication_slot($1, $2, failover => true)" :
		"SELECT slot_name, lsn FROM pg_catalog.pg_create_logical_replication_slot($1, $2)";
	const char *params[] = {slot, SLOT_PLUGIN};
	PGresult   *res = slot_info_read(conn, slot, err);
	enum err_class class = ERR_NONE;

	if (res == NULL)
		return err->class;
	if (PQntuples(res) > 0)
	{
		class = keep_existing(res, slot, options, err);
		PQclear(res);
		return class;
	}
	PQclear(res);
	if (options->failover && PQserverVersion(conn) < 170000)
		return err_set(err, ERR_CONFIG, "not-supported", "--failover needs PostgreSQL 17, this is %d",
					   PQserverVersion(conn) / 10000);

	/* if we are interrupted, the server should not go on waiting */
	PQclear(PQexec(conn, "SET client_connection_check_interval = '1s'"));
	if (!PQsendQueryParams(conn, sql, 2, NULL, params, NULL, NULL, 0))
		return pg_failure(conn, NULL, "creating the slot", err);
	res = wait_result(conn, slot);
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		printf("slot %s created, consistent at %s\n", pg_value(res, 0, 0), pg_value(res, 0, 1));
	else
		class = pg_failure(conn, res, "creating the slot", err);
	PQclear(res);
	return class;
}

/* ---- drop ---- */

static enum err_class
may_drop(PGresult *row, const char *slot, const struct slot_options *options, struct err *err)
{
	if (pg_value(row, 0, SLOT_ACTIVE_PID)[0] != '\0')
	{
		(void) err_set(err, ERR_CONFIG, "slot-active", "replication slot \"%s\" is in use by process %s (%s)", slot,
					   pg_value(row, 0, SLOT_ACTIVE_PID), pg_value(row, 0, SLOT_ACTIVE_NAME));
		return err_hint(err, "stop the streamer that uses it first");
	}
	if (strcmp(pg_value(row, 0, SLOT_PLUGIN_NAME), SLOT_PLUGIN) != 0)
	{
		(void) slot_info_usable(row, slot, err);
		return err_hint(err, "drop it with what made it, or with pg_drop_replication_slot()");
	}
	if (options->yes)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "not-confirmed",
				   "dropping slot \"%s\" loses what it has not delivered: %s octets of WAL are unconfirmed", slot,
				   pg_value(row, 0, SLOT_UNCONFIRMED)[0] != '\0' ? pg_value(row, 0, SLOT_UNCONFIRMED) : "0");
	return err_hint(err, "add --yes to drop it");
}

static enum err_class
drop(PGconn *conn, const char *slot, const struct slot_options *options, struct err *err)
{
	PGresult   *res = slot_info_read(conn, slot, err);
	enum err_class class = ERR_NONE;
	bool		missing;

	if (res == NULL)
		return err->class;
	missing = PQntuples(res) == 0;
	if (!missing)
		class = may_drop(res, slot, options, err);
	else if (!options->if_exists)
	{
		(void) slot_info_missing(slot, err);
		class = err_hint(err, "--if-exists makes that no error");
	}
	PQclear(res);
	if (class != ERR_NONE)
		return class;
	if (missing)
	{
		printf("slot %s does not exist\n", slot);
		return ERR_NONE;
	}
	res = pg_query(conn, "dropping the slot", "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, &slot, err);
	if (res == NULL)
		return err->class;
	PQclear(res);
	printf("slot %s dropped\n", slot);
	return ERR_NONE;
}

/* ---- show ---- */

static enum err_class
show(PGconn *conn, const char *slot, struct err *err)
{
	static const struct
	{
		enum slot_column column;
		const char *label;
	}			lines[] = {
		{SLOT_PLUGIN_NAME, "plugin"},
		{SLOT_DATABASE, "database"},
		{SLOT_TEMPORARY, "temporary"},
		{SLOT_CONFIRMED_LSN, "confirmed_flush_lsn"},
		{SLOT_RESTART_LSN, "restart_lsn"},
		{SLOT_UNCONFIRMED, "unconfirmed_bytes"},
		{SLOT_RETAINED, "retained_bytes"},
		{SLOT_WAL_STATUS, "wal_status"},
		{SLOT_SAFE_WAL_SIZE, "safe_wal_size"},
		{SLOT_INVALIDATION, "invalidation_reason"},
		{SLOT_FAILOVER, "failover"},
		{SLOT_ACTIVE_PID, "active_pid"},
		{SLOT_ACTIVE_NAME, "active_by"}
	};
	PGresult   *res = slot_info_read(conn, slot, err);

	if (res == NULL)
		return err->class;
	if (PQntuples(res) == 0)
	{
		PQclear(res);
		return slot_info_missing(slot, err);
	}
	printf("%-20s %s\n", "slot", slot);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
	{
		const char *value = pg_value(res, 0, (int) lines[i].column);

		if (strcmp(value, "t") == 0 || strcmp(value, "f") == 0)
			value = value[0] == 't' ? "yes" : "no";
		printf("%-20s %s\n", lines[i].label, value[0] != '\0' ? value : "-");
	}
	PQclear(res);
	return ERR_NONE;
}

/* ---- the command ---- */

static int
run(struct cli *cli, const char *what, const struct slot_options *options)
{
	const char *slot;
	struct err	err = {0};
	enum err_class class = cli_load(cli, false);
	PGconn	   *conn;

	if (class != ERR_NONE)
		return err_exit_status(class);
	slot = cli->settings->slot;
	conn = pg_connect_command(cli->settings->dsn, "outbox-streamer slot", CONNECT_TIMEOUT, &err);
	if (conn == NULL)
		return cli_fail(&err);
	if (strcmp(what, "create") == 0)
		class = create(conn, slot, options, &err);
	else if (strcmp(what, "drop") == 0)
		class = drop(conn, slot, options, &err);
	else
		class = show(conn, slot, &err);
	PQfinish(conn);
	return class == ERR_NONE ? 0 : cli_fail(&err);
}

static bool
options_fit(const char *what, const struct slot_options *o)
{
	bool		create = strcmp(what, "create") == 0;
	bool		drop = strcmp(what, "drop") == 0;

	if (((o->if_not_exists || o->failover) && !create) || ((o->if_exists || o->yes) && !drop))
	{
		(void) cli_usage("this option does not belong to \"slot %s\"", what);
		return false;
	}
	return true;
}

int
cmd_slot(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = {"create", "drop", "show", NULL};
	static const struct option long_options[] = {
		CLI_LONG,
		{"if-not-exists", no_argument, NULL, OPTION_IF_NOT_EXISTS},
		{"failover", no_argument, NULL, OPTION_FAILOVER},
		{"if-exists", no_argument, NULL, OPTION_IF_EXISTS},
		{"yes", no_argument, NULL, OPTION_YES},
		{NULL, 0, NULL, 0}
	};
	struct slot_options options = {0};
	const char *what;
	int			option;
	int			status;

	while ((option = getopt_long(argc, argv, CLI_SHORT, long_options, NULL)) != -1)
	{
		switch (option)
		{
			case OPTION_IF_NOT_EXISTS:
				options.if_not_exists = true;
				break;
			case OPTION_FAILOVER:
				options.failover = true;
				break;
			case OPTION_IF_EXISTS:
				options.if_exists = true;
				break;
			case OPTION_YES:
				options.yes = true;
				break;
			default:
				status = cli_option(cli, option, argv, help);
				if (status >= 0)
					return status;
		}
	}
	what = cli_word(argc, argv, "slot", words);
	if (what == NULL || !options_fit(what, &options))
		return 1;
	return run(cli, what, &options);
}
