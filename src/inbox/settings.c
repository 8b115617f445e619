/*
 * settings.c - inbox-consumer's configuration: its table, and what it means.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "../common/cli.h"
#include "../common/pg.h"
#include "../common/probes.h"

#define KB	INT64_C(1024)
#define MB	(1024 * KB)

#define SECONDS(n)	((n) * INT64_C(1000))

/* Where messages go if there is no SQL to call. */
static const char store_sql[] =
"INSERT INTO outbox.inbox_message (consumer, topic, partition, message_offset, message_id, message_time, key, type, headers, payload) "
"VALUES (:consumer, :topic, :partition, :offset, :id, :time, :key_bytes, :type, :headers, :payload_bytes)";

static const struct config_key keys[] = {
	{"postgres", "dsn", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_REQUIRED | CONFIG_SECRET,
		"Connection string of libpq (key=value or URI) for the database that messages are applied to. "
	"The role needs outbox.grant_inbox() and what inbox.sql does; several hosts are allowed, the primary is found by itself."},

	{"inbox", "consumer", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_REQUIRED,
		"Name of this consumer, the same for all its instances. Ids and offsets are kept under it, and it is the consumer group "
	"in Kafka. Whoever changes it begins anew."},
	{"inbox", "topics", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_REQUIRED,
	"Topics to consume, separated by commas; one that starts with ^ is a regular expression."},
	{"inbox", "sql", CONFIG_STRING, NULL, NULL, 0, 0, 0,
		"Statement to run for each message, such as SELECT app.apply(:type, :payload::jsonb). Fields: :payload, :key, :id, :type, "
		":headers, :position, :topic, :partition, :offset, :time, :consumer; :payload_bytes and :key_bytes are bytea. "
	"Not set: the message is stored as a row of outbox.inbox_message."},
	{"inbox", "policy", CONFIG_ENUM, "stop", "stop|dead-letter", 0, 0, 0,
		"What to do with a message whose SQL fails. stop: apply what stands before it, and end with status 3. dead-letter: "
	"store it in outbox.inbox_dead_letter, and later ones of its key behind it, while all others go on; see hold_up."},
	{"inbox", "attempts", CONFIG_INT, "2", NULL, 1, 100, 0,
		"How often a message's SQL fails before the message is a failure. What may mend itself (a lost connection, a deadlock, "
	"a serialization failure, lock_timeout) doesn't count and is tried for ever."},
	{"inbox", "hold_up", CONFIG_DURATION, "50ms", NULL, 0, SECONDS(3600), 0,
		"Under policy dead-letter, the most that a message's SQL may hold up messages of other keys. What takes longer, and less if there are "
		"many such, is undone, stored in outbox.inbox_dead_letter, and run again by a second connection, with later messages of its key behind it; "
	"so is what fails and has attempts left. 0: no limit."},
	{"inbox", "attempt_timeout", CONFIG_DURATION, "10s", NULL, 0, SECONDS(3600), 0,
		"How long the SQL of a message that is run apart may take before the attempt has failed; statement_timeout of the role counts, too, "
	"if it is shorter. 0: as long as it takes."},
	{"inbox", "batch_messages", CONFIG_INT, "1000", NULL, 1, 1000000, 0,
	"Most messages in one database transaction. A batch is what has come while the one before was applied; nothing waits for it to fill."},
	{"inbox", "batch_bytes", CONFIG_SIZE, "8MB", NULL, 1, 1024 * MB, 0,
	"Most octets in one database transaction; a single message may be larger. Memory is bounded by a few times this, and kafka.queued.max.messages.kbytes."},
	{"inbox", "commit_interval", CONFIG_DURATION, "1s", NULL, 0, SECONDS(3600), 0,
	"How often offsets are committed to Kafka, too, for tools that show the lag. Nothing depends on them: the database's count."},
	{"inbox", "drain_timeout", CONFIG_DURATION, "5s", NULL, 0, SECONDS(3600), 0,
	"How long SIGTERM or a rebalance waits for the batch under way; after that it is rolled back, to be repeated."},

	{"kafka", "bootstrap.servers", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_REQUIRED,
	"Brokers to ask for the others, host:port, separated by commas."},
	KAFKA_SECRET_KEYS,
	{"kafka", "*", CONFIG_STRING, NULL, NULL, 0, 0, 0,
		"Any property of librdkafka, by its own name. Refused are those that being applied once rests on: group.id, "
	"enable.auto.commit, enable.auto.offset.store, isolation.level, auto.offset.reset, partition.assignment.strategy=cooperative-sticky."},

	PROBES_KEYS,

	CLI_LOG_KEYS,
	{0}
};

