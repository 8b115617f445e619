/*
 * headers_oracle.h - reads headers twice, with src/streamer/headers.c and with
 * jansson, and says whether both agree.  For tests and fuzzing.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TEST_HEADERS_ORACLE_H
#define OUTBOX_TEST_HEADERS_ORACLE_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "headers.h"

enum verdict
{
	VERDICT_BOTH,				/* read by both, to the same values */
	VERDICT_NEITHER,			/* refused by both */
	VERDICT_EXCUSED,			/* one of them has a limit that the other has not */
	VERDICT_DIFFER
};

/* refusals of jansson's that we don't share, each for its reason */
__attribute__((unused)) static bool
jansson_only(const json_error_t *error)
{
	switch (json_error_code(error))
	{
		case json_error_numeric_overflow:	/* we don't read numbers */
		case json_error_invalid_utf8:	/* the plugin has looked at that */
		case json_error_null_byte_in_key:	/* a limit of its own */
		case json_error_duplicate_key:	/* type json may have them */
			return true;
		default:
			return false;
	}
}

__attribute__((unused)) static bool
same_value(json_t *value, struct slice slice)
{
	json_t	   *again;
	bool		same;

	if (json_is_null(value))
		return !slice.data;
	if (!slice.data)
		return false;
	if (json_is_string(value))
		return slice_equal(slice, (struct slice) {json_string_value(value), json_string_length(value)});
	again = json_loadb(slice.data, slice.len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	same = again && json_equal(again, value);
	json_decref(again);
	return same;
}

/* The members of the object against what was read of it. */
__attribute__((unused)) static bool
same_members(json_t *object, const struct header *headers, int n)
{
	if (json_object_size(object) != (size_t) n)
		return false;
	for (int i = 0; i < n; i++)
	{
		char	   *name = calloc(1, headers[i].name.len + 1);
		bool		same;

		memcpy(name, headers[i].name.data, headers[i].name.len);
		same = same_value(json_object_get(object, name), headers[i].value);
		free(name);
		if (!same)
			return false;
	}
	return true;
}

/* The text is not changed, and read in a heap copy of its exact length. */
__attribute__((unused)) static enum verdict
headers_verdict(const char *text, size_t len)
{
	struct header headers[HEADERS_MAX];
	const char *reason;
	json_error_t error;
	json_t	   *object = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	char	   *copy = malloc(len);
	enum verdict verdict;
	int			n;

	if (len > 0)
		memcpy(copy, text, len);
	n = headers_read((struct slice) {copy, len}, headers, HEADERS_MAX, &reason);
	if ((!object && jansson_only(&error)) || (n < 0 && strcmp(reason, "headers are no JSON object") != 0))
		verdict = VERDICT_EXCUSED;
	else if (n < 0 && object && memchr(text, '\0', len))
		verdict = VERDICT_EXCUSED;	/* jansson skips a NUL that stands behind a number */
	else if (n < 0)
		verdict = object && json_is_object(object) ? VERDICT_DIFFER : VERDICT_NEITHER;
	else
		verdict = object && json_is_object(object) && same_members(object, headers, n) ?
			VERDICT_BOTH : VERDICT_DIFFER;
	json_decref(object);
	free(copy);
	return verdict;
}

#endif							/* OUTBOX_TEST_HEADERS_ORACLE_H */
