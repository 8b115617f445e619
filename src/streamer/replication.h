/*
 * replication.h - the walsender's client: connection, slot, octets.
 *
 * It knows the streaming replication protocol and nothing of what the octets
 * mean.  Nothing here waits: the loop polls the socket and calls
 * replication_next() until there is no more.  See "Streaming Replication
 * Protocol" in PostgreSQL's documentation.
 *
 *   closed -> connecting -> identified -> starting -> streaming -> finishing
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_REPLICATION_H
#define OUTBOX_REPLICATION_H

#include <poll.h>

#include "../common/err.h"
#include "../common/lsn.h"
#include "identity.h"
#include "settings.h"

enum replication_item
{
	REPLICATION_NONE,			/* wait for the socket */
	REPLICATION_IDENTIFIED,		/* identity is filled: call replication_start() */
	REPLICATION_STARTED,		/* the slot is ours */
	REPLICATION_DATA,			/* data, len: the content of an XLogData message */
	REPLICATION_KEEPALIVE,		/* wal_end, reply_requested */
	REPLICATION_FINISHED,		/* the server has ended the stream in order */
	REPLICATION_FAILED			/* err is filled, the connection closed */
};

struct replication_message
{
	char	   *data;			/* valid until the next replication_next() */
	size_t		len;
	lsn_t		wal_end;
	bool		reply_requested;
};

struct replication;

/* settings must outlive it.  NULL: out of memory. */
extern struct replication *replication_new(const struct settings *settings);
extern void replication_free(struct replication *replication);

extern const struct replication_identity *replication_identity(const struct replication *replication);

/* Begins a connection; ERR_CONFIG if the DSN can't be parsed. */
extern enum err_class replication_connect(struct replication *replication, struct err *err);

/* After REPLICATION_IDENTIFIED.  start: LSN_INVALID = where the slot stands.
 * A start below the slot's position is moved forward by the server. */
extern enum err_class replication_start(struct replication *replication, lsn_t start, struct err *err);

/* Fills *pollfd; with want_data unset, only what must be written is polled
 * for (backpressure).  fd is -1 while closed. */
extern void replication_poll(const struct replication *replication, bool want_data,
							 struct pollfd *pollfd);

/* Tells what poll() found. */
extern void replication_ready(struct replication *replication, short revents);

extern enum replication_item replication_next(struct replication *replication,
											  struct replication_message *message,
											  struct err *err);

/* A standby status update: all three positions are flush. */
extern enum err_class replication_status(struct replication *replication, lsn_t flush,
										 struct err *err);

/* Ends the stream in order: the server still reads what was sent before, and
 * answers with REPLICATION_FINISHED.  Data until then is thrown away. */
extern void replication_finish(struct replication *replication);

/* Closes at once. */
extern void replication_close(struct replication *replication);

extern bool replication_is_closed(const struct replication *replication);
extern bool replication_is_streaming(const struct replication *replication);

#endif							/* OUTBOX_REPLICATION_H */
