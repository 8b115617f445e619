/*
 * config_test.c - files, environment and options against a table of keys.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "common/config.h"
#include "common/config_parts.h"

#include <stdlib.h>
#include <unistd.h>

#include "random.h"
#include "tap.h"

static const struct config_key keys[] = {
	{"main", "name", CONFIG_STRING, "nobody", NULL, 0, 0, 0, "A name."},
	{"main", "count", CONFIG_INT, "5", NULL, -10, 100, CONFIG_RELOAD, "A count."},
	{"main", "size", CONFIG_SIZE, "1MB", NULL, 1024, INT64_C(10) * 1024 * 1024 * 1024, 0, "A size."},
	{"main", "wait", CONFIG_DURATION, "10s", NULL, 0, 0, 0, "A time."},
	{"main", "flag", CONFIG_BOOL, "on", NULL, 0, 0, 0, "A flag."},
	{"main", "mode", CONFIG_ENUM, "slow", "slow|fast|very-fast", 0, 0, 0, "A mode."},
	{"main", "password", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "A secret."},
	{"part", "column", CONFIG_STRING, NULL, NULL, 0, 0, 0, "A column."},
	{"free", "known.key", CONFIG_STRING, "x", NULL, 0, 0, 0, "A key."},
	{"free", "a.password", CONFIG_STRING, NULL, NULL, 0, 0, CONFIG_SECRET, "A secret."},
	{"free", "*", CONFIG_STRING, NULL, NULL, 0, 0, 0, "Any."},
	{0}
};

static const struct config_program program = {
	"tester", "TESTER", "/nonexistent/tester.conf", keys, "part"
};

static char path[64];

/* Writes a file of len octets; returns its name. */
static const char *
write_file(const char *data, size_t len)
{
	FILE	   *file;

	if (path[0] == '\0')
	{
		(void) snprintf(path, sizeof(path), "%s", "/tmp/config_test.XXXXXX");
		if (mkstemp(path) < 0)
			abort();
	}
	file = fopen(path, "wb");
	if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0)
		abort();
	return path;
}

static struct config *
load(const char *text, size_t len, char *const *options, int noptions, char *const *env, struct err *err)
{
	struct config *config = NULL;

	memset(err, 0, sizeof(*err));
	(void) config_load(&program, text != NULL ? write_file(text, len) : NULL, options, noptions, env, &config, err);
	return config;
}

/* ---- what is refused ---- */

struct refusal
{
	const char *text;
	size_t		len;			/* 0 = strlen(text) */
	int			line;
	const char *says;			/* part of the message */
	const char *hint;			/* part of the hint */
};

