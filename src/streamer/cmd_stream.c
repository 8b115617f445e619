/*
 * cmd_stream.c - outbox-streamer stream.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "cmd.h"

#include <string.h>

#include "stream.h"

static const char help[] =
"Usage: outbox-streamer stream [OPTION]...\n\n"
"Streams events from the slot until it is told to stop (SIGTERM, SIGINT). It\n"
"waits for an unreachable database or broker, and for a slot that another\n"
"instance uses. SIGHUP reads the configuration again.\n\n"
"  -c, --config=FILE               configuration file\n"
"  -o, --option=SECTION.KEY=VALUE  overrides file and environment; -o sink.type=stdout\n"
"                                  prints events and needs no Kafka\n"
"      --endpos=LSN                ends when everything up to this position is confirmed\n"
"      --no-loop                   ends when the connection to PostgreSQL is lost\n"
"  -h, --help                      this help\n";

enum
{
	OPTION_ENDPOS = 256,
	OPTION_NO_LOOP
};

/* ---- SIGHUP ---- */

/* The loop's settings and those read last; the loop holds pointers into both. */
struct reloader
{
	struct cli *cli;
	struct config *fresh;		/* of the last reload, NULL before it */
	struct settings fresh_settings;
};

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The value in force of one key of a free or repeated section, or NULL. */
static const char *
value_of(const struct config *config, const struct config_value *like)
{
	const char *found = NULL;

	for (size_t i = 0; i < config_count(config); i++)
	{
		const struct config_value *v = config_at(config, i);

		if (strcmp(v->section, like->section) == 0 && strcmp(v->name, like->name) == 0 &&
			strcmp(v->key, like->key) == 0)
			found = v->value;
	}
	return found;
}

/*
 * Warns of what a has and b has otherwise.  A key that is in the table by
 * name, of an ordinary section, falls back to its default.
 */
static void
warn_changes(const struct config *a, const struct config *b, bool only_missing)
{
	for (size_t i = 0; i < config_count(a); i++)
	{
		const struct config_value *v = config_at(a, i);
		const char *old = value_of(a, v);
		const char *new = value_of(b, v);
		const char *fallback = v->name[0] == '\0' ? v->desc->fallback : NULL;

		if (old != v->value || (v->desc->flags & CONFIG_RELOAD))
			continue;			/* overridden, or nothing to warn of */
		if (only_missing && new != NULL)
			continue;			/* seen from the other side */
		if (!same(old, new != NULL ? new : fallback))
			log_warning("%s.%s has changed; this takes effect after a restart", v->section,
						v->key[0] != '\0' ? v->key : v->name);
	}
}

static enum err_class
reload(void *arg, struct settings *fresh, struct err *err)
{
	struct reloader *r = arg;
	struct config *config;
	struct settings settings;
	enum err_class class;

	class = config_load(&streamer_program, r->cli->file, r->cli->overrides,
						r->cli->noverrides, environ, &config, err);
	if (class != ERR_NONE)
		return class;
	class = settings_load(&settings, config, err);
	if (class == ERR_NONE && settings_check_sink(&settings, err) != ERR_NONE)
	{
		class = err->class;
		settings_free(&settings);
	}
	if (class != ERR_NONE)
	{
		config_free(config);
		return class;
	}
	settings.endpos = r->cli->settings->endpos;
	settings.no_loop = r->cli->settings->no_loop;
	warn_changes(r->cli->config, config, false);
	warn_changes(config, r->cli->config, true);

	settings_free(&r->fresh_settings);
	config_free(r->fresh);
	r->fresh = config;
	r->fresh_settings = settings;
	*fresh = settings;
	return ERR_NONE;
}

/* ---- the command ---- */

static int
run(struct cli *cli)
{
	struct reloader reloader = {.cli = cli};
	struct stream_reload callback = {.read = reload, .arg = &reloader};
	struct err	err = {0};
	enum err_class class;

	class = stream_run(cli->settings, &callback, &err);
	settings_free(&reloader.fresh_settings);
	config_free(reloader.fresh);
	return class == ERR_NONE ? 0 : cli_fail(&err);
}

int
cmd_stream(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG,
		{"endpos", required_argument, NULL, OPTION_ENDPOS},
		{"no-loop", no_argument, NULL, OPTION_NO_LOOP},
		{NULL, 0, NULL, 0}
	};
	lsn_t		endpos = LSN_INVALID;
	bool		no_loop = false;
	int			option;
	int			status;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1)
	{
		switch (option)
		{
			case OPTION_ENDPOS:
				if (!lsn_parse(optarg, strlen(optarg), &endpos) || endpos == LSN_INVALID)
					return cli_usage("--endpos=%.60s is not a position such as 0/16B3748", optarg);
				break;
			case OPTION_NO_LOOP:
				no_loop = true;
				break;
			default:
				status = cli_option(cli, option, argv, help);
				if (status >= 0)
					return status;
		}
	}
	status = cli_begin(cli, argc, argv);
	if (status >= 0)
		return status;
	cli->settings->endpos = endpos;
	cli->settings->no_loop = no_loop;
	return run(cli);
}
