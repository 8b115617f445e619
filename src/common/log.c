/*
 * log.c - one line per event of the process, on standard error.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

/* longest line: an error's message and hint, each octet escaped as \u00xx */
#define LINE_SIZE	16384

struct line
{
	char		text[LINE_SIZE];
	size_t		len;
};

/* the logger's own state; the header says who may call */
static struct
{
	const char *program;
	enum log_level level;
	enum log_format format;
	bool		journal;		/* standard error is the journal's socket */
}			logger = {"pg_outbox", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, false};

static const char *
level_name(enum log_level level)
{
	switch (level)
	{
		case LOG_LEVEL_DEBUG:
			return "debug";
		case LOG_LEVEL_INFO:
			return "info";
		case LOG_LEVEL_WARNING:
			return "warning";
		case LOG_LEVEL_ERROR:
			break;
	}
	return "error";
}

/* as sd-daemon(3) has them */
static const char *
level_prefix(enum log_level level)
{
	switch (level)
	{
		case LOG_LEVEL_DEBUG:
			return "<7>";
		case LOG_LEVEL_INFO:
			return "<6>";
		case LOG_LEVEL_WARNING:
			return "<4>";
		case LOG_LEVEL_ERROR:
			break;
	}
	return "<3>";
}

/* JOURNAL_STREAM is "device:inode" of the stream that goes to the journal. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char		mine[64];

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void) snprintf(mine, sizeof(mine), "%ju:%ju",
					(uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
	return strcmp(stream, mine) == 0;
}

void
log_setup(const char *program, enum log_level level, enum log_format format)
{
	logger.program = program;
	logger.level = level;
	logger.format = format;
	logger.journal = stderr_is_journal();
}

const char *
log_program(void)
{
	return logger.program;
}

static void __attribute__((format(printf, 2, 3)))
add(struct line *line, const char *fmt,...)
{
	size_t		room = sizeof(line->text) - line->len;
	va_list		args;
	int			n;

	va_start(args, fmt);
	n = vsnprintf(line->text + line->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		line->len += (size_t) n < room ? (size_t) n : room - 1;
}

/* Adds a member of the JSON object; what is no UTF-8 becomes U+FFFD. */
static void
add_member(struct line *line, const char *name, const char *value)
{
	const unsigned char *p = (const unsigned char *) value;
	size_t		left = strlen(value);

	add(line, ",\"%s\":\"", name);
	while (left > 0 && line->len < sizeof(line->text) - 16)
	{
		size_t		n = utf8_sequence(p, left);

		if (n == 0)
		{
			add(line, "\\ufffd");
			n = 1;
		}
		else if (*p == '"' || *p == '\\')
			add(line, "\\%c", *p);
		else if (*p < 0x20)
			add(line, "\\u%04x", *p);
		else
			add(line, "%.*s", (int) n, (const char *) p);
		p += n;
		left -= n;
	}
	add(line, "\"");
}

static void
format_json(struct line *line, enum log_level level, const char *code,
			const char *message, const char *hint)
{
	struct timespec now;
	struct tm	tm;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	(void) gmtime_r(&now.tv_sec, &tm);
	add(line, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\"",
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
	add_member(line, "level", level_name(level));
	if (code != NULL)
		add_member(line, "code", code);
	add_member(line, "message", message);
	if (hint != NULL && hint[0] != '\0')
		add_member(line, "hint", hint);
	if (line->len > sizeof(line->text) - 3)
		line->len = sizeof(line->text) - 3;
	add(line, "}");
}

static void
format_text(struct line *line, enum log_level level, const char *code,
			const char *message, const char *hint)
{
	size_t		start;

	add(line, "%s%s: %s", logger.journal ? level_prefix(level) : "",
		logger.program, level_name(level));
	if (code != NULL)
		add(line, "[%s]", code);
	start = line->len;
	add(line, ": %s", message);
	if (hint != NULL && hint[0] != '\0')
		add(line, "; hint: %s", hint);
	for (size_t i = start; i < line->len; i++)
	{
		if ((unsigned char) line->text[i] < 0x20 || line->text[i] == 0x7f)
			line->text[i] = ' ';
	}
}

/* One write(2) per line, so that lines of several processes don't mix. */
static void
emit(enum log_level level, const char *code, const char *message, const char *hint)
{
	struct line line;
	const char *p = line.text;

	if (level < logger.level)
		return;
	line.len = 0;
	if (logger.format == LOG_FORMAT_JSON)
		format_json(&line, level, code, message, hint);
	else
		format_text(&line, level, code, message, hint);
	if (line.len > sizeof(line.text) - 2)
		line.len = sizeof(line.text) - 2;
	line.text[line.len++] = '\n';

	while (line.len > 0)
	{
		ssize_t		n = write(STDERR_FILENO, p, line.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;				/* nobody listens; there's nobody to tell */
		p += n;
		line.len -= (size_t) n;
	}
}

static void __attribute__((format(printf, 2, 0)))
emit_formatted(enum log_level level, const char *fmt, va_list args)
{
	char		message[2048];

	if (level < logger.level)
		return;
	(void) vsnprintf(message, sizeof(message), fmt, args);
	emit(level, NULL, message, NULL);
}

void
log_debug(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	emit_formatted(LOG_LEVEL_DEBUG, fmt, args);
	va_end(args);
}

void
log_info(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	emit_formatted(LOG_LEVEL_INFO, fmt, args);
	va_end(args);
}

void
log_warning(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	emit_formatted(LOG_LEVEL_WARNING, fmt, args);
	va_end(args);
}

void
log_err(enum log_level level, const struct err *err)
{
	emit(level, err->code, err->message, err->hint);
}
