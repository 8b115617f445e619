/*
 * settings.h - the streamer's configuration: its table and the struct that
 * everything but main and "config" works with.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SETTINGS_H
#define OUTBOX_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/config.h"
#include "../common/log.h"
#include "../common/lsn.h"
#include "../kafka/properties.h"

enum delivery
{
	DELIVERY_AT_LEAST_ONCE,
	DELIVERY_EXACTLY_ONCE
};

enum large_transactions
{
	LARGE_REFUSE,
	LARGE_SPLIT
};

enum sink_type
{
	SINK_KAFKA,
	SINK_STDOUT
};

enum undeliverable_policy
{
	POLICY_STOP,
	POLICY_DEAD_LETTER
};

enum dead_letter_order
{
	DEAD_LETTER_PER_KEY,
	DEAD_LETTER_NONE
};

/*
 * All pointers belong to the struct config that this was made from, or are
 * static; config_free() ends them.  Durations in milliseconds, sizes in octets.
 */
struct settings
{
	const char *dsn;			/* libpq connection string, without replication= */
	const char *slot;
	int			status_interval;	/* longest time between status updates */
	int			confirm_interval;	/* shortest time between two of them while
									 * the flush LSN moves under load */

	enum delivery delivery;
	const char *topic;			/* pattern: ${aggregatetype}, ${type}, ${table} */
	const char *message_prefix;
	const char *origin;			/* "any" | "none" */
	const char *shard;			/* "i/n"; "0/1" = all events */
	bool		wait_visible;
	bool		cork;
	int64_t		max_payload;
	int64_t		max_inflight_events;
	int64_t		max_inflight_bytes;
	/* delivery = exactly-once: what shares a Kafka transaction */
	int64_t		group_events;
	int64_t		group_bytes;
	int			group_interval;
	int64_t		max_transaction_events; /* of one PostgreSQL transaction */
	enum large_transactions large_transactions; /* what has more */
	int64_t		generation;		/* of the slot */

	/* what can't be delivered */
	enum undeliverable_policy on_undeliverable;
	enum dead_letter_order dead_letter_order;
	int64_t		max_parked_keys;
	const char *dead_letter_topic;	/* "" = none */

	int			drain_timeout;	/* on SIGTERM, and when the server shuts down */

	const char **tables;		/* plugin option values: name (role = column, ...) */
	size_t		ntables;		/* 0 = the plugin's default, outbox.event */

	enum sink_type sink;
	struct kafka_properties kafka;

	const char *http_listen;	/* NULL = not at all; http_address.h */

	enum log_level log_level;
	enum log_format log_format;

	/* flags of "stream", not of the file */
	lsn_t		endpos;			/* LSN_INVALID = none */
	bool		no_loop;		/* a lost connection ends the process */
};

extern const struct config_program streamer_program;

/*
 * Fills *settings from config; arrays in it are allocated and freed by
 * settings_free().  Checks what goes beyond one key: ERR_CONFIG.
 */
extern enum err_class settings_load(struct settings *settings,
									const struct config *config, struct err *err);
extern void settings_free(struct settings *settings);

/*
 * Checks what the sink needs, which not every command does: [kafka], with
 * librdkafka's own words about each property.  ERR_CONFIG.
 */
extern enum err_class settings_check_sink(const struct settings *settings,
										  struct err *err);

/* Value of a [kafka] property as given, or NULL. */
extern const char *settings_kafka(const struct settings *settings, const char *name);

#endif							/* OUTBOX_SETTINGS_H */
