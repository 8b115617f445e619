/*
 * config_file.c - reads a configuration file.
 *
 * The syntax is libini_config's (the library of SSSD): sections, key = value,
 * comments in lines of their own that start with # or ;, nothing wrapped.
 * It was chosen because it reports every error with its line and has no limit
 * on lengths; others cut long lines or section names silently.  Added here:
 * octets that are no text are refused, and names of sections stay
 * case-sensitive (the library merges sections that differ in case only).
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "config_parts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini_configobj.h>
#include <ini_valueobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* a configuration is small; more than this is some other file */
#define MAX_FILE	(256 * 1024)

struct item
{
	uint32_t	line;
	char	   *key;			/* own copy */
	const char *value;			/* the library's */
};

struct reader
{
	struct config *config;
	const char *file;
	char	  **headings;		/* heading in force, by line number - 1 */
	size_t		nlines;
	size_t		stray;			/* a line before the first heading; 0 = none */
	bool	   *seen;			/* this line's item is in items */
	struct item *items;			/* room for one a line */
	size_t		nitems;
	struct err *err;
};

char *
config_slurp(const char *file, const char *where, size_t max, size_t *len, struct err *err)
{
	char	   *data = NULL;
	size_t		n = 0;
	ssize_t		got = 0;
	struct stat st;
	int			fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		goto fail;
	if (S_ISDIR(st.st_mode))
	{
		errno = EISDIR;
		goto fail;
	}
	data = malloc(max + 2);
	if (data == NULL)
		goto fail;
	while (n <= max && (got = read(fd, data + n, max + 1 - n)) > 0)
		n += (size_t) got;
	if (got < 0)
		goto fail;
	if (n > max)
	{
		errno = EFBIG;
		goto fail;
	}
	(void) close(fd);
	data[n] = '\0';
	*len = n;
	return data;

fail:
	(void) err_set(err, ERR_CONFIG, "config-file", "%s%scannot read \"%s\": %s",
				   where, where[0] != '\0' ? ": " : "", file, strerror(errno));
	if (fd >= 0)
		(void) close(fd);
	free(data);
	return NULL;
}

static enum err_class
line_error(struct reader *reader, size_t line, const char *code, const char *what)
{
	return err_set(reader->err, ERR_CONFIG, code, "%s:%zu: %s", reader->file, line, what);
}

