/*
 * parameters.c - a message's fields as parameters of a statement.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "parameters.h"

#include <inttypes.h>
#include <time.h>

#include "../common/utf8.h"

static void
add_hex(struct text *out, struct slice octets)
{
	for (size_t i = 0; i < octets.len; i++)
		text_print(out, "%02x", (unsigned char) octets.data[i]);
}

/* Text that has to be accepted whatever it is. */
static void
add_safe(struct text *out, struct slice value)
{
	if (utf8_is_text(value.data, value.len))
	{
		text_add(out, value.data, value.len);
		return;
	}
	text_add(out, "\\x", 2);
	add_hex(out, value);
}

/*
 * Text that the server is to judge.  It would end at an octet 0, so that is
 * written as C0 80, which no server takes for UTF-8.
 */
static void
add_octets(struct text *out, struct slice value)
{
	while (value.len > 0)
	{
		const char *zero = memchr(value.data, 0, value.len);
		size_t		n = zero ? (size_t) (zero - value.data) : value.len;

		text_add(out, value.data, n);
		if (zero)
			text_add(out, "\xc0\x80", 2);
		value.data += n + (zero ? 1 : 0);
		value.len -= n + (zero ? 1 : 0);
	}
}

bool
parameters_id(struct text *out, const struct message *message)
{
	struct slice id = message_header(message, "id");

	if (id.data == NULL || id.len == 0)
		return false;
	add_safe(out, id);
	return true;
}

/* ---- headers ---- */

static void
add_string(struct text *out, struct slice value)
{
	text_add(out, "\"", 1);
	for (size_t i = 0; i < value.len; i++)
	{
		char		c = value.data[i];

		if (c == '"' || c == '\\')
			text_print(out, "\\%c", c);
		else if ((unsigned char) c < 0x20)
			text_print(out, "\\u%04x", (unsigned) c);
		else
			text_add(out, &c, 1);
	}
	text_add(out, "\"", 1);
}

static void
add_value(struct text *out, struct slice value)
{
	if (value.data == NULL)
		text_add(out, "null", 4);
	else if (utf8_is_text(value.data, value.len))
		add_string(out, value);
	else
	{
		text_print(out, "{\"hex\": \"");
		add_hex(out, value);
		text_print(out, "\"}");
	}
}

static bool
same_name(const struct message *message, size_t i, size_t j)
{
	return slice_equal(message->headers[i].name, message->headers[j].name);
}

static void
add_values(struct text *out, const struct message *message, size_t first, size_t count)
{
	if (count > 1)
		text_add(out, "[", 1);
	for (size_t i = first, left = count; left > 0; i++)
	{
		if (!same_name(message, i, first))
			continue;
		add_value(out, message->headers[i].value);
		if (--left > 0)
			text_add(out, ", ", 2);
	}
	if (count > 1)
		text_add(out, "]", 1);
}

void
parameters_headers(struct text *out, const struct message *message)
{
	bool		first = true;

	if (message->stored_headers)
	{
		text_add(out, message->stored_headers, strlen(message->stored_headers));
		return;
	}
	text_add(out, "{", 1);
	for (size_t i = 0; i < message->nheaders; i++)
	{
		struct slice name = message->headers[i].name;
		size_t		count = 0;
		size_t		earlier = 0;

		while (earlier < i && !same_name(message, earlier, i))
			earlier++;
		if (earlier < i || !utf8_is_text(name.data, name.len))
			continue;			/* written with the first of its name; or no name */
		for (size_t j = i; j < message->nheaders; j++)
			count += same_name(message, i, j) ? 1 : 0;
		if (!first)
			text_add(out, ", ", 2);
		first = false;
		add_string(out, name);
		text_add(out, ": ", 2);
		add_values(out, message, i, count);
	}
	text_add(out, "}", 1);
}

/* ---- all fields ---- */

static void
add_time(struct text *out, int64_t ms)
{
	time_t		seconds = (time_t) (ms / 1000);
	struct tm	tm;

	if (gmtime_r(&seconds, &tm) != NULL)
		text_print(out, "%04d-%02d-%02d %02d:%02d:%02d.%03d+00", tm.tm_year + 1900, tm.tm_mon + 1,
				   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int) (ms % 1000));
}

