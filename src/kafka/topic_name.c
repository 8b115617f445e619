/*
 * topic_name.c - what Kafka takes as the name of a topic.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "topic_name.h"

bool
topic_octet_valid(unsigned char octet)
{
	return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
		(octet >= '0' && octet <= '9') ||
		octet == '.' || octet == '_' || octet == '-';
}

bool
topic_name_valid(const char *name, size_t len)
{
	if (len == 0 || len > TOPIC_MAX_LEN ||
		(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!topic_octet_valid((unsigned char) name[i]))
			return false;
	return true;
}
