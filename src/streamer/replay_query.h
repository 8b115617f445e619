/*
 * replay_query.h - the SQL that selects rows to be sent again.
 *
 * It gives what the output plugin would have sent: the roles of a table's
 * columns come from its [table] section, and values are the octets that their
 * output gives in UTF-8.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_REPLAY_QUERY_H
#define OUTBOX_REPLAY_QUERY_H

#include "../../decoder_plugin/wire.h"
#include "../common/pg.h"
#include "settings.h"

/* Which rows; NULL where nothing was asked.  All that is asked for has to hold. */
struct replay_selection
{
	const char *table;			/* "schema.name" */
	const char *since;			/* created_at at or after, */
	const char *until;			/* and before */
	const char *aggregatetype;
	const char *aggregateid;
	const char *id;
	const char *query;			/* gives ids */
	bool		original_time;	/* the time column is needed */
};

/* Columns of the result: a head's members by their number, then these two. */
enum
{
	REPLAY_PAYLOAD = OUTBOX_WIRE_NMEMBERS,
	REPLAY_TIME,				/* microseconds since the Unix epoch */
	REPLAY_NCOLUMNS
};

#define REPLAY_MAX_PARAMETERS	5

struct replay_query
{
	char	   *rows;			/* SELECT of the columns above, in order */
	char	   *count;			/* SELECT of their number */
	int			nparams;
	const char *params[REPLAY_MAX_PARAMETERS];	/* the selection's own */
};

/*
 * Asks the catalog for the table's columns.  ERR_CONFIG if a selection needs
 * what the table hasn't got.  Both texts are freed by replay_query_free().
 */
extern enum err_class replay_query_make(struct replay_query *query, PGconn *conn,
										const struct config *config,
										const struct replay_selection *selection,
										struct err *err);
extern void replay_query_free(struct replay_query *query);

#endif							/* OUTBOX_REPLAY_QUERY_H */
