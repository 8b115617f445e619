/*
 * pgcompat.h - the one place that knows how PostgreSQL 15 to 18 differ
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_PGCOMPAT_H
#define OUTBOX_PGCOMPAT_H

#include "replication/reorderbuffer.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "outbox_decoder supports PostgreSQL 15 to 18"
#endif

/* 16 moved the varlena macros to a header of their own */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 17 dropped the wrapper around a change's tuple */
#if PG_VERSION_NUM >= 170000
#define OUTBOX_NEW_TUPLE(change)	((change)->data.tp.newtuple)
#else
#define OUTBOX_NEW_TUPLE(change) \
	((change)->data.tp.newtuple ? &(change)->data.tp.newtuple->tuple : NULL)
#endif

/* from 16 on the server itself reports progress in long transactions */
#define OUTBOX_REPORT_LONG_TRANSACTIONS		(PG_VERSION_NUM < 160000)

/* 17 lets extensions name what they wait for; up to 16 it is "Extension" */
#if PG_VERSION_NUM >= 170000
#define OUTBOX_WAIT_EVENT_NEW(name)		WaitEventExtensionNew(name)
#else
#define OUTBOX_WAIT_EVENT_NEW(name)		PG_WAIT_EXTENSION
#endif

#endif							/* OUTBOX_PGCOMPAT_H */
