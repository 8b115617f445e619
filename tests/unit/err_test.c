/*
 * err_test.c - errors are one line, whatever goes into them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "common/err.h"

#include "random.h"
#include "tap.h"

static bool
is_line(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

/* Does text end within a sequence of UTF-8? */
static bool
ends_whole(const char *text)
{
	size_t		len = strlen(text);
	size_t		tail = 0;
	unsigned char lead;

	while (tail < len && tail < 3 && ((unsigned char) text[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	lead = tail < len ? (unsigned char) text[len - 1 - tail] : 0;
	if (lead < 0xc0)
		return tail == 0;
	return tail == (lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1);
}

static void
test_truncation(struct random *random)
{
	static const char *const letters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	int			failures = 0;

	for (int i = 0; i < 5000; i++)
	{
		struct err	err = {0};
		char		text[1200] = "";
		size_t		len = 0;

		while (len < 480 + random_below(random, 600))
		{
			const char *letter = letters[random_below(random, 4)];

			memcpy(text + len, letter, strlen(letter) + 1);
			len += strlen(letter);
		}
		(void) err_set(&err, ERR_DATA, "x", "%s", text);
		(void) err_hint(&err, "%s", text);
		if (!ends_whole(err.message) || !ends_whole(err.hint) ||
			strncmp(text, err.message, strlen(err.message)) != 0 || strlen(err.message) < 480)
			failures++;
	}
	is_int(failures, 0, "what is too long is cut between characters");
}

int
main(void)
{
	struct err	err = {0};
	struct random random = random_start();
	char		all[256];

	is_int(err_set(&err, ERR_CONFIG, "slot-missing", "slot \"%s\" does not exist", "x"), ERR_CONFIG,
		   "err_set() returns the class");
	is_int(err.class, ERR_CONFIG, "class");
	is_str(err.code, "slot-missing", "code");
	is_str(err.message, "slot \"x\" does not exist", "message");
	is_str(err.hint, "", "no hint");
	is_int(err_hint(&err, "create %d", 1), ERR_CONFIG, "err_hint() returns the class");
	is_str(err.hint, "create 1", "hint");
	(void) err_set(&err, ERR_RETRY, "other", "next");
	is_str(err.hint, "", "a new error has no old hint");

	(void) err_set(&err, ERR_FATAL, "x", "two\nlines\r\nand\ta tab \n");
	is_str(err.message, "two lines  and a tab", "one line, without space at its end");
	for (int i = 0; i < 255; i++)
		all[i] = (char) (i + 1);
	all[255] = '\0';
	(void) err_set(&err, ERR_FATAL, "x", "%s", all);
	ok(is_line(err.message), "no control character is left");
	(void) err_set(&err, ERR_FATAL, "x", "%s", "");
	is_str(err.message, "", "an empty message");
	test_truncation(&random);

	is_int(err_exit_status(ERR_NONE), 0, "exit 0");
	is_int(err_exit_status(ERR_CONFIG), 1, "exit 1: configuration");
	is_int(err_exit_status(ERR_FATAL), 2, "exit 2: fatal");
	is_int(err_exit_status(ERR_RETRY), 2, "exit 2: not waited for any longer");
	is_int(err_exit_status(ERR_DATA), 3, "exit 3: data");
	return done_testing();
}
