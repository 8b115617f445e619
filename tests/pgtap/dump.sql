/*
 * dump.sql - a restored dump has owner, grants and limit again, and no event that was published.
 *
 * The extension is installed by an owner that is no superuser, dumped, and
 * restored by a superuser.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
CREATE ROLE dump_owner;
CREATE ROLE dump_app;
CREATE ROLE dump_monitor;
CREATE DATABASE dump_source OWNER dump_owner;
CREATE DATABASE dump_target;
\c dump_source
SET ROLE dump_owner;
CREATE EXTENSION pg_outbox;
SELECT outbox.set_max_event_bytes(5000) AS unused \gset
SELECT outbox.grant_emit('dump_app') AS unused \gset
SELECT outbox.grant_monitor('dump_monitor') AS unused \gset
SELECT outbox.emit('order', '42', 'OrderPlaced', '{}') AS unused \gset
RESET ROLE;
\set dir `mktemp -d`
\set dumped `pg_dump -h :'HOST' -p :'PORT' -f :'dir'/first dump_source && echo yes`
\set restored `psql -X -q -o /dev/null -h :'HOST' -p :'PORT' -v ON_ERROR_STOP=1 -f :'dir'/first dump_target && echo yes`
\set again `pg_dump -h :'HOST' -p :'PORT' -f :'dir'/second dump_target && echo yes`
-- \restrict has a random argument
\set difference `cd :'dir' && sed -i /restrict/d first second && diff first second 2>&1 && echo same`
\set grants `grep -c '^REVOKE' :'dir'/first`
\set remove `rm -r :'dir'`
\c dump_target
\ir lib.psql

BEGIN;
SELECT plan(13);
SELECT is(:'dumped'::text, 'yes', 'dumped');
SELECT is(:'restored'::text, 'yes', 'restored');
SELECT is(count(*), 0::bigint, 'no event is restored') FROM outbox.event;
SELECT is(outbox.max_event_bytes(), 5000::bigint, 'the limit is in effect');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 't', to_jsonb(repeat('x', 5000)))$$)).state, '54000', 'indeed');
SELECT schema_owner_is('outbox', 'dump_owner');
SELECT table_owner_is('outbox', 'event', 'dump_owner', 'the table belongs to its owner');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;
SELECT pg_temp.allowed('dump_app', $$SELECT outbox.emit('order', '42', 't')$$, 'the application may emit');
SELECT pg_temp.denied('dump_app', $$SELECT * FROM outbox.event$$, 'and not read');
SELECT pg_temp.allowed('dump_monitor', $$SELECT * FROM outbox.observe()$$, 'the monitor may observe');
SELECT is(:'again'::text, 'yes', 'dumped again');
SELECT is(:'difference'::text, 'same', 'which gives the same dump');
SELECT is(:'grants'::text, '0', 'no privilege that the extension itself sets is in it');

SELECT * FROM finish();
ROLLBACK;
