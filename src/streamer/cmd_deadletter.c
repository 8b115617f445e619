/*
 * cmd_deadletter.c - outbox-streamer deadletter list|show|redrive|discard.
 *
 * It reads outbox.dead_letter and marks; the streamer that has the slot does
 * the rest.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include "../common/pg.h"

#define CONNECT_TIMEOUT	10000	/* ms */

static const char help[] =
"Usage: outbox-streamer deadletter list|show|redrive|discard [OPTION]...\n\n"
"  list     prints the dead letters of the slot, oldest first: position, state,\n"
"           attempts, code, when it was put there, id, topic, key\n"
"  show     prints all that is known of each\n"
"  redrive  lets the streamer send them again, with all that waits before them\n"
"           in the order of their key; what waits behind them follows\n"
"  discard  lets the streamer remove those that could not be delivered, for good;\n"
"           what waits behind them is sent\n\n"
"      --id=ID                     the event with this id\n"
"      --topic=TOPIC               those for this topic\n"
"      --key=KEY                   those with this key\n"
"      --limit=N                   list, show: at most so many (default 100)\n"
"      --yes                       discard: really\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

struct deadletter_options
{
	const char *id;
	const char *topic;
	const char *key;
	const char *limit;
	bool		yes;
};

enum
{
	OPTION_ID = 256,
	OPTION_TOPIC,
	OPTION_KEY,
	OPTION_LIMIT,
	OPTION_YES
};

/* $1 slot, $2 id, $3 topic, $4 key, $5 limit */
#define CHOSEN \
	" FROM outbox.dead_letter AS d WHERE d.slot = $1 AND ($2::text IS NULL OR d.event_id = $2)" \
	" AND ($3::text IS NULL OR d.topic = $3) AND ($4::text IS NULL OR d.key = $4)" \
	" ORDER BY d.position LIMIT $5::bigint"

static const char list_sql[] =
"SELECT d.position, d.state, d.attempts, d.code, to_char(d.parked_at, 'YYYY-MM-DD\"T\"HH24:MI:SSOF'),"
" d.event_id, d.topic, d.key" CHOSEN;

static const char show_sql[] =
"SELECT d.position, d.state, d.code, d.reason, d.attempts, d.parked_at, d.failed_at, d.committed_at,"
" d.event_id AS id, d.aggregatetype, d.aggregateid, d.type, d.topic, d.key, d.partition_key, d.headers,"
" d.traceparent, d.source AS \"table\", CASE WHEN d.complete THEN octet_length(d.payload) END AS payload_octets,"
" encode(d.payload, 'escape') AS payload" CHOSEN;

/* Data is anybody's: nothing of it reaches the terminal as a control character. */
static void
print_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			printf("\\x%02x", (unsigned) (unsigned char) *text);
		else
			putchar(*text);
}

static void
print_list(const PGresult *res)
{
	for (int row = 0; row < PQntuples(res); row++)
		for (int column = 0; column < PQnfields(res); column++)
		{
			print_text(PQgetisnull(res, row, column) ? "-" : PQgetvalue(res, row, column));
			putchar(column + 1 < PQnfields(res) ? '\t' : '\n');
		}
}

static void
print_all(const PGresult *res)
{
	for (int row = 0; row < PQntuples(res); row++)
	{
		if (row > 0)
			putchar('\n');
		for (int column = 0; column < PQnfields(res); column++)
		{
			printf("%-16s ", PQfname(res, column));
			print_text(PQgetisnull(res, row, column) ? "-" : PQgetvalue(res, row, column));
			putchar('\n');
		}
	}
}

static enum err_class
look(PGconn *conn, const char *slot, const struct deadletter_options *o, bool all, struct err *err)
{
	const char *params[] = {slot, o->id, o->topic, o->key, o->limit ? o->limit : "100"};
	PGresult   *res = pg_query(conn, "reading dead letters", all ? show_sql : list_sql, 5, params, err);

	if (res == NULL)
		return err->class;
	if (all)
		print_all(res);
	else
		print_list(res);
	PQclear(res);
	return ERR_NONE;
}

