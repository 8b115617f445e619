--
-- Several slots that share the events by their keys.
--
\pset format unaligned
CREATE TABLE outbox.keyed (id int, aggregateid text, key text, payload text);
SELECT fresh_slot('shards');
INSERT INTO outbox.keyed SELECT i, (i % 50)::text, CASE WHEN i % 7 = 0 THEN 'key-' || i % 20 END, i::text FROM generate_series(1, 1000) i;
-- transactions of which not every shard has something
INSERT INTO outbox.keyed VALUES (1001, 'alone', NULL, 'x');
BEGIN;
INSERT INTO outbox.keyed VALUES (1002, 'a', NULL, 'x'), (1003, 'b', NULL, 'x'), (1004, 'c', NULL, 'x');
SELECT pg_logical_emit_message(true, 'pg_outbox', message('1005', NULL, 'alone', NULL, NULL, NULL, NULL, NULL, NULL, 'x')) IS NOT NULL AS sent;
SELECT pg_logical_emit_message(true, 'pg_outbox', message('1006', NULL, 'other', NULL, NULL, 'alone', NULL, NULL, NULL, 'x')) IS NOT NULL AS sent;
COMMIT;
-- without a key, and what is no message: the first shard's
INSERT INTO outbox.keyed VALUES (1007, NULL, NULL, 'x');
SELECT pg_logical_emit_message(true, 'pg_outbox', message('1008', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x')) IS NOT NULL AS sent;
SELECT pg_logical_emit_message(true, 'pg_outbox', 'malformed') IS NOT NULL AS sent;

SELECT pg_copy_logical_replication_slot('shards', 'shards' || i) IS NOT NULL AS copied FROM generate_series(1, 6) i;
-- made before they are filled: a statement that reads a slot and writes WAL itself may
-- wait for the WAL writer
CREATE TEMP TABLE one (tx int, head text, payload text);
CREATE TEMP TABLE three (shard int, tx int, head text, payload text);
INSERT INTO one SELECT * FROM events('shards1', 'table', 'outbox.keyed', 'shard', '0/1');
INSERT INTO three
	SELECT 0, * FROM events('shards2', 'table', 'outbox.keyed', 'shard', '0/3') UNION ALL
	SELECT 1, * FROM events('shards3', 'table', 'outbox.keyed', 'shard', '1/3') UNION ALL
	SELECT 2, * FROM events('shards4', 'table', 'outbox.keyed', 'shard', '2/3');
-- all of them, each once
SELECT count(*) AS all, count(DISTINCT head) AS different FROM one;
SELECT count(*) AS all, count(DISTINCT head) AS different, (SELECT count(*) FROM one o WHERE NOT EXISTS (SELECT FROM three t WHERE t.head = o.head)) AS missing FROM three;
-- a key has one shard; no shard is starved
SELECT count(*) FILTER (WHERE shards > 1) AS split FROM (
	SELECT count(DISTINCT shard) AS shards FROM three, LATERAL (SELECT ('{' || head || '}')::json) l(j)
	GROUP BY coalesce(j->>'key', j->>'aggregateid')) s;
SELECT shard, count(*) > 150 AS fair FROM three GROUP BY shard ORDER BY shard;
SELECT shard, head FROM three, LATERAL (SELECT ('{' || head || '}')::json) l(j)
	WHERE coalesce((j->>'id')::int, 2000) > 1000 ORDER BY (j->>'id')::int;
-- a constant key, and one that can't be read
SELECT count(*) FROM events('shards5', 'table', 'outbox.keyed (key = ''alone'')', 'shard', '1/3', 'message_prefix', '');
SELECT count(*) FROM events('shards6', 'table', 'outbox.keyed (key = nosuch, aggregateid = NULL)', 'shard', '0/3', 'message_prefix', '');
-- refused
DO $$
DECLARE
	v text;
BEGIN
	FOREACH v IN ARRAY '{"",1,/,1/,/2,2/2,3/2,-1/2,0/0,0/257,00/2,0/02,0/2x,"0 /2",1000/2000,0/2/3}'::text[] LOOP
		BEGIN
			PERFORM events('shards', 'shard', v);
			RAISE WARNING 'accepted: %', v;
		EXCEPTION WHEN invalid_parameter_value THEN
			RAISE NOTICE '%', sqlerrm;
		END;
	END LOOP;
END $$;
DROP TABLE outbox.keyed;
SELECT pg_drop_replication_slot('shards' || i) FROM unnest('{"",1,2,3,4,5,6}'::text[]) i;
