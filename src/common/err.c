/*
 * err.c - the one error type.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/*
 * An error is one line of UTF-8, whatever went into it: control characters become
 * spaces, octets that are no UTF-8 question marks, and white space at the end goes.
 * So does the character that the end of the buffer has cut in two.
 */
static void
make_line(char *text, bool cut)
{
	size_t		len = strlen(text);
	size_t		end = 0;

	while (end < len)
	{
		size_t		n = utf8_sequence((const unsigned char *) text + end, len - end);

		if (n == 0 && cut && len - end < 4)
			break;
		if (n == 0)
			text[end] = '?';
		else if ((unsigned char) text[end] < 0x20 || text[end] == 0x7f)
			text[end] = ' ';
		end += n > 0 ? n : 1;
	}
	while (end > 0 && text[end - 1] == ' ')
		end--;
	text[end] = '\0';
}

/* Fills one of an error's texts. */
static void __attribute__((format(printf, 3, 0)))
set_text(char *text, size_t size, const char *fmt, va_list args)
{
	int			len = vsnprintf(text, size, fmt, args);

	make_line(text, len < 0 || (size_t) len >= size);
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
	set_text(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return class;
}

enum err_class
err_hint(struct err *err, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	set_text(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
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
