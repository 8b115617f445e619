/*
 * inbox.sql - the receiving side: ids, positions, offsets with their fence, and expiry.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
BEGIN;
SELECT plan(78);

-- ---- ids
SELECT ok(outbox.accept('a', 'm1'), 'a new id is accepted');
SELECT ok(NOT outbox.accept('a', 'm1'), 'and only once');
SELECT ok(outbox.accept('b', 'm1'), 'for each consumer');
SELECT ok(outbox.accept('a', ''), 'an empty id is one');
SELECT ok(outbox.accept('a', '6b1f4ab7-0000-4000-8000-000000000001'::uuid), 'an id may be a uuid');
SELECT ok(NOT outbox.accept('a', '6b1f4ab7-0000-4000-8000-000000000001'), 'which is the same as its text');
SAVEPOINT handling;
SELECT ok(outbox.accept('a', 'm2'), 'an id is accepted');
ROLLBACK TO handling;
SELECT ok(outbox.accept('a', 'm2'), 'again, if what it was accepted for is rolled back');
SELECT is((pg_temp.attempt($$SELECT outbox.accept('a', NULL::text)$$)).state, '23502', 'NULL is no id');

-- many at once
SELECT is(ARRAY(SELECT outbox.inbox_repeated('a', ARRAY['m1', 'm3', NULL, 'm4', 'm3', NULL, 'm2']) AS n ORDER BY n),
          ARRAY[1, 5, 7]::bigint[], 'repeated are those of before and of the same list');
SELECT is(ARRAY(SELECT outbox.inbox_repeated('a', ARRAY['m3', 'm4']) AS n ORDER BY n), ARRAY[1, 2]::bigint[],
          'the others are handled now');
SELECT is_empty($$SELECT outbox.inbox_repeated('a', '{}')$$, 'none of none');
SELECT is_empty($$SELECT outbox.inbox_repeated('a', ARRAY[NULL, NULL]::text[])$$, 'no id is never repeated');

-- ---- expiry
SELECT is(outbox.expire_inbox('1 day'), 0::bigint, 'nothing is old');
UPDATE outbox.inbox SET received_at = now() - interval '2 days' WHERE message_id IN ('m1', 'm2');
SELECT is(outbox.expire_inbox('1 day', 'b'), 1::bigint, 'a consumer''s old ids are forgotten');
SELECT is(outbox.expire_inbox('1 day'), 2::bigint, 'and all others''');
SELECT ok(outbox.accept('a', 'm1'), 'a forgotten id is new');
SELECT ok(NOT outbox.accept('a', 'm3'), 'one that is not, isn''t');
SELECT is((pg_temp.attempt(s)).state, '22023', s)
FROM unnest(ARRAY['SELECT outbox.expire_inbox(NULL)', 'SELECT outbox.expire_inbox(''-1 day'')']) AS s;

-- ---- positions
CREATE FUNCTION pg_temp.at(p text, slot text DEFAULT 's', partition int DEFAULT 0) RETURNS boolean LANGUAGE sql
RETURN outbox.accept_position('a', '7', slot, 't', partition, p);
SELECT ok(pg_temp.at('00000001/00000000019C1130/00000000'), 'a position is accepted');
SELECT ok(NOT pg_temp.at('00000001/00000000019C1130/00000000'), 'once');
SELECT ok(pg_temp.at('00000001/00000000019C1130/00000001'), 'so is the next event of the transaction');
SELECT ok(NOT pg_temp.at('00000001/00000000019C1130/00000000'), 'but none before it');
SELECT ok(pg_temp.at('00000001/0000000A019C1130/00000000'), 'digits sort before letters');
SELECT ok(NOT pg_temp.at('00000001/00000009FFFFFFFF/00000000'), 'as numbers do');
SELECT ok(pg_temp.at('00000002/0000000A019C1131/00000000'), 'a new timeline goes on');
SELECT ok(pg_temp.at('00000001/00000000019C1130/00000000', partition => 1), 'another partition has its own');
SELECT ok(pg_temp.at('00000001/00000000019C1130/00000000', slot => 'u'), 'and another slot');
SELECT is(count(*), 3::bigint, 'one row for each') FROM outbox.inbox_position;
SELECT is((pg_temp.attempt(format($$SELECT pg_temp.at(%L)$$, p))).constr, 'inbox_position_form', 'no position: ' || p)
FROM unnest(ARRAY['', '1/19C1130/0', '00000001/00000000019c1130/00000000', '00000001/00000000019C1130/00000000 ']) AS p;

-- ---- offsets: the fence
SELECT is(count(*), 2::bigint, 'partitions are taken') FROM outbox.inbox_take('a', '{t,t}', '{1,0}') AS x
WHERE x.next_offset IS NULL AND x.epoch = 1 AND x.topic = 't';
SELECT lives_ok($$SELECT outbox.inbox_advance('a', '{t,t}', '{0,1}', '{1,1}', '{10,20}')$$, 'their owner goes on');
SELECT results_eq($$SELECT * FROM outbox.inbox_take('a', '{t}', '{0}')$$,
    $$VALUES ('t', 0, 10::bigint, 2::bigint)$$, 'another takes one, where the first was');
SELECT is((pg_temp.attempt($$SELECT outbox.inbox_advance('a', '{t}', '{0}', '{1}', '{11}')$$)).state, 'IB001',
    'the first can''t go on');
SELECT is((pg_temp.attempt($$SELECT outbox.inbox_advance('a', '{t,t}', '{0,1}', '{1,1}', '{11,21}')$$)).state, 'IB001',
    'nor together with what is still its own');
SELECT lives_ok($$SELECT outbox.inbox_advance('a', '{t}', '{1}', '{1}', '{21}')$$, 'but with that alone');
SELECT lives_ok($$SELECT outbox.inbox_advance('a', '{t}', '{0}', '{2}', '{11}')$$, 'the other can');
SELECT is((pg_temp.attempt($$SELECT outbox.inbox_advance('a', '{t}', '{0}', '{2}', '{9}')$$)).state, 'IB001',
    'nobody goes back');
SELECT is((pg_temp.attempt($$SELECT outbox.inbox_advance('b', '{t}', '{0}', '{2}', '{12}')$$)).state, 'IB001',
    'nobody goes on who has taken nothing');
SELECT results_eq($$SELECT partition, next_offset, epoch FROM outbox.inbox_offset ORDER BY 1$$,
    $$VALUES (0, 11::bigint, 2::bigint), (1, 21, 1)$$, 'as the table says');

-- ---- keys that wait
INSERT INTO outbox.inbox_dead_letter (consumer, topic, partition, message_offset, key, state, attempts)
VALUES ('a', 't', 0, 3, 'k1', 'failed', 2), ('a', 't', 0, 4, NULL, 'failed', 2), ('a', 't', 0, 5, '', 'failed', 1);
SELECT is(ARRAY(SELECT place FROM outbox.inbox_parked('a', '{t,t,u,t,t}', ARRAY['k2', 'k1', 'k1', NULL, '']::bytea[]) ORDER BY place),
    ARRAY[2, 5]::bigint[], 'what has a dead letter''s key waits');
SELECT is_empty($$SELECT outbox.inbox_parked('b', '{t}', ARRAY['k1'::bytea])$$, 'not for another consumer');

-- ---- what is run apart: the first of a key, and of these who needs least time
CREATE FUNCTION pg_temp.pick() RETURNS bigint LANGUAGE sql AS 'SELECT message_offset FROM outbox.inbox_pick(''p'')';
SELECT is(pg_temp.pick(), NULL, 'of nothing, nothing is picked');
INSERT INTO outbox.inbox_dead_letter (consumer, topic, partition, message_offset, key, state, attempts, patience, retry_at)
VALUES ('p', 't', 0, 1, 'k1', 'waiting', 0, 40, now()), ('p', 't', 0, 2, 'k1', 'queued', 0, 0, now()), ('p', 't', 0, 3, 'k1', 'waiting', 0, 0, now()),
       ('p', 't', 0, 4, 'k2', 'failed', 2, 0, now()), ('p', 't', 0, 5, 'k2', 'waiting', 0, 0, now()),
       ('p', 't', 0, 6, NULL, 'waiting', 0, 20, now()), ('p', 't', 0, 7, 'k3', 'waiting', 1, 0, now() + interval '1 hour');
SELECT is(pg_temp.pick(), 6::bigint, 'who was stopped soonest comes first, if it is the first of its key and due');
SELECT outbox.inbox_settle('p', 't', 0, 6);
SELECT is(pg_temp.pick(), 1::bigint, 'then the next');
SELECT outbox.inbox_settle('p', 't', 0, 1);
SELECT is(pg_temp.pick(), 2::bigint, 'what is settled calls the one behind it');
SELECT outbox.inbox_settle('p', 't', 0, 2);
SELECT is(pg_temp.pick(), 3::bigint, 'in the order of the key');
SELECT outbox.inbox_settle('p', 't', 0, 3);
SELECT is(pg_temp.pick(), NULL, 'nothing behind a failure is run');
SELECT is(ARRAY(SELECT message_offset FROM outbox.inbox_dead_letter WHERE consumer = 'p' ORDER BY 1), ARRAY[4, 5, 7]::bigint[], 'what was settled is gone');

-- ---- the way back
INSERT INTO outbox.inbox_dead_letter (consumer, topic, partition, message_offset, message_id, key, state, attempts, patience)
VALUES ('r', 't', 0, 1, 'm1', 'k1', 'failed', 2, 7), ('r', 't', 0, 2, 'm2', 'k1', 'queued', 0, 0), ('r', 'u', 0, 1, 'm3', 'k1', 'failed', 2, 0),
       ('r', 't', 0, 4, 'm4', NULL, 'failed', 2, 0), ('r', 't', 0, 5, 'm5', NULL, 'failed', 2, 0),
       ('s', 't', 0, 1, 'm1', 'k1', 'failed', 2, 0);
CREATE FUNCTION pg_temp.states() RETURNS text LANGUAGE sql AS
$$SELECT string_agg(message_id || left(state, 1), ' ' ORDER BY message_id) FROM outbox.inbox_dead_letter WHERE consumer = 'r'$$;
SELECT is(outbox.redrive_inbox('r', 'm2'), 1::bigint, 'who waits behind a failed one means that one');
SELECT is(pg_temp.states(), 'm1w m2q m3f m4f m5f', 'which is to be run, and nothing else');
SELECT is(attempts || ' ' || patience, '0 0', 'as if for the first time') FROM outbox.inbox_dead_letter WHERE consumer = 'r' AND message_id = 'm1';
SELECT is(outbox.redrive_inbox('r', 'm2'), 0::bigint, 'it is marked once');
SELECT is(outbox.redrive_inbox('r', topic => 't', message_id => 'm4'), 1::bigint, 'one without a key stands for itself');
SELECT is(outbox.discard_inbox('r', key => 'k1'), 1::bigint, 'what is being run is not discarded, what failed is');
SELECT is(pg_temp.states(), 'm1w m2q m4w m5f', 'it is gone');
UPDATE outbox.inbox_dead_letter SET state = 'failed' WHERE consumer = 'r' AND message_id = 'm1';
SELECT is(outbox.discard_inbox('r', topic => 't'), 2::bigint, 'all that failed in a topic');
SELECT is(pg_temp.states(), 'm2w m4w', 'what waited behind it is run');
SELECT is((pg_temp.attempt(s)).state, '22023', s)
FROM unnest(ARRAY['SELECT outbox.redrive_inbox(''r'')', 'SELECT outbox.discard_inbox(''r'')']) AS s;

-- ---- who may
CREATE ROLE consumer;
CREATE ROLE bystander;
GRANT USAGE ON SCHEMA pgtap TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;
SELECT outbox.grant_inbox('consumer');
SELECT pg_temp.allowed('consumer', s, 'consumer: ' || s)
FROM unnest(ARRAY['SELECT outbox.accept(''a'', ''m9'')', 'SELECT outbox.accept(''a'', gen_random_uuid())',
    'SELECT outbox.accept_position(''a'', ''7'', ''s'', ''t'', 0, ''00000003/00000000019C1130/00000000'')',
    'SELECT outbox.expire_inbox(''0'')', 'SELECT * FROM outbox.inbox_take(''a'', ''{t}'', ''{0}'')',
    'SELECT outbox.inbox_advance(''a'', ''{t}'', ''{0}'', ''{2}'', ''{12}'')',
    'SELECT outbox.inbox_repeated(''a'', ''{x}'')', 'SELECT outbox.inbox_parked(''a'', ''{t}'', ''{x}'')',
    'SELECT outbox.inbox_settle(''p'', ''t'', 0, message_offset) FROM outbox.inbox_pick(''p'')',
    'SELECT outbox.redrive_inbox(''s'', ''m1''), outbox.discard_inbox(''s'', ''m1'')']) AS s;
SELECT pg_temp.denied('bystander', s, 'bystander: ' || s)
FROM unnest(ARRAY['SELECT outbox.accept(''a'', ''m9'')', 'SELECT FROM outbox.inbox', 'SELECT FROM outbox.inbox_message']) AS s;
SELECT pg_temp.denied('consumer', 'SELECT FROM outbox.event', 'a consumer sees no event of this database');

SELECT * FROM finish();
ROLLBACK;
