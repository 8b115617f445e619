/*
 * message.c - splits the content of a logical message into its fields
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

/* digits of a length: a message is below 1 GB */
#define MAX_DIGITS		10

/*
 * Takes one field off *at.  Lengths are decimal without leading zeros: there is
 * one way only to write a message.
 */
static bool
take_field(const char **at, const char *end, OutboxSlice *field)
{
	const char *p = *at;
	uint64		len = 0;
	int			digits = 0;

	if (p < end && *p == '-')
	{
		p++;
		field->data = NULL;
		field->len = 0;
	}
	else
	{
		while (p < end && *p >= '0' && *p <= '9' && digits < MAX_DIGITS)
		{
			if (digits == 1 && len == 0)
				return false;
			len = len * 10 + (uint64) (*p++ - '0');
			digits++;
		}
		if (digits == 0 || p >= end || *p != ':')
			return false;
		p++;
		if (len > (uint64) (end - p))
			return false;
		field->data = p;
		field->len = (Size) len;
		p += len;
	}
	if (p >= end || *p != ',')
		return false;
	*at = p + 1;
	return true;
}

bool
outbox_split_message(const char *content, Size size, OutboxSlice fields[OUTBOX_MESSAGE_FIELDS])
{
	const char *at = content;
	const char *end = content + size;

	if (at >= end || *at != OUTBOX_MESSAGE_VERSION)
		return false;
	at++;
	for (int i = 0; i < OUTBOX_MESSAGE_FIELDS; i++)
		if (!take_field(&at, end, &fields[i]))
			return false;
	return at == end;
}
