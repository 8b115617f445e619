/*
 * err.h - the one error type.
 *
 * A leaf that fails fills the caller's struct err and returns its class;
 * whoever passes it on may add a hint.  Only the top (main, stream) logs and
 * decides.  A struct err owns no memory and may be copied.  It has to say nothing
 * before use: "struct err err = {0};", or err_clear() where every event passes by,
 * since the one sets some 900 octets to zero and the other a few.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_ERR_H
#define OUTBOX_ERR_H

#include <stddef.h>

/* what the top should do about it */
enum err_class
{
	ERR_NONE = 0,				/* no error: functions return this on success */
	ERR_RETRY,					/* try again later, for ever: reconnect with backoff */
	ERR_CONFIG,					/* somebody must change something: exit 1 */
	ERR_FATAL,					/* can't go on: exit 2 */
	ERR_DATA					/* an event can't be delivered: exit 3 under policy stop */
};

struct err
{
	enum err_class class;
	const char *code;			/* stable, static: "slot-missing"; README lists all */
	char		message[512];	/* one line: what is wrong */
	char		hint[384];		/* one line: what to do; "" = none */
};

/* Makes err say nothing. */
static inline void
err_clear(struct err *err)
{
	err->class = ERR_NONE;
	err->code = NULL;
	err->message[0] = err->hint[0] = '\0';
}

/*
 * Fills err and returns class, so that a leaf can "return err_set(...)".  code
 * must be a string constant.  The message is one line of UTF-8 whatever it is made
 * of: it is cut if need be, control characters become spaces, and what is no UTF-8
 * (an id that was cut within a character) question marks.
 */
extern enum err_class err_set(struct err *err, enum err_class class,
							  const char *code, const char *fmt,...)
			__attribute__((format(printf, 4, 5)));

/* Sets the hint, in the same way, and returns err->class. */
extern enum err_class err_hint(struct err *err, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

/* The process exit status for an error of this class (0 for ERR_NONE). */
extern int	err_exit_status(enum err_class class);

#endif							/* OUTBOX_ERR_H */
