/*
 * notify.c - what a service tells systemd: that it is ready, that it stops, that it lives.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define AGAIN_MS	100

/* A path, or "@name" in the abstract namespace.  False: neither, or too long. */
static bool
set_address(struct notify *n, const char *name)
{
	size_t		len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->address.sun_path))
		return false;
	n->address.sun_family = AF_UNIX;
	memcpy(n->address.sun_path, name, len);
	if (name[0] == '@')
		n->address.sun_path[0] = '\0';
	n->address_len = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

/* Half of the time that systemd grants, if it watches this process. */
static int64_t
read_interval(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (us == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long) getpid()))
		return 0;
	return strtoll(us, NULL, 10) / 2000;
}

void
notify_init(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct notify) {.fd = -1};
	if (name == NULL || !set_address(n, name))
		return;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd >= 0)
		n->watchdog_interval = read_interval();
}

void
notify_free(struct notify *n)
{
	if (n->fd >= 0)
		(void) close(n->fd);
	n->fd = -1;
}

/* False: it doesn't fit now.  If nobody is there to listen, it is as good as told. */
static bool
tell(const struct notify *n, const char *text)
{
	ssize_t		sent;

	do
		sent = sendto(n->fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *) &n->address,
					  n->address_len);
	while (sent < 0 && errno == EINTR);
	return sent >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS);
}

void
notify_state(struct notify *n, int64_t now, const char *state)
{
	if (n->fd < 0)
		return;
	n->owed = tell(n, state) ? NULL : state;
	n->owed_at = now + AGAIN_MS;
}

void
notify_step(struct notify *n, int64_t now)
{
	if (n->owed != NULL && now >= n->owed_at)
		notify_state(n, now, n->owed);
	if (n->watchdog_interval > 0 && now >= n->watchdog_at)
		n->watchdog_at = now + (tell(n, "WATCHDOG=1") ? n->watchdog_interval : AGAIN_MS);
}

int64_t
notify_deadline(const struct notify *n)
{
	int64_t		until = n->watchdog_interval > 0 ? n->watchdog_at : CLOCK_NEVER;

	return n->owed != NULL && n->owed_at < until ? n->owed_at : until;
}
