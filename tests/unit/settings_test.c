/*
 * settings_test.c - the streamer's settings: what goes beyond one key.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "settings.h"
#include "settings_parts.h"

#include <stdlib.h>

#include "tap.h"

#define MAX_OPTIONS	8

struct loaded
{
	struct config *config;
	struct settings settings;
	struct err	err;
};

/* Loads from options alone, up to a NULL. */
static bool
load(struct loaded *l, const char *const *options)
{
	char	   *copy[MAX_OPTIONS];
	int			n = 0;

	memset(l, 0, sizeof(*l));
	while (options[n] != NULL)
	{
		copy[n] = (char *) options[n];
		n++;
	}
	return config_load(&streamer_program, "/dev/null", copy, n, NULL, &l->config, &l->err) == ERR_NONE &&
		settings_load(&l->settings, l->config, &l->err) == ERR_NONE;
}

static void
unload(struct loaded *l)
{
	settings_free(&l->settings);
	config_free(l->config);
}

#define LOAD(l, ...) load(l, (const char *const[]) {"postgres.dsn=dbname=x", __VA_ARGS__, NULL})

static void
test_defaults(void)
{
	struct loaded l;
	const struct settings *s = &l.settings;

	if (!ok(LOAD(&l, "kafka.bootstrap.servers=a:1,b:2"), "a DSN and brokers are enough"))
		diag("%s", l.err.message);
	is_str(s->slot, "pg_outbox", "slot");
	is_int(s->status_interval, 10000, "status_interval");
	is_int(s->confirm_interval, 20, "confirm_interval");
	is_int(s->delivery, DELIVERY_AT_LEAST_ONCE, "delivery");
	is_str(s->topic, "outbox.event.${aggregatetype}", "topic");
	is_str(s->message_prefix, "pg_outbox", "message_prefix");
	is_str(s->origin, "any", "origin");
	is_str(s->shard, "0/1", "all events");
	ok(s->wait_visible, "wait_visible");
	ok(s->cork, "cork");
	is_int(s->max_inflight_events, 20000, "max_inflight_events");
	is_int(s->max_inflight_bytes, 16 * 1024 * 1024, "max_inflight_bytes");
	is_int(s->drain_timeout, 5000, "drain_timeout");
	is_int((long long) s->ntables, 0, "no tables: the plugin's default");
	is_int(s->sink, SINK_KAFKA, "sink");
	is_int(s->log_level, LOG_LEVEL_INFO, "log.level");
	is_str(settings_kafka(s, "bootstrap.servers"), "a:1,b:2", "a property");
	is_str(settings_kafka(s, "linger.ms"), NULL, "a property that is not set");
	is_int(settings_check_sink(s, &l.err), ERR_NONE, "the sink has what it needs");
	unload(&l);

	ok(LOAD(&l, "kafka.linger.ms=1", "kafka.linger.ms=2"), "a property twice");
	is_int((long long) s->kafka.count, 1, "counts once");
	is_str(settings_kafka(s, "linger.ms"), "2", "the last one wins");
	is_int(settings_check_sink(s, &l.err), ERR_CONFIG, "without brokers the sink is refused");
	unload(&l);
	ok(LOAD(&l, "outbox.shard=255/256"), "the last of 256 shards");
	is_str(s->shard, "255/256", "as the plugin reads it");
	unload(&l);
	ok(!LOAD(&l, "outbox.shard=2/2"), "a shard that isn't there is refused");
	unload(&l);
	ok(!LOAD(&l, "outbox.shard=0/257"), "too many shards are refused");
	unload(&l);
	ok(!LOAD(&l, "outbox.shard=0/2 "), "octets behind a shard are refused");
	unload(&l);
	ok(LOAD(&l, "sink.type=stdout", "outbox.origin=NONE"), "standard output");
	is_int(settings_check_sink(s, &l.err), ERR_NONE, "needs no brokers");
	is_str(s->origin, "none", "a choice is what the table has, not what was typed");
	unload(&l);
}

