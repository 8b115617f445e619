/*
 * parameters.h - a message's fields as parameters of a statement.
 *
 * Text goes as text, which has to be UTF-8; what isn't makes the server refuse
 * the statement, and so the message, with SQLSTATE 22021.  Ids and types, which
 * have to be stored whatever they are, are then written in hexadecimal.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_PARAMETERS_H
#define INBOX_PARAMETERS_H

#include "../common/text.h"
#include "message.h"
#include "statement.h"

/* Why a message is a dead letter. */
struct failure
{
	const char *state;			/* of outbox.inbox_dead_letter */
	const char *sqlstate;		/* NULL = none */
	const char *reason;			/* NULL = none */
	unsigned	attempts;
	int64_t		patience;		/* ms that it gets when it is run apart; 0 = as all */
};

/* As libpq wants them; valid until the next call.  Zero it before use. */
struct parameters
{
	const char *values[STATEMENT_MAX_FIELDS];
	int			lengths[STATEMENT_MAX_FIELDS];
	int			formats[STATEMENT_MAX_FIELDS];
	struct text scratch;
};

/* failure may be NULL if the statement has no field of dead letters.  False if
 * memory is out. */
extern bool parameters_make(struct parameters *parameters, const struct statement *statement,
							const char *consumer, const struct message *message,
							const struct failure *failure);
extern void parameters_free(struct parameters *parameters);

/* A message's id: header "id" as text, or in hexadecimal after a "\\x" if it is
 * none.  False: it has no id. */
extern bool parameters_id(struct text *out, const struct message *message);

/* All headers as a JSON object: text as strings, null as null, all else as
 * {"hex": "..."}; where a name repeats, an array of its values. */
extern void parameters_headers(struct text *out, const struct message *message);

/* Adds an element to the text of an array, "{...", to be closed by "}"; value
 * may be NULL. */
extern void parameters_element(struct text *array, const char *value, size_t len);

/* The same for an array of bytea; data == NULL is NULL. */
extern void parameters_octets(struct text *array, struct slice value);

#endif							/* INBOX_PARAMETERS_H */
