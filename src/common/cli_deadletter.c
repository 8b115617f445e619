/*
 * cli_deadletter.c - the command deadletter list|show|redrive|discard.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cli_deadletter.h"

#include <stdio.h>
#include <string.h>

#include "pg.h"

#define CONNECT_TIMEOUT	10000	/* ms */

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
look(PGconn *conn, const struct cli_deadletter *d, const char *owner,
	 const struct deadletter_options *o, bool all, struct err *err)
{
	const char *params[] = {owner, o->id, o->topic, o->key, o->limit ? o->limit : "100"};
	PGresult   *res = pg_query(conn, "reading dead letters", all ? d->show_sql : d->list_sql, 5, params, err);

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
mark(PGconn *conn, const struct cli_deadletter *d, const char *owner,
	 const struct deadletter_options *o, bool redrive, struct err *err)
{
	const char *params[] = {owner, o->id, o->topic, o->key};
	PGresult   *res = pg_query(conn, redrive ? "redriving dead letters" : "discarding dead letters",
							   redrive ? d->redrive_sql : d->discard_sql,
							   4, params, err);

	if (res == NULL)
		return err->class;
	printf("%s %s\n", pg_value(res, 0, 0), redrive ? d->redriven : d->discarded);
	PQclear(res);
	return ERR_NONE;
}

static int
run(struct cli *cli, const struct cli_deadletter *d, const char *what,
	const struct deadletter_options *options)
{
	struct err	err = {0};
	enum err_class class = cli_load(cli, false);
	const char *dsn;
	const char *owner;
	char		name[60];
	PGconn	   *conn;

	if (class != ERR_NONE)
		return err_exit_status(class);
	d->where(cli->settings, &dsn, &owner);
	(void) snprintf(name, sizeof(name), "%s deadletter", cli->program->config->name);
	conn = pg_connect_command(dsn, name, CONNECT_TIMEOUT, &err);
	if (conn == NULL)
		return cli_fail(&err);
	if (strcmp(what, "list") == 0 || strcmp(what, "show") == 0)
		class = look(conn, d, owner, options, what[0] == 's', &err);
	else
		class = mark(conn, d, owner, options, what[0] == 'r', &err);
	PQfinish(conn);
	return class == ERR_NONE ? 0 : cli_fail(&err);
}

/* Whether the options make sense for it; complains otherwise. */
static bool
options_fit(const struct cli *cli, const char *what, const struct deadletter_options *o)
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

		(void) err_set(&err, ERR_CONFIG, "not-confirmed", "what is discarded is gone for good");
		(void) err_hint(&err, "add --yes to discard it; \"%s deadletter show\" prints it", cli->program->config->name);
		(void) cli_fail(&err);
	}
	else
		return true;
	return false;
}

int
cli_deadletter(struct cli *cli, int argc, char **argv, const struct cli_deadletter *deadletter)
{
	static const char *const words[] = {"list", "show", "redrive", "discard", NULL};
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
				status = cli_option(cli, option, argv, deadletter->help);
				if (status >= 0)
					return status;
		}
	}
	what = cli_word(argc, argv, "deadletter", words);
	if (what == NULL || !options_fit(cli, what, &options))
		return 1;
	return run(cli, deadletter, what, &options);
}
