/*
 * kafka_error.h - the classes of Kafka's errors: one table.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_ERROR_H
#define OUTBOX_KAFKA_ERROR_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "../common/err.h"

struct kafka_error
{
	rd_kafka_resp_err_t err;
	enum err_class class;		/* ERR_DATA: undeliverable; all else is ERR_RETRY */
	bool		batch;			/* the broker answers so for a whole batch: only a
								 * record that fails alone is to blame */
	const char *code;			/* stable code for log and runbook */
	const char *hint;
};

/* Never NULL: what isn't in the table is retried. */
extern const struct kafka_error *kafka_error(rd_kafka_resp_err_t err);

#endif							/* OUTBOX_KAFKA_ERROR_H */
