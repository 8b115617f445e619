/*
 * jsonb_text.c - jsonb as text, as jsonb_out gives it
 *
 * Walks the stored form: a container is a header word (a count and flags), an
 * entry word for each child, then the children's data.  An object's entries are
 * all its keys, then all its values.  An entry holds the child's type and either
 * its length or, every so often, where it ends.
 *
 * No recursion, no allocation per element, and bounded: a jsonb of a few bytes
 * can hold numbers of 131,000 digits, and a large one's text may not fit into
 * any string of the server.  What doesn't add up ends the walk, not the stream.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "utils/jsonb.h"

/* levels kept on the C stack; deeper ones move to the heap */
#define SHALLOW			32

/* no input can be nested this deeply: the parser's stack ends before */
#define DEEPEST			(4 * 1024 * 1024)

/* strings are escaped in pieces of at most this many octets */
#define PIECE			4096

/* a container being written */
typedef struct Level
{
	const char *entries;		/* its entry words */
	const char *data;			/* its children's data */
	uint32		next;			/* child, or pair, to be written next */
	uint32		count;			/* children or pairs */
	uint32		key_end;		/* where the last key ended, from data */
	uint32		value_end;		/* where the last value or element ended */
	bool		is_object;
	bool		is_bare;		/* holds a scalar: no brackets */
} Level;

typedef struct Writer
{
	StringInfo	out;
	int			before;			/* out's length at the start */
	Size		limit;
	char	   *at;				/* where to write next, in out */
	char	   *end;			/* end of out's space */
	const char *stop;			/* end of the jsonb */
	Level	   *levels;
	int			capacity;
	int			depth;			/* levels in use */
	Level		shallow[SHALLOW];
} Writer;

static inline uint32
load_word(const char *src)
{
	uint32		word;

	memcpy(&word, src, sizeof(word));
	return word;
}

static bool
grow(Writer *w, Size n)
{
	w->out->len = (int) (w->at - w->out->data);
	if ((Size) (w->out->len - w->before) > w->limit)
		return false;
	enlargeStringInfo(w->out, (int) n);
	w->at = w->out->data + w->out->len;
	w->end = w->out->data + w->out->maxlen;
	return true;
}

/* makes room for n octets; false: the limit is passed */
static inline bool
room(Writer *w, Size n)
{
	return likely((Size) (w->end - w->at) > n) || grow(w, n);
}

static OutboxResult
more_levels(Writer *w)
{
	int			capacity = w->capacity * 2;
	Size		size = (Size) capacity * sizeof(Level);

	if (capacity > DEEPEST)
		return OUTBOX_BAD_TYPE;
	if (w->levels == w->shallow)
	{
		w->levels = palloc(size);
		memcpy(w->levels, w->shallow, sizeof(w->shallow));
	}
	else
		w->levels = repalloc(w->levels, size);
	w->capacity = capacity;
	return OUTBOX_OK;
}

/* where an object's values start: at the end of its last key */
static inline uint32
keys_end(const char *entries, uint32 count)
{
	uint32		end = 0;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		entry = load_word(entries + i * sizeof(JEntry));

		end = (JBE_HAS_OFF(entry) ? 0 : end) + JBE_OFFLENFLD(entry);
	}
	return end;
}

/* starts a container; data, size: all that may belong to it */
static OutboxResult
open_container(Writer *w, const char *data, Size size)
{
	Level	   *level;
	uint32		header;
	uint64		nentries;

	if (size < sizeof(uint32))
		return OUTBOX_BAD_TYPE;
	if (w->depth == w->capacity && more_levels(w) != OUTBOX_OK)
		return OUTBOX_BAD_TYPE;
	if (!room(w, 2))
		return OUTBOX_TOO_LARGE;

	header = load_word(data);
	level = &w->levels[w->depth++];
	level->count = header & JB_CMASK;
	level->next = 0;
	level->is_object = (header & JB_FOBJECT) != 0;
	level->is_bare = (header & JB_FSCALAR) != 0;
	nentries = (uint64) level->count * (level->is_object ? 2 : 1);
	if (nentries * sizeof(JEntry) > size - sizeof(uint32))
		return OUTBOX_BAD_TYPE;
	level->entries = data + sizeof(uint32);
	level->data = level->entries + nentries * sizeof(JEntry);
	level->key_end = 0;
	level->value_end = level->is_object ? keys_end(level->entries, level->count) : 0;
	if (!level->is_bare)
		*w->at++ = level->is_object ? '{' : '[';
	return OUTBOX_OK;
}

static OutboxResult
put_string(Writer *w, const char *text, Size len)
{
	if (!room(w, Min(len, PIECE) * OUTBOX_ESCAPE_GROWTH + OUTBOX_ESCAPE_SLACK))
		return OUTBOX_TOO_LARGE;
	*w->at++ = '"';
	while (unlikely(len > PIECE))
	{
		w->at = outbox_escape(w->at, text, PIECE);
		text += PIECE;
		len -= PIECE;
		if (!room(w, Min(len, PIECE) * OUTBOX_ESCAPE_GROWTH + OUTBOX_ESCAPE_SLACK))
			return OUTBOX_TOO_LARGE;
	}
	w->at = outbox_escape(w->at, text, len);
	*w->at++ = '"';
	return OUTBOX_OK;
}

