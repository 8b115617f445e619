/*
 * err.c - the one error type.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * An error is one line of UTF-8: control characters become spaces, the white
 * space at the end goes, and so does a sequence that the end cut in two.
 */
static void
make_line(char *text)
{
	size_t		len = strlen(text);
	size_t		start;

	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	}

	start = len;
	while (start > 0 && len - start < 4 && ((unsigned char) text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && ((unsigned char) text[start - 1] & 0xc0) == 0xc0)
	{
		unsigned char lead = (unsigned char) text[start - 1];
		size_t		want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

		if (len - (start - 1) < want)
			len = start - 1;
	}

	while (len > 0 && text[len - 1] == ' ')
		len--;
	text[len] = '\0';
}

enum err_class
err_set(struct err *err, enum err_class class, const char *code,
		const char *fmt,...)
{
	va_list		args;

	err->class = class;
	err->code = code;
	err->hint[0] = '\0';
	va_start(args, fmt);
	(void) vsnprintf(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	make_line(err->message);
	return class;
}

enum err_class
err_hint(struct err *err, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	(void) vsnprintf(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
	make_line(err->hint);
	return err->class;
}

int
err_exit_status(enum err_class class)
{
	switch (class)
	{
		case ERR_NONE:
			return 0;
		case ERR_CONFIG:
			return 1;
		case ERR_DATA:
			return 3;
		case ERR_RETRY:			/* whoever did not want to wait any longer */
		case ERR_FATAL:
			break;
	}
	return 2;
}
