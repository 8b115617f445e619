/*
 * no_eventfd.c - preloaded: a program gets no eventfd that may be waited in, so
 * that its thread of prompt sending can't be started, and all else works.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int
eventfd(unsigned int count, int flags)
{
	if ((flags & EFD_NONBLOCK) == 0)
	{
		errno = EMFILE;
		return -1;
	}
	return (int) syscall(SYS_eventfd2, count, flags);
}
