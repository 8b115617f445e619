/*
 * server_probe.h - is the server shutting down?
 *
 * While backpressure keeps the replication socket unread, the server can't
 * tell us that it waits for us before it stops: what it has to say stands
 * behind data that we don't take.  But it refuses new connections then, with
 * SQLSTATE 57P03.  So one is tried now and then.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SERVER_PROBE_H
#define OUTBOX_SERVER_PROBE_H

#include <poll.h>
#include <stdbool.h>

#include <libpq-fe.h>

struct server_probe
{
	PGconn	   *conn;			/* NULL: no attempt under way */
	PostgresPollingStatusType status;
};

/* Begins an attempt; one under way is given up. */
extern void server_probe_start(struct server_probe *probe, const char *dsn);
extern void server_probe_stop(struct server_probe *probe);

/* fd is -1 if there is nothing under way. */
extern void server_probe_poll(const struct server_probe *probe, struct pollfd *pollfd);

/* After poll() found something: true if the server refuses connections
 * because it is shutting down. */
extern bool server_probe_ready(struct server_probe *probe);

#endif							/* OUTBOX_SERVER_PROBE_H */
