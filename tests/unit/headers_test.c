/*
 * headers_test.c - a row's headers: every JSON object and nothing else, its
 * strings' values and everything else's text.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"
#include "random.h"

#include "headers_oracle.h"

/* ---- examples */

/* "name=value;name;" (the latter absent), or the reason it was refused for */
static const char *
read_headers(const char *text, size_t len)
{
	static char out[4096];
	struct header headers[HEADERS_MAX];
	const char *reason = NULL;
	char	   *copy = malloc(len);
	size_t		used = 0;
	int			n;

	memcpy(copy, text, len);
	n = headers_read((struct slice) {copy, len}, headers, HEADERS_MAX, &reason);
	out[0] = '\0';
	for (int i = 0; i < n && used < sizeof(out) - 200; i++)
		used += (size_t) snprintf(out + used, sizeof(out) - used, "%.*s%s%.*s;",
								  (int) headers[i].name.len, headers[i].name.data,
								  headers[i].value.data ? "=" : "",
								  (int) headers[i].value.len, headers[i].value.data ? headers[i].value.data : "");
	free(copy);
	return n < 0 ? reason : out;
}

#define NO_OBJECT	"headers are no JSON object"

static void
test_examples(void)
{
	static const struct
	{
		const char *text;
		const char *headers;
	}			examples[] = {
		{"{}", ""},
		{" \t\r\n{ \t\r\n} \t\r\n", ""},
		{"{\"a\":\"b\"}", "a=b;"},
		{"{\"a\": \"\", \"\": \"b\"}", "a=;=b;"},
		{"{\"b\": \"1\", \"a\": \"2\", \"b\": \"3\"}", "b=1;a=2;b=3;"},
		{"{\"a\" : null , \"b\":\"null\"}", "a;b=null;"},
		{"{\"a\": true, \"b\":false}", "a=true;b=false;"},
		{"{\"a\": 0, \"b\": -0, \"c\": 12.50, \"d\": 1E+2, \"e\":-1e-2}", "a=0;b=-0;c=12.50;d=1E+2;e=-1e-2;"},
		{"{\"a\": 123456789012345678901234567890.10, \"b\": 1e999}", "a=123456789012345678901234567890.10;b=1e999;"},
		{"{\"a\": {\"x\" : [1, \"\\u0041\", {}] } , \"b\": [ ]}", "a={\"x\" : [1, \"\\u0041\", {}] };b=[ ];"},
		{"{\"\\u0041\\n\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "A\n=\"\\/\b\f\n\r\t;"},
		{"{\"a\": \"\\u00e9\\u00E9\\u20AC\\ud83d\\uDE00\\uffff\"}", "a=\xc3\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf;"},
		{"{\"a\": \"\xc3\xa9\x7f\"}", "a=\xc3\xa9\x7f;"},
		{"{\"a\": \"\\u007f\\u0080\\u07ff\\u0800\\ud800\\udc00\\udbff\\udfff\"}",
		"a=\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf;"},
		{"{\"a\": [\"\\ud83d\\ude00\\u0000\"]}", "a=[\"\\ud83d\\ude00\\u0000\"];"},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		is_str(read_headers(examples[i].text, strlen(examples[i].text)), examples[i].headers,
			   "example %zu", i + 1);
	is_str(read_headers("{\"a\":\"x\"}{", 9), "a=x;", "what lies behind the text isn't looked at");
}

static void
test_refusals(void)
{
	static const char *const refused[] = {
		"", " ", "{", "}", "[]", "null", "1", "\"a\"", "{}{}", "{} x", "{,}", "x{}",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
		"{\"a\":1;\"b\":2}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,\"b\"", "{\"a\":1,\"b\":", "{a:1}",
		"{'a':1}", "{null:1}", "{1:1}", "{\"a\":tru}", "{\"a\":trueish}", "{\"a\":True}", "{\"a\":nul}",
		"{\"a\":nullx}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":01}", "{\"a\":-}", "{\"a\":-01}",
		"{\"a\":+1}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":1.e1}", "{\"a\":0x1}",
		"{\"a\":1e1.5}", "{\"a\":- 1}", "{\"a\":1 2}", "{\"a\":--1}", "{\"a\":1e--1}",
		"{\"a\":\"}", "{\"a\":\"\\\"}", "{\"a\":\"\\a\"}", "{\"a\":\"\\x41\"}", "{\"a\":\"\\U0041\"}",
		"{\"a\":\"\\u004\"}", "{\"a\":\"\\u004g\"}", "{\"a\":\"\\u00 1\"}", "{\"a\":\"\\u-001\"}",
		"{\"a\":\"\\u\x10\x11\x12\x13\"}", "{\"a\":\"\\uP000\"}", "{\"a\":\"\\u0\xb0\xb0\xb0\"}",
		"{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800x\"}", "{\"a\":\"\\ud800\\n\"}", "{\"a\":\"\\ud800\\u0041\"}",
		"{\"a\":\"\\ud800\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\udc00\\ud800\"}", "{\"a\":\"\\udc00\\udc00\"}", "{\"a\":\"\\udfff\"}",
		"{\"a\":\"\\ud800\\u", "{\"a\":\"\\u12", "{\"a\":\"x\ny\"}", "{\"a\":\"x\ty\"}", "{\"a\ty\":1}", "{\"a\":\"\x1f\"}",
		"{\"a\":[}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":[1}", "{\"a\":[1}]", "{\"a\":]}",
		"{\"a\":{]}", "{\"a\":{\"b\"}}", "{\"a\":{\"b\":1,}}", "{\"a\":{1:1}}", "{\"a\":{\"b\":}}",
		"{\"a\":{\"b\":\"\\ud800\"}}", "{\"a\":[\"\\u004\"]}", "{\"a\":[\"x\ny\"]}", "{\"a\":[\"\\", "{\"a\":[\"\\u00",
		"{\"a\":1/**/}", "// x\n{}", "{\"a\":1}\xc2\xa0", "\xef\xbb\xbf{}", "{\v}", "{\"a\":\f1}",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		is_str(read_headers(refused[i], strlen(refused[i])), NO_OBJECT, "refused text %zu", i + 1);
	is_str(read_headers("{\"a\":\"b\"\0}", 10), NO_OBJECT, "refused: NUL between the tokens");
	is_str(read_headers("{\"a\":\"b\0\"}", 10), NO_OBJECT, "refused: NUL in a string");
	is_str(read_headers("{\"a\":\"\\\0\"}", 10), NO_OBJECT, "refused: NUL behind a reverse solidus");
	is_str(read_headers("{\"a\":\"\\u\0\0\0\0\"}", 14), NO_OBJECT, "refused: NUL as hexadecimal digits");
}

static void
test_limits(void)
{
	static char text[HEADERS_MAX * 20];
	struct header headers[HEADERS_MAX];
	const char *reason;

	for (int members = HEADERS_MAX; members <= HEADERS_MAX + 1; members++)
	{
		size_t		len = 0;

		for (int i = 0; i < members; i++)
			len += (size_t) sprintf(text + len, "%s\"h%d\":%d", i == 0 ? "{" : ",", i, i);
		len += (size_t) sprintf(text + len, "}");
		is_int(headers_read((struct slice) {text, len}, headers, HEADERS_MAX, &reason),
			   members == HEADERS_MAX ? members : -1, "%d members", members);
	}
	is_str(reason, "more than 64 headers", "the reason");

	for (int depth = 65; depth <= 66; depth++)
	{
		size_t		len = (size_t) sprintf(text, "{\"a\":");

		memset(text + len, '[', (size_t) depth);
		memset(text + len + depth, ']', (size_t) depth);
		len += 2 * (size_t) depth;
		len += (size_t) sprintf(text + len, "}");
		is_int(headers_read((struct slice) {text, len}, headers, HEADERS_MAX, &reason), depth == 65 ? 1 : -1,
			   "a value of %d arrays one in another", depth);
	}
	is_str(reason, "headers are nested more than 64 deep", "the reason");
	is_str(read_headers("{\"a\":\"\\u0000b\"}", 15), "a=;", "NUL can be a string's value");
}

/* ---- against jansson */

/* A writer of random JSON with all the freedom that it has. */
struct writer
{
	struct random *random;
	size_t		len;
	char		text[4096];
};

static void
put(struct writer *w, const char *text)
{
	size_t		len = strlen(text);

	if (len <= sizeof(w->text) - w->len)
	{
		memcpy(w->text + w->len, text, len);
		w->len += len;
	}
}

static void
put_one_of(struct writer *w, const char *const *choices, uint32_t n)
{
	put(w, choices[random_below(w->random, n)]);
}

#define PUT_ONE_OF(w, ...) \
	put_one_of(w, (const char *const[]) {__VA_ARGS__}, sizeof((const char *const[]) {__VA_ARGS__}) / sizeof(char *))

static void
put_space(struct writer *w)
{
	PUT_ONE_OF(w, "", "", "", "", " ", "\n", "\t ", "\r\n");
}

static void
put_string(struct writer *w)
{
	put(w, "\"");
	for (uint32_t i = random_below(w->random, 5); i > 0; i--)
		PUT_ONE_OF(w, "a", "Z", "/", "\\/", "\\\"", "\\\\", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9",
				   "\\u20aC", "\\uD83D\\uDE00", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "{", ":", ",", "\x7f");
	put(w, "\"");
}

static void
put_value(struct writer *w, int depth)
{
	uint32_t	kind = random_below(w->random, depth > 5 ? 5 : 7);
	bool		object = kind == 6;

	if (kind < 2)
	{
		put_string(w);
		return;
	}
	if (kind < 5)
	{
		PUT_ONE_OF(w, "true", "false", "null", "0", "-0", "17", "-17.250", "1e5", "1E-5", "0.5e+3",
				   "9223372036854775808", "123456789012345678901234567890", "0.1000000000000000000001");
		return;
	}
	put(w, object ? "{" : "[");
	for (uint32_t i = 0, n = random_below(w->random, 4); i < n; i++)
	{
		char		name[16];

		put(w, i > 0 ? "," : "");
		put_space(w);
		/* mostly different names */
		(void) snprintf(name, sizeof(name), "\"%u\"", random_below(w->random, 1000));
		put(w, object ? name : "");
		put_space(w);
		put(w, object ? ":" : "");
		put_space(w);
		put_value(w, depth + 1);
		put_space(w);
	}
	put(w, object ? "}" : "]");
}

static void
put_object(struct writer *w)
{
	uint32_t	n = random_below(w->random, 6);

	w->len = 0;
	put_space(w);
	put(w, "{");
	for (uint32_t i = 0; i < n; i++)
	{
		put(w, i > 0 ? "," : "");
		put_space(w);
		put_string(w);
		put_space(w);
		put(w, ":");
		put_space(w);
		put_value(w, 0);
		put_space(w);
	}
	put(w, "}");
	put_space(w);
}

static void
mutate(struct writer *w)
{
	static const char tasty[] = "\"\\{}[]:,0123456789eE+-.ntfud8cD \n\x1f\x80\xc3";
	size_t		at = random_below(w->random, (uint32_t) w->len);
	char		octet = random_once_in(w->random, 8) ? (char) random_u64(w->random) :
		tasty[random_below(w->random, sizeof(tasty) - 1)];

	if (random_once_in(w->random, 2) && w->len > 1)
	{
		memmove(w->text + at, w->text + at + 1, w->len - at - 1);
		w->len--;
	}
	else if (random_once_in(w->random, 2) && w->len < sizeof(w->text))
	{
		memmove(w->text + at + 1, w->text + at, w->len - at);
		w->text[at] = octet;
		w->len++;
	}
	else
		w->text[at] = octet;
}

static void
test_jansson(struct random *random)
{
	static struct writer w;
	int			whole[4] = {0};
	int			broken[4] = {0};

	w.random = random;
	for (int round = 0; round < 40000; round++)
	{
		enum verdict verdict;

		put_object(&w);
		whole[headers_verdict(w.text, w.len)]++;
		for (uint32_t i = random_below(random, 3) + 1; i > 0; i--)
			mutate(&w);
		verdict = headers_verdict(w.text, w.len);
		broken[verdict]++;
		if (verdict == VERDICT_DIFFER)
			diag("differs: %.*s", (int) w.len, w.text);
	}
	diag("well-formed: %d read by both, %d excused", whole[VERDICT_BOTH], whole[VERDICT_EXCUSED]);
	diag("mutated: %d read by both, %d by neither, %d excused",
		 broken[VERDICT_BOTH], broken[VERDICT_NEITHER], broken[VERDICT_EXCUSED]);
	ok(whole[VERDICT_BOTH] > 20000 && whole[VERDICT_NEITHER] == 0, "well-formed objects are read");
	is_int(whole[VERDICT_DIFFER], 0, "to the values that jansson finds");
	ok(broken[VERDICT_BOTH] > 3000 && broken[VERDICT_NEITHER] > 10000, "mutated ones are read or refused");
	is_int(broken[VERDICT_DIFFER], 0, "as by jansson");
}

int
main(void)
{
	struct random random = random_start();

	test_examples();
	test_refusals();
	test_limits();
	test_jansson(&random);
	return done_testing();
}
