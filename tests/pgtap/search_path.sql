/*
 * search_path.sql - functions that pin no search_path can't be led astray by one.
 *
 * A hostile schema, first in the search_path, has a look-alike of every operator
 * of the server and of every function that ours name, for the same types, and
 * tables and types of the names that ours use.  Each look-alike raises an error.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
CREATE SCHEMA hostile;
CREATE FUNCTION pg_temp.create_lookalikes() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    r record;
    made bigint := 0;
BEGIN
    FOR r IN
        SELECT o.oprname, o.oprleft, o.oprright, o.oprresult, o.oid
        FROM pg_operator AS o
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0 AND o.oprcode <> 0
            AND NOT EXISTS (SELECT FROM pg_type AS t
                            WHERE t.oid IN (o.oprleft, o.oprright, o.oprresult) AND t.typtype = 'p')
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql '
                       'AS ''BEGIN RAISE ''''hostile operator %s''''; END''',
                       r.oid, r.oprleft::regtype, r.oprright::regtype, r.oprresult::regtype,
                       replace(r.oprname, '%', '%%'));
        EXECUTE format('CREATE OPERATOR hostile.%s (FUNCTION = hostile.op_%s, LEFTARG = %s, RIGHTARG = %s)',
                       r.oprname, r.oid, r.oprleft::regtype, r.oprright::regtype);
        made := made + 1;
    END LOOP;
    FOR r IN
        SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) AS args,
               format_type(p.prorettype, NULL) AS result, p.proretset
        FROM pg_proc AS p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
            AND EXISTS (SELECT FROM pg_proc AS ours
                        WHERE ours.pronamespace = 'outbox'::regnamespace
                            AND ours.prosrc ~ ('\m' || p.proname || '\M'))
            AND NOT EXISTS (SELECT FROM pg_type AS t
                            WHERE t.oid = ANY (p.proargtypes::oid[] || p.prorettype) AND t.typtype = 'p')
    LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s %s LANGUAGE plpgsql '
                       'AS ''BEGIN RAISE ''''hostile function %s''''; END''',
                       r.proname, r.args, CASE WHEN r.proretset THEN 'SETOF' ELSE '' END, r.result, r.proname);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
SELECT pg_temp.create_lookalikes() AS made \gset
-- variadic and polymorphic ones that ours name, by hand
CREATE FUNCTION hostile.concat(VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''hostile function concat''; END';
CREATE FUNCTION hostile.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''hostile function format''; END';
CREATE FUNCTION hostile.to_json(text) RETURNS json LANGUAGE plpgsql AS 'BEGIN RAISE ''hostile function to_json''; END';
CREATE TABLE hostile.event (LIKE outbox.event);
CREATE TABLE hostile.status (LIKE outbox.status);
CREATE TABLE hostile.setting (LIKE outbox.setting);
CREATE TABLE hostile.slot_seen (LIKE outbox.slot_seen);
CREATE TABLE hostile.pg_replication_slots (slot_name name, plugin name, database name, confirmed_flush_lsn pg_lsn);
CREATE DOMAIN hostile.uuid AS pg_catalog.uuid CHECK (false);
CREATE DOMAIN hostile.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN hostile.bytea AS pg_catalog.bytea CHECK (false);
CREATE DOMAIN hostile.int8 AS pg_catalog.int8 CHECK (false);
CREATE DOMAIN hostile.int4 AS pg_catalog.int4 CHECK (false);
CREATE DOMAIN hostile.pg_lsn AS pg_catalog.pg_lsn CHECK (false);

-- a new session, in which nothing of ours has been compiled yet
\c
\ir lib.psql
-- no expression of its own is looked up once the path is set
CREATE FUNCTION pg_temp.led_astray(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    BEGIN
        PERFORM set_config('search_path', 'hostile, pg_catalog, pg_temp', true);
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = MESSAGE_TEXT;
    END;
    -- PERFORM would look up set_config: the constant path is restored by the subtransaction or here
    EXECUTE 'SET LOCAL search_path = public, pgtap';
    RETURN said;
END
$$;

BEGIN;
SELECT plan(23);
SELECT cmp_ok(:made, '>', 700, 'look-alikes');
SELECT is(pg_temp.led_astray($$SELECT outbox.emit('o'::pg_catalog.text, '1'::pg_catalog.text OPERATOR(hostile.||) 'x'::pg_catalog.text, 't')$$),
          'hostile operator ||', 'which are not harmless');
SELECT is(pg_temp.led_astray(s), NULL, s)
FROM unnest(ARRAY[
    $$SELECT outbox.emit('o', '1', 't')$$,
    $$SELECT outbox.emit('o', '1', 't', '{"a": 1}', 'topic', 'k', 'p', '{"a": [1]}', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')$$,
    $$SELECT outbox.emit_message('o', '1', 't')$$,
    $$SELECT outbox.emit_message('o', '1', 't', pg_catalog.convert_to('x', 'UTF8'), 'topic', 'k', 'p', '{"a": [1]}', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')$$,
    $$SELECT outbox.emit_message('o', '1', 't', '{}'::pg_catalog.jsonb)$$,
    $$SELECT outbox.emit_message('o', '1', 't', key => pg_catalog.repeat('k', 170000))$$,
    $$INSERT INTO outbox.event (aggregatetype, aggregateid, type, topic, headers) VALUES ('o', '1', 't', 'topic', '{}')$$,
    $$SELECT outbox.set_max_event_bytes(2000000)$$,
    $$SELECT outbox.set_max_event_bytes(NULL)$$,
    $$SELECT * FROM outbox.status$$,
    $$SELECT * FROM outbox.observe()$$,
    $$SELECT outbox.grant_emit('pg_monitor')$$,
    $$SELECT outbox.grant_stream('pg_monitor')$$,
    $$SELECT outbox.grant_monitor('pg_monitor')$$,
    $$SELECT outbox.grant_redrive('pg_monitor')$$,
    $$SELECT outbox.redrive('x')$$,
    $$SELECT outbox.discard(key => 'x')$$]) AS s;
-- the ways that end in an error
SELECT is(pg_temp.led_astray($$SELECT outbox.emit('a b', '1', 't')$$), 'aggregatetype "a b" can''t be part of a topic''s name', 'refusals too');
SELECT is(pg_temp.led_astray($$SELECT outbox.emit('o', '1', pg_catalog.repeat('t', 256))$$), 'type is longer than 255 characters', 'of length');
SELECT is(pg_temp.led_astray($$SELECT outbox.emit('o', '1', 't', headers => '[]')$$), 'headers must be a JSON object, not array', 'of headers');
SELECT is(pg_temp.led_astray($$SELECT outbox.emit('o', '1', 't', key => pg_catalog.repeat('k', 1000000))$$),
          'an event of 1000515 octets is larger than the limit of 1000000', 'of size');

SELECT * FROM finish();
ROLLBACK;
DROP SCHEMA hostile CASCADE;
