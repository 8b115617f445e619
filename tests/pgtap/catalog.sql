/*
 * catalog.sql - rules that every object keeps, whichever version brings it.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(15);

CREATE VIEW pg_temp.member AS
SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pg_outbox';
CREATE VIEW pg_temp.routine AS
SELECT p.*, p.oid::regprocedure::text AS name FROM pg_proc AS p JOIN pg_temp.member AS m
    ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE VIEW pg_temp.relation AS
SELECT c.* FROM pg_class AS c JOIN pg_temp.member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

SELECT cmp_ok(count(*), '>', 10::bigint, 'there are functions to look at') FROM pg_temp.routine;

-- ---- nothing of the server's rights, nothing that search_path could turn
SELECT is_empty('SELECT name FROM pg_temp.routine WHERE prosecdef', 'no function is SECURITY DEFINER');
SELECT is_empty($$SELECT name FROM pg_temp.routine WHERE probin IS NOT NULL
    OR prolang NOT IN (SELECT oid FROM pg_language WHERE lanname IN ('sql', 'plpgsql'))$$, 'no function is in C');
SELECT is_empty($$SELECT name FROM pg_temp.routine
    WHERE prosqlbody IS NULL
        AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
        AND proname NOT IN ('emit', 'emit_message', 'check_event')$$,
    'functions pin their search_path, or are bound when created, or are those of search_path.sql');
SELECT is_empty($$SELECT relname FROM pg_temp.relation WHERE relkind = 'v' AND reloptions IS NOT NULL$$,
    'views run as their owner');

-- ---- whose they are
SELECT is_empty($$SELECT pg_describe_object(classid, objid, 0) FROM pg_temp.member,
        pg_identify_object(classid, objid, 0) AS i WHERE i.schema IS DISTINCT FROM 'outbox'$$,
    'everything is in schema outbox');
SELECT is_empty($$SELECT name FROM pg_temp.routine, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a
    WHERE a.grantee = 0$$, 'no function is PUBLIC''s');
SELECT is_empty($$SELECT relname FROM pg_temp.relation, aclexplode(coalesce(relacl, acldefault('r', relowner))) AS a
    WHERE a.grantee = 0$$, 'no table or view is');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute, aclexplode(attacl) AS a
    WHERE attrelid IN (SELECT oid FROM pg_temp.relation) AND a.grantee = 0$$, 'no column is');
SELECT is_empty($$SELECT FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS a
    WHERE nspname = 'outbox' AND a.grantee = 0$$, 'nor is the schema');

-- ---- what is dumped: settings and the inbox, and never an event, which would be published again
SELECT is((SELECT array_agg(c::regclass::text ORDER BY c::regclass::text) FROM unnest(extconfig) AS c),
          ARRAY['outbox.dead_letter', 'outbox.inbox', 'outbox.inbox_dead_letter', 'outbox.inbox_message', 'outbox.inbox_offset',
                'outbox.inbox_position', 'outbox.setting'],
          'pg_dump takes these and nothing else')
FROM pg_extension WHERE extname = 'pg_outbox';

-- ---- explained
SELECT is_empty($$SELECT pg_describe_object(classid, objid, 0) FROM pg_temp.member
    WHERE classid <> 'pg_type'::regclass AND obj_description(objid, classid::regclass::name) IS NULL$$,
    'every object has a comment');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute
    WHERE attrelid IN (SELECT oid FROM pg_temp.relation) AND attnum > 0 AND NOT attisdropped
        AND col_description(attrelid, attnum) IS NULL$$, 'every column has');
SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint
    WHERE conrelid IN (SELECT oid FROM pg_temp.relation) AND contype <> 'n'
        AND obj_description(oid, 'pg_constraint') IS NULL$$, 'every constraint has');
SELECT is_empty($$SELECT tgrelid::regclass, tgname FROM pg_trigger
    WHERE tgrelid IN (SELECT oid FROM pg_temp.relation) AND NOT tgisinternal
        AND obj_description(oid, 'pg_trigger') IS NULL$$, 'every trigger has');

SELECT * FROM finish();
ROLLBACK;
