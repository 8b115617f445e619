/*
 * undeliverable.c - the errors of class ERR_DATA: whom each of them concerns.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "undeliverable.h"

#include <stddef.h>
#include <string.h>

static const struct
{
	const char *code;
	enum undeliverable what;
}			codes[] = {
	/* the plugin could not output it: a head without payload */
	{"payload-too-large", UNDELIVERABLE_EVENT},
	{"payload-not-utf8", UNDELIVERABLE_EVENT},
	{"payload-type", UNDELIVERABLE_EVENT},
	{"head-too-large", UNDELIVERABLE_EVENT},
	{"field-not-utf8", UNDELIVERABLE_EVENT},
	{"field-type", UNDELIVERABLE_EVENT},
	{"missing-column", UNDELIVERABLE_EVENT},
	{"malformed-message", UNDELIVERABLE_EVENT},
	{"plugin-error", UNDELIVERABLE_EVENT},

	/* the streamer can't make a message of it */
	{"headers-invalid", UNDELIVERABLE_EVENT},
	{"timestamp-invalid", UNDELIVERABLE_EVENT},
	{"topic-invalid", UNDELIVERABLE_EVENT},

	/* it waits behind another one of its key, or can't be sent from the table */
	{"key-parked", UNDELIVERABLE_EVENT},
	{"not-complete", UNDELIVERABLE_EVENT},

	/* Kafka refuses it */
	{"message-too-large", UNDELIVERABLE_EVENT},
	{"record-refused", UNDELIVERABLE_EVENT},
	{"timestamp-refused", UNDELIVERABLE_EVENT},
	{"partition-unknown", UNDELIVERABLE_EVENT},
	{"topic-unknown", UNDELIVERABLE_TOPIC},
	{"topic-unauthorized", UNDELIVERABLE_TOPIC},

	/* exactly-once: it is never visible in part */
	{"transaction-too-large", UNDELIVERABLE_TRANSACTION},
	{"transaction-too-slow", UNDELIVERABLE_TRANSACTION},
};

enum undeliverable
undeliverable_what(const char *code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].what;
	return UNDELIVERABLE_EVENT;
}
