/*
 * progress_test.c - what the progress kept in Kafka looks like, and what
 * follows from it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include <stdlib.h>

#include "progress.h"

#define SYSTEM		"7300000000000000001"

static const struct progress current = {
	.system = SYSTEM, .database = "shop", .slot = "outbox", .generation = 3, .timeline = 7
};

/* on timeline 7, which came from 5 at 0/5000, which came from 1 at 0/1000 */
static struct replication_identity
server(lsn_t confirmed, lsn_t wal_flush)
{
	struct replication_identity identity = {
		.system = SYSTEM, .database = "shop", .confirmed = confirmed, .wal_flush = wal_flush
	};

	identity.timeline.current = 7;
	identity.timeline.npast = 2;
	identity.timeline.past[0].id = 1;
	identity.timeline.past[0].end = 0x1000;
	identity.timeline.past[1].id = 5;
	identity.timeline.past[1].end = 0x5000;
	return identity;
}

/* in a heap copy of its exact length, so that a sanitizer sees what is read beyond it */
static bool
read_copy(const char *text, size_t len, struct progress *progress)
{
	char	   *copy = malloc(len ? len : 1);
	bool		result;

	memcpy(copy, text, len);
	result = progress_read((struct slice) {copy, len}, progress);
	free(copy);
	return result;
}

/* ---------- the record ---------- */

static void
test_names(void)
{
	char		name[256];

	progress_topic(name, sizeof(name), SYSTEM, "outbox");
	is_str(name, "outbox.progress." SYSTEM ".outbox", "the topic's name");
	progress_transactional_id(name, sizeof(name), SYSTEM, "outbox");
	is_str(name, "outbox-streamer." SYSTEM ".outbox", "the transactional id");
}

static void
test_round_trip(const char *what, const struct progress *progress)
{
	char		text[PROGRESS_TEXT_MAX];
	size_t		len = progress_write(progress, text);
	struct progress read = {.lsn = 42, .split = {.lsn = 42}};

	ok(len > 0 && len <= sizeof(text), "%s: it has %zu octets", what, len);
	ok(read_copy(text, len, &read), "%s: it can be read", what);
	is_str(read.system, progress->system, "%s: system", what);
	is_str(read.database, progress->database, "%s: database", what);
	is_str(read.slot, progress->slot, "%s: slot", what);
	is_int(read.generation, progress->generation, "%s: generation", what);
	is_int(read.timeline, progress->timeline, "%s: timeline", what);
	ok(read.lsn == progress->lsn, "%s: position", what);
	ok(read.split.lsn == progress->split.lsn && read.split.total == progress->split.total &&
	   read.split.size == progress->split.size && read.split.sent == progress->split.sent,
	   "%s: split", what);
}

static void
test_write(void)
{
	struct progress p = current;
	char		text[PROGRESS_TEXT_MAX + 1];
	size_t		len;

	p.lsn = UINT64_C(0x1A000000FF);
	len = progress_write(&p, text);
	text[len] = '\0';
	is_str(text, "{\"format\":1,\"system\":\"" SYSTEM "\",\"database\":\"shop\",\"slot\":\"outbox\","
		   "\"generation\":3,\"timeline\":7,\"lsn\":\"1A/FF\"}", "what is written");
	test_round_trip("ordinary", &p);
	p.split = (struct split) {.lsn = UINT64_C(0x1A00000100), .total = 25, .size = 10, .sent = 20};
	len = progress_write(&p, text);
	text[len] = '\0';
	ok(strstr(text, ",\"lsn\":\"1A/FF\",\"split\":{\"lsn\":\"1A/100\",\"events\":25,\"size\":10,\"sent\":20}}"),
	   "a split transaction behind it: %s", text);
	test_round_trip("split", &p);

	/* the longest names that PostgreSQL takes, with what JSON has to escape */
	memset(p.database, '"', sizeof(p.database) - 1);
	memset(p.slot, 's', sizeof(p.slot) - 1);
	memset(p.system, '9', 20);
	p.system[20] = '\0';
	p.generation = INT64_MAX;
	p.timeline = UINT32_MAX;
	p.lsn = UINT64_MAX - 1;
	p.split = (struct split) {.lsn = UINT64_MAX, .total = UINT32_MAX, .size = 1000000000, .sent = 4000000000};
	test_round_trip("as long as it gets", &p);
	snprintf(p.database, sizeof(p.database), "%s", "b\xC3\xBC" "cher\\ \t\x01");
	p.lsn = LSN_INVALID + 1;
	test_round_trip("odd characters", &p);
	for (size_t i = 0; i + 1 < sizeof(p.database); i++)
		p.database[i] = '\x01';
	p.database[sizeof(p.database) - 1] = '\0';
	test_round_trip("a name of control characters", &p);
	strcpy(p.database, "\xE9t\xE9");
	is_int((long long) progress_write(&p, text), 0, "a name that isn't UTF-8: nothing is written");
}