/* a varlena of its own, with a header of four octets and its digits behind it */
static OutboxResult
put_numeric(Writer *w, const char *data, Size size)
{
	varattrib_4b header = {{0}};	/* aligned, as the data may not be */
	Size		space;

	if (size < VARHDRSZ)
		return OUTBOX_BAD_TYPE;
	header.va_4byte.va_header = load_word(data);
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): loses track of the union */
	if (VARSIZE(&header) < VARHDRSZ || VARSIZE(&header) > size)
		return OUTBOX_BAD_TYPE;
	size = VARSIZE(&header) - VARHDRSZ;
	data += VARHDRSZ;
	space = outbox_numeric_space(data, size);
	if (space == 0)
		return OUTBOX_BAD_TYPE;
	if (!room(w, space))
		return OUTBOX_TOO_LARGE;
	w->at = outbox_numeric_text(w->at, data, size);
	return OUTBOX_OK;
}

static inline OutboxResult
put_word(Writer *w, const char *word, Size len)
{
	if (!room(w, len))
		return OUTBOX_TOO_LARGE;
	memcpy(w->at, word, len);
	w->at += len;
	return OUTBOX_OK;
}

/*
 * Finds child i, which starts where the one before it ended.  Offsets count
 * from the container's data.
 */
static inline bool
find_child(const Writer *w, const Level *level, uint32 i, uint32 *end, uint32 *entry,
		   uint32 *start)
{
	*start = *end;
	*entry = load_word(level->entries + (Size) i * sizeof(JEntry));
	*end = (JBE_HAS_OFF(*entry) ? 0 : *start) + JBE_OFFLENFLD(*entry);
	return *start <= *end && (Size) *end <= (Size) (w->stop - level->data);
}

static OutboxResult
put_child(Writer *w, Level *level, uint32 i)
{
	uint32		entry;
	uint32		start;
	uint32		aligned;

	if (!find_child(w, level, i, &level->value_end, &entry, &start))
		return OUTBOX_BAD_TYPE;
	if (JBE_ISSTRING(entry))
		return put_string(w, level->data + start, level->value_end - start);
	if (JBE_ISBOOL_TRUE(entry))
		return put_word(w, "true", 4);
	if (JBE_ISBOOL_FALSE(entry))
		return put_word(w, "false", 5);
	if (JBE_ISNULL(entry))
		return put_word(w, "null", 4);

	/* these two are padded in front; alignment counts from the jsonb's start */
	aligned = INTALIGN(start);
	if (aligned > level->value_end)
		return OUTBOX_BAD_TYPE;
	if (JBE_ISNUMERIC(entry))
		return put_numeric(w, level->data + aligned, level->value_end - aligned);
	if (JBE_ISCONTAINER(entry))
		return open_container(w, level->data + aligned, level->value_end - aligned);
	return OUTBOX_BAD_TYPE;
}

static OutboxResult
put_key(Writer *w, Level *level, uint32 i)
{
	uint32		entry;
	uint32		start;
	OutboxResult result;

	if (!find_child(w, level, i, &level->key_end, &entry, &start) || !JBE_ISSTRING(entry))
		return OUTBOX_BAD_TYPE;
	result = put_string(w, level->data + start, level->key_end - start);
	return result == OUTBOX_OK ? put_word(w, ": ", 2) : result;
}

/* writes the next child of the innermost container, or ends that */
static inline OutboxResult
step(Writer *w)
{
	Level	   *level = &w->levels[w->depth - 1];
	uint32		i = level->next;
	OutboxResult result;

	if (!room(w, 2))
		return OUTBOX_TOO_LARGE;
	if (i == level->count)
	{
		w->depth--;
		if (!level->is_bare)
			*w->at++ = level->is_object ? '}' : ']';
		return OUTBOX_OK;
	}
	level->next++;
	if (i > 0)
	{
		*w->at++ = ',';
		*w->at++ = ' ';
	}
	if (!level->is_object)
		return put_child(w, level, i);
	result = put_key(w, level, i);
	return result == OUTBOX_OK ? put_child(w, level, level->count + i) : result;
}

OutboxResult
outbox_append_jsonb(StringInfo out, const char *data, Size size, Size limit)
{
	Writer		w;
	OutboxResult result;

	w.out = out;
	w.before = out->len;
	w.limit = limit;
	w.at = out->data + out->len;
	w.end = out->data + out->maxlen;
	w.stop = data + size;
	w.levels = w.shallow;
	w.capacity = SHALLOW;
	w.depth = 0;

	result = open_container(&w, data, size);
	while (result == OUTBOX_OK && w.depth > 0)
		result = step(&w);

	if (w.levels != w.shallow)
		pfree(w.levels);
	w.out->len = (int) (w.at - w.out->data);
	if (result == OUTBOX_OK && (Size) (out->len - w.before) > limit)
		result = OUTBOX_TOO_LARGE;
	if (result != OUTBOX_OK)
		out->len = w.before;
	return result;
}
