/*
 * utf8.h - is it UTF-8?
 *
 * As RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_UTF8_H
#define OUTBOX_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Octets of the valid sequence that the left octets at text begin with, 0 if
 * there is none. */
static inline size_t
utf8_sequence(const unsigned char *text, size_t left)
{
	size_t		len;

	if (left == 0)
		return 0;
	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		len = 2;
	else if ((text[0] & 0xf0) == 0xe0)
		len = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
	{
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
		(text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

/* All of it is UTF-8, and none of it the octet 0: what PostgreSQL takes as text. */
static inline bool
utf8_is_text(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;

	while (len > 0)
	{
		size_t		n = *p == 0 ? 0 : utf8_sequence(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

#endif							/* OUTBOX_UTF8_H */
