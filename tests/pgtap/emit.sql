/*
 * emit.sql - outbox.emit() writes exactly the row it was asked for.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(21);

SELECT outbox.emit('order', '42', 'OrderPlaced', '{"total": 12.50}') AS id \gset
SELECT results_eq(
    $$SELECT id, aggregatetype::text, aggregateid::text, type::text, payload::text, topic, key,
             partition_key, headers::text, traceparent, created_at, xid FROM outbox.event$$,
    format($$VALUES (%L::uuid, 'order', '42', 'OrderPlaced', '{"total": 12.50}', NULL::text, NULL::text,
              NULL::text, NULL::text, NULL::text, now(), pg_current_xact_id())$$, :'id'),
    'four arguments: one row, whose id is returned');
TRUNCATE outbox.event;

SELECT outbox.emit('order', '42', 'OrderPlaced', '{"a": 1}', 'shop.orders', 'k', 'p', '{"h": "v"}',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '6b1f4ab7-0000-4000-8000-000000000001') AS id \gset
SELECT is(:'id'::text, '6b1f4ab7-0000-4000-8000-000000000001', 'an id that is given is used');
SELECT results_eq(
    $$SELECT id, aggregatetype::text, aggregateid::text, type::text, payload::text, topic, key,
             partition_key, headers::text, traceparent FROM outbox.event$$,
    $$VALUES ('6b1f4ab7-0000-4000-8000-000000000001'::uuid, 'order', '42', 'OrderPlaced', '{"a": 1}',
              'shop.orders', 'k', 'p', '{"h": "v"}',
              '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')$$,
    'ten arguments: each in its column');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 'OrderPlaced',
    id => '6b1f4ab7-0000-4000-8000-000000000001')$$)).state, '23505', 'an id is used once');
TRUNCATE outbox.event;

SELECT outbox.emit(type => 'OrderPlaced', aggregateid => '42', aggregatetype => 'order',
                   key => 'k', headers => '{"h": 1}') AS id \gset
SELECT results_eq(
    $$SELECT aggregatetype::text, aggregateid::text, type::text, payload, topic, key, headers FROM outbox.event$$,
    $$VALUES ('order', '42', 'OrderPlaced', NULL::jsonb, NULL::text, 'k', '{"h": 1}'::jsonb)$$,
    'named arguments; no payload is a tombstone');
SELECT isnt(outbox.emit('order', '42', 'OrderPlaced', id => NULL), NULL, 'an id of NULL is made');
SELECT isnt(outbox.emit('o', '1', 't'), outbox.emit('o', '1', 't'), 'no two calls make the same id');
TRUNCATE outbox.event;

-- payloads keep what jsonb keeps
SELECT outbox.emit('o', '1', 't', '{"n": 12345678901234567890.123456789012345678900, "z": 1.0, "e": []}') AS unused \gset
SELECT is(payload::text, '{"e": [], "n": 12345678901234567890.123456789012345678900, "z": 1.0}', 'every digit stays')
FROM outbox.event;
TRUNCATE outbox.event;
SELECT outbox.emit('o', '1', 't', 'null') AS unused \gset
SELECT is(payload, 'null'::jsonb, 'JSON null is a payload, not a tombstone') FROM outbox.event;
TRUNCATE outbox.event;
SELECT outbox.emit('o', 'Straße 日本 😀', 'Ереван', '{"Ж": "日本 😀"}', headers => '{"ü": "日本"}') AS unused \gset
SELECT results_eq(
    $$SELECT aggregateid::text, type::text, payload::text, headers::text FROM outbox.event$$,
    $$VALUES ('Straße 日本 😀', 'Ереван', '{"Ж": "日本 😀"}', '{"ü": "日本"}')$$, 'any text goes as key and value');
TRUNCATE outbox.event;

-- callable in every way that drivers call
PREPARE p(text, text, text, jsonb) AS SELECT outbox.emit($1, $2, $3, $4);
SELECT lives_ok($$EXECUTE p('o', '1', 't', '{}')$$, 'prepared');
SELECT lives_ok($$EXECUTE p('o', '2', 't', NULL)$$, 'prepared, with NULL');
SELECT lives_ok($$SELECT outbox.emit('o'::varchar, '3'::varchar, 't'::varchar, '{}'::jsonb)$$, 'with varchar');
SELECT lives_ok($$SELECT outbox.emit('o', n::text, 't', to_jsonb(n)) FROM generate_series(4, 1000) AS n$$, 'for many rows');
SELECT is(count(*), 1000::bigint, 'one row for each call') FROM outbox.event;
SELECT is(count(DISTINCT id), 1000::bigint, 'and an id for each') FROM outbox.event;
SELECT is(count(DISTINCT xid), 1::bigint, 'of one transaction') FROM outbox.event;

-- all or nothing
TRUNCATE outbox.event;
SAVEPOINT s;
SELECT outbox.emit('o', '1', 't') AS unused \gset
ROLLBACK TO s;
SELECT is(count(*), 0::bigint, 'what is rolled back leaves no row') FROM outbox.event;
SELECT outbox.emit('o', '1', 't') AS unused \gset
SELECT is((pg_temp.attempt($$SELECT outbox.emit('a b', '1', 't')$$)).state, '23514', 'a refused event raises an error');
SELECT is(count(*), 1::bigint, 'and leaves the others to the transaction') FROM outbox.event;
SET TRANSACTION READ ONLY;
SELECT is((pg_temp.attempt($$SELECT outbox.emit('o', '1', 't')$$)).state, '25006', 'a read-only transaction can''t emit');

SELECT * FROM finish();
ROLLBACK;
