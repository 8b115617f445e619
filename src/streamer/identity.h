/*
 * identity.h - which server and slot a stream comes from; data only.
 *
 * replication fills it; sinks and progress go by it without knowing how it
 * came.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_IDENTITY_H
#define OUTBOX_IDENTITY_H

#include "../common/lsn.h"
#include "timeline.h"

/* What the server said of itself and of the slot. */
struct replication_identity
{
	char		system[32];		/* system identifier, decimal */
	char		database[64];
	struct timeline timeline;
	lsn_t		confirmed;		/* the slot's confirmed_flush_lsn */
	lsn_t		wal_flush;		/* the server's flush position */
	int			server_version; /* as PQserverVersion() */
	int			wal_sender_timeout; /* milliseconds; 0 = none */
};

#endif							/* OUTBOX_IDENTITY_H */
