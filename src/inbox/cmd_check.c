/*
 * cmd_check.c - inbox-consumer check: everything that would stop it later.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#include "../common/pg.h"

#define CONNECT_MS	3000
#define METADATA_MS	3000
#define BYTEA_OID	17

static const char help[] =
"Usage: inbox-consumer check [OPTION]...\n\n"
"Verifies database, rights, the configured SQL, brokers and topics: one line for\n"
"each finding. Exit status 0 if nothing failed, else 1. It changes nothing.\n\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

struct findings
{
	int			nok;
	int			nfail;
};

static void
found_ok(struct findings *f, const char *code, const char *what)
{
	f->nok++;
	printf("%-4s %-20s %s\n", "ok", code, what);
}

static void
found_fail(struct findings *f, const struct err *err)
{
	f->nfail++;
	printf("%-4s %-20s %s%s%s\n", "FAIL", err->code, err->message,
		   err->hint[0] != '\0' ? "; hint: " : "", err->hint);
}

/* ---- the database ---- */

/* May this role do what a batch does? */
static void
check_rights(struct findings *f, PGconn *conn)
{
	static const char sql[] =
	"SELECT string_agg(what, ', ') FROM ("
	"SELECT 'EXECUTE ON ' || p.oid::regprocedure AS what FROM pg_proc AS p "
	"WHERE p.pronamespace = to_regnamespace('outbox') AND p.proname LIKE 'inbox%' "
	"AND NOT has_function_privilege(p.oid, 'EXECUTE') UNION ALL "
	"SELECT 'INSERT ON ' || c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('outbox') "
	"AND c.relkind = 'r' AND c.relname LIKE 'inbox%' AND NOT has_table_privilege(c.oid, 'INSERT') UNION ALL "
	"SELECT 'the extension' WHERE to_regprocedure('outbox.inbox_take(text, text[], integer[])') IS NULL UNION ALL "
	"SELECT 'a primary' WHERE pg_is_in_recovery()) AS missing";
	struct err	err = {0};
	PGresult   *res = pg_query(conn, "rights", sql, 0, NULL, &err);

	if (res && PQgetisnull(res, 0, 0))
		found_ok(f, "inbox", "the inbox is there, with the rights on it");
	else
	{
		if (res)
		{
			err_set(&err, ERR_CONFIG, "inbox-missing", "not there, or not for this role: %s", pg_value(res, 0, 0));
			err_hint(&err, "CREATE EXTENSION pg_outbox, and SELECT outbox.grant_inbox('ROLE') for this one");
		}
		found_fail(f, &err);
	}
	PQclear(res);
}

static void
check_sql(struct findings *f, PGconn *conn, const struct statement *statement)
{
	Oid			types[STATEMENT_MAX_FIELDS] = {0};
	struct err	err = {0};
	struct err	refused = {0};
	PGresult   *res;

	for (int i = 0; i < statement->nfields; i++)
		types[i] = field_is_binary(statement->fields[i]) ? BYTEA_OID : 0;
	res = PQprepare(conn, "", statement->sql, statement->nfields, types);
	if (PQresultStatus(res) == PGRES_COMMAND_OK)
		found_ok(f, "sql", "the server accepts inbox.sql");
	else
	{
		pg_failure(conn, res, "prepare", &refused);
		err_set(&err, ERR_CONFIG, "sql-invalid", "inbox.sql is refused: %.400s", refused.message);
		err_hint(&err, "%s", refused.hint);
		found_fail(f, &err);
	}
	PQclear(res);
}

static void
check_database(struct findings *f, const struct settings *settings)
{
	struct err	err = {0};
	PGconn	   *conn = pg_connect(settings->dsn, false, "inbox-consumer check", CONNECT_MS, &err);

	if (!conn)
	{
		found_fail(f, &err);
		return;
	}
	found_ok(f, "postgres", "connected");
	check_rights(f, conn);
	check_sql(f, conn, &settings->apply);
	PQfinish(conn);
}

/* ---- the brokers ---- */

static void
check_topic(struct findings *f, const struct rd_kafka_metadata *metadata, const char *name)
{
	struct err	err = {0};
	char		what[300];

	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		if (strcmp(metadata->topics[i].topic, name) != 0)
			continue;
		snprintf(what, sizeof(what), "topic \"%s\": %d partitions", name, metadata->topics[i].partition_cnt);
		found_ok(f, "topic", what);
		return;
	}
	err_set(&err, ERR_CONFIG, "topic-unknown", "there is no topic \"%s\"", name);
	err_hint(&err, "create it, or correct inbox.topics; until then it is waited for");
	found_fail(f, &err);
}

static void
check_kafka(struct findings *f, const struct settings *settings)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code;
	struct err	err = {0};
	rd_kafka_t *client = NULL;

	if (kafka_properties_set(conf, &settings->kafka, &err) ||
		kafka_conf_set(conf, "log_level", "0", "own", &err) ||
		kafka_conf_set(conf, "group.id", settings->consumer, "own", &err))
		rd_kafka_conf_destroy(conf);
	else
		client = kafka_client_new(RD_KAFKA_CONSUMER, conf, &err);
	if (!client)
	{
		found_fail(f, &err);
		return;
	}
	code = rd_kafka_metadata(client, 1, NULL, &metadata, METADATA_MS);
	if (code)
	{
		err_set(&err, ERR_RETRY, "kafka-unreachable", "no answer from %.120s: %s",
				kafka_properties_get(&settings->kafka, "bootstrap.servers"), rd_kafka_err2str(code));
		err_hint(&err, "check bootstrap.servers, security.protocol, sasl.* and ssl.* in [kafka], and firewalls between");
		found_fail(f, &err);
	}
	else
	{
		found_ok(f, "kafka", "connected");
		for (size_t i = 0; i < settings->ntopics; i++)
			if (settings->topics[i][0] != '^')
				check_topic(f, metadata, settings->topics[i]);
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

int
cmd_check(struct cli *cli, int argc, char **argv)
{
	struct findings f = {0};
	int			status = cmd_begin(cli, argc, argv, help);

	if (status >= 0)
		return status;
	check_database(&f, cli->settings);
	check_kafka(&f, cli->settings);
	printf("%d ok, %d FAIL\n", f.nok, f.nfail);
	return f.nfail == 0 ? 0 : 1;
}
