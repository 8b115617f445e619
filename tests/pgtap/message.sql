/*
 * message.sql - outbox.emit_message() writes the octets that wire.h describes, and nothing else.
 *
 * The octets are read with the server's own plugin, pgoutput, and compared with
 * literals, so that what is tested isn't what tests.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql
CREATE PUBLICATION message_test;
SELECT pg_create_logical_replication_slot('message_test', 'pgoutput') AS unused \gset

\set id '6b1f4ab7-0000-4000-8000-00000000000'
\set head '136:6b1f4ab7-0000-4000-8000-00000000000'

-- each call in a transaction of its own; n tells them apart, in the order of commit
CREATE TABLE pg_temp.sent (n int, flags int, prefix text, content bytea);
CREATE FUNCTION pg_temp.take(n int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    data bytea;
    zero int;
BEGIN
    -- 'M', flags (1 = transactional), LSN, prefix with a final zero, length, content
    FOR data IN
        SELECT c.data FROM pg_logical_slot_get_binary_changes('message_test', NULL, NULL,
            'proto_version', '1', 'publication_names', 'message_test', 'messages', 'true') AS c
        WHERE get_byte(c.data, 0) = ascii('M')
    LOOP
        zero := 10 + position('\x00'::bytea IN substr(data, 11));
        INSERT INTO pg_temp.sent VALUES (n, get_byte(data, 1),
            convert_from(substr(data, 11, zero - 11), 'UTF8'), substr(data, zero + 5));
    END LOOP;
END
$$;

SELECT outbox.emit_message('order', '42', 'OrderPlaced', '{"a":  1}', id => (:'id' || '1')::uuid) AS i1 \gset
SELECT pg_temp.take(1) AS unused \gset
SELECT outbox.emit_message('order', '42', 'OrderPlaced', '{"a":  1}'::text, 'shop.orders', 'k', 'p', '{"h":"v"}',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', (:'id' || '2')::uuid) AS i2 \gset
SELECT pg_temp.take(2) AS unused \gset
SELECT outbox.emit_message('order', '42', 'OrderPlaced', id => (:'id' || '3')::uuid) AS i3 \gset
SELECT pg_temp.take(3) AS unused \gset
SELECT outbox.emit_message('order', '42', 'OrderPlaced', '', id => (:'id' || '4')::uuid) AS i4 \gset
SELECT pg_temp.take(4) AS unused \gset
SELECT outbox.emit_message('order', '42', 'OrderPlaced', '\x00ff0a2c3a'::bytea, id => (:'id' || '5')::uuid) AS i5 \gset
SELECT pg_temp.take(5) AS unused \gset
SELECT outbox.emit_message('order', '42', 'OrderPlaced', '{"a":  1.50}'::jsonb, id => (:'id' || '6')::uuid) AS i6 \gset
SELECT pg_temp.take(6) AS unused \gset
SELECT outbox.emit_message('order', 'Größe 😀', 'Ж', '日本', id => (:'id' || '7')::uuid) AS i7 \gset
SELECT pg_temp.take(7) AS unused \gset

-- rolled back, in whole and in part
BEGIN;
SELECT outbox.emit_message('order', '42', 'rolled back') AS unused \gset
ROLLBACK;
BEGIN;
SELECT outbox.emit_message('order', '42', 'first', id => (:'id' || '1')::uuid) AS unused \gset
SAVEPOINT s;
SELECT outbox.emit_message('order', '42', 'rolled back') AS unused \gset
ROLLBACK TO s;
SELECT outbox.emit_message('order', '42', 'last', id => (:'id' || '1')::uuid) AS unused \gset
COMMIT;
SELECT pg_temp.take(8) AS unused \gset

-- large; a NULL of each payload type; an id that is made; session settings that don't matter
SELECT outbox.emit_message('order', '42', 't', repeat('x', 900000), id => (:'id' || '1')::uuid) AS unused \gset
SELECT pg_temp.take(9) AS unused \gset
SELECT outbox.emit_message('order', '42', 't', NULL::bytea, id => (:'id' || '1')::uuid) AS unused \gset
SELECT outbox.emit_message('order', '42', 't', NULL::jsonb, id => (:'id' || '1')::uuid) AS unused \gset
SELECT pg_temp.take(10) AS unused \gset
SELECT outbox.emit_message('order', '42', 't') AS made \gset
SELECT pg_temp.take(11) AS unused \gset
SET bytea_output = escape;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT outbox.emit_message('order', '42', 't', decode('00ff5c', 'hex'), id => (:'id' || '1')::uuid) AS unused \gset
RESET ALL;
SELECT pg_temp.take(12) AS unused \gset

BEGIN;
SET client_min_messages = warning;
SELECT plan(23);

CREATE FUNCTION pg_temp.content(want int) RETURNS bytea LANGUAGE sql AS 'SELECT content FROM pg_temp.sent WHERE n = want';
SELECT is(pg_temp.content(1), convert_to(:'head' || '1,5:order,2:42,11:OrderPlaced,-,-,-,-,-,9:{"a":  1},', 'UTF8'),
          'ten fields, NULL where nothing is given');
SELECT is(:'i1'::text, :'id' || '1', 'the id that was given is returned');
SELECT is(pg_temp.content(2), convert_to(:'head' || '2,5:order,2:42,11:OrderPlaced,11:shop.orders,1:k,1:p,10:{"h": "v"},'
          || '55:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,9:{"a":  1},', 'UTF8'),
          'all ten fields, in order');
SELECT is(pg_temp.content(3), convert_to(:'head' || '3,5:order,2:42,11:OrderPlaced,-,-,-,-,-,-,', 'UTF8'),
          'no payload is NULL: a tombstone');
SELECT is(pg_temp.content(4), convert_to(:'head' || '4,5:order,2:42,11:OrderPlaced,-,-,-,-,-,0:,', 'UTF8'),
          'an empty payload is none of that');
SELECT is(pg_temp.content(5), convert_to(:'head' || '5,5:order,2:42,11:OrderPlaced,-,-,-,-,-,5:', 'UTF8')
          || decode('00ff0a2c3a2c', 'hex'), 'bytea: any octets');
SELECT is(pg_temp.content(6), convert_to(:'head' || '6,5:order,2:42,11:OrderPlaced,-,-,-,-,-,11:{"a": 1.50},', 'UTF8'),
          'jsonb: its output');
SELECT is(pg_temp.content(7), convert_to(:'head' || '7,5:order,12:Größe 😀,2:Ж,-,-,-,-,-,6:日本,', 'UTF8'),
          'lengths are octets');
SELECT is((SELECT string_agg(DISTINCT flags || ' ' || prefix, ', ') FROM pg_temp.sent), '1 pg_outbox',
          'transactional, with our prefix');
SELECT results_eq('SELECT count(*) FROM pg_temp.sent WHERE n BETWEEN 1 AND 7', 'VALUES (7::bigint)',
    'one call, one message');
SELECT results_eq('SELECT content FROM pg_temp.sent WHERE n = 8', ARRAY[
    convert_to(:'head' || '1,5:order,2:42,5:first,-,-,-,-,-,-,', 'UTF8'),
    convert_to(:'head' || '1,5:order,2:42,4:last,-,-,-,-,-,-,', 'UTF8')],
    'what is rolled back is not sent, even in part');
SELECT is(md5(pg_temp.content(9)), md5(convert_to(:'head' || '1,5:order,2:42,1:t,-,-,-,-,-,900000:' || repeat('x', 900000) || ',', 'UTF8')),
          'a large payload');
SELECT results_eq('SELECT DISTINCT content FROM pg_temp.sent WHERE n = 10',
    ARRAY[convert_to(:'head' || '1,5:order,2:42,1:t,-,-,-,-,-,-,', 'UTF8')], 'NULL of bytea and of jsonb');
SELECT is(pg_temp.content(11), convert_to('136:' || :'made' || ',5:order,2:42,1:t,-,-,-,-,-,-,', 'UTF8'),
          'the id that was made is returned, and sent');
SELECT is(pg_temp.content(12), convert_to(:'head' || '1,5:order,2:42,1:t,-,-,-,-,-,3:', 'UTF8') || decode('00ff5c2c', 'hex'),
          'session settings change nothing');

-- which of the three a call means
SELECT is(pg_typeof(outbox.emit_message('o', '1', 't')), 'uuid'::regtype, 'no payload: unambiguous');
SELECT lives_ok($$SELECT outbox.emit_message('o', '1', 't', NULL)$$, 'a bare NULL: unambiguous');
SELECT lives_ok($$SELECT outbox.emit_message('o', '1', 't', payload => 'no JSON {')$$, 'a bare literal is a text');
SELECT lives_ok($$SELECT outbox.emit_message('o'::varchar, '1'::varchar, 't'::varchar, 'p'::varchar)$$, 'varchar goes as text');
PREPARE p AS SELECT outbox.emit_message($1, $2, $3, $4);
SELECT lives_ok($$EXECUTE p('o', '1', 't', 'p')$$, 'parameters without type');

-- the table has no part in it
SELECT is(count(*), 0::bigint, 'no row is written') FROM outbox.event;
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('a b', '1', 't')$$)).state, '23514', 'what could never be sent is refused');
SELECT lives_ok($$SELECT outbox.emit_message('o', '1', 't', id => '6b1f4ab7-0000-4000-8000-000000000001')$$,
    'an id may repeat: nothing is kept to compare with');

SELECT * FROM finish();
ROLLBACK;
SELECT pg_drop_replication_slot('message_test') AS unused \gset
