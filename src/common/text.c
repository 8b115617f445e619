/*
 * text.c - a text that grows.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST	256

static bool
reserve(struct text *text, size_t more)
{
	size_t		size = text->size > 0 ? text->size : SMALLEST;
	char	   *data;

	if (text->failed)
		return false;
	while (size - text->len <= more)
		size *= 2;
	if (size == text->size)
		return true;
	data = realloc(text->data, size);
	if (data == NULL)
	{
		text->failed = true;
		return false;
	}
	text->data = data;
	text->size = size;
	return true;
}

void
text_add(struct text *text, const char *data, size_t len)
{
	if (!reserve(text, len))
		return;
	if (len > 0)
		memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
text_print(struct text *text, const char *fmt,...)
{
	char		small[128];
	va_list		args;
	int			n;

	va_start(args, fmt);
	n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t) n < sizeof(small))
	{
		text_add(text, small, (size_t) n);
		return;
	}
	if (!reserve(text, (size_t) n))
		return;
	va_start(args, fmt);
	(void) vsnprintf(text->data + text->len, (size_t) n + 1, fmt, args);
	va_end(args);
	text->len += (size_t) n;
}

void
text_clear(struct text *text)
{
	text->len = 0;
	text->failed = false;
	if (text->data != NULL)
		text->data[0] = '\0';
}

void
text_free(struct text *text)
{
	free(text->data);
	*text = (struct text) {0};
}
