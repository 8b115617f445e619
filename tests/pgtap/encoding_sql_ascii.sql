/*
 * encoding_sql_ascii.sql - a database that checks no encoding sends UTF-8 or nothing.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
CREATE DATABASE encoding_sql_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
\c encoding_sql_ascii
\ir lib.psql

BEGIN;
SELECT plan(7);
SELECT is(getdatabaseencoding(), 'SQL_ASCII'::name, 'a database in SQL_ASCII');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', 'Größe', 't', '{"a": "€"}')$$)).state, NULL, 'UTF-8 goes through');
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('order', 'Größe', 't', '€')$$)).state, NULL, 'in a message too');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', E'\xff', 't')$$)).state, '22021', 'a key that is none is refused');
SELECT is((pg_temp.attempt($$SELECT outbox.emit('order', '42', 't', to_jsonb(E'\xff'::text))$$)).state, '22021', 'a payload is');
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('order', '42', 't', E'\xff')$$)).state, '22021', 'a message''s payload is');
SELECT is((pg_temp.attempt($$SELECT outbox.emit_message('order', '42', 't', decode('ff', 'hex'))$$)).state, NULL, 'but for a bytea');

SELECT * FROM finish();
ROLLBACK;
