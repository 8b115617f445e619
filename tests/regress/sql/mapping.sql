--
-- Which column has which role; several tables; names that need quotes.
--
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Odd ""Table""" (
	"Event Id" int8, "orderId" int4, kind text, body text, "weird)(,='" text, at timestamptz
);
CREATE TABLE outbox.second (id uuid, aggregatetype text, aggregateid text, payload json);
\pset format unaligned
SELECT fresh_slot('mapping');
INSERT INTO "Odd Schema"."Odd ""Table""" VALUES (9007199254740993, -5, 'k', 'body', 'w', '2020-01-02 03:04:05.678901+00');
INSERT INTO outbox.second VALUES (u(2), 'two', '2', '{"b":2,  "a" : 1}');
INSERT INTO outbox.event VALUES (u(1), 'order', '1', 'placed', '{"a": 1}');
SELECT pg_copy_logical_replication_slot('mapping', 'mapping2') IS NOT NULL AS copied;
SELECT pg_copy_logical_replication_slot('mapping', 'mapping3') IS NOT NULL AS copied;
SELECT pg_copy_logical_replication_slot('mapping', 'mapping4') IS NOT NULL AS copied;
SELECT * FROM events('mapping', 'table', '"Odd Schema"."Odd ""Table""" (id = "Event Id",
	aggregateid = "orderId", aggregatetype = ''it''''s "quoted"'', type = "weird)(,=''", payload = body, timestamp = at)');
-- several: each event says which
SELECT * FROM events('mapping2', 'table', '"Odd Schema"."Odd ""Table""" (payload = kind)',
	'table', ' outbox . second (aggregateid = NULL, topic = aggregateid)', 'table', 'outbox.event');
-- the default is not there if others are
SELECT * FROM events('mapping3', 'table', 'outbox.second');
-- a payload may be constant, or none
SELECT * FROM events('mapping4', 'table', 'outbox.second (payload = ''{}'')', 'table', 'outbox.event (payload = NULL)');
SELECT pg_drop_replication_slot(s) FROM unnest('{mapping,mapping2,mapping3,mapping4}'::name[]) s;

-- a column that should be there and isn't
SELECT fresh_slot('mapping');
INSERT INTO outbox.second VALUES (u(3), 'two', '3', '{}');
SELECT pg_copy_logical_replication_slot('mapping', 'mapping2') IS NOT NULL AS copied;
SELECT * FROM events('mapping', 'table', 'outbox.second (topic = destination)');
SELECT * FROM events('mapping2', 'table', 'outbox.second (payload = body)');
ALTER TABLE outbox.second RENAME payload TO body;
INSERT INTO outbox.second VALUES (u(4), 'two', '4', '{}');
SELECT * FROM events('mapping', 'table', 'outbox.second');
-- system columns are none
SELECT pg_copy_logical_replication_slot('mapping', 'mapping3') IS NOT NULL AS copied;
INSERT INTO outbox.second VALUES (u(5), 'two', '5', '{}');
SELECT * FROM events('mapping', 'table', 'outbox.second (payload = body, topic = ctid)');

SELECT pg_drop_replication_slot(s) FROM unnest('{mapping,mapping2,mapping3}'::name[]) s;
DROP TABLE outbox.second, "Odd Schema"."Odd ""Table""";
DROP SCHEMA "Odd Schema";
