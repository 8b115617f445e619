/*
 * slice.h - octets that belong to somebody else.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SLICE_H
#define OUTBOX_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * len octets at data, any values, not NUL-terminated.  data == NULL means
 * "absent" (SQL NULL); an empty value has a data pointer and len 0.
 */
struct slice
{
	const char *data;
	size_t		len;
};

static inline struct slice
slice_of(const char *text)
{
	return (struct slice) {text, text ? strlen(text) : 0};
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.data != NULL) == (b.data != NULL) &&
		(a.len == 0 || a.data == NULL || memcmp(a.data, b.data, a.len) == 0);
}

#endif							/* OUTBOX_SLICE_H */
