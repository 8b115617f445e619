/*
 * privileges.sql - who may do what, where an owner that is no superuser installed the extension.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(80);

CREATE ROLE "the owner";
CREATE ROLE app;
CREATE ROLE member IN ROLE app;
CREATE ROLE streamer;
CREATE ROLE monitor;
CREATE ROLE bystander;
CREATE ROLE squatter;
GRANT USAGE ON SCHEMA pgtap TO PUBLIC;
SELECT format('GRANT CREATE ON DATABASE %I TO "the owner", squatter', current_database()) \gexec

DROP EXTENSION pg_outbox;
DROP SCHEMA outbox;
SET LOCAL ROLE "the owner";
CREATE EXTENSION pg_outbox;
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;

-- ---- all of it is the owner's
SELECT is(extowner::regrole::text, '"the owner"', 'the extension is its installer''s')
FROM pg_extension WHERE extname = 'pg_outbox';
SELECT schema_owner_is('outbox', 'the owner');
SELECT is(count(*), 0::bigint, 'and so are tables, views and indexes')
FROM pg_class WHERE relnamespace = 'outbox'::regnamespace AND relowner <> '"the owner"'::regrole;
SELECT is(count(*), 0::bigint, 'and functions')
FROM pg_proc WHERE pronamespace = 'outbox'::regnamespace AND proowner <> '"the owner"'::regrole;
SELECT is(count(*), 0::bigint, 'and types')
FROM pg_type WHERE typnamespace = 'outbox'::regnamespace AND typowner <> '"the owner"'::regrole;

SELECT pg_temp.allowed('the owner', s, 'owner: ' || s)
FROM unnest(ARRAY[
    'SELECT outbox.emit(''order'', ''1'', ''t'')',
    'SELECT outbox.emit_message(''order'', ''1'', ''t'')',
    'SELECT * FROM outbox.event',
    'DELETE FROM outbox.event',
    'ALTER TABLE outbox.event ADD COLUMN region text',
    'CREATE INDEX ON outbox.event (created_at)',
    'SELECT * FROM outbox.status',
    'SELECT * FROM outbox.observe()',
    'SELECT outbox.set_max_event_bytes(2000)',
    'SELECT outbox.grant_emit(''app'')',
    'SELECT outbox.grant_stream(''streamer'')',
    'SELECT outbox.grant_monitor(''monitor'')',
    'GRANT SELECT ON outbox.event TO app',
    'DROP EXTENSION pg_outbox']) AS s;

-- ---- nobody else has anything yet
SELECT pg_temp.denied('bystander', s, 'bystander: ' || s)
FROM unnest(ARRAY[
    'SELECT outbox.emit(''order'', ''1'', ''t'')',
    'SELECT outbox.emit_message(''order'', ''1'', ''t'')',
    'INSERT INTO outbox.event (aggregatetype, aggregateid, type) VALUES (''order'', ''1'', ''t'')',
    'SELECT * FROM outbox.event',
    'SELECT * FROM outbox.status',
    'SELECT * FROM outbox.observe()',
    'SELECT outbox.max_event_bytes()',
    'SELECT outbox.set_max_event_bytes(2000)',
    'SELECT outbox.grant_emit(''bystander'')',
    'ALTER EXTENSION pg_outbox UPDATE',
    'DROP EXTENSION pg_outbox']) AS s;
GRANT USAGE ON SCHEMA outbox TO bystander;
SELECT pg_temp.denied('bystander', s, 'bystander who may look into the schema: ' || s)
FROM unnest(ARRAY[
    'SELECT outbox.emit(''order'', ''1'', ''t'')',
    'SELECT outbox.emit_message(''order'', ''1'', ''t'')',
    'INSERT INTO outbox.event (aggregatetype, aggregateid, type) VALUES (''order'', ''1'', ''t'')',
    'SELECT id FROM outbox.event',
    'SELECT * FROM outbox.status',
    'SELECT * FROM outbox.slot_seen',
    'SELECT * FROM outbox.setting',
    'SELECT outbox.set_max_event_bytes(2000)']) AS s;

-- ---- grants, by the owner
SET LOCAL ROLE "the owner";
SELECT outbox.grant_emit('app') AS unused \gset
SELECT outbox.grant_stream('streamer') AS unused \gset
SELECT outbox.grant_monitor('monitor') AS unused \gset
RESET ROLE;

SELECT pg_temp.allowed(r, s, r || ': ' || s)
FROM unnest(ARRAY['app', 'member']) AS r, unnest(ARRAY[
    'SELECT outbox.emit(''order'', ''1'', ''t'', ''{}'', ''topic'', ''k'', ''p'', ''{}'')',
    'SELECT outbox.emit_message(''order'', ''1'', ''t'', ''text'')',
    'SELECT outbox.emit_message(''order'', ''1'', ''t'', ''{}''::jsonb)',
    'SELECT outbox.emit_message(''order'', ''1'', ''t'', ''\x00''::bytea)',
    'INSERT INTO outbox.event (id, aggregatetype, aggregateid, type) VALUES (gen_random_uuid(), ''order'', ''1'', ''t'')']) AS s;
SELECT pg_temp.denied('app', s, 'app: ' || s)
FROM unnest(ARRAY[
    'SELECT id FROM outbox.event',
    'INSERT INTO outbox.event (aggregatetype, aggregateid, type) VALUES (''order'', ''1'', ''t'') RETURNING id',
    'INSERT INTO outbox.event (aggregatetype, aggregateid, type, xid) VALUES (''order'', ''1'', ''t'', ''1'')',
    'INSERT INTO outbox.event (aggregatetype, aggregateid, type, created_at) VALUES (''order'', ''1'', ''t'', now())',
    'UPDATE outbox.event SET payload = NULL',
    'DELETE FROM outbox.event',
    'TRUNCATE outbox.event',
    'LOCK outbox.event IN ACCESS EXCLUSIVE MODE',
    'ALTER TABLE outbox.event DROP CONSTRAINT event_can_be_sent',
    'SELECT * FROM outbox.status',
    'SELECT * FROM outbox.observe()',
    'INSERT INTO outbox.setting VALUES (''max_event_bytes'', ''2000'')',
    'SELECT outbox.set_max_event_bytes(2000)',
    'SELECT outbox.grant_emit(''bystander'')',
    'CREATE TABLE outbox.mine ()',
    'CREATE FUNCTION outbox.emit(int) RETURNS int LANGUAGE sql RETURN 1']) AS s;
SET LOCAL ROLE app;
SELECT is((pg_temp.attempt($$SELECT outbox.emit('a b', '1', 't')$$)).state, '23514', 'app: is told what is wrong');
RESET ROLE;

SELECT pg_temp.allowed('streamer', s, 'streamer: ' || s)
FROM unnest(ARRAY['SELECT * FROM outbox.event', 'SELECT * FROM outbox.status', 'SELECT outbox.max_event_bytes()']) AS s;
SELECT pg_temp.denied('streamer', s, 'streamer: ' || s)
FROM unnest(ARRAY['SELECT outbox.emit(''order'', ''1'', ''t'')', 'DELETE FROM outbox.event',
    'SELECT outbox.set_max_event_bytes(2000)']) AS s;

SELECT pg_temp.allowed('monitor', s, 'monitor: ' || s)
FROM unnest(ARRAY['SELECT * FROM outbox.status', 'SELECT * FROM outbox.observe()']) AS s;
SELECT pg_temp.denied('monitor', s, 'monitor: ' || s)
FROM unnest(ARRAY['SELECT id FROM outbox.event', 'SELECT outbox.emit(''order'', ''1'', ''t'')']) AS s;

-- ---- taken back
REVOKE ALL ON ALL TABLES IN SCHEMA outbox FROM app;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA outbox FROM app;
REVOKE ALL ON SCHEMA outbox FROM app;
SELECT lives_ok('DROP ROLE app', 'three REVOKEs leave nothing of a grant');

-- ---- a schema that was there before
DROP EXTENSION pg_outbox;
DROP SCHEMA outbox;
SET LOCAL ROLE squatter;
CREATE SCHEMA outbox;
SET LOCAL ROLE "the owner";
SELECT is(f.state || ' ' || f.hint,
          '42501 Drop the schema, or let its owner or a superuser create the extension.',
          'a stranger''s schema is refused') FROM pg_temp.attempt('CREATE EXTENSION pg_outbox') AS f;
RESET ROLE;
ALTER SCHEMA outbox OWNER TO "the owner";
CREATE EXTENSION pg_outbox;
SELECT table_owner_is('outbox', 'event', 'the owner', 'a superuser installs for the owner of the schema');
SELECT function_owner_is('outbox', 'max_event_bytes', '{}', 'the owner', 'functions too');
SELECT pg_temp.allowed('the owner', 'SELECT outbox.set_max_event_bytes(2000)', 'who owns all of it');

SELECT * FROM finish();
ROLLBACK;
