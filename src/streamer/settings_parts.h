/*
 * settings_parts.h - what the files of settings share.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SETTINGS_PARTS_H
#define OUTBOX_SETTINGS_PARTS_H

#include "settings.h"

/*
 * settings_table.c: a table's qualified name, "schema.name" with either part
 * plain or in double quotes (doubled inside), taken literally.  Both parts are
 * to be freed.  False if it is malformed.
 */
extern bool settings_split_table(const char *text, char **schema, char **name);

/* settings_table.c: what [table "section"] has for a role: NULL = not set,
 * "" = none, a constant with its single quotes, or a column's name.  section
 * may be NULL: nothing is set. */
extern const char *settings_mapped(const struct config *config, const char *section,
								   const char *role);

/* settings_table.c: [table "..."] sections become the plugin's options. */
extern enum err_class settings_load_tables(struct settings *settings,
										   const struct config *config,
										   struct err *err);

#endif							/* OUTBOX_SETTINGS_PARTS_H */
