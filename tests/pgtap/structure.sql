/*
 * structure.sql - outbox.event has Debezium's columns and ours, and defaults that fill it.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(45);

SELECT is(extversion, '1.0', 'version 1.0 is installed') FROM pg_extension WHERE extname = 'pg_outbox';
SELECT is((SELECT nspname FROM pg_namespace WHERE oid = extnamespace), 'outbox', 'in schema outbox')
FROM pg_extension WHERE extname = 'pg_outbox';
SELECT ok(NOT extrelocatable, 'which is fixed') FROM pg_extension WHERE extname = 'pg_outbox';
SELECT ok(trusted AND superuser, 'it is trusted')
FROM pg_available_extension_versions WHERE name = 'pg_outbox' AND version = '1.0';

SELECT columns_are('outbox', 'event', ARRAY['id', 'aggregatetype', 'aggregateid', 'type', 'payload',
    'topic', 'key', 'partition_key', 'headers', 'traceparent', 'created_at', 'xid']);
SELECT col_type_is('outbox', 'event', c, t, c || ' is ' || t)
FROM (VALUES ('id', 'uuid'), ('aggregatetype', 'character varying(255)'),
    ('aggregateid', 'character varying(255)'), ('type', 'character varying(255)'),
    ('payload', 'jsonb'), ('topic', 'text'), ('key', 'text'), ('partition_key', 'text'),
    ('headers', 'jsonb'), ('traceparent', 'text'), ('created_at', 'timestamp with time zone'),
    ('xid', 'xid8')) AS v(c, t);
SELECT col_not_null('outbox', 'event', c, c || ' is needed')
FROM unnest(ARRAY['id', 'aggregatetype', 'aggregateid', 'type', 'created_at', 'xid']) AS c;
SELECT col_is_null('outbox', 'event', c, c || ' may be NULL')
FROM unnest(ARRAY['payload', 'topic', 'key', 'partition_key', 'headers', 'traceparent']) AS c;
SELECT col_is_pk('outbox', 'event', 'id', 'id is the primary key');

-- what Debezium's users insert
INSERT INTO outbox.event (id, aggregatetype, aggregateid, type, payload)
VALUES ('6b1f4ab7-0000-4000-8000-000000000001', 'order', '42', 'OrderPlaced', '{"total": 12.50}');
SELECT results_eq(
    $$SELECT id, aggregatetype::text, aggregateid::text, type::text, payload::text, topic, key,
             partition_key, headers::text, traceparent, created_at, xid FROM outbox.event$$,
    $$VALUES ('6b1f4ab7-0000-4000-8000-000000000001'::uuid, 'order', '42', 'OrderPlaced',
              '{"total": 12.50}', NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
              now(), pg_current_xact_id())$$,
    'five columns suffice');
INSERT INTO outbox.event (aggregatetype, aggregateid, type) VALUES ('order', '42', 'OrderPlaced');
SELECT isnt(id, NULL, 'an id is made') FROM outbox.event WHERE payload IS NULL;

-- a row carries the number of the transaction, not of a savepoint
SAVEPOINT s;
INSERT INTO outbox.event (aggregatetype, aggregateid, type) VALUES ('order', '43', 'OrderPlaced');
SELECT is(xid, pg_current_xact_id(), 'xid is the top transaction''s') FROM outbox.event WHERE aggregateid = '43';
RELEASE s;

SELECT views_are('outbox', ARRAY['status']);
SELECT tables_are('outbox', ARRAY['dead_letter', 'dead_letter_writer', 'event', 'inbox', 'inbox_dead_letter', 'inbox_message', 'inbox_offset',
    'inbox_position', 'setting', 'slot_seen']);
SELECT functions_are('outbox', ARRAY['accept', 'accept_position', 'apply_setting', 'check_chosen', 'check_event', 'discard', 'discard_inbox', 'emit', 'emit_message',
    'expire_inbox', 'grant_emit', 'grant_inbox', 'grant_monitor', 'grant_redrive', 'grant_stream', 'inbox_advance', 'inbox_chosen', 'inbox_next', 'inbox_parked',
    'inbox_pick', 'inbox_repeated', 'inbox_settle', 'inbox_take', 'max_event_bytes', 'netstring', 'observe', 'redrive', 'redrive_inbox', 'set_max_event_bytes']);
SELECT columns_are('outbox', 'status', ARRAY['database', 'slot_name', 'active', 'active_pid',
    'restart_lsn', 'confirmed_flush_lsn', 'retained_bytes', 'unconfirmed_bytes', 'wal_status',
    'safe_wal_size', 'seconds_since_confirmation', 'inactive_since', 'invalidation_reason']);
SELECT function_returns('outbox', 'emit', 'uuid', 'emit returns the id');
SELECT is(count(*), 3::bigint, 'emit_message takes bytea, text and jsonb')
FROM pg_proc WHERE pronamespace = 'outbox'::regnamespace AND proname = 'emit_message'
    AND prorettype = 'uuid'::regtype
    AND proargtypes[3] IN ('bytea'::regtype, 'text'::regtype, 'jsonb'::regtype);
SELECT is((SELECT array_agg(proargnames ORDER BY oid) FROM pg_proc
           WHERE pronamespace = 'outbox'::regnamespace AND proname = 'emit_message'),
          (SELECT array_fill(0, ARRAY[0])::text[] || array_agg(proargnames) FROM pg_proc, generate_series(1, 3)
           WHERE pronamespace = 'outbox'::regnamespace AND proname = 'emit'),
          'emit and emit_message have the same parameters');
SELECT has_trigger('outbox', 'setting', 'setting_apply', 'settings take effect by a trigger');
SELECT hasnt_trigger('outbox', 'event', 't', 'events have no trigger');
SELECT is(count(*), 0::bigint, 'nor any other') FROM pg_trigger WHERE tgrelid = 'outbox.event'::regclass;

-- removed as a whole
DROP EXTENSION pg_outbox;
SELECT is(count(*), 0::bigint, 'DROP EXTENSION leaves nothing in the schema')
FROM pg_class WHERE relnamespace = 'outbox'::regnamespace;
SELECT is(count(*), 0::bigint, 'and no function') FROM pg_proc WHERE pronamespace = 'outbox'::regnamespace;

SELECT * FROM finish();
ROLLBACK;