static void
test_tables(void)
{
	struct loaded l;

	ok(LOAD(&l, "table \"shop.event\".type='it''s'", "table \"shop.event\".payload=Body \"x\"",
			"table \"My Schema.\\\"odd.\\\"\\\"name\".key=", "table \"a.b\".id=x", "table \"a.b\".id=null") == false,
	   "an unfinished quotation is refused");
	unload(&l);
	ok(LOAD(&l, "table \"shop.event\".type='it''s'", "table \"shop.event\".payload=Body \"x\"",
			"table \"My Schema.\\\"odd.\\\"\\\"name\\\"\".key=", "table \"a.b\".id=x", "table \"a.b\".id=null"),
	   "tables");
	if (!is_int((long long) l.settings.ntables, 3, "three of them"))
		diag("%s", l.err.message);
	else
	{
		is_str(l.settings.tables[0], "shop.event (type = 'it''s', payload = \"Body \"\"x\"\"\")", "constant and column");
		is_str(l.settings.tables[1], "\"My Schema\".\"odd.\"\"name\" (key = NULL)", "odd names, and none");
		is_str(l.settings.tables[2], "a.b (id = \"null\")", "an option in a file's place, and a column of that name");
	}
	unload(&l);
}

static void
test_names(void)
{
	static const struct
	{
		const char *text;
		const char *schema;		/* NULL = malformed */
		const char *name;
	}			cases[] = {
		{"a.b", "a", "b"},
		{"A b.c d", "A b", "c d"},
		{"\"a.b\".c", "a.b", "c"},
		{"a.\"b\"\"c\"", "a", "b\"c"},
		{"\"\"\"\".x", "\"", "x"},
		{"a", NULL, NULL},
		{"", NULL, NULL},
		{".", NULL, NULL},
		{"a.", NULL, NULL},
		{".b", NULL, NULL},
		{"\"a.b", NULL, NULL},
		{"\"a\"b.c", NULL, NULL},
		{"a\"b\".c", NULL, NULL},
		{"\"\".a", NULL, NULL},
		{"a.\"\"", NULL, NULL},
		{"a.b\"", NULL, NULL}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char	   *schema;
		char	   *name;
		bool		got = settings_split_table(cases[i].text, &schema, &name);

		ok(got == (cases[i].schema != NULL) &&
		   (!got || (strcmp(schema, cases[i].schema) == 0 && strcmp(name, cases[i].name) == 0)),
		   "%s: %s", cases[i].schema != NULL ? "a table" : "no table", cases[i].text);
		free(schema);
		free(name);
	}
}

static void
refuses(const char *option, const char *says)
{
	struct loaded l;
	bool		loaded = LOAD(&l, "kafka.bootstrap.servers=a:1", option);
	enum err_class class = loaded ? settings_check_sink(&l.settings, &l.err) : l.err.class;

	if (!ok(class == ERR_CONFIG && strncmp(l.err.message, "-o: ", 4) == 0 && strstr(l.err.message, says) != NULL &&
			l.err.hint[0] != '\0', "refused: %s", option))
		diag("message: %s\nhint: %s", l.err.message, l.err.hint);
	unload(&l);
}

static void
accepts(const char *option)
{
	struct loaded l;

	ok(LOAD(&l, "kafka.bootstrap.servers=a:1", option) &&
	   settings_check_sink(&l.settings, &l.err) == ERR_NONE, "accepted: %s", option);
	unload(&l);
}

int
main(void)
{
	test_defaults();
	test_tables();
	test_names();
	refuses("postgres.dsn=host", "missing \"=\" after \"host\"");
	refuses("postgres.dsn=dbname=x replication=database", "sets replication");
	refuses("postgres.dsn=postgresql://[x", "connection string");
	refuses("postgres.slot=Slot", "not a slot's name");
	refuses("postgres.slot=a-b", "not a slot's name");
	refuses("postgres.slot=", "not a slot's name");
	refuses("table \"x\".id=y", "qualified name");
	refuses("table \"x.y\".id='", "constant in single quotes");
	refuses("table \"x.y\".id='a'b'", "constant in single quotes");
	refuses("kafka.acks=1", "can't be set to \"1\"");
	refuses("kafka.acks=0", "can't be set");
	refuses("kafka.enable.idempotence=false", "can't be set");
	refuses("kafka.enable.gapless.guarantee=false", "can't be set");
	refuses("kafka.message.timeout.ms=1000", "can't be set");
	refuses("kafka.retries=3", "can't be set");
	refuses("kafka.partitioner=random", "can't be set");
	refuses("kafka.transactional.id=x", "can't be set");
	refuses("kafka.linger.ms=x", "linger.ms");
	refuses("kafka.no.such=1", "has no property \"no.such\"");
	refuses("kafka.dr_cb=x", "dr_cb");
	accepts("kafka.acks=all");
	accepts("kafka.acks=-1");
	accepts("kafka.partitioner=consistent_random");
	accepts("kafka.compression.type=zstd");
	accepts("kafka.message.timeout.ms=0");
	accepts("postgres.dsn=postgresql://a:b@h1,h2:5/x?target_session_attrs=any");
	return done_testing();
}
