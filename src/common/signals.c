/*
 * signals.c - signals as something to poll for: the self-pipe.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* The only mutable globals of the program: a handler has no argument. */
static int	write_end = -1;

static void
on_signal(int signo)
{
	int			saved = errno;
	char		octet = (char) signo;
	ssize_t		ignored = write(write_end, &octet, 1);

	(void) ignored;				/* full: there is enough to read */
	errno = saved;
}

int
signals_open(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int			ends[2];

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return -1;
	write_end = ends[1];
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	return ends[0];
}

void
signals_read(int fd, struct signals *signals)
{
	char		octet;

	while (read(fd, &octet, 1) == 1)
	{
		if (octet == SIGHUP)
			signals->reload = true;
		else
			signals->stop++;
	}
}