#define SPLIT(split) \
	"{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\",\"split\":" split "}"

static void
test_garbage(void)
{
	static const char good[] = "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\","
		"\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}";
	static const struct
	{
		const char *what;
		const char *text;
	}			bad[] = {
		{"nothing", ""},
		{"no JSON", "progress"},
		{"an array", "[]"},
		{"an empty object", "{}"},
		{"a format alone", "{\"format\":1}"},
		{"format 0", "{\"format\":0}"},
		{"a format that is no number", "{\"format\":\"2\"}"},
		{"a real for a format", "{\"format\":2.5}"},
		{"no system", "{\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"no database", "{\"system\":\"1\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"no slot", "{\"system\":\"1\",\"database\":\"d\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"no generation", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"no timeline", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"lsn\":\"0/1\"}"},
		{"no position", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1}"},
		{"a number for a name", "{\"system\":1,\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"null for a name", "{\"system\":null,\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"text for a number", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":\"1\",\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"a real for a number", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1.5,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"timeline 0", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":0,\"lsn\":\"0/1\"}"},
		{"a negative timeline", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":-1,\"lsn\":\"0/1\"}"},
		{"a timeline of 33 bits", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":4294967296,\"lsn\":\"0/1\"}"},
		{"a position that is none", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"1\"}"},
		{"an empty position", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"\"}"},
		{"a member twice", "{\"system\":\"1\",\"system\":\"2\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"a slot's name too long", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"a system's name too long", "{\"system\":\"11111111111111111111111111111111\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"invalid UTF-8", "{\"system\":\"1\",\"database\":\"\xC3\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}"},
		{"a split that is none", SPLIT("1")},
		{"a split without its position", SPLIT("{\"events\":25,\"size\":10,\"sent\":20}")},
		{"a split without its number of events", SPLIT("{\"lsn\":\"0/2\",\"size\":10,\"sent\":20}")},
		{"a split of position 0", SPLIT("{\"lsn\":\"0/0\",\"events\":25,\"size\":10,\"sent\":20}")},
		{"a split that is not behind the position", SPLIT("{\"lsn\":\"0/1\",\"events\":25,\"size\":10,\"sent\":20}")},
		{"a split into parts of 0", SPLIT("{\"lsn\":\"0/2\",\"events\":25,\"size\":0,\"sent\":20}")},
		{"a split of which nothing is sent", SPLIT("{\"lsn\":\"0/2\",\"events\":25,\"size\":10,\"sent\":0}")},
		{"a split of which half a part is sent", SPLIT("{\"lsn\":\"0/2\",\"events\":25,\"size\":10,\"sent\":15}")},
		{"a split of which all is sent", SPLIT("{\"lsn\":\"0/2\",\"events\":20,\"size\":10,\"sent\":20}")},
		{"a split of 33 bits", SPLIT("{\"lsn\":\"0/2\",\"events\":4294967296,\"size\":10,\"sent\":20}")},
		{"a split of a negative number", SPLIT("{\"lsn\":\"0/2\",\"events\":25,\"size\":10,\"sent\":-10}")},
		{"something behind it", "{\"system\":\"1\",\"database\":\"d\",\"slot\":\"s\",\"generation\":1,\"timeline\":1,\"lsn\":\"0/1\"}{}"},
	};
	struct progress p;
	int			cut = 0;

	ok(read_copy(good, strlen(good), &p) && p.lsn == 1, "what the others are made of is one");
	ok(read_copy(SPLIT("{\"lsn\":\"0/2\",\"events\":25,\"size\":10,\"sent\":20}"),
				 strlen(SPLIT("{\"lsn\":\"0/2\",\"events\":25,\"size\":10,\"sent\":20}")), &p) && p.split.sent == 20,
	   "and so is this");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!read_copy(bad[i].text, strlen(bad[i].text), &p), "no record: %s", bad[i].what);
	for (size_t len = 0; len < strlen(good); len++)
		cut += read_copy(good, len, &p);
	is_int(cut, 0, "no record: cut short anywhere");
	ok(!progress_read((struct slice) {NULL, 0}, &p), "no record: a tombstone");
	ok(read_copy("{\"format\":2,\"lsn\":7}", strlen("{\"format\":2,\"lsn\":7}"), &p) && p.format == 2,
	   "one of a later format, whatever it holds");
	ok(read_copy("{\"more\":true,\"lsn\":\"0/2\",\"timeline\":1,\"generation\":1,\"slot\":\"s\",\"database\":\"d\",\"system\":\"1\"}",
				 strlen("{\"more\":true,\"lsn\":\"0/2\",\"timeline\":1,\"generation\":1,\"slot\":\"s\",\"database\":\"d\",\"system\":\"1\"}"), &p) &&
	   p.lsn == 2, "other order and a later version's members are no harm");
}

/* ---------- what follows ---------- */

static struct progress
at(uint32_t timeline, lsn_t lsn)
{
	struct progress p = current;

	p.timeline = timeline;
	p.lsn = lsn;
	return p;
}

static void
goes_on(const char *what, const struct progress *found, lsn_t confirmed, lsn_t wal_flush, lsn_t expected)
{
	struct replication_identity identity = server(confirmed, wal_flush);
	struct err	err = {0};
	struct progress_start start = {.lsn = 42};

	is_int(progress_judge(&current, &identity, found, &start, &err), ERR_NONE, "%s", what);
	ok(start.lsn == expected, "%s: from %llX", what, (unsigned long long) expected);
}

static void
refuses(const char *what, struct progress found, lsn_t confirmed, lsn_t wal_flush, const char *code)
{
	struct replication_identity identity = server(confirmed, wal_flush);
	struct err	err = {0};
	struct progress_start start = {.lsn = 42};

	is_int(progress_judge(&current, &identity, &found, &start, &err), ERR_FATAL, "%s", what);
	is_str(err.code, code, "%s: the code", what);
	ok(err.message[0] && err.hint[0], "%s: a reason and a hint", what);
}

/* the server is at 0/9000, the slot at 0/3000 */
static void
splits(const char *what, const struct progress *found, uint32_t sent)
{
	struct replication_identity identity = server(0x3000, 0x9000);
	struct err	err = {0};
	struct progress_start start = {.split = {.sent = 42}};

	is_int(progress_judge(&current, &identity, found, &start, &err), ERR_NONE, "%s", what);
	is_int(start.split.sent, sent, "%s: events of it that are delivered", what);
	ok(start.split.lsn == (sent ? found->split.lsn : LSN_INVALID), "%s: its end", what);
}

static void
test_positions(void)
{
	struct progress found;

	goes_on("first start", NULL, 0x6000, 0x9000, 0x6000);
	found = at(7, 0x6000);
	goes_on("progress and slot are equal", &found, 0x6000, 0x9000, 0x6000);
	found = at(7, 0x7000);
	goes_on("the slot is behind", &found, 0x6000, 0x9000, 0x7000);
	found = at(7, 0x9000);
	goes_on("progress is at the server's end", &found, 0x6000, 0x9000, 0x9000);
	found = at(7, 0x9000);
	goes_on("all three are equal", &found, 0x9000, 0x9000, 0x9000);

	found = at(7, 0x7000);
	found.split = (struct split) {.lsn = 0x9000, .total = 25, .size = 10, .sent = 20};
	splits("a split transaction at the server's end", &found, 20);
	found.split.lsn = 0x9001;
	refuses("a split transaction one octet ahead of the server", found, 0x6000, 0x9000, "progress-ahead");
	found.generation = 2;
	splits("a split transaction of an earlier generation", &found, 0);

	refuses("one octet behind the slot", at(7, 0x5FFF), 0x6000, 0x9000, "progress-behind");
	refuses("one octet ahead of the server", at(7, 0x9001), 0x6000, 0x9000, "progress-ahead");
}

static void
test_identity(void)
{
	struct progress found;

	found = at(7, 0x7000);
	strcpy(found.system, "7300000000000000002");
	refuses("another system", found, 0x6000, 0x9000, "progress-foreign");
	found = at(7, 0x7000);
	strcpy(found.database, "Shop");
	refuses("another database", found, 0x6000, 0x9000, "progress-foreign");
	found = at(7, 0x7000);
	strcpy(found.slot, "outbox2");
	refuses("another slot", found, 0x6000, 0x9000, "progress-foreign");

	found = at(7, 0x5000);
	found.generation = 2;
	goes_on("an earlier generation, behind the slot", &found, 0x6000, 0x9000, 0x6000);
	found.lsn = 0x8000;
	goes_on("an earlier generation, ahead of the slot", &found, 0x6000, 0x9000, 0x6000);
	found.lsn = 0xA000;
	goes_on("an earlier generation, ahead of the server", &found, 0x6000, 0x9000, 0x6000);
	found.timeline = 6;
	goes_on("an earlier generation, on no ancestor", &found, 0x6000, 0x9000, 0x6000);
	found = at(7, 0x7000);
	found.generation = 4;
	found.format = PROGRESS_FORMAT + 1;
	refuses("a later format", found, 0x6000, 0x9000, "progress-format");
	found.generation = current.generation - 1;
	refuses("whatever its generation", found, 0x6000, 0x9000, "progress-format");
	found.format = PROGRESS_FORMAT;
	found.generation = current.generation + 1;
	refuses("a later generation", found, 0x6000, 0x9000, "progress-generation");
	strcpy(found.system, "7300000000000000002");
	refuses("a later generation of another system", found, 0x6000, 0x9000, "progress-foreign");
}

static void
test_timelines(void)
{
	struct progress found;

	found = at(5, 0x4000);
	goes_on("an ancestor, below the switch", &found, 0x3000, 0x9000, 0x4000);
	found = at(5, 0x5000);
	goes_on("an ancestor, at the switch", &found, 0x3000, 0x9000, 0x5000);
	found = at(5, 0x5001);
	goes_on("an ancestor, above the switch: only up to it", &found, 0x3000, 0x9000, 0x5000);
	found = at(5, 0xF000);
	goes_on("an ancestor, above what there is now: only up to the switch", &found, 0x3000, 0x9000, 0x5000);
	found = at(1, 0x2000);
	goes_on("an ancestor's ancestor: its own switch counts", &found, 0x0800, 0x9000, 0x1000);

	found = at(5, 0x4000);
	found.split = (struct split) {.lsn = 0x5000, .total = 25, .size = 10, .sent = 20};
	splits("a split transaction that ends at the switch", &found, 20);
	found.split.lsn = 0x5001;
	splits("one that ends above the switch: it isn't there any more", &found, 0);
	refuses("an ancestor, behind the slot", at(5, 0x4000), 0x4001, 0x9000, "progress-behind");
	refuses("an ancestor, cut at the switch, and so behind the slot", at(5, 0x8000), 0x5001, 0x9000, "progress-behind");
	refuses("a timeline that was left out", at(6, 0x7000), 0x6000, 0x9000, "progress-timeline");
	refuses("a later timeline", at(8, 0x7000), 0x6000, 0x9000, "progress-timeline");
}

int
main(void)
{
	test_names();
	test_write();
	test_garbage();
	test_positions();
	test_identity();
	test_timelines();
	return done_testing();
}
