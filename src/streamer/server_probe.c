/*
 * server_probe.c - is the server shutting down?
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "server_probe.h"

#include <string.h>

#include "../common/pg.h"

void
server_probe_stop(struct server_probe *probe)
{
	PQfinish(probe->conn);
	probe->conn = NULL;
}

void
server_probe_start(struct server_probe *probe, const char *dsn)
{
	struct err	ignored = {0};

	server_probe_stop(probe);
	probe->conn = pg_connect_start(dsn, false, "outbox-streamer probe", &ignored);
	probe->status = PGRES_POLLING_WRITING;
}

void
server_probe_poll(const struct server_probe *probe, struct pollfd *pollfd)
{
	*pollfd = (struct pollfd) {.fd = probe->conn ? PQsocket(probe->conn) : -1};
	pollfd->events = probe->status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
}

bool
server_probe_ready(struct server_probe *probe)
{
	struct err	err = {0};
	bool		shutting_down = false;

	probe->status = PQconnectPoll(probe->conn);
	if (probe->status == PGRES_POLLING_FAILED)
	{
		/* our replication connection lives: it isn't starting up */
		pg_connect_failure(probe->conn, &err);
		shutting_down = strcmp(err.code, "postgres-not-ready") == 0;
	}
	if (probe->status == PGRES_POLLING_FAILED || probe->status == PGRES_POLLING_OK)
		server_probe_stop(probe);
	return shutting_down;
}
