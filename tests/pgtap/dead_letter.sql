/*
 * dead_letter.sql - redrive() and discard() mark what they should, and nothing else.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(32);

CREATE ROLE streamer;
CREATE ROLE operator;
CREATE ROLE bystander;
GRANT USAGE ON SCHEMA pgtap TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;
SELECT outbox.grant_stream('streamer') AS unused \gset
SELECT outbox.grant_redrive('operator') AS unused \gset

-- two queues of slot s, one of slot t; n is the number in the position
CREATE PROCEDURE pg_temp.fill() LANGUAGE sql AS $$
    DELETE FROM outbox.dead_letter;
    INSERT INTO outbox.dead_letter (slot, position, lsn, queue, state, code, reason, committed_at, complete, event_id, topic, key, payload)
    SELECT slot, '00000001/00000000000000AA/' || lpad(n::text, 8, '0'), '0/AA', queue, state,
        CASE state WHEN 'queued' THEN 'key-parked' ELSE 'message-too-large' END, 'r', now(), true, slot || n, topic, key, '\x00ff'
    FROM (VALUES ('s', 1, 7, 'parked', 'a', 'k'), ('s', 2, 7, 'queued', 'a', 'k'), ('s', 3, 7, 'parked', 'a', 'k'), ('s', 4, 7, 'queued', 'a', 'k'),
        ('s', 5, -8, 'parked', 'a', 'l'), ('s', 6, -8, 'queued', 'a', 'l'), ('s', 7, 9, 'parked', 'b', 'k'),
        ('t', 1, 7, 'parked', 'a', 'k')) AS v(slot, n, queue, state, topic, key);
$$;
-- the ids in a state, in the order of positions
CREATE FUNCTION pg_temp.ids(wanted text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(event_id, ' ' ORDER BY slot, position), '') FROM outbox.dead_letter WHERE state = wanted
$$;

-- ---- redrive: with all that waits before
CALL pg_temp.fill();
SELECT is(outbox.redrive('s3'), 3::bigint, 'redrive by id returns how many it has marked');
SELECT is(pg_temp.ids('redriving'), 's1 s2 s3', 'what comes before it in its queue, too, and nothing behind');
SELECT is(outbox.redrive('s3'), 0::bigint, 'what is marked is not marked again');
CALL pg_temp.fill();
SELECT is(outbox.redrive(key => 'k', slot => 's'), 5::bigint, 'by key, of a slot');
SELECT is(pg_temp.ids('redriving'), 's1 s2 s3 s4 s7', 'whatever the topic');
CALL pg_temp.fill();
SELECT outbox.redrive(topic => 'a', key => 'k') AS unused \gset
SELECT is(pg_temp.ids('redriving'), 's1 s2 s3 s4 t1', 'by topic and key');
CALL pg_temp.fill();
SELECT outbox.redrive(topic => 'b') AS unused \gset
SELECT is(pg_temp.ids('redriving'), 's7', 'by topic');
SELECT is(outbox.redrive(event_id => 'unknown'), 0::bigint, 'an unknown id marks nothing');
SELECT is((pg_temp.attempt('SELECT outbox.redrive()')).state, '22023', 'not all of them by mistake');
SELECT is((pg_temp.attempt($$SELECT outbox.redrive(slot => 's')$$)).hint, 'Give id, topic or key.', 'a slot is not enough');

-- ---- discard: what could not be delivered
CALL pg_temp.fill();
SELECT is(outbox.discard('s1'), 1::bigint, 'discard by id');
SELECT is(pg_temp.ids('discarding'), 's1', 'that one alone');
SELECT is(outbox.discard('s2'), 0::bigint, 'what only waits is not discarded');
CALL pg_temp.fill();
SELECT outbox.discard(key => 'k', slot => 's') AS unused \gset
SELECT is(pg_temp.ids('discarding'), 's1 s3 s7', 'by key');
SELECT is(pg_temp.ids('queued'), 's2 s4 s6', 'what waits behind them still does');
CALL pg_temp.fill();
SELECT outbox.redrive('s1') AS unused \gset
SELECT is(outbox.discard('s1'), 0::bigint, 'what is being redriven is not discarded');
SELECT is((pg_temp.attempt('SELECT outbox.discard()')).state, '22023', 'not all of them by mistake');
SELECT is(count(*), 8::bigint, 'nothing but marks: the streamer removes') FROM outbox.dead_letter;

-- ---- the table
SELECT is((pg_temp.attempt($$INSERT INTO outbox.dead_letter (slot, position, lsn, queue, code, reason, committed_at, complete)
    SELECT slot, position, lsn, queue, code, reason, committed_at, complete FROM outbox.dead_letter LIMIT 1$$)).constr,
    'dead_letter_pkey', 'an event is there once');
SELECT is((pg_temp.attempt($$UPDATE outbox.dead_letter SET state = 'gone'$$)).constr, 'dead_letter_state', 'a state that there is');
SELECT lives_ok($$INSERT INTO outbox.dead_letter (slot, position, lsn, queue, code, reason, committed_at, complete, event_id, key, headers)
    SELECT 's', 'long', '0/1', 1, 'c', 'r', now(), true, string_agg(md5(i::text), ''), string_agg(md5(i::text), ''), '{not json'
    FROM generate_series(1, 30000) AS i$$, 'a key of almost 1 MB, and headers that are none');
SELECT is(position, 'long', 'is found again') FROM outbox.dead_letter
WHERE key = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 30000) AS i);

-- ---- who may
SELECT pg_temp.allowed('operator', s, 'operator: ' || s)
FROM unnest(ARRAY['SELECT * FROM outbox.dead_letter', 'SELECT outbox.redrive(''s1'')', 'SELECT outbox.discard(key => ''k'')']) AS s;
SELECT pg_temp.denied('operator', s, 'operator: ' || s)
FROM unnest(ARRAY['DELETE FROM outbox.dead_letter', 'UPDATE outbox.dead_letter SET payload = NULL',
    'SELECT * FROM outbox.dead_letter_writer', 'SELECT * FROM outbox.event']) AS s;
SELECT pg_temp.allowed('streamer', s, 'streamer: ' || s)
FROM unnest(ARRAY['DELETE FROM outbox.dead_letter', 'INSERT INTO outbox.dead_letter_writer VALUES (''s'', 1)']) AS s;
SELECT pg_temp.denied('bystander', 'SELECT outbox.redrive(''s1'')', 'bystander: redrive');

SELECT * FROM finish();
ROLLBACK;
