/*
 * headers_fuzz.c - any octets as a row's headers, read by us and by jansson.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <stdint.h>

#include "headers_oracle.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (headers_verdict((const char *) data, size) == VERDICT_DIFFER)
		abort();
	return 0;
}
