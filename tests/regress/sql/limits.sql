--
-- What is too large, and what is stored out of line: errors in heads, never an ERROR.
--
\pset format unaligned
CREATE SCHEMA big;
CREATE TABLE big.j (id int, payload jsonb, type text);
CREATE TABLE big.t (id int, payload text, type text, topic text, key text);
SELECT fresh_slot('limits');

-- exactly at the limit, and one octet above, however it is stored
ALTER TABLE big.t ALTER payload SET STORAGE PLAIN;
INSERT INTO big.t (id, payload) SELECT n, repeat('x', n) FROM unnest('{999,1000,1001}'::int[]) n;
ALTER TABLE big.t ALTER payload SET STORAGE EXTERNAL;
INSERT INTO big.t (id, payload) SELECT n, repeat('x', n) FROM unnest('{1000,1001,100000}'::int[]) n;
ALTER TABLE big.t ALTER payload SET STORAGE MAIN;
INSERT INTO big.t (id, payload) SELECT n, repeat('x', n) FROM unnest('{1000,1001,100000}'::int[]) n;
ALTER TABLE big.t ALTER payload SET STORAGE EXTENDED;
INSERT INTO big.t (id, payload) SELECT n, repeat('x', n) FROM unnest('{1000,1001,100000,10000000}'::int[]) n;
INSERT INTO big.j (id, payload) SELECT n, to_jsonb(repeat('x', n - 2)) FROM unnest('{999,1000,1001,100000}'::int[]) n;
-- short octets, long text: escapes, numbers
INSERT INTO big.j (id, payload) SELECT n, to_jsonb(repeat(E'\u0001', n)) FROM unnest('{166,167}'::int[]) n;
INSERT INTO big.j (id, payload) VALUES (1, '1e131071'), (2, '[1e131071, 1e131071]'), (3, '{"a": 1e998}'), (4, '1e999'), (5, '1e1000');
-- long octets, short text
INSERT INTO big.j (id, payload) SELECT n, (SELECT jsonb_agg(1) FROM generate_series(1, n)) FROM unnest('{333,334}'::int[]) n;
SELECT pg_copy_logical_replication_slot('limits', 'limits2') IS NOT NULL AS copied;
SELECT head, length(payload) FROM decoded('limits', 'max_payload', '1000', 'table', 'big.t', 'table', 'big.j');
-- without a limit they are all there
SELECT head, length(payload) FROM decoded('limits2', 'table', 'big.t', 'table', 'big.j') WHERE length(payload) > 1000;

-- toasted values come back whole: compressed inline, compressed and plain out of line
SELECT setseed(0.5) IS NULL AS seeded;
CREATE TABLE big.source AS
	SELECT 1 AS id, repeat('inline ', 1000) AS v UNION ALL
	SELECT 2, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i) UNION ALL
	SELECT 3, (SELECT string_agg(md5(i::text) || repeat('x', 300), '') FROM generate_series(1, 3000) i);
INSERT INTO big.t SELECT id, v, v, left(v, 100), v FROM big.source;
INSERT INTO big.j SELECT id, jsonb_build_object('v', v, 'w', jsonb_build_array(v)), v FROM big.source;
-- made before it is filled: a statement that reads a slot and writes WAL itself may
-- wait for the WAL writer
CREATE TEMP TABLE got (h json, payload text, i bigint);
INSERT INTO got SELECT ('{' || head || '}')::json, payload, row_number() OVER ()
	FROM events('limits', 'table', 'big.t', 'table', 'big.j');
SELECT h->>'table' AS source, h->>'id' AS id, h->>'error' AS error, h->>'type' = v AS type, h->>'key' = v AS key,
	payload = CASE h->>'table' WHEN 'big.t' THEN v ELSE jsonb_build_object('v', v, 'w', jsonb_build_array(v))::text END AS payload
	FROM got JOIN big.source s ON s.id = (h->>'id')::int ORDER BY i;

-- heads: each member up to the limit, all of them together too; what is short stays
INSERT INTO big.t (id, type) SELECT n, repeat('x', n) FROM unnest('{1048000,1048576,1048577,5000000}'::int[]) n;
INSERT INTO big.t (id, topic, key, type, payload) SELECT n, repeat('x', n), repeat('y', n), 'stays', 'p' FROM unnest('{500000,524000,525000}'::int[]) n;
INSERT INTO big.t (id, type) SELECT n, repeat(E'\u0001', n) FROM unnest('{174000,175000,1048576}'::int[]) n;
SELECT regexp_replace(left(head, 60), 'xxx+', 'xxx') AS head, substring(head FROM '"error":"[^"]*"$') AS error, length(head) > 500000 AS long
	FROM decoded('limits', 'table', 'big.t');

SELECT pg_drop_replication_slot(s) FROM unnest('{limits,limits2}'::name[]) s;
SET client_min_messages = warning;
DROP SCHEMA big CASCADE;
