/*
 * cmd_replay.c - outbox-streamer replay.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kafka/topic_name.h"
#include "replay.h"
#include "replay_rows.h"
#include "route.h"

#define DEFAULT_TIMEOUT_MS	60000
#define MAX_RATE			1000000
#define MAX_TIMEOUT_S		86400

static const char help[] =
"Usage: outbox-streamer replay SELECTION... [OPTION]...\n\n"
"Sends rows of an outbox table again, in the order in which they were written, with\n"
"their ids, the header outbox.replay (when this replay began) and no outbox.position.\n"
"The slot is not touched, and other events flow meanwhile.\n\n"
"Which rows; all that is given has to hold:\n"
"      --since=TIME                written at or after this time (created_at)\n"
"      --until=TIME                written before\n"
"      --aggregate-type=TYPE       of this aggregate type\n"
"      --aggregate-id=ID           with this aggregate id\n"
"      --id=ID                     the event with this id\n"
"      --query=SQL                 events whose ids this query gives; it can't write\n"
"      --all                       all that the table still has\n\n"
"  -n, --dry-run                   prints how many there are, and sends nothing\n"
"      --rate=N                    at most N events a second\n"
"      --topic=TOPIC               to this topic, instead of the rows' own\n"
"      --timestamps=original       with the time of the row; default: now\n"
"      --table=SCHEMA.NAME         table; default outbox.event\n"
"      --timeout=SECONDS           for selecting, in the server; default 60, 0 = none\n"
"      --no-wait                   doesn't wait until the slot has confirmed the rows\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment\n"
"  -h, --help                      this help\n";

enum
{
	OPTION_SINCE = 256,
	OPTION_UNTIL,
	OPTION_AGGREGATE_TYPE,
	OPTION_AGGREGATE_ID,
	OPTION_ID,
	OPTION_QUERY,
	OPTION_ALL,
	OPTION_RATE,
	OPTION_TOPIC,
	OPTION_TIMESTAMPS,
	OPTION_TABLE,
	OPTION_TIMEOUT,
	OPTION_NO_WAIT
};

static const struct option options[] = {
	CLI_LONG,
	{"since", required_argument, NULL, OPTION_SINCE},
	{"until", required_argument, NULL, OPTION_UNTIL},
	{"aggregate-type", required_argument, NULL, OPTION_AGGREGATE_TYPE},
	{"aggregate-id", required_argument, NULL, OPTION_AGGREGATE_ID},
	{"id", required_argument, NULL, OPTION_ID},
	{"query", required_argument, NULL, OPTION_QUERY},
	{"all", no_argument, NULL, OPTION_ALL},
	{"dry-run", no_argument, NULL, 'n'},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"topic", required_argument, NULL, OPTION_TOPIC},
	{"timestamps", required_argument, NULL, OPTION_TIMESTAMPS},
	{"table", required_argument, NULL, OPTION_TABLE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"no-wait", no_argument, NULL, OPTION_NO_WAIT},
	{NULL, 0, NULL, 0}
};

/* What the command line says, beside the replay's own options. */
struct request
{
	struct replay_options replay;
	bool		all;
	bool		dry_run;
};

/* ---- the command line ---- */

