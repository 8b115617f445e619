/*
 * options.c - the plugin's options, strictly read
 *
 * Every option but "table" is given once at most, every value is checked, and
 * what is not known is refused: a mistyped option must not go unnoticed.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define DEFAULT_TABLE		"outbox.event"
#define DEFAULT_PAYLOAD		(64 * 1024 * 1024)
#define DEFAULT_FRAME		(64 * 1024)

/*
 * A frame holds less than frame_size, one head and one payload, and must stay
 * below the 1 GB that a StringInfo can grow to.
 */
#define MAX_PAYLOAD			(1016 * 1024 * 1024)
#define MIN_FRAME			1024
#define MAX_FRAME			(1024 * 1024)

#define MAX_WIRE			1000000

typedef enum Option
{
	OPTION_WIRE,
	OPTION_TABLE,
	OPTION_PREFIX,
	OPTION_MAX_PAYLOAD,
	OPTION_FRAME_SIZE,
	OPTION_ORIGIN,
	OPTION_WAIT_VISIBLE,
	OPTION_SHARD,
	OPTION_CORK,
	NOPTIONS
} Option;

static const char *const option_names[NOPTIONS] = {
	[OPTION_WIRE] = OUTBOX_OPTION_WIRE,
	[OPTION_TABLE] = OUTBOX_OPTION_TABLE,
	[OPTION_PREFIX] = OUTBOX_OPTION_PREFIX,
	[OPTION_MAX_PAYLOAD] = OUTBOX_OPTION_MAX_PAYLOAD,
	[OPTION_FRAME_SIZE] = OUTBOX_OPTION_FRAME_SIZE,
	[OPTION_ORIGIN] = OUTBOX_OPTION_ORIGIN,
	[OPTION_WAIT_VISIBLE] = OUTBOX_OPTION_WAIT_VISIBLE,
	[OPTION_SHARD] = OUTBOX_OPTION_SHARD,
	[OPTION_CORK] = OUTBOX_OPTION_CORK,
};

static Option
find_option(const char *name)
{
	StringInfoData known;

	for (int i = 0; i < NOPTIONS; i++)
		if (strcmp(name, option_names[i]) == 0)
			return (Option) i;

	initStringInfo(&known);
	for (int i = 0; i < NOPTIONS; i++)
		appendStringInfo(&known, "%s%s", i > 0 ? ", " : "", option_names[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("outbox_decoder: unknown option \"%s\"", name),
			 errhint("Known options are: %s.", known.data)));
	return NOPTIONS;			/* not reached */
}

/* an integer, with or without a unit of bytes, within min and max */
static int
parse_number(const char *name, const char *value, int flags, int min, int max)
{
	const char *hint = NULL;
	int			result;

	if (!parse_int(value, &result, flags, &hint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outbox_decoder: invalid value for option \"%s\": \"%s\"", name, value),
				 hint ? errhint("%s", hint) : errhint("An integer is expected.")));
	if (result < min || result > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outbox_decoder: value %d of option \"%s\" is out of range", result, name),
				 errhint("It must be between %d and %d.", min, max)));
	return result;
}

/*
 * The client says which version it can read at best; it also reads the one
 * before.  So what is written is the older of its newest and ours.
 */
static int
parse_wire(const char *value)
{
	int			wire = parse_number(OUTBOX_OPTION_WIRE, value, 0, 0, MAX_WIRE);

	if (wire < OUTBOX_WIRE_OLDEST)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("outbox_decoder: wire format version %d is not supported", wire),
				 errhint("This version writes %d to %d; update the client.",
						 OUTBOX_WIRE_OLDEST, OUTBOX_WIRE_VERSION)));
	return Min(wire, OUTBOX_WIRE_VERSION);
}

static bool
parse_origin(const char *value)
{
	if (strcmp(value, "any") != 0 && strcmp(value, "none") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outbox_decoder: invalid value for option \"%s\": \"%s\"",
						OUTBOX_OPTION_ORIGIN, value),
				 errhint("It must be \"any\" or \"none\".")));
	return strcmp(value, "none") == 0;
}

