/*
 * log_test.c - each event is one line; as JSON, one that jansson reads.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "common/log.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "random.h"
#include "tap.h"

static int	real_stderr;
static FILE *captured;

static void
capture(void)
{
	(void) fflush(stderr);
	captured = tmpfile();
	if (captured == NULL || dup2(fileno(captured), STDERR_FILENO) < 0)
		abort();
}

/* What was logged since capture(); valid until the next call. */
static const char *
logged(void)
{
	static char text[32768];
	size_t		n;

	(void) dup2(real_stderr, STDERR_FILENO);
	rewind(captured);
	n = fread(text, 1, sizeof(text) - 1, captured);
	text[n] = '\0';
	(void) fclose(captured);
	return text;
}

static bool
is_one_line(const char *text)
{
	size_t		len = strlen(text);

	return len > 0 && strchr(text, '\n') == text + len - 1;
}

static void
test_text(void)
{
	struct err	err = {0};

	log_setup("tester", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture();
	log_info("number %d", 5);
	is_str(logged(), "tester: info: number 5\n", "text");
	capture();
	log_warning("two\nlines\x1b[0m");
	is_str(logged(), "tester: warning: two lines [0m\n", "no control character is left");
	capture();
	log_debug("unseen");
	is_str(logged(), "", "below the level");
	(void) err_set(&err, ERR_CONFIG, "slot-missing", "no slot");
	capture();
	log_err(LOG_LEVEL_ERROR, &err);
	is_str(logged(), "tester: error[slot-missing]: no slot\n", "an error without a hint");
	(void) err_hint(&err, "make one");
	capture();
	log_err(LOG_LEVEL_ERROR, &err);
	is_str(logged(), "tester: error[slot-missing]: no slot; hint: make one\n", "with a hint");
	log_setup("tester", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	capture();
	log_debug("seen");
	is_str(logged(), "tester: debug: seen\n", "another level");
}

static void
test_json(struct random *random)
{
	struct err	err = {0};
	json_t	   *object;
	int			failures = 0;

	log_setup("tester", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	(void) err_set(&err, ERR_CONFIG, "x-y", "\"quoted\\\" \xc3\xa4");
	(void) err_hint(&err, "hint");
	capture();
	log_err(LOG_LEVEL_ERROR, &err);
	object = json_loads(logged(), 0, NULL);
	is_str(json_string_value(json_object_get(object, "level")), "error", "level");
	is_str(json_string_value(json_object_get(object, "code")), "x-y", "code");
	is_str(json_string_value(json_object_get(object, "message")), "\"quoted\\\" \xc3\xa4", "message");
	is_str(json_string_value(json_object_get(object, "hint")), "hint", "hint");
	json_decref(object);

	for (int i = 0; i < 2000; i++)
	{
		char		text[2200];
		size_t		len = random_below(random, sizeof(text) - 1);
		const char *line;

		/* mostly what needs escaping or is no UTF-8 */
		for (size_t c = 0; c < len; c++)
			text[c] = (char) (1 + random_below(random, random_once_in(random, 2) ? 34 : 255));
		text[len] = '\0';
		capture();
		log_info("%s", text);
		line = logged();
		object = json_loads(line, 0, NULL);
		if (object == NULL || !is_one_line(line))
			failures++;
		json_decref(object);
	}
	is_int(failures, 0, "whatever octets are logged, it is one line of JSON");
}

int
main(void)
{
	struct random random = random_start();

	(void) unsetenv("JOURNAL_STREAM");
	real_stderr = dup(STDERR_FILENO);
	test_text();
	test_json(&random);
	return done_testing();
}
