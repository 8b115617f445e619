/*
 * tap.h - the Test Anything Protocol on stdout, for tests in C.
 *
 * A test is one program: ok() and its kin for every point, diag() for what a
 * reader of a failure wants to know, "return done_testing();" at the end of
 * main().  A failed point doesn't end the program.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_TAP_H
#define OUTBOX_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TAP_FUNCTION(fmt_arg) \
	__attribute__((unused, format(printf, fmt_arg, fmt_arg + 1))) static

/* the program's points so far; a test has but one source that includes this */
static int	tap_points;
static int	tap_failures;

__attribute__((unused, format(printf, 2, 0))) static bool
tap_point(bool passed, const char *fmt, va_list args)
{
	printf("%sok %d - ", passed ? "" : "not ", ++tap_points);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	if (!passed)
		tap_failures++;
	return passed;
}

/* A remark; it may have several lines. */
TAP_FUNCTION(1) void
diag(const char *fmt,...)
{
	char		text[4096];
	va_list		args;

	va_start(args, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *line = text; line; )
	{
		char	   *newline = strchr(line, '\n');

		printf("# %.*s\n", newline ? (int) (newline - line) : (int) strlen(line), line);
		line = newline && newline[1] ? newline + 1 : NULL;
	}
	fflush(stdout);
}

/* All of these return whether the point passed. */
TAP_FUNCTION(2) bool
ok(bool passed, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	tap_point(passed, fmt, args);
	va_end(args);
	return passed;
}

TAP_FUNCTION(3) bool
is_int(long long got, long long expected, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	tap_point(got == expected, fmt, args);
	va_end(args);
	if (got != expected)
		diag("got %lld, expected %lld", got, expected);
	return got == expected;
}

/* NULL is equal to NULL only. */
TAP_FUNCTION(3) bool
is_str(const char *got, const char *expected, const char *fmt,...)
{
	bool		passed = got && expected ? strcmp(got, expected) == 0 : got == expected;
	va_list		args;

	va_start(args, fmt);
	tap_point(passed, fmt, args);
	va_end(args);
	if (!passed)
		diag("got      %s\nexpected %s", got ? got : "(null)", expected ? expected : "(null)");
	return passed;
}

/* A point that could not be tried, and why. */
TAP_FUNCTION(1) void
skip(const char *fmt,...)
{
	va_list		args;

	printf("ok %d # SKIP ", ++tap_points);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* The plan, and the exit status of main(). */
__attribute__((unused)) static int
done_testing(void)
{
	printf("1..%d\n", tap_points);
	return tap_failures == 0 && tap_points > 0 ? 0 : 1;
}

#endif							/* OUTBOX_TAP_H */