static bool
add_slice(struct text *out, struct slice value, bool binary)
{
	if (value.data == NULL)
		return false;
	if (binary)
		text_add(out, value.data, value.len);
	else
		add_octets(out, value);
	return true;
}

static bool
add_words(struct text *out, const char *words)
{
	if (words == NULL)
		return false;
	text_add(out, words, strlen(words));
	return true;
}

/* False: the field is NULL. */
static bool
add_field(struct text *out, enum field field, const char *consumer,
		  const struct message *m, const struct failure *failure)
{
	struct slice type;

	switch (field)
	{
		case FIELD_PAYLOAD:
		case FIELD_PAYLOAD_BYTES:
			return add_slice(out, m->payload, field_is_binary(field));
		case FIELD_KEY:
		case FIELD_KEY_BYTES:
			return add_slice(out, m->key, field_is_binary(field));
		case FIELD_ID:
			return parameters_id(out, m);
		case FIELD_TYPE:
			type = message_header(m, "eventType");
			if (type.data != NULL)
				add_safe(out, type);
			return type.data != NULL;
		case FIELD_HEADERS:
			parameters_headers(out, m);
			return true;
		case FIELD_POSITION:
			return add_slice(out, message_header(m, "outbox.position"), false);
		case FIELD_TOPIC:
			return add_words(out, m->topic);
		case FIELD_PARTITION:
			text_print(out, "%" PRId32, m->partition);
			return true;
		case FIELD_OFFSET:
			text_print(out, "%" PRId64, m->offset);
			return true;
		case FIELD_TIME:
			if (m->time >= 0)
				add_time(out, m->time);
			return m->time >= 0;
		case FIELD_CONSUMER:
			return add_words(out, consumer);
		case FIELD_STATE:
			return add_words(out, failure->state);
		case FIELD_SQLSTATE:
			return add_words(out, failure->sqlstate);
		case FIELD_REASON:
			return add_words(out, failure->reason);
		case FIELD_ATTEMPTS:
			text_print(out, "%u", failure->attempts);
			return true;
		case FIELD_PATIENCE:
			text_print(out, "%" PRId64, failure->patience);
			return true;
	}
	return false;
}

bool
parameters_make(struct parameters *p, const struct statement *statement, const char *consumer,
				const struct message *message, const struct failure *failure)
{
	size_t		starts[STATEMENT_MAX_FIELDS];
	bool		present[STATEMENT_MAX_FIELDS];

	text_clear(&p->scratch);
	for (int i = 0; i < statement->nfields; i++)
	{
		starts[i] = p->scratch.len;
		present[i] = add_field(&p->scratch, statement->fields[i], consumer, message, failure);
		p->lengths[i] = (int) (p->scratch.len - starts[i]);
		p->formats[i] = field_is_binary(statement->fields[i]) ? 1 : 0;
		text_add(&p->scratch, "", 1);	/* what ends a text */
	}
	/* the scratch has its place only now */
	for (int i = 0; i < statement->nfields; i++)
		p->values[i] = present[i] ? p->scratch.data + starts[i] : NULL;
	return !p->scratch.failed;
}

void
parameters_free(struct parameters *parameters)
{
	text_free(&parameters->scratch);
}

void
parameters_element(struct text *array, const char *value, size_t len)
{
	text_add(array, array->len == 0 ? "{" : ",", 1);
	if (value == NULL)
	{
		text_add(array, "NULL", 4);
		return;
	}
	text_add(array, "\"", 1);
	for (size_t i = 0; i < len; i++)
	{
		if (value[i] == '"' || value[i] == '\\')
			text_add(array, "\\", 1);
		text_add(array, &value[i], 1);
	}
	text_add(array, "\"", 1);
}

void
parameters_octets(struct text *array, struct slice value)
{
	text_add(array, array->len == 0 ? "{" : ",", 1);
	if (value.data == NULL)
	{
		text_add(array, "NULL", 4);
		return;
	}
	text_add(array, "\"\\\\x", 4);
	add_hex(array, value);
	text_add(array, "\"", 1);
}
