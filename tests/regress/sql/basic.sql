--
-- Which changes become events, and what an event looks like.
--
\pset format unaligned
SELECT fresh_slot('basic');

-- one row, all columns
INSERT INTO outbox.event VALUES (u(1), 'order', '4711', 'placed', '{"b": 1, "a": [true, null, "x"]}',
	'my.topic', 'my-key', 'my-partition', '{"h": "v", "n": 1}', '00-abc-def-01');
-- what is NULL is left out; a NULL payload is a tombstone, JSON's null is none
INSERT INTO outbox.event VALUES (u(2), 'order', '4711');
INSERT INTO outbox.event VALUES (u(3), 'order', '4711', NULL, 'null');
-- empty strings are not NULL
INSERT INTO outbox.event VALUES (u(4), '', '', '', '""', '', '', '', '{}', '');
SELECT * FROM events('basic');

-- several rows, in their order
INSERT INTO outbox.event SELECT u(i), 'order', i::text, 'placed', to_jsonb(i) FROM generate_series(1, 5) i;
COPY outbox.event (id, aggregatetype, aggregateid, payload) FROM stdin;
00000000-0000-0000-0000-000000000006	copy	6	{}
00000000-0000-0000-0000-000000000007	copy	7	[]
\.
SELECT * FROM events('basic');

-- nothing else: other tables, UPDATE, DELETE, TRUNCATE, rolled back rows
CREATE TABLE event (LIKE outbox.event);
CREATE SCHEMA other;
CREATE TABLE other.event (LIKE outbox.event);
INSERT INTO event VALUES (u(1), 'order', '1');
INSERT INTO other.event VALUES (u(1), 'order', '1');
ALTER TABLE outbox.event REPLICA IDENTITY FULL;
UPDATE outbox.event SET type = 'changed' WHERE id = u(1);
DELETE FROM outbox.event WHERE id = u(2);
TRUNCATE outbox.event;
BEGIN;
INSERT INTO outbox.event VALUES (u(1), 'order', '1');
ROLLBACK;
SELECT * FROM events('basic');

-- an event among other changes
BEGIN;
INSERT INTO event VALUES (u(1), 'order', '1');
INSERT INTO outbox.event VALUES (u(8), 'order', '8');
UPDATE outbox.event SET type = 'changed';
INSERT INTO other.event VALUES (u(1), 'order', '1');
INSERT INTO outbox.event VALUES (u(9), 'order', '9');
DELETE FROM outbox.event;
COMMIT;
SELECT * FROM events('basic');

-- ON CONFLICT: only what is inserted
CREATE UNIQUE INDEX event_id ON outbox.event (id);
INSERT INTO outbox.event VALUES (u(10), 'order', 'first');
INSERT INTO outbox.event VALUES (u(10), 'order', 'second') ON CONFLICT DO NOTHING;
INSERT INTO outbox.event VALUES (u(10), 'order', 'third')
	ON CONFLICT (id) DO UPDATE SET aggregateid = 'changed';
INSERT INTO outbox.event VALUES (u(11), 'order', 'fourth')
	ON CONFLICT (id) DO UPDATE SET aggregateid = 'changed';
DROP INDEX outbox.event_id;
SELECT * FROM events('basic');

-- what has to be escaped in a head, and nothing else; payloads are as they are
INSERT INTO outbox.event (id, aggregatetype, aggregateid, type, payload)
	SELECT u(12), 'all below space', string_agg(chr(i), '' ORDER BY i), E'"\\/\x7f\u00e9\u20ac\U0001F600',
		to_jsonb(string_agg(chr(i), '' ORDER BY i) || E'"\\/\x7f\u00e9\u20ac\U0001F600')
	FROM generate_series(1, 32) i;
-- escapes at every place of a word of eight octets
INSERT INTO outbox.event (id, aggregatetype, aggregateid)
	SELECT u(100 + i), repeat('x', i) || '"' || repeat('y', 17 - i), repeat(E'\n', i) FROM generate_series(0, 17) i;
SELECT * FROM events('basic');
-- characters of two, three and four octets never look like something to escape
INSERT INTO outbox.event (id, aggregatetype, aggregateid)
	SELECT u(1), string_agg(chr(i), '' ORDER BY i), 'x' FROM generate_series(128, 4096) i;
INSERT INTO outbox.event (id, aggregatetype, aggregateid)
	SELECT u(2), string_agg(chr(i), '' ORDER BY i), 'x' FROM generate_series(63488, 67584) i;
SELECT tx, ('{' || head || '}')::json->>'aggregatetype'
		= (SELECT string_agg(chr(i), '' ORDER BY i)
		   FROM generate_series(CASE tx WHEN 1 THEN 128 ELSE 63488 END, CASE tx WHEN 1 THEN 4096 ELSE 67584 END) i) AS same,
	head ~ '\\' AS escaped
	FROM events('basic');

-- what was read is not read again
SELECT * FROM events('basic');
DROP TABLE event, other.event;
DROP SCHEMA other;
SELECT pg_drop_replication_slot('basic');
