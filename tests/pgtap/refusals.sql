/*
 * refusals.sql - what could never be sent is refused, alike by INSERT, emit and emit_message.
 *
 * Each case is tried in all three ways: the error has the same state, column,
 * constraint, message and hint.  What lies just inside a limit must pass.
 *
 * brief: majors
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
\ir lib.psql

-- a call with some fields, given as SQL expressions, over those of a sound event
CREATE FUNCTION pg_temp.call(how text, fields jsonb) RETURNS text
LANGUAGE sql AS $$
SELECT CASE how
    WHEN 'INSERT' THEN format('INSERT INTO outbox.event (%s) VALUES (%s)',
                              string_agg(key, ', '), string_agg(value, ', '))
    ELSE format('SELECT outbox.%s(%s)', how, string_agg(key || ' => ' || value, ', ')) END
FROM jsonb_each_text('{"aggregatetype": "''order''", "aggregateid": "''42''", "type": "''t''"}'::jsonb || fields)
$$;

CREATE TABLE pg_temp.way (how text);
INSERT INTO pg_temp.way VALUES ('INSERT'), ('emit'), ('emit_message');

CREATE TABLE pg_temp.refused (n serial, what text, fields jsonb, state text, col text, message text, hint text);
INSERT INTO pg_temp.refused (what, fields, state, col, message, hint) VALUES
-- topic
('topic of a space', '{"topic": "''a b''"}', '23514', 'topic', 'topic "a b" is no legal name of a Kafka topic', 'Use 1 to 249 %'),
('empty topic', '{"topic": "''''"}', '23514', 'topic', 'topic "" is no legal name of a Kafka topic', 'Use 1 to 249 %'),
('topic .', '{"topic": "''.''"}', '23514', 'topic', 'topic "." %', '%neither "." nor ".."%'),
('topic ..', '{"topic": "''..''"}', '23514', 'topic', 'topic ".." %', '%neither "." nor ".."%'),
('topic of 250', '{"topic": "repeat(''t'', 250)"}', '23514', 'topic', 'topic "ttt%', 'Use 1 to 249 %'),
('topic with a slash', '{"topic": "''a/b''"}', '23514', 'topic', 'topic "a/b" %', 'Use 1 to 249 %'),
('topic with a letter beyond ASCII', '{"topic": "''aé''"}', '23514', 'topic', 'topic "aé" %', 'Use 1 to 249 %'),
('topic with a final newline', '{"topic": "E''a\\n''"}', '23514', 'topic', 'topic "a%', 'Use 1 to 249 %'),
('topic with a newline inside', '{"topic": "E''a\\nb''"}', '23514', 'topic', 'topic "a%', 'Use 1 to 249 %'),
('long topic, cut in the message', '{"topic": "repeat(''/'', 100000)"}', '23514', 'topic', 'topic "' || repeat('/', 249) || '" is%', 'Use 1 to 249 %'),
-- aggregate type, as part of the default topic
('aggregatetype with a space', '{"aggregatetype": "''my order''"}', '23514', 'aggregatetype', 'aggregatetype "my order" can''t be part %', 'Use at most 236 %'),
('empty aggregatetype', '{"aggregatetype": "''''"}', '23514', 'aggregatetype', 'aggregatetype "" %', 'Use at most 236 %'),
('aggregatetype of 237', '{"aggregatetype": "repeat(''t'', 237)"}', '23514', 'aggregatetype', 'aggregatetype "ttt%', 'Use at most 236 %'),
('aggregatetype beyond ASCII', '{"aggregatetype": "''Größe''"}', '23514', 'aggregatetype', 'aggregatetype "Größe" %', 'Use at most 236 %'),
-- key
('empty aggregateid', '{"aggregateid": "''''"}', '23514', 'aggregateid', 'aggregateid is empty%', '%in order per key%'),
('empty key', '{"key": "''''"}', '23514', 'key', 'key is empty%', '%in order per key%'),
('empty key of a tombstone', '{"key": "''''", "payload": "NULL"}', '23514', 'key', 'key is empty%', '%in order per key%'),
('empty partition_key', '{"partition_key": "''''"}', '23514', 'partition_key', 'partition_key is empty', 'Use NULL %'),
-- trace context
('empty traceparent', '{"traceparent": "''''"}', '23514', 'traceparent', 'traceparent "" is none', 'W3C %'),
('traceparent of another version', '{"traceparent": "''01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01''"}', '23514', 'traceparent', 'traceparent "01-%', 'W3C %'),
('traceparent in upper case', '{"traceparent": "''00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01''"}', '23514', 'traceparent', 'traceparent "00-%', '%lower case%'),
('traceparent too short', '{"traceparent": "''00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01''"}', '23514', 'traceparent', 'traceparent "00-%', 'W3C %'),
('traceparent too long', '{"traceparent": "''00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-''"}', '23514', 'traceparent', 'traceparent "00-%', 'W3C %'),
('traceparent without trace id', '{"traceparent": "''00-00000000000000000000000000000000-b7ad6b7169203331-01''"}', '23514', 'traceparent', 'traceparent "00-%', '%not all zero%'),
('traceparent without parent id', '{"traceparent": "''00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01''"}', '23514', 'traceparent', 'traceparent "00-%', '%not all zero%'),
('traceparent with a final newline', '{"traceparent": "E''00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\\n''"}', '23514', 'traceparent', 'traceparent "00-%', 'W3C %'),
-- headers
('headers that are an array', '{"headers": "''[]''"}', '23514', 'headers', 'headers must be a JSON object, not array', 'One member %'),
('headers that are a string', '{"headers": "''\"a\"''"}', '23514', 'headers', 'headers must be a JSON object, not string', 'One member %'),
('headers that are JSON null', '{"headers": "''null''"}', '23514', 'headers', 'headers must be a JSON object, not null', '%NULL for none%'),
('a header id', '{"headers": "''{\"id\": \"x\"}''"}', '23514', 'headers', 'headers "id", %', 'Choose another name%'),
('a header eventType', '{"headers": "''{\"a\": 1, \"eventType\": null}''"}', '23514', 'headers', 'headers "id", %', 'Choose another name%'),
('a header outbox.part', '{"headers": "''{\"outbox.part\": \"1/2\"}''"}', '23514', 'headers', 'headers "id", %', 'Choose another name%'),
('a header outbox.dead_letter.code', '{"headers": "''{\"outbox.dead_letter.code\": true}''"}', '23514', 'headers', 'headers "id", %', 'Choose another name%'),
('a header outbox.redriven', '{"headers": "''{\"outbox.redriven\": true}''"}', '23514', 'headers', 'headers "id", %', 'Choose another name%'),
('a header outbox.replay', '{"headers": "''{\"outbox.replay\": \"x\"}''"}', '23514', 'headers', 'headers "id", %', 'Choose another name%'),
('65 headers', '{"headers": "(SELECT jsonb_object_agg(n, n) FROM generate_series(1, 65) AS n)"}', '54000', 'headers', 'an event can''t have more than 64 headers', '%payload%'),
('a header of 66 arrays', '{"headers": "(''{\"h\":'' || repeat(''['', 66) || repeat('']'', 66) || ''}'')::jsonb"}', '54000', 'headers', 'a header is nested more than 64 levels deep', '%payload%'),
('a header of 66 objects', '{"headers": "(''{\"h\":'' || repeat(''{\"a\":'', 65) || ''{}'' || repeat(''}'', 66))::jsonb"}', '54000', 'headers', 'a header is nested more than 64 levels deep', '%payload%'),
-- size: order42t has 8 octets, and 512 are added on the way
('payload one octet too large', '{"payload": "to_jsonb(repeat(''x'', 1000000 - 520 - 2 + 1))"}', '54000', '', 'an event of 1000001 octets is larger than the limit of 1000000', '%set_max_event_bytes%'),
('payload too large in octets, not in characters', '{"payload": "to_jsonb(repeat(''é'', 600000))"}', '54000', '', 'an event of 1200522 octets %', '%set_max_event_bytes%'),
('payload small in the table, large as text', '{"payload": "to_jsonb((''1'' || repeat(''0'', 100000))::numeric) || (SELECT jsonb_agg((''1'' || repeat(''0'', 100000))::numeric) FROM generate_series(1, 10))"}', '54000', '', 'an event of 11005%octets %', '%set_max_event_bytes%'),
('key that tips the scale', '{"payload": "to_jsonb(repeat(''x'', 1000000 - 520 - 2))", "key": "''k''"}', '54000', '', 'an event of 1000001 octets %', '%set_max_event_bytes%'),
('headers that tip the scale', '{"payload": "to_jsonb(repeat(''x'', 1000000 - 520 - 2 - 1))", "headers": "''{}''"}', '54000', '', 'an event of 1000001 octets %', '%set_max_event_bytes%'),
('large headers', '{"headers": "jsonb_build_object(''h'', repeat(''x'', 1000000))"}', '54000', '', 'an event of 1000529 octets %', '%set_max_event_bytes%'),
('fields that swell when escaped', '{"headers": "jsonb_build_object(''h'', repeat(''\"'', 300000))"}', '54000', '', 'the fields beside the payload are larger than 1000000 octets', '%payload%'),
('a key that swells when escaped', '{"key": "repeat(E''\\001'', 166667)"}', '54000', '', 'the fields beside the payload are larger than 1000000 octets', '%payload%');

CREATE TABLE pg_temp.passed (n serial, what text, fields jsonb);
INSERT INTO pg_temp.passed (what, fields) VALUES
('a sound event', '{}'),
('topic of 249', '{"topic": "repeat(''t'', 249)"}'),
('topic of every kind of character', '{"topic": "''aZ09._-''"}'),
('topic ...', '{"topic": "''...''"}'),
('aggregatetype of 236', '{"aggregatetype": "repeat(''t'', 236)"}'),
('any aggregatetype with a topic', '{"aggregatetype": "''Größe / Maß''", "topic": "''t''"}'),
('empty aggregatetype with a topic', '{"aggregatetype": "''''", "topic": "''t''"}'),
('aggregatetype of 255 with a topic', '{"aggregatetype": "repeat(''é'', 255)", "topic": "''t''"}'),
('empty aggregateid with a key', '{"aggregateid": "''''", "key": "''k''"}'),
('empty type', '{"type": "''''"}'),
('key of a space', '{"key": "'' ''"}'),
('long key', '{"key": "repeat(''k'', 100000)"}'),
('partition_key', '{"partition_key": "''p''"}'),
('traceparent', '{"traceparent": "''00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00''"}'),
('no headers', '{"headers": "''{}''"}'),
('headers of every kind', '{"headers": "''{\"s\": \"v\", \"n\": 1.50, \"b\": true, \"z\": null, \"a\": [1], \"o\": {}, \"\": \"\"}''"}'),
('64 headers', '{"headers": "(SELECT jsonb_object_agg(n, n) FROM generate_series(1, 64) AS n)"}'),
('a header of 65 arrays', '{"headers": "(''{\"h\":'' || repeat(''['', 65) || repeat('']'', 65) || ''}'')::jsonb"}'),
('a tombstone', '{"payload": "NULL"}'),
('payload of just the limit', '{"payload": "to_jsonb(repeat(''x'', 1000000 - 520 - 2))"}'),
('a key that swells to the limit', '{"key": "repeat(E''\\001'', 166600)"}');

BEGIN;
SELECT plan(3 * 46 + 3 * 21 + 19);

-- emit_message takes a payload of jsonb, text or bytea
CREATE FUNCTION pg_temp.refusal(how text, what text, fields jsonb, want text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    f pg_temp.fault := pg_temp.attempt(pg_temp.call(how, fields));
    w text[] := want::text[];
BEGIN
    IF f.state = w[1] AND f.col = w[2] AND f.message LIKE w[3] AND f.hint LIKE w[4]
        AND f.constr = 'event_can_be_sent' THEN
        RETURN pass(how || ': ' || what);
    END IF;
    RETURN fail(how || ': ' || what) || E'\n' || diag(coalesce(left(f::text, 400), 'not refused'));
END
$$;

SELECT is(count(*), 46::bigint, 'cases that are refused') FROM pg_temp.refused;
SELECT is(count(*), 21::bigint, 'cases that pass') FROM pg_temp.passed;

SELECT pg_temp.refusal(how, what, fields, ARRAY[state, col, message, hint]::text)
FROM pg_temp.refused, pg_temp.way ORDER BY n, how;
SELECT is(pg_temp.attempt(pg_temp.call(how, fields))::text, NULL, how || ': ' || what)
FROM pg_temp.passed, pg_temp.way ORDER BY n, how;

-- NULL and length: the table's columns refuse them in their own words, the calls with a hint
SELECT is((pg_temp.attempt(pg_temp.call(how, jsonb_build_object(col, 'NULL')))).state, '23502',
          how || ': ' || col || ' of NULL')
FROM pg_temp.way, unnest(ARRAY['aggregatetype', 'aggregateid', 'type']) AS col;
SELECT is(f.state || ' ' || f.col || ' ' || f.message || ' ' || f.hint,
          '22001 ' || c || ' ' || c || ' is longer than 255 characters '
          || 'A long key can be given in "key", which has no such limit.', how || ': ' || c || ' of 256')
FROM unnest(ARRAY['emit', 'emit_message']) AS how, unnest(ARRAY['aggregateid', 'type']) AS c,
    pg_temp.attempt(pg_temp.call(how, jsonb_build_object(c, 'repeat(''é'', 256)'))) AS f;
SELECT is(f.state || ' ' || f.col || ' ' || f.message || ' ' || f.hint,
          '23502 type type must not be null Every event has an aggregate type, an aggregate id and a type.',
          how || ': says what to do about NULL')
FROM unnest(ARRAY['emit', 'emit_message']) AS how,
    pg_temp.attempt(pg_temp.call(how, '{"type": "NULL"}')) AS f;
SELECT is((pg_temp.attempt(pg_temp.call('INSERT', '{"type": "repeat(''t'', 256)"}'))).state, '22001',
          'INSERT: type of 256');

-- the limit counts the octets of emit_message's payload, whatever they are
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('order', '42', 't', repeat('x', 1000000 - 520 + 1))$$)).message,
          'an event of 1000001 octets is larger than the limit of 1000000', 'emit_message: text, one octet too large');

SELECT * FROM finish();
ROLLBACK;
