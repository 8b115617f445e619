/*
 * kafka_transaction.h - the calls of a transactional producer that block.
 *
 * They run on a kafka_task's thread.  See "Transactional producer API" in rdkafka.h.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_KAFKA_TRANSACTION_H
#define OUTBOX_KAFKA_TRANSACTION_H

#include <stdatomic.h>
#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "../common/err.h"

/*
 * Fences older producers of this id and aborts what they left open.  Waits until
 * a broker answers; *cancel ends that (ERR_RETRY).  ERR_CONFIG: refused.
 */
extern enum err_class kafka_transaction_init(rd_kafka_t *client, const char *id,
											 const atomic_bool *cancel, struct err *err);

/* ERR_RETRY: nobody knows whether it is committed. */
extern enum err_class kafka_transaction_commit(rd_kafka_t *client, struct err *err);

/* As far as that is possible. */
extern void kafka_transaction_abort(rd_kafka_t *client);

#endif							/* OUTBOX_KAFKA_TRANSACTION_H */