static const struct refusal refusals[] = {
	{"[main]\nnaem = x\n", 0, 2, "no key \"naem\" in section [main]", "did you mean \"name\"?"},
	{"[main]\nName = x\n", 0, 2, "no key \"Name\"", "did you mean \"name\"?"},
	{"[main]\ncolumn = x\n", 0, 2, "no key \"column\"", "section [part]"},
	{"[main]\nutterly_different = x\n", 0, 2, "no key", "config example"},
	{"[mian]\n", 0, 1, "no section [mian]", "did you mean [main]?"},
	{"[Main]\n", 0, 1, "no section [Main]", "did you mean [main]?"},
	{"[main]\n[part]\n", 0, 2, "[part] needs a name", "[part \"schema.name\"]"},
	{"[main \"x\"]\n", 0, 1, "no section [main \"x\"]", ""},
	{"[part \"x]\n", 0, 1, "malformed section heading", ""},
	{"[part \"\"]\n", 0, 1, "malformed section heading", ""},
	{"[part \"x\"y]\n", 0, 1, "malformed section heading", ""},
	{"[part x]\n", 0, 1, "malformed section heading", ""},
	{"[part \"x\"]\ncolumn = 1\ncolumn = 2\n", 0, 3, "already set in line 2", ""},
	{"[main]\nname = 1\n[free]\nx = 1\n[main]\nname = 2\n", 0, 6, "already set in line 2", ""},
	{"[main]\npassword = 1\npassword_file = /dev/null\n", 0, 3, "already set in line 2", ""},
	{"[main]\ncount = 101\n", 0, 2, "too large: \"101\"", "from -10 to 100"},
	{"[main]\ncount = -11\n", 0, 2, "too small", ""},
	{"[main]\ncount = 1x\n", 0, 2, "not a whole number", ""},
	{"[main]\ncount = 99999999999999999999\n", 0, 2, "not a whole number", ""},
	{"[main]\ncount = 0x10\n", 0, 2, "not a whole number", ""},
	{"[main]\ncount =\n", 0, 2, "main.count has no value", ""},
	{"[main]\nsize = 1 TB\n", 0, 2, "not a size", "kB, MB and GB"},
	{"[main]\nsize = 1.5MB\n", 0, 2, "not a size", ""},
	{"[main]\nsize = 9223372036854775807GB\n", 0, 2, "is", ""},
	{"[main]\nwait = 10\n", 0, 2, "not a duration", "ms, s, min, h and d"},
	{"[main]\nwait = 10 seconds\n", 0, 2, "not a duration", ""},
	{"[main]\nflag = maybe\n", 0, 2, "neither on nor off", "on or off"},
	{"[main]\nmode = very\n", 0, 2, "not one of", "slow|fast|very-fast"},
	{"[main]\nmode = slow|fast\n", 0, 2, "not one of", ""},
	{"name = x\n[main]\n", 0, 1, "before the first section", ""},
	{"\n# fine\n  x = 1\n", 0, 3, "before the first section", ""},
	{"[main]\nname\n", 0, 2, "equal sign", "a line is"},
	{"[main]\n  # indented\n", 0, 2, "equal sign", "comment that starts with"},
	{"[main\n", 0, 1, "bracket", ""},
	{"[]\n", 0, 1, "", ""},
	{"[main]\n = x\n", 0, 2, "", ""},
	{"[main]\nname = a\0b\n", 18, 2, "NUL byte", ""},
	{"[main]\n\nname = \xff\n", 0, 3, "not valid UTF-8", "plain text in UTF-8"},
	{"[main]\nname = \xe2\x82\n", 0, 2, "not valid UTF-8", ""},
	{"[main]\npassword_file = /nonexistent/file\n", 0, 2, "cannot read \"/nonexistent/file\"", "main.password_file"},
	{"[main]\nname_file = /dev/null\n", 0, 2, "no key \"name_file\"", ""},
	{"[free]\n* = x\n", 0, 2, "no key \"*\"", ""},
	{"[free]\na = x\n ;b = y\n", 0, 3, "no key \";b\"", "a comment begins with the line"},
	{"[free]\na = x\n\t#b = y\n", 0, 3, "no key \"#b\"", "a comment begins with the line"},
	{"[free]\na = x\n [b = y\n", 0, 3, "no key \"[b\"", ""}
};

static void
test_refusals(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
	{
		const struct refusal *r = &refusals[i];
		struct err	err;
		struct config *config = load(r->text, r->len > 0 ? r->len : strlen(r->text), NULL, 0, NULL, &err);
		char		where[96];

		(void) snprintf(where, sizeof(where), "%s:%d: ", path, r->line);
		if (!ok(config == NULL && err.class == ERR_CONFIG && strncmp(err.message, where, strlen(where)) == 0 &&
				strstr(err.message, r->says) != NULL && strstr(err.hint, r->hint) != NULL,
				"refused, line %d: %s", r->line, r->says))
			diag("message: %s\nhint: %s", err.message, err.hint);
		config_free(config);
	}
}

/* ---- what is taken ---- */

static void
test_defaults(void)
{
	struct err	err;
	struct config *config = load(NULL, 0, NULL, 0, NULL, &err);

	if (!ok(config != NULL, "a missing default file is fine"))
		return;
	is_str(config_string(config, "main", "name"), "nobody", "default string");
	is_int(config_int(config, "main", "count"), 5, "default number");
	is_int(config_int(config, "main", "size"), 1024 * 1024, "default size");
	is_int(config_int(config, "main", "wait"), 10000, "default duration");
	ok(config_bool(config, "main", "flag"), "default flag");
	is_int(config_int(config, "main", "mode"), 0, "default choice");
	is_str(config_string(config, "main", "password"), NULL, "no default");
	is_str(config_where(config, "main", "name"), "default", "where from");
	is_int((long long) config_count(config), 0, "nothing given");
	config_free(config);
}

