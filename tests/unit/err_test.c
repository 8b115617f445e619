/*
 * err_test.c - errors are one line, whatever goes into them.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "common/err.h"
#include "common/utf8.h"

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

static bool
is_clean(const char *text)
{
	return is_line(text) && utf8_is_text(text, strlen(text));
}

/* Is made what becomes of a text that goes into size octets? */
static bool
is_mended(const char *made, const char *becomes, size_t size)
{
	size_t		len = strlen(made);

	if (!is_clean(made) || strncmp(becomes, made, len) != 0)
		return false;
	if (strlen(becomes) >= size)
		return len + 32 > size;
	return strspn(becomes + len, " ") == strlen(becomes + len) && (len == 0 || made[len - 1] != ' ');
}

/* Characters, and what stands between them that is none, to the end of a text and beyond. */
static void
test_mixtures(struct random *random)
{
	static const struct
	{
		const char *text;
		const char *becomes;
	}			pieces[] = {
		{"a", "a"}, {"\xc3\xa4", "\xc3\xa4"}, {"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"\n", " "}, {"\x7f", " "}, {" ", " "},
		{"\xff", "?"}, {"\xc3", "?"}, {"\xe2\x82", "??"}, {"\xf0\x9f\x98", "???"},
		{"\xc0\x80", "??"}, {"\xed\xa0\x80", "???"}, {"\xff\x80", "??"},
	};
	int			failures = 0;

	for (int i = 0; i < 5000; i++)
	{
		struct err	err = {0};
		char		text[1200] = "";
		char		becomes[1200] = "";
		size_t		limit = random_below(random, 1100);

		while (strlen(text) < limit)
		{
			size_t		piece = random_below(random, sizeof(pieces) / sizeof(pieces[0]));

			strcat(text, pieces[piece].text);
			strcat(becomes, pieces[piece].becomes);
		}
		(void) err_set(&err, ERR_DATA, "x", "%s", text);
		(void) err_hint(&err, "%s", text);
		failures += !is_mended(err.message, becomes, sizeof(err.message)) ||
			!is_mended(err.hint, becomes, sizeof(err.hint));
	}
	is_int(failures, 0, "characters stay, what is none becomes ?, and what is too long is cut between them");
}

static void
test_any_octets(struct random *random)
{
	int			failures = 0;

	for (int i = 0; i < 5000; i++)
	{
		struct err	err = {0};
		char		text[1200] = "";
		size_t		len = random_below(random, sizeof(text));

		for (size_t n = 0; n < len; n++)
			text[n] = (char) (1 + random_below(random, 255));
		(void) err_set(&err, ERR_DATA, "x", "%s", text);
		(void) err_hint(&err, "%s", text);
		failures += !is_clean(err.message) || !is_clean(err.hint);
	}
	is_int(failures, 0, "any octets become one line of UTF-8");
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
	(void) err_set(&err, ERR_FATAL, "x", "id \"%.*s\": no", 2, "a\xc3\xa4");
	is_str(err.message, "id \"a?\": no", "a character that was cut within the text");
	test_mixtures(&random);
	test_any_octets(&random);

	is_int(err_exit_status(ERR_NONE), 0, "exit 0");
	is_int(err_exit_status(ERR_CONFIG), 1, "exit 1: configuration");
	is_int(err_exit_status(ERR_FATAL), 2, "exit 2: fatal");
	is_int(err_exit_status(ERR_RETRY), 2, "exit 2: not waited for any longer");
	is_int(err_exit_status(ERR_DATA), 3, "exit 3: data");
	return done_testing();
}