/* Decimal digits and nothing else. */
static bool
read_number(const char *text, int64_t min, int64_t max, int64_t *value)
{
	int64_t		n = 0;

	if (*text == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return false;
	for (; *text != '\0'; text++)
		n = n * 10 + (*text - '0');
	*value = n;
	return n >= min && n <= max;
}

/* An option that selects; false if it is another. */
static bool
read_selection(struct request *request, int option)
{
	struct replay_selection *s = &request->replay.selection;
	const char **to = NULL;

	switch (option)
	{
		case OPTION_SINCE: to = &s->since; break;
		case OPTION_UNTIL: to = &s->until; break;
		case OPTION_AGGREGATE_TYPE: to = &s->aggregatetype; break;
		case OPTION_AGGREGATE_ID: to = &s->aggregateid; break;
		case OPTION_ID: to = &s->id; break;
		case OPTION_QUERY: to = &s->query; break;
		case OPTION_TABLE: to = &s->table; break;
		case OPTION_ALL: request->all = true; return true;
		default: return false;
	}
	*to = optarg;
	return true;
}

/* Any other option of ours: -1 to go on, else the exit status. */
static int
read_option(struct cli *cli, struct request *request, int option, char **argv)
{
	struct replay_options *replay = &request->replay;

	switch (option)
	{
		case 'n':
			request->dry_run = true;
			return -1;
		case OPTION_NO_WAIT:
			replay->no_wait = true;
			return -1;
		case OPTION_RATE:
			if (!read_number(optarg, 1, MAX_RATE, &replay->rate))
				return cli_usage("--rate=%.60s is not a number of events a second from 1 to %d", optarg, MAX_RATE);
			return -1;
		case OPTION_TIMEOUT:
			if (!read_number(optarg, 0, MAX_TIMEOUT_S, &replay->timeout_ms))
				return cli_usage("--timeout=%.60s is not a number of seconds from 0 to %d", optarg, MAX_TIMEOUT_S);
			replay->timeout_ms *= 1000;
			return -1;
		case OPTION_TOPIC:
			if (!topic_name_valid(optarg, strlen(optarg)))
				return cli_usage("--topic=%.260s is no legal name for Kafka", optarg);
			replay->topic = optarg;
			return -1;
		case OPTION_TIMESTAMPS:
			if (strcmp(optarg, "original") != 0 && strcmp(optarg, "now") != 0)
				return cli_usage("--timestamps=%.60s is neither \"now\" nor \"original\"", optarg);
			replay->selection.original_time = optarg[0] == 'o';
			return -1;
		default:
			return cli_option(cli, option, argv, help);
	}
}

static bool
selects_something(const struct request *request)
{
	const struct replay_selection *s = &request->replay.selection;

	return request->all || s->since != NULL || s->until != NULL || s->aggregatetype != NULL ||
		s->aggregateid != NULL || s->id != NULL || s->query != NULL;
}

/* ---- the command ---- */

static int
dry_run(const struct cli *cli, const struct request *request)
{
	struct err	err = {0};
	uint64_t	count = 0;
	struct replay_rows *rows = replay_rows_new(cli->settings, cli->config, &request->replay.selection,
											   request->replay.timeout_ms, &err);

	if (rows != NULL)
		(void) replay_rows_count(rows, &count, &err);
	replay_rows_free(rows);
	if (err.class != ERR_NONE)
		return cli_fail(&err);
	printf("%" PRIu64 "\n", count);
	return 0;
}

static int
run(const struct cli *cli, const struct request *request)
{
	struct err	err = {0};
	struct replay_result result;

	(void) replay_run(cli->settings, cli->config, &request->replay, &result, &err);
	if (err.class != ERR_NONE)
	{
		if (result.acked > 0)
			log_info("%" PRIu64 " events were replayed before this (%s: %s)", result.acked, HEADER_REPLAY, result.mark);
		return cli_fail(&err);
	}
	log_info("%" PRIu64 " events replayed%s (%s: %s)", result.acked, result.stopped ? ", not all" : "",
			 HEADER_REPLAY, result.mark);
	return 0;
}

int
cmd_replay(struct cli *cli, int argc, char **argv)
{
	struct request request = {
		.replay = {.selection = {.table = "outbox.event"}, .timeout_ms = DEFAULT_TIMEOUT_MS}
	};
	enum err_class class;
	int			option;

	while ((option = getopt_long(argc, argv, CLI_SHORT "n", options, NULL)) != -1)
	{
		int			status = read_selection(&request, option) ? -1 : read_option(cli, &request, option, argv);

		if (status >= 0)
			return status;
	}
	if (!cli_no_more(argc, argv))
		return 1;
	if (!selects_something(&request))
		return cli_usage("replay needs to know which events; --all are all that the table still has");
	class = cli_load(cli, !request.dry_run);
	if (class != ERR_NONE)
		return err_exit_status(class);
	return request.dry_run ? dry_run(cli, &request) : run(cli, &request);
}