static void
test_values(void)
{
	static const char text[] =
		"\xef\xbb\xbf; a comment\r\n[main]\r\n# another\r\nname =  a ; b # c = \"d\"  \r\ncount=-10\r\nsize = 2 gb\r\n"
		"wait = 2min\r\nflag = No\r\nmode = VERY-FAST\r\n[free]\r\nany.thing = [x]\r\n[main]\r\npassword = p w\r\n"
		"[part \"b\"]\r\n[part \"A \\\"q\\\" \\\\ .x\"]\r\ncolumn =\r\n[part \"a\"]\r\ncolumn = 1\r\n[part \"A\"]\r\ncolumn = 2";
	struct err	err;
	struct config *config = load(text, strlen(text), NULL, 0, NULL, &err);
	size_t		n;

	if (!ok(config != NULL, "BOM, CRLF, spaces, comments, sections in parts, no last newline"))
	{
		diag("%s", err.message);
		return;
	}
	is_str(config_string(config, "main", "name"), "a ; b # c = \"d\"", "no comments within a line");
	is_int(config_int(config, "main", "count"), -10, "number");
	is_int(config_int(config, "main", "size"), INT64_C(2) * 1024 * 1024 * 1024, "size");
	is_int(config_int(config, "main", "wait"), 120000, "duration");
	ok(!config_bool(config, "main", "flag"), "flag");
	is_int(config_int(config, "main", "mode"), 2, "choice");
	is_str(config_string(config, "main", "password"), "p w", "string");
	n = config_count(config);
	is_int((long long) n, 15, "all given values, and the headings of repeated sections");
	is_str(config_at(config, 6)->key, "any.thing", "any key of a free section");
	is_str(config_at(config, 8)->name, "b", "a section without keys");
	is_str(config_at(config, 8)->key, "", "is there by its heading");
	is_str(config_at(config, 10)->name, "A \"q\" \\ .x", "escapes in a name");
	is_str(config_at(config, 10)->value, "", "an empty string");
	is_str(config_at(config, n - 1)->name, "A", "names differ by case");
	is_str(strrchr(config_at(config, n - 1)->where, ':'), ":20", "where from");
	ok(config_at(config, n) == NULL, "and no more");
	config_free(config);
}

static void
test_long(void)
{
	static const size_t lengths[] = {199, 200, 201, 4096, 65536, 200000};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		size_t		len = lengths[i];
		char	   *text = malloc(len + 64);
		struct err	err;
		struct config *config;
		size_t		head;

		if (text == NULL)
			abort();
		head = (size_t) sprintf(text, "[main]\nname = ");
		memset(text + head, 'x', len);
		memcpy(text + head + len, "\ncount = 7\n", 11);
		config = load(text, head + len + 11, NULL, 0, NULL, &err);
		ok(config != NULL && strlen(config_string(config, "main", "name")) == len &&
		   config_int(config, "main", "count") == 7, "a line of %zu octets", len);
		config_free(config);
		free(text);
	}
}

static void
test_precedence(void)
{
	static const char text[] = "[main]\nname = file\ncount = 1\nsize = 2kB\n";
	char	   *env[] = {"HOME=/", "TESTER_MAIN_NAME=env", "TESTER_MAIN_COUNT=2", "TESTER_FREE_SOME_KEY=v",
		"TESTER_FREE_SERVICE_HOST=10.0.0.1", "TESTER_FREE_PORT=tcp://10.0.0.1:1", "TESTER_FREE_PORT_1_TCP_ADDR=x",
	"TESTER_OTHER_X=1", "TESTER_PART_COLUMN=1", "TESTER_=x", "TESTER", "TESTERMAIN_COUNT=x", NULL};
	char	   *options[] = {"main.name=option=1", "part \"s.\\\"o.\\\".x\".column=c=d", "free.a.b.c=1", "main.name=last"};
	struct err	err;
	struct config *config = load(text, strlen(text), options, 4, env, &err);

	if (!ok(config != NULL, "file, environment, options"))
	{
		diag("%s", err.message);
		return;
	}
	is_str(config_string(config, "main", "name"), "last", "the last option wins");
	is_str(config_where(config, "main", "name"), "-o", "where from");
	is_int(config_int(config, "main", "count"), 2, "environment before file");
	is_str(config_where(config, "main", "count"), "environment TESTER_MAIN_COUNT", "where from");
	is_int(config_int(config, "main", "size"), 2048, "file before default");
	is_int((long long) config_count(config), 10, "nothing of what Kubernetes sets for Services");
	is_str(config_at(config, 5)->key, "some.key", "an underscore stands for a dot in a free section");
	is_str(config_at(config, 7)->name, "s.\"o.\".x", "a name with dots and quotes");
	is_str(config_at(config, 7)->value, "c=d", "its value");
	is_str(config_at(config, 8)->key, "a.b.c", "a key with dots");
	config_free(config);
}

static void
test_bad_options(void)
{
	static const char *const bad[] = {
		"", "main", "main.name", "=", "main=x", "name=x", ".=x", "main.=x", "part \"x\"=1", "part \"x.column=1",
		"part \"x\"column=1", "part.column=1", "main.nmae=x", "main.count=x", "free.=1", "free.*=1"
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		char	   *options[1] = {(char *) bad[i]};
		struct err	err;
		struct config *config = load(NULL, 0, options, 1, NULL, &err);

		ok(config == NULL && err.class == ERR_CONFIG && strncmp(err.message, "-o", 2) == 0, "refused: -o %s", bad[i]);
		config_free(config);
	}
}

