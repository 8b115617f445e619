/*
 * version.h - the version of all programs.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_VERSION_H
#define OUTBOX_VERSION_H

#define OUTBOX_VERSION	"1.0"

#endif							/* OUTBOX_VERSION_H */