static enum err_class
mark(PGconn *conn, const char *slot, const struct deadletter_options *o, bool redrive, struct err *err)
{
	const char *params[] = {o->id, o->topic, o->key, slot};
	PGresult   *res = pg_query(conn, redrive ? "redriving dead letters" : "discarding dead letters",
							   redrive ? "SELECT outbox.redrive($1, $2, $3, $4)" : "SELECT outbox.discard($1, $2, $3, $4)",
							   4, params, err);

	if (res == NULL)
		return err->class;
	printf("%s marked; the streamer %s them\n", pg_value(res, 0, 0), redrive ? "sends" : "removes");
	PQclear(res);
	return ERR_NONE;
}

static int
run(struct cli *cli, const char *what, const struct deadletter_options *options)
{
	struct err	err = {0};
	enum err_class class = cli_load(cli, false);
	const char *slot;
	PGconn	   *conn;

	if (class != ERR_NONE)
		return err_exit_status(class);
	slot = cli->settings->slot;
	conn = pg_connect(cli->settings->dsn, false, "outbox-streamer deadletter", CONNECT_TIMEOUT, &err);
	if (conn == NULL)
		return cli_fail(&err);
	if (strcmp(what, "list") == 0 || strcmp(what, "show") == 0)
		class = look(conn, slot, options, what[0] == 's', &err);
	else
		class = mark(conn, slot, options, what[0] == 'r', &err);
	PQfinish(conn);
	return class == ERR_NONE ? 0 : cli_fail(&err);
}

/* Whether the options make sense for it; complains otherwise. */
static bool
options_fit(const char *what, const struct deadletter_options *o)
{
	bool		looks = strcmp(what, "list") == 0 || strcmp(what, "show") == 0;
	bool		discards = strcmp(what, "discard") == 0;

	if ((o->limit != NULL && !looks) || (o->yes && !discards))
		(void) cli_usage("this option does not belong to \"deadletter %s\"", what);
	else if (o->limit != NULL && (o->limit[0] == '\0' || strlen(o->limit) > 9 ||
								  strspn(o->limit, "0123456789") != strlen(o->limit)))
		(void) cli_usage("--limit=%.20s is not a number", o->limit);
	else if (!looks && o->id == NULL && o->topic == NULL && o->key == NULL)
		(void) cli_usage("deadletter %s needs --id, --topic or --key", what);
	else if (discards && !o->yes)
	{
		struct err	err = {0};

		(void) err_set(&err, ERR_CONFIG, "not-confirmed", "discarded events are never delivered");
		(void) err_hint(&err, "add --yes to discard them; \"outbox-streamer deadletter show\" prints them");
		(void) cli_fail(&err);
	}
	else
		return true;
	return false;
}

int
cmd_deadletter(struct cli *cli, int argc, char **argv)
{
	static const struct option long_options[] = {
		CLI_LONG,
		{"id", required_argument, NULL, OPTION_ID},
		{"topic", required_argument, NULL, OPTION_TOPIC},
		{"key", required_argument, NULL, OPTION_KEY},
		{"limit", required_argument, NULL, OPTION_LIMIT},
		{"yes", no_argument, NULL, OPTION_YES},
		{NULL, 0, NULL, 0}
	};
	struct deadletter_options options = {0};
	const char *what;
	int			option;
	int			status;

	while ((option = getopt_long(argc, argv, CLI_SHORT, long_options, NULL)) != -1)
	{
		switch (option)
		{
			case OPTION_ID:
				options.id = optarg;
				break;
			case OPTION_TOPIC:
				options.topic = optarg;
				break;
			case OPTION_KEY:
				options.key = optarg;
				break;
			case OPTION_LIMIT:
				options.limit = optarg;
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
	if (optind >= argc)
		return cli_usage("deadletter needs one of list, show, redrive, discard");
	what = argv[optind++];
	if (!cli_no_more(argc, argv))
		return 1;
	if (strcmp(what, "list") != 0 && strcmp(what, "show") != 0 && strcmp(what, "redrive") != 0 &&
		strcmp(what, "discard") != 0)
		return cli_usage("there is no \"deadletter %.60s\": use list, show, redrive or discard", what);
	if (!options_fit(what, &options))
		return 1;
	return run(cli, what, &options);
}