const struct config_program inbox_program = {
	.name = "inbox-consumer",
	.env_prefix = "INBOX",
	.default_file = "/etc/pg_outbox/inbox-consumer.conf",
	.keys = keys
};

/* What being applied once rests on. */
static const struct kafka_owned owned[] = {
	{"group.id", "", "inbox.consumer names the group"},
	{"enable.auto.commit", "false", "offsets are stored in the database, with what they stand for"},
	{"enable.auto.offset.store", "false", "offsets are stored in the database, with what they stand for"},
	{"isolation.level", "read_committed", "what a producer rolls back must not be applied"},
	{"auto.offset.reset", "error", "messages that are gone must not be passed over in silence"},
	{"topic.auto.offset.reset", "error", "messages that are gone must not be passed over in silence"},
	{"partition.assignment.strategy", "range|roundrobin|range,roundrobin|roundrobin,range",
	"a rebalance hands over all partitions"},
	{NULL, NULL, NULL}
};

static enum err_class
check_consumer(const struct config *config, const char *consumer, struct err *err)
{
	size_t		len = strlen(consumer);
	size_t		plain = 0;

	while (plain < len && (unsigned char) consumer[plain] >= ' ' && (unsigned char) consumer[plain] < 0x7f)
		plain++;
	if (len > 0 && len <= 200 && plain == len)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "config-value", "%s: inbox.consumer is no name",
				   config_where(config, "inbox", "consumer"));
	return err_hint(err, "up to 200 printable characters of ASCII");
}

static enum err_class
load_topics(struct settings *s, const struct config *config, struct err *err)
{
	const char *text = config_string(config, "inbox", "topics");

	s->topics = calloc(strlen(text) + 1, sizeof(*s->topics));
	if (s->topics == NULL)
		return err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	while (*text != '\0')
	{
		size_t		len = strcspn(text, ", \t");

		if (len > 0)
		{
			s->topics[s->ntopics] = strndup(text, len);
			if (s->topics[s->ntopics++] == NULL)
				return err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		}
		text += len + (text[len] != '\0' ? 1 : 0);
	}
	if (s->ntopics > 0)
		return ERR_NONE;
	return err_set(err, ERR_CONFIG, "config-value", "%s: inbox.topics names no topic",
				   config_where(config, "inbox", "topics"));
}

static enum err_class
load_statement(struct settings *s, const struct config *config, struct err *err)
{
	const char *sql = config_string(config, "inbox", "sql");
	enum err_class class = statement_parse(&s->apply, sql ? sql : store_sql, false, err);
	struct err	refused;

	if (class == ERR_NONE)
		return ERR_NONE;
	refused = *err;
	err_set(err, class, refused.code, "%.200s: %s", config_where(config, "inbox", "sql"), refused.message);
	return err_hint(err, "%s", refused.hint);
}

enum err_class
settings_load(struct settings *settings, const struct config *config, struct err *err)
{
	enum err_class class;

	memset(settings, 0, sizeof(*settings));
	settings->dsn = config_string(config, "postgres", "dsn");
	settings->consumer = config_string(config, "inbox", "consumer");
	settings->policy = (enum policy) config_int(config, "inbox", "policy");
	settings->attempts = (unsigned) config_int(config, "inbox", "attempts");
	settings->hold_up = (int) config_int(config, "inbox", "hold_up");
	settings->attempt_timeout = (int) config_int(config, "inbox", "attempt_timeout");
	settings->batch_messages = config_int(config, "inbox", "batch_messages");
	settings->batch_bytes = config_int(config, "inbox", "batch_bytes");
	settings->commit_interval = (int) config_int(config, "inbox", "commit_interval");
	settings->drain_timeout = (int) config_int(config, "inbox", "drain_timeout");
	if (!kafka_properties_load(&settings->kafka, config))
		return err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
	class = pg_check_dsn(settings->dsn, config_where(config, "postgres", "dsn"), err);
	if (class == ERR_NONE)
		class = check_consumer(config, settings->consumer, err);
	if (class == ERR_NONE)
		class = load_topics(settings, config, err);
	if (class == ERR_NONE)
		class = load_statement(settings, config, err);
	if (class == ERR_NONE)
		class = probes_listen(config, &settings->http_listen, err);
	if (class == ERR_NONE)
		class = kafka_properties_check(&settings->kafka, owned, err);
	if (class != ERR_NONE)
		settings_free(settings);
	return class;
}

void
settings_free(struct settings *settings)
{
	for (size_t i = 0; i < settings->ntopics; i++)
		free(settings->topics[i]);
	free(settings->topics);
	settings->topics = NULL;
	settings->ntopics = 0;
	statement_free(&settings->apply);
	kafka_properties_free(&settings->kafka);
}
