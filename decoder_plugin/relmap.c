/*
 * relmap.c - which relations are outbox tables, and which column is what
 *
 * A relation is looked at once, by name, and remembered by its OID until the
 * catalogue says that something changed.  Changes of other tables cost one
 * comparison, or one look-up in a hash table.
 *
 * A partition counts as its nearest ancestor that is configured (or as itself).
 * Columns are resolved by name in the partition's own descriptor, since the
 * numbers may differ.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* entries after which the map is started anew: tables come and go */
#define MAX_ENTRIES		32768

struct OutboxRelmap
{
	MemoryContext context;		/* the entries' */
	List	   *tables;
	HTAB	   *entries;
	uint64		generation;		/* entries of another one are stale */
	OutboxRelation *last;		/* the latest found; NULL after any invalidation */
};

/*
 * The callbacks can't be unregistered and outlive every decoding context; the
 * pointer is NULL between two of those.
 */
static OutboxRelmap *current_map = NULL;

static void
forget_map(void *arg)
{
	(void) arg;
	current_map = NULL;
}

static void
relation_changed(Datum arg, Oid relid)
{
	OutboxRelation *entry;

	(void) arg;
	if (current_map == NULL)
		return;
	current_map->last = NULL;
	if (relid == InvalidOid)
	{
		current_map->generation++;
		return;
	}
	entry = hash_search(current_map->entries, &relid, HASH_FIND, NULL);
	if (entry == NULL)
		return;
	entry->generation = 0;
	/* a partition found through this one may have got another name for it */
	if (entry->is_ancestor)
		current_map->generation++;
}

/* a schema was renamed */
static void
schema_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) arg;
	(void) cacheid;
	(void) hashvalue;
	if (current_map == NULL)
		return;
	current_map->last = NULL;
	current_map->generation++;
}

static void
make_hash(OutboxRelmap *map)
{
	HASHCTL		ctl = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(OutboxRelation),
		.hcxt = map->context,
	};

	map->last = NULL;
	map->entries = hash_create("outbox_decoder relations", 64, &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

OutboxRelmap *
outbox_relmap_create(MemoryContext context, List *tables)
{
	static bool registered = false;
	OutboxRelmap *map;
	MemoryContextCallback *callback;

	map = MemoryContextAllocZero(context, sizeof(OutboxRelmap));
	map->context = context;
	map->tables = tables;
	map->generation = 1;
	make_hash(map);

	/* after an ERROR no callback of the plugin is called, only this one */
	callback = MemoryContextAllocZero(context, sizeof(MemoryContextCallback));
	callback->func = forget_map;
	MemoryContextRegisterResetCallback(context, callback);
	current_map = map;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, (Datum) 0);
		registered = true;
	}
	return map;
}

static const OutboxTable *
find_by_name(OutboxRelmap *map, Oid schema, const char *name)
{
	const OutboxTable *found = NULL;
	char	   *schema_name = NULL;
	ListCell   *lc;

	foreach(lc, map->tables)
	{
		const OutboxTable *table = lfirst(lc);

		if (strcmp(table->name, name) != 0)
			continue;
		if (schema_name == NULL && (schema_name = get_namespace_name(schema)) == NULL)
			break;
		if (strcmp(table->schema, schema_name) == 0)
		{
			found = table;
			break;
		}
	}
	if (schema_name)
		pfree(schema_name);
	return found;
}

/* remembers that entries depend on this relation's name and place */
static void
note_ancestor(OutboxRelmap *map, Oid relid)
{
	bool		found;
	OutboxRelation *entry = hash_search(map->entries, &relid, HASH_ENTER, &found);

	if (!found)
	{
		memset(entry, 0, sizeof(*entry));
		entry->relid = relid;
	}
	entry->is_ancestor = true;
}

static const OutboxTable *
find_table(OutboxRelmap *map, Relation relation)
{
	const OutboxTable *table;
	List	   *ancestors;
	ListCell   *lc;

	table = find_by_name(map, RelationGetNamespace(relation), RelationGetRelationName(relation));
	if (table != NULL || !relation->rd_rel->relispartition)
		return table;

	ancestors = get_partition_ancestors(RelationGetRelid(relation));
	foreach(lc, ancestors)
		note_ancestor(map, lfirst_oid(lc));
	foreach(lc, ancestors)
	{
		char	   *name = get_rel_name(lfirst_oid(lc));

		if (name == NULL)
			continue;
		table = find_by_name(map, get_rel_namespace(lfirst_oid(lc)), name);
		pfree(name);
		if (table != NULL)
			break;
	}
	list_free(ancestors);
	return table;
}

/* how a type is written; the same in every role but "timestamp" */
static OutboxKind
kind_of_type(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
			return OUTBOX_KIND_TEXT;
		case NAMEOID:
			return OUTBOX_KIND_NAME;
		case BYTEAOID:
			return OUTBOX_KIND_BYTEA;
		case JSONBOID:
			return OUTBOX_KIND_JSONB;
		case UUIDOID:
			return OUTBOX_KIND_UUID;
		case INT2OID:
			return OUTBOX_KIND_INT2;
		case INT4OID:
			return OUTBOX_KIND_INT4;
		case INT8OID:
			return OUTBOX_KIND_INT8;
		case NUMERICOID:
			return OUTBOX_KIND_NUMERIC;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return OUTBOX_KIND_TIMESTAMP;
		default:
			return get_typtype(type) == TYPTYPE_ENUM ? OUTBOX_KIND_ENUM : OUTBOX_KIND_UNSUPPORTED;
	}
}

