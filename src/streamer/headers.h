/*
 * headers.h - a row's headers: the members of one JSON object.
 *
 * Pure.  Values that are strings are given as they are, null as absent, all
 * others (numbers, objects, ...) as their JSON text, octet for octet: no
 * number is ever read and written again.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_HEADERS_H
#define OUTBOX_HEADERS_H

#include "../common/slice.h"

/* More than that in one event is undeliverable data. */
#define HEADERS_MAX		64

struct header
{
	struct slice name;
	struct slice value;			/* absent: a null header */
};

/*
 * Reads the object in text (changed: strings are unescaped in place, slices
 * point into it) into out, which has room for most members (HEADERS_MAX, where
 * they are a row's).  Returns their number, or -1 with *reason set to a static
 * text.
 */
extern int	headers_read(struct slice text, struct header *out, int most,
						 const char **reason);

#endif							/* OUTBOX_HEADERS_H */