/* Octets of the UTF-8 sequence at p, 0 if it is none. */
static size_t
sequence(const unsigned char *p, const unsigned char *end)
{
	size_t		len = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;

	if (*p == '\0' || (*p >= 0x80 && *p < 0xc2) || *p > 0xf4 || (size_t) (end - p) < len)
		return 0;
	for (size_t i = 1; i < len; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Refuses NUL and what is no UTF-8, with its line. */
static enum err_class
check_text(struct reader *reader, const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *) data;
	const unsigned char *end = p + len;
	size_t		line = 1;

	while (p < end)
	{
		size_t		n = sequence(p, end);

		if (n == 0)
		{
			(void) line_error(reader, line, "config-syntax",
							  *p == '\0' ? "there is a NUL byte in this line"
							  : "this line is not valid UTF-8");
			return err_hint(reader->err, "save the file as plain text in UTF-8");
		}
		if (*p == '\n')
			line++;
		p += n;
	}
	return ERR_NONE;
}

/*
 * Notes which heading each line stands under, spelt as in the file: the
 * library's own lists don't tell sections apart that differ in case.
 */
static bool
note_headings(struct reader *reader, const char *data)
{
	char	   *heading = NULL;
	size_t		capacity = 0;

	while (*data != '\0')
	{
		size_t		len = strcspn(data, "\n");
		size_t		last = len;

		if (reader->nlines == capacity)
		{
			char	  **grown;

			capacity = capacity == 0 ? 64 : capacity * 2;
			grown = realloc(reader->headings, capacity * sizeof(*grown));
			if (grown == NULL)
				return false;
			reader->headings = grown;
		}
		while (last > 0 && strchr(" \t\r", data[last - 1]) != NULL)
			last--;
		reader->headings[reader->nlines] = NULL;
		if (data[0] == '[' && last > 1 && data[last - 1] == ']')
		{
			heading = strndup(data + 1, last - 2);
			if (heading == NULL)
				return false;
		}
		reader->headings[reader->nlines++] = heading;
		if (heading == NULL && last > 0 && strchr("#;", data[0]) == NULL && reader->stray == 0)
			reader->stray = reader->nlines;
		data += len + (data[len] == '\n' ? 1 : 0);
	}
	return true;
}

static void
free_headings(struct reader *reader)
{
	char	   *last = NULL;

	for (size_t i = 0; i < reader->nlines; i++)
	{
		if (reader->headings[i] != last)
			free(last);
		last = reader->headings[i];
	}
	free(last);
	free(reader->headings);
}

static void
free_items(struct reader *reader)
{
	for (size_t i = 0; reader->items != NULL && i < reader->nitems; i++)
		free(reader->items[i].key);
	free(reader->items);
	free(reader->seen);
}

/*
 * Keeps one key and value, once: the library lists a key that stands there in
 * two spellings ("slot", "Slot") twice, each time with all values.
 */
static bool
keep_item(struct reader *reader, uint32_t line, const char *key, const char *value)
{
	if (line == 0 || line > reader->nlines || reader->seen[line - 1])
		return line != 0 && line <= reader->nlines;
	reader->seen[line - 1] = true;
	reader->items[reader->nitems].line = line;
	reader->items[reader->nitems].value = value;
	reader->items[reader->nitems].key = strdup(key);
	return reader->items[reader->nitems++].key != NULL;
}

static int
compare_items(const void *a, const void *b)
{
	uint32_t	x = ((const struct item *) a)->line;
	uint32_t	y = ((const struct item *) b)->line;

	return x < y ? -1 : x > y;
}

/* All values of one key of one section: it may stand there repeatedly. */
static bool
collect_key(struct reader *reader, struct ini_cfgobj *ini, const char *section, const char *key)
{
	struct value_obj *value = NULL;
	int			mode = INI_GET_FIRST_VALUE;

	while (ini_get_config_valueobj(section, key, ini, mode, &value) == 0 && value != NULL)
	{
		uint32_t	line = 0;
		int			failed = 0;
		const char *text = ini_get_const_string_config_value(value, &failed);

		if (value_get_line(value, &line) != 0 || failed != 0 ||
			!keep_item(reader, line, key, text != NULL ? text : ""))
			return false;
		mode = INI_GET_NEXT_VALUE;
	}
	return true;
}

static bool
collect_items(struct reader *reader, struct ini_cfgobj *ini)
{
	int			nsections = 0;
	char	  **sections = ini_get_section_list(ini, &nsections, NULL);
	bool		ok = sections != NULL;

	for (int i = 0; ok && i < nsections; i++)
	{
		int			nkeys = 0;
		char	  **keys = ini_get_attribute_list(ini, sections[i], &nkeys, NULL);

		ok = keys != NULL;
		for (int k = 0; ok && k < nkeys; k++)
			ok = collect_key(reader, ini, sections[i], keys[k]);
		if (keys != NULL)
			ini_free_attribute_list(keys);
	}
	if (sections != NULL)
		ini_free_section_list(sections);
	return ok;
}

/*
 * "Error (5) on line 19: Equal sign is missing." becomes "FILE:19: equal sign
 * is missing".
 */
static void
translate_error(struct reader *reader, char *text)
{
	static const char mark[] = " on line ";
	char	   *what = strstr(text, mark);
	size_t		line = 0;
	size_t		len;

	if (what != NULL)
		line = strtoul(what + strlen(mark), &what, 10);
	if (line == 0 || strncmp(what, ": ", 2) != 0)
	{
		(void) err_set(reader->err, ERR_CONFIG, "config-syntax", "%s: %s", reader->file, text);
		return;
	}
	what += 2;
	len = strlen(what);
	if (len > 0 && what[len - 1] == '.')
		what[len - 1] = '\0';
	what[0] = (char) tolower((unsigned char) what[0]);
	(void) line_error(reader, line, "config-syntax", what);
}

static enum err_class
library_error(struct reader *reader, struct ini_cfgobj *ini)
{
	char	  **errors = NULL;

	if (ini_config_get_errors(ini, &errors) == 0 && errors != NULL && errors[0] != NULL)
		translate_error(reader, errors[0]);
	else
		(void) err_set(reader->err, ERR_CONFIG, "config-syntax",
					   "%s: cannot be read as configuration", reader->file);
	if (errors != NULL)
		ini_config_free_errors(errors);
	return err_hint(reader->err, "a line is [section], key = value, or a comment that starts with #");
}

/*
 * Hands one line to the table's check: an item, or (item is NULL) a heading.
 */
static enum err_class
add_line(struct reader *reader, size_t line, const struct item *item)
{
	struct config_given given = {.source = CONFIG_FROM_FILE, .key = "", .value = ""};
	const char *repeated = reader->config->program->repeated;
	char		where[256];
	char	   *heading;
	enum err_class class;

	heading = strdup(reader->headings[line - 1]);
	if (heading == NULL)
		return line_error(reader, line, "config-file", "out of memory");
	(void) snprintf(where, sizeof(where), "%s:%zu", reader->file, line);
	given.where = where;
	if (item != NULL)
	{
		given.key = item->key;
		given.value = item->value;
	}
	if (!config_split_section(reader->config->program, heading, &given.section, &given.name))
	{
		(void) line_error(reader, line, "config-syntax", "malformed section heading");
		class = err_hint(reader->err, "write [section], or [%s \"schema.name\"]",
						 repeated != NULL ? repeated : "section");
	}
	else if (item == NULL)
		class = config_add_section(reader->config, &given, reader->err);
	else
		class = config_add(reader->config, &given, reader->err);
	free(heading);
	return class;
}

/* Line by line, so that errors come in the file's order. */
static enum err_class
add_items(struct reader *reader, struct ini_cfgobj *ini)
{
	enum err_class class = ERR_NONE;
	size_t		next = 0;

	if (reader->stray != 0)
	{
		(void) line_error(reader, reader->stray, "config-syntax", "this line stands before the first section");
		return err_hint(reader->err, "begin with a section such as [postgres]");
	}
	if (!collect_items(reader, ini))
		return err_set(reader->err, ERR_CONFIG, "config-file", "%s: out of memory", reader->file);
	if (reader->nitems > 0)
		qsort(reader->items, reader->nitems, sizeof(reader->items[0]), compare_items);
	for (size_t i = 0; i < reader->nlines && class == ERR_NONE; i++)
	{
		if (reader->headings[i] == NULL)
			continue;
		if (i == 0 || reader->headings[i - 1] != reader->headings[i])
			class = add_line(reader, i + 1, NULL);
		else if (next < reader->nitems && reader->items[next].line == i + 1)
			class = add_line(reader, i + 1, &reader->items[next++]);
	}
	return class;
}

static enum err_class
parse(struct reader *reader, const char *data, size_t len)
{
	struct ini_cfgfile *ctx = NULL;
	struct ini_cfgobj *ini = NULL;
	enum err_class class;
	int			error;

	error = ini_config_file_from_mem((void *) data, (uint32_t) len, &ctx);
	if (error == 0)
		error = ini_config_create(&ini);
	if (error != 0)
		class = err_set(reader->err, ERR_CONFIG, "config-file", "%s: %s",
						reader->file, strerror(error));
	else if (ini_config_parse(ctx, INI_STOP_ON_ANY, INI_MV1S_ALLOW | INI_MV2S_ALLOW,
							  INI_PARSE_NOWRAP | INI_PARSE_NO_C_COMMENTS, ini) != 0)
		class = library_error(reader, ini);
	else
		class = add_items(reader, ini);
	ini_config_destroy(ini);
	ini_config_file_destroy(ctx);
	return class;
}

enum err_class
config_read_memory(struct config *config, const char *file, const char *data,
				   size_t len, struct err *err)
{
	struct reader reader = {.config = config, .file = file, .err = err};
	enum err_class class;

	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
	{
		data += 3;
		len -= 3;
	}
	class = check_text(&reader, data, len);
	if (class != ERR_NONE || len == 0)
		return class;
	if (note_headings(&reader, data))
	{
		reader.seen = calloc(reader.nlines + 1, sizeof(*reader.seen));
		reader.items = calloc(reader.nlines + 1, sizeof(*reader.items));
	}
	if (reader.seen == NULL || reader.items == NULL)
		class = err_set(err, ERR_CONFIG, "config-file", "%s: out of memory", file);
	else
		class = parse(&reader, data, len);
	free_items(&reader);
	free_headings(&reader);
	return class;
}

enum err_class
config_read_file(struct config *config, const char *file, struct err *err)
{
	size_t		len;
	char	   *data = config_slurp(file, "", MAX_FILE, &len, err);
	enum err_class class;

	if (data == NULL)
		return err_hint(err, "name the file with -c FILE; its owner and mode must let this user read it");
	class = config_read_memory(config, file, data, len, err);
	free(data);
	return class;
}