static bool
parse_switch(const char *name, const char *value)
{
	bool		result;

	if (!parse_bool(value, &result))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outbox_decoder: invalid value for option \"%s\": \"%s\"", name, value),
				 errhint("It must be \"on\" or \"off\".")));
	return result;
}

/* up to three decimal digits at *at, without leading zeros; -1: none */
static int
take_small_number(const char **at)
{
	const char *start = *at;
	int			number = 0;

	for (; **at >= '0' && **at <= '9' && *at - start < 3; (*at)++)
		number = number * 10 + (**at - '0');
	if (*at == start || (*start == '0' && *at - start > 1))
		return -1;
	return number;
}

static void
parse_shard(OutboxOptions *options, const char *value)
{
	const char *at = value;
	int			shard = take_small_number(&at);
	int			nshards = *at == '/' ? (at++, take_small_number(&at)) : -1;

	if (*at != '\0' || shard < 0 || nshards <= shard || nshards > OUTBOX_MAX_SHARDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outbox_decoder: invalid value for option \"%s\": \"%s\"",
						OUTBOX_OPTION_SHARD, value),
				 errhint("It must be i/n, with i from 0 to n - 1 and n up to %d.", OUTBOX_MAX_SHARDS)));
	options->shard = (uint32) shard;
	options->nshards = (uint32) nshards;
}

static void
add_table(OutboxOptions *options, const char *value)
{
	OutboxTable *table = outbox_parse_table(value);
	ListCell   *lc;

	foreach(lc, options->tables)
	{
		OutboxTable *other = lfirst(lc);

		if (strcmp(table->schema, other->schema) == 0 && strcmp(table->name, other->name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("outbox_decoder: table %s is given twice", table->text),
					 errhint("Give each table once.")));
	}
	options->tables = lappend(options->tables, table);
}

static void
set_option(OutboxOptions *options, Option option, const char *value)
{
	const char *name = option_names[option];

	switch (option)
	{
		case OPTION_WIRE:
			options->wire = parse_wire(value);
			break;
		case OPTION_TABLE:
			add_table(options, value);
			break;
		case OPTION_PREFIX:
			options->message_prefix = pstrdup(value);
			break;
		case OPTION_MAX_PAYLOAD:
			options->max_payload = parse_number(name, value, GUC_UNIT_BYTE, 1, MAX_PAYLOAD);
			break;
		case OPTION_FRAME_SIZE:
			options->frame_size = parse_number(name, value, GUC_UNIT_BYTE, MIN_FRAME, MAX_FRAME);
			break;
		case OPTION_ORIGIN:
			options->only_local = parse_origin(value);
			break;
		case OPTION_WAIT_VISIBLE:
			options->wait_visible = parse_switch(name, value);
			break;
		case OPTION_SHARD:
			parse_shard(options, value);
			break;
		case OPTION_CORK:
			options->cork = parse_switch(name, value);
			break;
		case NOPTIONS:
			break;
	}
}

void
outbox_parse_options(List *defelems, OutboxOptions *options)
{
	bool		given[NOPTIONS] = {false};
	ListCell   *lc;

	memset(options, 0, sizeof(*options));
	options->message_prefix = pstrdup(OUTBOX_MESSAGE_PREFIX);
	options->max_payload = DEFAULT_PAYLOAD;
	options->frame_size = DEFAULT_FRAME;
	options->wire = OUTBOX_WIRE_VERSION;
	options->wait_visible = true;
	options->cork = true;
	options->nshards = 1;

	foreach(lc, defelems)
	{
		DefElem    *elem = lfirst(lc);
		Option		option = find_option(elem->defname);

		if (elem->arg == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("outbox_decoder: option \"%s\" needs a value", elem->defname),
					 errhint("Write: %s '...'.", elem->defname)));
		if (given[option] && option != OPTION_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("outbox_decoder: option \"%s\" is given twice", elem->defname),
					 errhint("Only \"%s\" may be repeated.", OUTBOX_OPTION_TABLE)));
		given[option] = true;
		set_option(options, option, strVal(elem->arg));
	}
	if (options->tables == NIL)
		add_table(options, DEFAULT_TABLE);
}
