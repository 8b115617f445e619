--
-- Every column type, as payload and as a member of the head.
--
\pset format unaligned
CREATE SCHEMA types;
CREATE TYPE types.mood AS ENUM ('sad', 'so "so"', E'h\u00e4ppy');
CREATE DOMAIN types.short AS varchar(5);
CREATE DOMAIN types.shorter AS types.short CHECK (length(value) < 5);
CREATE DOMAIN types.mood_domain AS types.mood;
CREATE TYPE types.pair AS (a int, b text);
CREATE TABLE types.sample (n int GENERATED ALWAYS AS IDENTITY, type text, value text);
INSERT INTO types.sample (type, value) VALUES
	('text', ''), ('text', 'plain'), ('text', E'\u00e9 "quoted" \\ \n \u20ac \U0001F600'), ('text', NULL),
	('varchar', 'v'), ('varchar(3)', 'abc'), ('char(5)', 'ab'), ('"char"', 'c'), ('name', 'a name'),
	('name', repeat('n', 63)),
	('json', E' { "b" : 1.00,\n"a":[ ] , "a": 1e400}'), ('jsonb', '{"b": 1.00, "a": []}'),
	('uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'),
	('int2', '-32768'), ('int2', '32767'), ('int4', '-2147483648'), ('int4', '0'), ('int4', '2147483647'),
	('int8', '-9223372036854775808'), ('int8', '9223372036854775807'),
	('numeric', '0'), ('numeric', '-0.0'), ('numeric', '1.50'), ('numeric', 'NaN'), ('numeric', 'Infinity'),
	('numeric', '-Infinity'), ('numeric(1000,500)', '1.5'), ('numeric', '-12345678901234567890.00001'),
	('types.mood', 'so "so"'), ('types.mood', E'h\u00e4ppy'), ('types.mood_domain', 'sad'),
	('types.short', 'abcde'), ('types.shorter', 'abcd'),
	-- not supported: what they look like depends on settings, or nobody needs them
	('bool', 'true'), ('float4', '1.5'), ('float8', '1.5'), ('money', '1'), ('date', '2020-01-01'),
	('timestamp', '2020-01-01 12:00'), ('timestamptz', '2020-01-01 12:00'), ('time', '12:00'), ('interval', '1 day'),
	('int[]', '{1,2}'), ('text[]', '{a}'), ('types.pair', '(1,x)'), ('int4range', '[1,2)'), ('inet', '127.0.0.1'),
	('point', '(1,2)'), ('bit(3)', '101'), ('oid', '1'), ('regclass', 'pg_class'), ('tsvector', 'a b'),
	('float8', NULL);
SELECT fresh_slot('types');
DO $$
DECLARE
	s types.sample;
BEGIN
	FOR s IN SELECT * FROM types.sample ORDER BY n LOOP
		EXECUTE format('CREATE TABLE types.t (id int, payload %s); INSERT INTO types.t VALUES (%s, %L); DROP TABLE types.t',
					   s.type, s.n, s.value);
		EXECUTE format('CREATE TABLE types.t (id int, payload text, topic %s); INSERT INTO types.t VALUES (%s, NULL, %L); DROP TABLE types.t',
					   s.type, s.n, s.value);
	END LOOP;
END $$;
-- made before it is filled: a statement that reads a slot and writes WAL itself may
-- wait for the WAL writer
CREATE TEMP TABLE got (i bigint, tx int, head text, payload text);
INSERT INTO got SELECT row_number() OVER () AS i, * FROM events('types', 'table', 'types.t');
-- as payload: what casting to text gives, or an error
SELECT s.type, s.value, coalesce(g.payload, 'NULL') AS payload, ('{' || g.head || '}')::json->>'error' AS error
	FROM types.sample s JOIN got g ON ('{' || g.head || '}')::json->>'id' = s.n::text
	WHERE g.i % 2 = 1 ORDER BY s.n;
-- as a member: the same, by way of JSON
SELECT s.type, j->>'topic' AS topic, j->>'error' AS error, (j->>'topic') IS NOT DISTINCT FROM p.payload AS same
	FROM types.sample s
	JOIN got g ON ('{' || g.head || '}')::json->>'id' = s.n::text AND g.i % 2 = 0
	JOIN got p ON p.i = g.i - 1, LATERAL (SELECT ('{' || g.head || '}')::json) l(j)
	ORDER BY s.n;

-- bytea: octets as they are; in a head it would have to be text
CREATE TABLE types.raw (id int, payload bytea, topic bytea);
INSERT INTO types.raw VALUES (1, '\x000a0d227d5cff', NULL), (2, '', NULL), (3, NULL, NULL), (4, 'x', 'x');
SET bytea_output = 'escape';
SELECT tx, head, encode(payload, 'hex') FROM decoded('types', 'table', 'types.raw');
RESET bytea_output;

-- the timestamp: microseconds since 1970, whatever the session says
CREATE TABLE types.times (id int, payload text, a timestamptz, b timestamp, c bigint, d int, e text, f date);
SET timezone = 'Asia/Kathmandu';
SET datestyle = 'German, DMY';
INSERT INTO types.times (id, a, b, c) VALUES
	(1, '2020-01-02 03:04:05.678901+00', '2020-01-02 03:04:05.678901', 1577934245678901),
	(2, '1970-01-01 00:00:00+00', '1970-01-01', 0), (3, '1969-12-31 23:59:59.999999+00', '1969-12-31 23:59:59.999999', -1),
	(4, 'infinity', '-infinity', 9223372036854775807), (5, '4713-01-01 00:00+00 BC', '294276-12-31 23:59:59.999999', NULL);
INSERT INTO types.times (id, d, e, f) VALUES (6, 1, '1', '2020-01-01');
RESET timezone;
RESET datestyle;
SELECT pg_copy_logical_replication_slot('types', c) IS NOT NULL AS copied FROM unnest('{types_b,types_c,types_d,types_e,types_f}'::name[]) c;
SELECT head FROM events('types', 'table', 'types.times (timestamp = a)');
SELECT head FROM events('types_b', 'table', 'types.times (timestamp = b)');
SELECT head FROM events('types_c', 'table', 'types.times (timestamp = c)');
SELECT head FROM events('types_d', 'table', 'types.times (timestamp = d)') OFFSET 4;
SELECT head FROM events('types_e', 'table', 'types.times (timestamp = e)') OFFSET 4;
SELECT head FROM events('types_f', 'table', 'types.times (timestamp = f)') OFFSET 4;
-- a literal is text, also for the timestamp
INSERT INTO types.times (id) VALUES (7);
SELECT head FROM events('types', 'table', 'types.times (timestamp = ''1'')');
SELECT pg_drop_replication_slot(s) FROM unnest('{types,types_b,types_c,types_d,types_e,types_f}'::name[]) s;
SET client_min_messages = warning;
DROP SCHEMA types CASCADE;