static OutboxKind
kind_of_column(Oid type, int role)
{
	OutboxKind	kind = kind_of_type(getBaseType(type));

	if (role == OUTBOX_WIRE_TIMESTAMP)
		return kind == OUTBOX_KIND_TIMESTAMP || kind == OUTBOX_KIND_INT8
			? kind : OUTBOX_KIND_UNSUPPORTED;
	if (kind == OUTBOX_KIND_TIMESTAMP)
		return OUTBOX_KIND_UNSUPPORTED;
	/* in a head only text can stand */
	if (kind == OUTBOX_KIND_BYTEA && role != OUTBOX_ROLE_PAYLOAD)
		return OUTBOX_KIND_UNSUPPORTED;
	return kind;
}

static AttrNumber
find_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	return InvalidAttrNumber;
}

static const char *const leads[] = {
#define OUTBOX_MEMBER_LEAD(symbol, text) [OUTBOX_WIRE_##symbol] = ",\"" text "\":\"",
	OUTBOX_WIRE_MEMBERS(OUTBOX_MEMBER_LEAD)
#undef OUTBOX_MEMBER_LEAD
};

/* works out a role; false: its column is not there */
static bool
resolve_role(OutboxRelation *entry, TupleDesc desc, int number, OutboxMember *member)
{
	const OutboxRole *role = &entry->table->roles[number];
	const char *column = role->text;

	memset(member, 0, sizeof(*member));
	if (number < OUTBOX_WIRE_NMEMBERS)
	{
		member->lead = leads[number];
		member->leadlen = (int) strlen(leads[number]);
	}
	switch (role->source)
	{
		case OUTBOX_SOURCE_NULL:
			member->kind = OUTBOX_KIND_NULL;
			return true;
		case OUTBOX_SOURCE_LITERAL:
			member->kind = OUTBOX_KIND_LITERAL;
			member->literal = role->text;
			member->literallen = (int) strlen(role->text);
			return true;
		case OUTBOX_SOURCE_DEFAULT:
			/* a column that happens to be called so is no message timestamp */
			if (number == OUTBOX_WIRE_TIMESTAMP)
				return true;
			column = outbox_role_name(number);
			break;
		case OUTBOX_SOURCE_COLUMN:
			break;
	}
	member->attnum = find_column(desc, column);
	if (member->attnum == InvalidAttrNumber)
		return role->source == OUTBOX_SOURCE_DEFAULT && number != OUTBOX_ROLE_PAYLOAD;
	member->kind = kind_of_column(TupleDescAttr(desc, member->attnum - 1)->atttypid, number);
	entry->natts = Max(entry->natts, member->attnum);
	return true;
}

static void
resolve_columns(OutboxRelmap *map, OutboxRelation *entry, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);

	if (list_length(map->tables) > 1)
	{
		OutboxMember *member = &entry->members[entry->nmembers++];

		member->lead = leads[OUTBOX_WIRE_TABLE];
		member->leadlen = (int) strlen(member->lead);
		member->kind = OUTBOX_KIND_LITERAL;
		member->literal = entry->table->text;
		member->literallen = (int) strlen(member->literal);
	}
	entry->key = -1;
	entry->aggregateid = -1;
	for (int role = OUTBOX_WIRE_ID; role <= OUTBOX_WIRE_TIMESTAMP; role++)
	{
		OutboxMember *member = &entry->members[entry->nmembers];

		if (!resolve_role(entry, desc, role, member))
			entry->error = OUTBOX_ERROR_COLUMN;
		else if (member->kind != OUTBOX_KIND_NULL)
		{
			if (role == OUTBOX_WIRE_KEY)
				entry->key = entry->nmembers;
			else if (role == OUTBOX_WIRE_AGGREGATEID)
				entry->aggregateid = entry->nmembers;
			entry->nmembers++;
		}
	}
	if (!resolve_role(entry, desc, OUTBOX_ROLE_PAYLOAD, &entry->payload))
		entry->error = OUTBOX_ERROR_COLUMN;
}

/*
 * Looking into the catalogue may run invalidations, and those may make stale
 * what is being worked out; then it is worked out again for the next row.
 */
static OutboxRelation *
resolve(OutboxRelmap *map, Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	uint64		generation = map->generation;
	OutboxRelation built = {.relid = relid};
	OutboxRelation *entry;
	bool		found;

	if (hash_get_num_entries(map->entries) >= MAX_ENTRIES)
	{
		hash_destroy(map->entries);
		make_hash(map);
		map->generation = ++generation;
	}
	/* there before the catalogue is read, so that it can be made stale */
	entry = hash_search(map->entries, &relid, HASH_ENTER, &found);
	built.is_ancestor = found && entry->is_ancestor;
	built.generation = generation;
	*entry = built;

	built.table = find_table(map, relation);
	if (built.table != NULL)
		resolve_columns(map, &built, relation);

	built.generation = entry->generation;
	built.is_ancestor = entry->is_ancestor;
	*entry = built;
	return entry;
}

const OutboxRelation *
outbox_relmap_lookup(OutboxRelmap *map, Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	OutboxRelation *entry = map->last;

	if (entry == NULL || entry->relid != relid)
	{
		entry = hash_search(map->entries, &relid, HASH_FIND, NULL);
		if (entry == NULL || entry->generation != map->generation)
			entry = resolve(map, relation);
		if (entry->generation == map->generation)
			map->last = entry;
	}
	return entry->table ? entry : NULL;
}
