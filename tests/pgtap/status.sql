/*
 * status.sql - outbox.status says of slots what can be known, and NULL for the rest.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
-- a slot of another database
SELECT current_database() AS here \gset
CREATE DATABASE elsewhere;
\c elsewhere
SELECT pg_create_logical_replication_slot('theirs', 'outbox_decoder') AS unused \gset
\c :here
\ir lib.psql
SELECT plan(29);

CREATE ROLE monitor;
GRANT USAGE ON SCHEMA outbox, pgtap TO monitor;
GRANT SELECT ON outbox.status TO monitor;
SELECT current_setting('server_version_num')::int >= 170000 AS has_inactive_since \gset
CREATE FUNCTION pg_temp.status(slot name) RETURNS outbox.status LANGUAGE sql
AS 'SELECT status FROM outbox.status WHERE slot_name = slot';
CREATE FUNCTION pg_temp.real(slot name) RETURNS pg_replication_slots LANGUAGE sql
AS 'SELECT s FROM pg_replication_slots AS s WHERE slot_name = slot';

SELECT results_eq('SELECT slot_name, database, seconds_since_confirmation IS NULL FROM outbox.status',
    format($$VALUES ('theirs'::name, 'elsewhere'::name, %L::boolean)$$, NOT :'has_inactive_since'::boolean),
    'slots of other databases are shown');
SELECT is(count(*), 1::bigint, 'observe() says the same') FROM outbox.observe();
SELECT is(count(*), 0::bigint, 'but doesn''t remember them') FROM outbox.slot_seen;

SELECT pg_create_logical_replication_slot('foreign_plugin', 'pgoutput') AS unused \gset
SELECT pg_create_physical_replication_slot('physical') AS unused \gset
SELECT is(count(*), 1::bigint, 'slots of other plugins are not') FROM outbox.status;

SELECT pg_create_logical_replication_slot('ours', 'outbox_decoder') AS unused \gset
SELECT results_eq('SELECT slot_name, database FROM outbox.status ORDER BY slot_name',
    $$VALUES ('ours'::name, current_database()), ('theirs', 'elsewhere')$$, 'our slot is there');
SELECT is((r).active, false, 'nobody reads it') FROM pg_temp.status('ours') AS r;
SELECT is((r).active_pid, NULL, 'so no process does') FROM pg_temp.status('ours') AS r;
SELECT is((s.r).restart_lsn, (t.r).restart_lsn, 'restart_lsn') FROM (SELECT pg_temp.status('ours') AS r) AS s, (SELECT pg_temp.real('ours') AS r) AS t;
SELECT is((s.r).confirmed_flush_lsn, (t.r).confirmed_flush_lsn, 'confirmed_flush_lsn') FROM (SELECT pg_temp.status('ours') AS r) AS s, (SELECT pg_temp.real('ours') AS r) AS t;
SELECT is((r).wal_status, 'reserved', 'wal_status') FROM pg_temp.status('ours') AS r;
SELECT is((r).invalidation_reason, NULL, 'it is of use') FROM pg_temp.status('ours') AS r;
SELECT is((r).safe_wal_size, NULL, 'without max_slot_wal_keep_size there is no safe size') FROM pg_temp.status('ours') AS r;
SELECT is((r).inactive_since IS NOT NULL, :'has_inactive_since'::boolean, 'inactive_since where the server has it') FROM pg_temp.status('ours') AS r;

-- ---- WAL
SELECT retained_bytes AS retained, unconfirmed_bytes AS unconfirmed FROM outbox.status WHERE slot_name = 'ours' \gset
SELECT cmp_ok(:retained::bigint, '>=', :unconfirmed::bigint, 'what is retained contains what is unconfirmed');
SELECT outbox.emit('order', n::text, 't', to_jsonb(repeat(md5(n::text), 30))) AS unused FROM generate_series(1, 200) AS n \g /dev/null
SELECT cmp_ok(unconfirmed_bytes, '>', :unconfirmed + 100000::bigint, 'both grow with what is written: unconfirmed')
FROM outbox.status WHERE slot_name = 'ours';
SELECT cmp_ok(retained_bytes, '>', :retained + 100000::bigint, 'and retained') FROM outbox.status WHERE slot_name = 'ours';

-- ---- time: only what somebody has seen
SELECT CASE WHEN :'has_inactive_since'::boolean
    THEN cmp_ok((r).seconds_since_confirmation, '>=', 0::float8, 'not yet seen: but it was left at a known time')
    ELSE is((r).seconds_since_confirmation, NULL, 'not yet seen: not known') END
FROM pg_temp.status('ours') AS r;
SELECT results_eq('SELECT slot_name, seconds_since_confirmation >= 0 FROM outbox.observe() WHERE slot_name = ''ours''', $$VALUES ('ours'::name, true)$$,
    'observe() returns the view, with a time');
SELECT results_eq('SELECT slot_name, confirmed_flush_lsn FROM outbox.slot_seen',
    $$SELECT slot_name, confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'ours'$$, 'and remembers our slot alone');
SELECT xmin AS before FROM outbox.slot_seen \gset
SELECT count(*) AS unused FROM outbox.observe() \gset
SELECT is(xmin::text, :'before', 'a slot that stands still costs no write') FROM outbox.slot_seen;
UPDATE outbox.slot_seen SET since = now() - interval '1 hour';
SELECT ok((r).seconds_since_confirmation BETWEEN 3600 AND 3660, 'first seen here an hour ago: still for an hour') FROM pg_temp.status('ours') AS r;
SELECT count(*) AS unused FROM outbox.observe() \gset
SELECT ok((r).seconds_since_confirmation BETWEEN 3600 AND 3660, 'looking again doesn''t change that') FROM pg_temp.status('ours') AS r;

SELECT pg_replication_slot_advance('ours', pg_current_wal_lsn()) AS unused \gset
SELECT ok((r).seconds_since_confirmation BETWEEN 0 AND 60, 'it has moved: not known to stand still') FROM pg_temp.status('ours') AS r;
SELECT ok((r).unconfirmed_bytes < 100000, 'and little is unconfirmed') FROM pg_temp.status('ours') AS r;
SELECT ok((r).seconds_since_confirmation BETWEEN 0 AND 60, 'seen at the new place')
FROM outbox.observe() AS r WHERE slot_name = 'ours';
SELECT ok(since > now() - interval '1 minute', 'now') FROM outbox.slot_seen;

-- ---- readers with SELECT alone
SET ROLE monitor;
BEGIN READ ONLY;
SELECT results_eq('SELECT slot_name, seconds_since_confirmation IS NOT NULL, unconfirmed_bytes IS NOT NULL
             FROM outbox.status WHERE slot_name = ''ours''', $$VALUES ('ours'::name, true, true)$$, 'SELECT on the view suffices, in a read-only transaction too');
COMMIT;
RESET ROLE;

-- ---- gone
SELECT pg_drop_replication_slot('ours') AS unused \gset
SELECT results_eq('SELECT slot_name FROM outbox.status', $$VALUES ('theirs'::name)$$, 'a slot that is dropped has no row');
SELECT count(*) AS unused FROM outbox.observe() \gset
SELECT is(count(*), 0::bigint, 'and is forgotten') FROM outbox.slot_seen;
SELECT * FROM finish();
SELECT pg_drop_replication_slot(slot_name) AS unused FROM pg_replication_slots WHERE NOT active \g /dev/null
