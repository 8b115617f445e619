/*
 * log.h - one line per event of the process, on standard error.
 *
 * Text form:  outbox-streamer: info: connected to ...
 *             outbox-streamer: error[slot-missing]: slot "x" does not exist; hint: ...
 * or JSON objects with the members time, level, code, message, hint.  Not
 * thread-safe: only the main thread logs.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_LOG_H
#define OUTBOX_LOG_H

#include "err.h"

enum log_level
{
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR
};

enum log_format
{
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON
};

/* program must stay valid; callable again on reload. */
extern void log_setup(const char *program, enum log_level level, enum log_format format);

/* The program's name, as log_setup() had it. */
extern const char *log_program(void);

extern void log_debug(const char *fmt,...) __attribute__((format(printf, 1, 2)));
extern void log_info(const char *fmt,...) __attribute__((format(printf, 1, 2)));
extern void log_warning(const char *fmt,...) __attribute__((format(printf, 1, 2)));

/* Logs an error with its code and hint, at the level given. */
extern void log_err(enum log_level level, const struct err *err);

#endif							/* OUTBOX_LOG_H */
