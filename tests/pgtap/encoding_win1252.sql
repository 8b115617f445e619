/*
 * encoding_win1252.sql - everything is counted and sent in UTF-8, whatever the database's encoding.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
CREATE DATABASE encoding_win1252 TEMPLATE template0 ENCODING 'WIN1252' LOCALE 'C';
\c encoding_win1252
SET client_encoding = 'UTF8';
\ir lib.psql
CREATE PUBLICATION win1252_test;
SELECT pg_create_logical_replication_slot('win1252_test', 'pgoutput') AS unused \gset
SELECT outbox.emit_message('order', 'Größe', '€', 'für 5 €', key => 'é', headers => '{"ü": "€"}',
                           id => '6b1f4ab7-0000-4000-8000-000000000001') AS unused \gset
-- 'M', flags, LSN, "pg_outbox" with a final zero, length: 24 octets before the content
SELECT substr(data, 25) AS content
FROM pg_logical_slot_get_binary_changes('win1252_test', NULL, NULL,
    'proto_version', '1', 'publication_names', 'win1252_test', 'messages', 'true')
WHERE get_byte(data, 0) = ascii('M') \gset
SELECT pg_drop_replication_slot('win1252_test') AS unused \gset

BEGIN;
SELECT plan(9);
SELECT is(getdatabaseencoding(), 'WIN1252'::name, 'a database in WIN1252');
SELECT is(:'content'::bytea, convert_to('136:6b1f4ab7-0000-4000-8000-000000000001,5:order,7:Größe,3:€,-,'
              || '2:é,-,13:{"ü": "€"},-,10:für 5 €,', 'UTF8'), 'a message is in UTF-8, lengths included');
-- order42t and two quotation marks have 10 octets, and 512 are added on the way
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 't', to_jsonb(repeat('x', 999478)))$$)).message, NULL,
          'one octet a character: fits');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 't', to_jsonb(repeat('€', 333159)))$$)).message, NULL,
          'three octets in UTF-8: fits');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 't', to_jsonb(repeat('€', 333160)))$$)).message,
          'an event of 1000002 octets is larger than the limit of 1000000', 'counted as it is sent');
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('order', '42', 't', repeat('€', 333161))$$)).message,
          'an event of 1000003 octets is larger than the limit of 1000000', 'in messages too');
-- an octet that WIN1252 leaves undefined
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', chr(129), 't')$$)).state, '22P05', 'a key without counterpart in UTF-8 is refused');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 't', to_jsonb(chr(129)))$$)).state, '22P05', 'a payload is');
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('order', '42', 't', chr(129))$$)).state, '22P05', 'a message''s payload is');

SELECT * FROM finish();
ROLLBACK;
