/*
 * notify.h - what a service tells systemd: that it is ready, that it stops, that it lives.
 *
 * The protocol is that of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET
 * names.  sd_notify() itself waits while nobody reads them and the socket is full;
 * this doesn't: what doesn't fit is sent later.  Without such a socket nothing is done.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_NOTIFY_H
#define OUTBOX_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify
{
	int			fd;				/* -1: nobody wants to know */
	struct sockaddr_un address;
	socklen_t	address_len;
	const char *owed;			/* a state that didn't fit; NULL = none */
	int64_t		owed_at;		/* when to try again */
	int64_t		watchdog_interval;	/* milliseconds; 0 = systemd doesn't watch */
	int64_t		watchdog_at;
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
extern void notify_init(struct notify *notify);
extern void notify_free(struct notify *notify);

/* Tells a state such as "READY=1"; the text has to stay.  A later one replaces
 * one that didn't fit. */
extern void notify_state(struct notify *notify, int64_t now, const char *state);

/* Sends what is due: twice in the watchdog's time that the loop turns, and what is owed. */
extern void notify_step(struct notify *notify, int64_t now);

/* When notify_step() wants to be called at the latest. */
extern int64_t notify_deadline(const struct notify *notify);

#endif							/* OUTBOX_NOTIFY_H */
