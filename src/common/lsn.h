/*
 * lsn.h - WAL positions as PostgreSQL prints them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_LSN_H
#define OUTBOX_LSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t lsn_t;

#define LSN_INVALID		((lsn_t) 0)

/* printf("%X/%X", LSN_ARGS(lsn)), as PostgreSQL's pg_lsn_out() */
#define LSN_ARGS(lsn)	(uint32_t) ((lsn) >> 32), (uint32_t) (lsn)

/* Strict: 1 to 8 hexadecimal digits, '/', 1 to 8 of them, and nothing else. */
extern bool lsn_parse(const char *text, size_t len, lsn_t *lsn);

#endif							/* OUTBOX_LSN_H */
