/*
 * lsn.c - WAL positions as PostgreSQL prints them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "lsn.h"

/* Reads 1 to 8 hexadecimal digits; returns how many there were, 0 = none. */
static size_t
read_half(const char *text, size_t len, uint32_t *half)
{
	size_t		n = 0;
	uint32_t	value = 0;

	while (n < len && n < 8)
	{
		char		c = text[n];
		uint32_t	digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t) (c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (uint32_t) (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			digit = (uint32_t) (c - 'A' + 10);
		else
			break;
		value = value << 4 | digit;
		n++;
	}
	*half = value;
	return n;
}

bool
lsn_parse(const char *text, size_t len, lsn_t *lsn)
{
	uint32_t	high;
	uint32_t	low;
	size_t		n;
	size_t		m;

	n = read_half(text, len, &high);
	if (n == 0 || n >= len || text[n] != '/')
		return false;
	n++;
	m = read_half(text + n, len - n, &low);
	if (m == 0 || n + m != len)
		return false;
	*lsn = (lsn_t) high << 32 | low;
	return true;
}
