/*
 * statement.h - the configured SQL: named fields become parameters.
 *
 * :payload, :key and so on stand for a message's fields.  Each place becomes a
 * parameter of its own, whose type the server finds out, so that
 * ":payload::jsonb" is one as jsonb.  What stands in quotes, comments, casts
 * (::), := and array bounds (a[lo:hi]) is left alone.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef INBOX_STATEMENT_H
#define INBOX_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/err.h"

enum field
{
	FIELD_PAYLOAD,
	FIELD_PAYLOAD_BYTES,
	FIELD_KEY,
	FIELD_KEY_BYTES,
	FIELD_ID,
	FIELD_TYPE,
	FIELD_HEADERS,
	FIELD_POSITION,
	FIELD_TOPIC,
	FIELD_PARTITION,
	FIELD_OFFSET,
	FIELD_TIME,
	FIELD_CONSUMER,
	/* of dead letters only, see statement_parse() */
	FIELD_STATE,
	FIELD_SQLSTATE,
	FIELD_REASON,
	FIELD_ATTEMPTS,
	FIELD_PATIENCE
};

#define STATEMENT_MAX_FIELDS	32

struct statement
{
	char	   *sql;			/* with $1, $2, ... */
	enum field	fields[STATEMENT_MAX_FIELDS];
	int			nfields;
};

/* Is it sent as bytea, octet by octet? */
static inline bool
field_is_binary(enum field field)
{
	return field == FIELD_PAYLOAD_BYTES || field == FIELD_KEY_BYTES;
}

/*
 * Reads text into *statement, to be given to statement_free().  internal
 * allows the fields of dead letters.  ERR_CONFIG for a field that doesn't
 * exist, too many of them, or a parameter by number.
 */
extern enum err_class statement_parse(struct statement *statement, const char *text,
									  bool internal, struct err *err);
extern void statement_free(struct statement *statement);

#endif							/* INBOX_STATEMENT_H */
