/*
 * settings.h - inbox-consumer's configuration: its table and the struct that
 * everything but main and "config" works with.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_SETTINGS_H
#define INBOX_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "../common/config.h"
#include "../kafka/properties.h"
#include "statement.h"

enum policy
{
	POLICY_STOP,
	POLICY_DEAD_LETTER
};

/*
 * Strings belong to the struct config that this was made from; config_free()
 * ends them.  Durations in milliseconds, sizes in octets.
 */
struct settings
{
	const char *dsn;
	const char *consumer;
	char	  **topics;
	size_t		ntopics;
	struct statement apply;		/* what is run for a message */
	enum policy policy;
	unsigned	attempts;		/* of a message's SQL */
	int			hold_up;		/* most that one message holds up others; 0 = no limit */
	int			attempt_timeout;	/* of SQL that is run apart; 0 = none */
	int64_t		batch_messages;
	int64_t		batch_bytes;
	int			commit_interval;
	int			drain_timeout;
	struct kafka_properties kafka;
	const char *http_listen;	/* NULL = not at all; http_address.h */
};

extern const struct config_program inbox_program;

/* Fills *settings; to be given to settings_free().  ERR_CONFIG. */
extern enum err_class settings_load(struct settings *settings,
									const struct config *config, struct err *err);
extern void settings_free(struct settings *settings);

#endif							/* INBOX_SETTINGS_H */
