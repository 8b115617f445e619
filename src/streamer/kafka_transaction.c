/*
 * kafka_transaction.c - the calls of a transactional producer that block.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "kafka_transaction.h"

#define INIT_ATTEMPT_MS		1000

static enum err_class
init_failed(rd_kafka_error_t *error, const char *id, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	bool		refused = code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
		code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
		code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT;

	err_set(err, refused ? ERR_CONFIG : ERR_RETRY, "kafka-init",
			"Kafka: initialising transactions for \"%s\": %s", id, rd_kafka_error_string(error));
	return err_hint(err, "%s", refused ? "the principal needs Write and Describe on this transactional id; kafka.transaction.timeout.ms must not exceed the broker's transaction.max.timeout.ms" : "");
}

enum err_class
kafka_transaction_init(rd_kafka_t *client, const char *id, const atomic_bool *cancel, struct err *err)
{
	while (!atomic_load(cancel))
	{
		rd_kafka_error_t *error = rd_kafka_init_transactions(client, INIT_ATTEMPT_MS);
		bool		retry;

		if (!error)
			return ERR_NONE;
		retry = rd_kafka_error_is_retriable(error);
		if (!retry)
			init_failed(error, id, err);
		rd_kafka_error_destroy(error);
		if (!retry)
			return err->class;
	}
	return err_set(err, ERR_RETRY, "canceled", "broken off");
}

enum err_class
kafka_transaction_commit(rd_kafka_t *client, struct err *err)
{
	rd_kafka_error_t *error = rd_kafka_commit_transaction(client, -1);

	while (error && rd_kafka_error_is_retriable(error))
	{
		rd_kafka_error_destroy(error);
		error = rd_kafka_commit_transaction(client, -1);
	}
	if (!error)
		return ERR_NONE;
	err_set(err, ERR_RETRY, "kafka-commit",
			"Kafka: the outcome of a commit is not known (%s); the progress in Kafka will tell",
			rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return err->class;
}

void
kafka_transaction_abort(rd_kafka_t *client)
{
	rd_kafka_error_t *error = rd_kafka_abort_transaction(client, -1);

	if (error)
		rd_kafka_error_destroy(error);
}
