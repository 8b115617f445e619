/*
 * limit.sql - outbox.set_max_event_bytes() takes effect at once, and survives a restored dump.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(34);

-- order42t has 8 octets, a JSON string 2 more, and 512 are added on the way
CREATE FUNCTION pg_temp.fits(octets int) RETURNS text LANGUAGE sql AS $$
SELECT coalesce((pg_temp.attempt(format('INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload)
            VALUES (''order'', ''42'', ''t'', to_jsonb(repeat(''x'', %s)))', octets - 522))).state, 'fits')
    || ' ' || coalesce((pg_temp.attempt(format('SELECT outbox.emit(''order'', ''42'', ''t'', to_jsonb(repeat(''x'', %s)))',
            octets - 522))).state, 'fits')
    || ' ' || coalesce((pg_temp.attempt(format('SELECT outbox.emit_message(''order'', ''42'', ''t'', repeat(''x'', %s))',
            octets - 520))).state, 'fits')
$$;

SELECT is(outbox.max_event_bytes(), 1000000::bigint, 'by default 1000000');
SELECT is(count(*), 0::bigint, 'which is no setting') FROM outbox.setting;
SELECT is(pg_temp.fits(1000000), 'fits fits fits', '1000000 fits');
SELECT is(pg_temp.fits(1000001), '54000 54000 54000', '1000001 does not');

SELECT outbox.set_max_event_bytes(5000) AS unused \gset
SELECT is(outbox.max_event_bytes(), 5000::bigint, 'lowered');
SELECT is(pg_temp.fits(5000), 'fits fits fits', '5000 fits');
SELECT is(pg_temp.fits(5001), '54000 54000 54000', '5001 does not: no session keeps the old limit');
SELECT results_eq('SELECT name, value FROM outbox.setting', $$VALUES ('max_event_bytes', '5000')$$, 'a setting now');

SELECT outbox.set_max_event_bytes(3000000) AS unused \gset
SELECT is(outbox.max_event_bytes(), 3000000::bigint, 'raised');
SELECT is(pg_temp.fits(3000000), 'fits fits fits', '3000000 fits');
SELECT is(pg_temp.fits(3000001), '54000 54000 54000', '3000001 does not');
SELECT results_eq('SELECT name, value FROM outbox.setting', $$VALUES ('max_event_bytes', '3000000')$$, 'still one setting');

-- rows that are there stay
INSERT INTO outbox.event (aggregatetype, aggregateid, type, payload) VALUES ('order', '42', 't', to_jsonb(repeat('x', 2000000)));
SELECT lives_ok('SELECT outbox.set_max_event_bytes(1000)', 'a limit below rows that exist');
SELECT is(count(*), 1::bigint, 'which stay') FROM outbox.event;

SELECT outbox.set_max_event_bytes(NULL) AS unused \gset
SELECT is(outbox.max_event_bytes(), 1000000::bigint, 'NULL sets the default');
SELECT is(count(*), 0::bigint, 'and is no setting') FROM outbox.setting;
SELECT lives_ok('SELECT outbox.set_max_event_bytes(NULL)', 'twice');

-- limits of the limit
SELECT is(f.state || ' ' || f.message || ' ' || f.hint,
          '22023 max_event_bytes can''t be ' || n || ' Choose a number of octets from 1000 to 268435456.', n || ' is refused')
FROM unnest(ARRAY['0', '-1', '999', '268435457', '9223372036854775807']) AS n,
    pg_temp.attempt(format('SELECT outbox.set_max_event_bytes(%s)', n)) AS f;
SELECT is((pg_temp.attempt('SELECT outbox.set_max_event_bytes(1000)')).state, NULL, '1000 is the smallest');
SELECT is((pg_temp.attempt('SELECT outbox.set_max_event_bytes(268435456)')).state, NULL, '268435456 is the largest');
SELECT is((pg_temp.attempt(format('INSERT INTO outbox.setting VALUES (%L, %L)', n, v))).state, '22023',
          'setting ' || n || ' = ' || v || ' is refused')
FROM (VALUES ('max_event_bytes', ''), ('max_event_bytes', '1e6'), ('max_event_bytes', ' 5000'),
    ('max_event_bytes', '1000::bigint'), ('other', '5000')) AS s(n, v);

-- as pg_restore does it
SAVEPOINT s;
COPY outbox.setting (name, value) FROM stdin;
max_event_bytes	7000
\.
SELECT is(outbox.max_event_bytes(), 7000::bigint, 'a setting that is copied in takes effect');
UPDATE outbox.setting SET value = '8000';
SELECT is(outbox.max_event_bytes(), 8000::bigint, 'one that is updated too');
SELECT is((pg_temp.attempt('UPDATE outbox.setting SET name = ''other''')).state, '22023', 'but for its name');
ROLLBACK TO s;
SELECT is(outbox.max_event_bytes(), 1000000::bigint, 'a limit is rolled back with its transaction');
SELECT is(obj_description('outbox.max_event_bytes()'::regprocedure) IS NOT NULL, true, 'the comment stays');

SELECT * FROM finish();
ROLLBACK;
