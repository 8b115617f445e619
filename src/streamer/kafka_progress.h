/*
 * kafka_progress.h - the topic that holds a slot's progress.
 *
 * All of this blocks and runs on a kafka_task's thread; *cancel ends it early
 * (ERR_RETRY).  An unreachable broker is waited for.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_PROGRESS_H
#define OUTBOX_KAFKA_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "progress.h"
#include "settings.h"

/* Creates the topic (one partition, compacted) if it isn't there, and checks
 * that it is like that.  ERR_CONFIG if not. */
extern enum err_class kafka_progress_prepare(rd_kafka_t *client, const char *topic,
											 const atomic_bool *cancel, struct err *err);

/*
 * Reads the last committed record, from the topic's end backwards, so that the
 * time doesn't grow with its history.  No transaction may be open on it.
 */
extern enum err_class kafka_progress_read(const struct settings *settings, const char *topic,
										  const atomic_bool *cancel,
										  struct progress *progress, bool *found,
										  struct err *err);

#endif							/* OUTBOX_KAFKA_PROGRESS_H */
