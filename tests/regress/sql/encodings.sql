--
-- Databases that are not UTF-8: what leaves is UTF-8, or an error in the head.
--
\pset format unaligned
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/sql/setup.sql'
\set back :DBNAME
CREATE DATABASE regress_outbox_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE regress_outbox_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE regress_outbox_eucjp ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;

\c regress_outbox_latin1
\set ECHO none
\i :setup
\set ECHO all
SET client_encoding = 'UTF8';
SELECT fresh_slot('latin1');
INSERT INTO outbox.event VALUES (u(1), 'é', 'plain', E'"\n', '{"ä": "ö"}', NULL, 'ÿ', NULL, '{"x": "é"}');
CREATE TABLE outbox.raw (id int, payload bytea, type text, topic name);
INSERT INTO outbox.raw VALUES (1, '\xe4', 'ä', 'ö');
CREATE TABLE outbox.long (id int, payload text);
INSERT INTO outbox.long VALUES (1, repeat('ä', 100)), (2, repeat('ä', 99)), (3, repeat('x', 198)), (4, repeat('x', 199)), (5, repeat('ä', 100000));
SELECT tx, encode(convert_to(head, 'UTF8'), 'escape') AS head, left(encode(payload, 'escape'), 50), length(payload)
	FROM decoded('latin1', 'max_payload', '198', 'table', 'outbox.event', 'table', 'outbox.raw', 'table', 'outbox.long',
				 'message_prefix', '');
-- mapped literals too
INSERT INTO outbox.raw VALUES (2, 'x', 'y', 'z');
SELECT encode(convert_to(head, 'UTF8'), 'escape') AS head FROM decoded('latin1', 'table', 'outbox.raw (type = ''ü'')');
-- text of many pieces
INSERT INTO outbox.long VALUES (6, (SELECT string_agg(chr(160 + i % 90) || 'x', '') FROM generate_series(1, 50000) i));
SELECT head, convert_from(d.payload, 'UTF8') = l.payload AS same FROM decoded('latin1', 'table', 'outbox.long') d, outbox.long l WHERE l.id = 6;
SELECT pg_drop_replication_slot('latin1');

\c regress_outbox_ascii
\set ECHO none
\i :setup
\set ECHO all
SELECT fresh_slot('ascii');
CREATE TABLE outbox.plain (id int, payload text, type text);
INSERT INTO outbox.plain VALUES (1, E'good \xc3\xa4', E'good \xe2\x82\xac'), (2, E'bad \xe4', 'good'), (3, 'good', E'bad \xff'),
	(4, E'surrogate \xed\xa0\x80', NULL), (5, E'overlong \xc0\xaf', NULL), (6, E'cut \xe2\x82', NULL);
SELECT encode(convert_to(head, 'SQL_ASCII'), 'escape') AS head, encode(payload, 'escape') AS payload
	FROM decoded('ascii', 'table', 'outbox.plain');
SELECT pg_drop_replication_slot('ascii');

\c regress_outbox_eucjp
\set ECHO none
\i :setup
\set ECHO all
SELECT fresh_slot('eucjp');
CREATE TABLE outbox.plain (id int, payload text, type text);
-- U+65E5 U+672C; an unassigned place; half-width katakana; three octets
INSERT INTO outbox.plain VALUES (1, convert_from('\xc6fccbdc', 'EUC_JP'), convert_from('\xc6fccbdc', 'EUC_JP')),
	(2, convert_from('\x78a9a1', 'EUC_JP'), 'good'), (3, 'good', convert_from('\xa9a1', 'EUC_JP')),
	(4, convert_from('\x8eb1', 'EUC_JP'), convert_from('\x8fb0a1', 'EUC_JP'));
SELECT encode(convert_to(head, 'UTF8'), 'escape') AS head, encode(payload, 'hex') AS payload
	FROM decoded('eucjp', 'table', 'outbox.plain');
-- characters that lie across the pieces in which text is converted
INSERT INTO outbox.plain SELECT n, repeat('x', n) || repeat(convert_from('\x8fb0a1', 'EUC_JP'), 20000) FROM generate_series(0, 3) n;
SELECT p.id, convert_from(d.payload, 'UTF8') = p.payload AS same, length(d.payload) FROM decoded('eucjp', 'table', 'outbox.plain') d
	JOIN outbox.plain p ON d.head = '"id":"' || p.id || '"' AND p.type IS NULL;
-- the payload's last octet is no lead octet without its trail: text can't hold that
SELECT pg_drop_replication_slot('eucjp');

\c :back
DROP DATABASE regress_outbox_latin1;
DROP DATABASE regress_outbox_ascii;
DROP DATABASE regress_outbox_eucjp;