/* ---- what is printed ---- */

/* The text that a function of config_print.c prints; to be freed. */
static char *
shown(const struct config *config, void (*print) (const struct config_program *, FILE *))
{
	char	   *text = NULL;
	size_t		size;
	FILE	   *out = open_memstream(&text, &size);

	if (out == NULL)
		abort();
	if (config != NULL)
		config_show(config, out);
	else
		print(&program, out);
	(void) fclose(out);
	return text;
}

static void
test_secrets(void)
{
	static const char text[] = "[main]\npassword = s3cret\n[free]\na.password = s3cret\nnew.password = s3cret\noauth.client.secret = s3cret\n";
	char		file[80];
	char	   *env[] = {file, NULL};
	struct err	err;
	struct config *config = load(text, strlen(text), NULL, 0, NULL, &err);
	char	   *print;

	if (!ok(config != NULL, "secrets"))
		return;
	print = shown(config, NULL);
	ok(strstr(print, "s3cret") == NULL, "are not shown");
	ok(strstr(print, "new.password = ********") != NULL, "nor are those with a telling name");
	free(print);
	config_free(config);

	(void) snprintf(file, sizeof(file), "TESTER_FREE_A_PASSWORD_FILE=%s", write_file("line\n\n", 6));
	config = NULL;
	(void) config_load(&program, NULL, NULL, 0, env, &config, &err);
	ok(config != NULL && strcmp(config_string(config, "free", "a.password"), "line\n") == 0,
	   "a file's content, less one newline");
	config_free(config);
}

/* What config show prints is a file that says the same. */
static void
test_round_trip(struct random *random)
{
	static const char letters[] = "abcXYZ019_.-=;#'\"\\[]${} \xc3\xa4";
	int			failures = 0;

	for (int i = 0; i < 300; i++)
	{
		char		options_text[6][128];
		char	   *options[6];
		struct err	err;
		struct config *config;
		struct config *again;
		char	   *first;
		char	   *second;

		for (int o = 0; o < 6; o++)
		{
			static const char *const targets[] = {"main.name", "free.x.y", "free.known.key", "part \"a b\".column", "part \"B\".column", "main.name"};
			int			len = snprintf(options_text[o], 64, "%s=v", targets[o]);

			for (uint32_t n = random_below(random, 40); n > 0; n--)
				options_text[o][len++] = letters[random_below(random, sizeof(letters) - 3)];
			options_text[o][len++] = 'e';
			options_text[o][len] = '\0';
			options[o] = options_text[o];
		}
		config = load(NULL, 0, options, 6, NULL, &err);
		if (config == NULL)
		{
			failures++;
			continue;
		}
		first = shown(config, NULL);
		again = load(first, strlen(first), NULL, 0, NULL, &err);
		second = again != NULL ? shown(again, NULL) : strdup(err.message);
		if (again == NULL || strcmp(config_string(config, "main", "name"), config_string(again, "main", "name")) != 0 ||
			strcmp(config_string(config, "free", "known.key"), config_string(again, "free", "known.key")) != 0)
		{
			if (failures++ == 0)
				diag("%s\n---\n%s", first, second);
		}
		free(first);
		free(second);
		config_free(config);
		config_free(again);
	}
	is_int(failures, 0, "what config show prints says the same when it is read");
}

static void
test_generated(void)
{
	struct err	err;
	char	   *example = shown(NULL, config_print_example);
	char	   *manual = shown(NULL, config_print_manual);
	struct config *config = load(example, strlen(example), NULL, 0, NULL, &err);

	ok(config != NULL && config_count(config) == 0, "the example is a file that sets nothing");
	ok(strstr(manual, "| `count` | number, -10 to 100 | `5` | A count. SIGHUP applies a change. |") != NULL, "the manual: a number");
	ok(strstr(manual, "| `mode` | `slow`, `fast`, `very-fast` | `slow` |") != NULL, "the manual: choices");
	ok(strstr(manual, "| `size` | size, 1kB to 10GB | `1MB` |") != NULL, "the manual: a size");
	ok(strstr(manual, "`password_file`") != NULL, "the manual: a secret");
	config_free(config);
	free(example);
	free(manual);
}

int
main(void)
{
	struct random random = random_start();

	test_refusals();
	test_defaults();
	test_values();
	test_long();
	test_precedence();
	test_bad_options();
	test_secrets();
	test_round_trip(&random);
	test_generated();
	(void) unlink(path);
	return done_testing();
}
