/*
 * text.h - a text that grows.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TEXT_H
#define OUTBOX_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero it before use; len octets at data, followed by one '\0'. */
struct text
{
	char	   *data;			/* NULL before the first text_add() */
	size_t		len;
	size_t		size;
	bool		failed;			/* memory was out: what is in it is not all */
};

extern void text_add(struct text *text, const char *data, size_t len);
extern void text_print(struct text *text, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

/* Empties it, keeping its memory. */
extern void text_clear(struct text *text);
extern void text_free(struct text *text);

#endif							/* OUTBOX_TEXT_H */
