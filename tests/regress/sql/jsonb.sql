--
-- jsonb and numeric as text: the same octets as the server's own output.
--
\pset format unaligned
CREATE SCHEMA j;
CREATE TABLE j.doc (id int GENERATED ALWAYS AS IDENTITY, payload jsonb);
CREATE TABLE j.num (id int GENERATED ALWAYS AS IDENTITY, payload numeric);
SELECT setseed(0.42) IS NULL AS seeded;

CREATE FUNCTION j.random_text() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(CASE floor(random() * 8)::int
			WHEN 0 THEN chr(1 + floor(random() * 31)::int)
			WHEN 1 THEN (ARRAY['"', '\', '/', chr(127), E'\u2028'])[1 + floor(random() * 5)::int]
			WHEN 2 THEN chr(160 + floor(random() * 3000)::int)
			ELSE repeat(chr(97 + floor(random() * 26)::int), floor(random() * 12)::int) END, ''), '')
	FROM generate_series(1, floor(random() * random() * 20)::int)
$$;
-- of any length and scale, with runs of zeros
CREATE FUNCTION j.random_number() RETURNS numeric LANGUAGE sql AS $$
	SELECT ((CASE WHEN random() < 0.5 THEN '-' ELSE '' END) || a || '.' || b)::numeric
		* CASE WHEN random() < 0.1 THEN 10::numeric ^ floor(random() * 60 - 30)::int ELSE 1 END
	FROM (SELECT '0' || coalesce(string_agg(CASE WHEN random() < 0.3 THEN '0000' ELSE floor(random() * 10 ^ floor(random() * 6))::bigint::text END, ''), '')
		  FROM generate_series(1, floor(random() * random() * 8)::int)) x(a),
		 (SELECT coalesce(string_agg(CASE WHEN random() < 0.3 THEN '0000' ELSE floor(random() * 10 ^ floor(random() * 6))::bigint::text END, ''), '0')
		  FROM generate_series(1, floor(random() * random() * 8)::int)) y(b)
$$;
CREATE FUNCTION j.random_doc(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	kind int := floor(random() * CASE WHEN depth > 0 THEN 9 ELSE 6 END);
	length int := floor(random() * random() * 12);
	list jsonb;
BEGIN
	IF kind = 0 THEN RETURN 'null'; END IF;
	IF kind = 1 THEN RETURN to_jsonb(random() < 0.5); END IF;
	IF kind <= 3 THEN RETURN to_jsonb(j.random_number()); END IF;
	IF kind <= 5 THEN RETURN to_jsonb(j.random_text()); END IF;
	IF kind = 6 THEN
		SELECT coalesce(jsonb_agg(j.random_doc(depth - 1)), '[]') INTO list FROM generate_series(1, length);
	ELSE
		SELECT coalesce(jsonb_object_agg(j.random_text() || i, j.random_doc(depth - 1)), '{}') INTO list FROM generate_series(1, length) i;
	END IF;
	RETURN list;
END $$;

-- random ones, and all small structures by hand
INSERT INTO j.doc (payload) SELECT j.random_doc(5) FROM generate_series(1, 3000);
INSERT INTO j.doc (payload) SELECT j.random_doc(9) FROM generate_series(1, 300);
INSERT INTO j.doc (payload) SELECT unnest(ARRAY['{}', '[]', '[[]]', '[{}]', '{"": {}}', '{"": []}', '[[], []]', '[null]',
	'""', '0', 'true', 'false', 'null', '[[[[[[1]]]]], 2]', '{"a": {"b": {"c": {}}}, "d": 1}', '[1, "a", [2], {"k": [3, {}]}, 4]']::jsonb[]);
-- every number of children around the strides at which offsets are stored
INSERT INTO j.doc (payload)
	SELECT (SELECT coalesce(jsonb_agg(CASE WHEN i % 3 = 0 THEN to_jsonb(i) ELSE to_jsonb(repeat('x', i % 5)) END), '[]') FROM generate_series(1, n) i)
	FROM generate_series(0, 140) n;
INSERT INTO j.doc (payload)
	SELECT (SELECT coalesce(jsonb_object_agg('k' || i, CASE WHEN i % 3 = 0 THEN to_jsonb(i) WHEN i % 3 = 1 THEN jsonb_build_array(i, 'x') ELSE to_jsonb(repeat('x', i % 5)) END), '{}') FROM generate_series(1, n) i)
	FROM generate_series(0, 140) n;
-- strings of every length around what fits into a piece
INSERT INTO j.doc (payload) SELECT to_jsonb(repeat('y', n - 1) || '"') FROM generate_series(1, 40) n;
INSERT INTO j.doc (payload) SELECT to_jsonb(repeat(c, n)) FROM generate_series(4090, 4100) n, unnest(ARRAY['z', E'\u0001', E'\u20ac']) c;
INSERT INTO j.doc (payload) SELECT jsonb_build_object('k', repeat('q"', 50000), repeat('k', 20000), 1);
-- deeper than any stack of ours
INSERT INTO j.doc (payload) SELECT (repeat('[', n) || repeat(']', n))::jsonb FROM unnest('{30,31,32,33,34,63,64,65,66,1000}'::int[]) n;
INSERT INTO j.doc (payload) SELECT (repeat('{"a": [1, ', n) || '2' || repeat(', 3]}', n))::jsonb FROM unnest('{15,16,17,31,32,33,500}'::int[]) n;
-- numbers
INSERT INTO j.num (payload) SELECT j.random_number() FROM generate_series(1, 5000);
INSERT INTO j.num (payload) SELECT s * (10::numeric ^ e) * f FROM generate_series(-70, 70) e, unnest('{1,-1}'::numeric[]) s, unnest('{1,9999,10000,1.5,0.0001,1.00}'::numeric[]) f;
INSERT INTO j.num (payload) SELECT n FROM generate_series(-10001, 10001, 7) n;
INSERT INTO j.num (payload) SELECT unnest(ARRAY['NaN', 'Infinity', '-Infinity', '0', '0.0', '0.00000', '1e1000', '1e-1000', '1e131071', '1e-16383',
	'-1e131071', '1.1e5000', '9.99e-5000', repeat('9', 5000) || '.' || repeat('9', 5000)]::numeric[]);
INSERT INTO j.doc (payload) SELECT to_jsonb(payload) FROM j.num WHERE payload NOT IN ('NaN', 'Infinity', '-Infinity') AND id % 3 = 0;

-- by way of the WAL: rows are written again, in one transaction
SELECT fresh_slot('jsonb');
CREATE TABLE j.doc2 (LIKE j.doc);
CREATE TABLE j.num2 (LIKE j.num);
INSERT INTO j.doc2 SELECT * FROM j.doc;
INSERT INTO j.num2 SELECT * FROM j.num;
-- made before it is filled: a statement that reads a slot and writes WAL itself may
-- wait for the WAL writer
CREATE TEMP TABLE got (source text, id int, payload text);
INSERT INTO got
	SELECT h->>'table', (h->>'id')::int, payload
	FROM events('jsonb', 'table', 'j.doc2', 'table', 'j.num2'), LATERAL (SELECT ('{' || head || '}')::json) l(h);
SELECT source, count(*) > 5000 AS thousands FROM got GROUP BY source ORDER BY source;
SELECT d.id, left(d.payload::text, 100) AS expected, left(g.payload, 100) AS got
	FROM j.doc d LEFT JOIN got g ON g.id = d.id AND g.source = 'j.doc2'
	WHERE g.payload IS DISTINCT FROM d.payload::text ORDER BY d.id LIMIT 10;
SELECT d.id, left(d.payload::text, 100) AS expected, left(g.payload, 100) AS got
	FROM j.num d LEFT JOIN got g ON g.id = d.id AND g.source = 'j.num2'
	WHERE g.payload IS DISTINCT FROM d.payload::text ORDER BY d.id LIMIT 10;

-- as a member of the head
CREATE TABLE j.head (payload text, id int, headers jsonb);
INSERT INTO j.head (id, headers) SELECT id, payload FROM j.doc WHERE length(payload::text) < 100000;
SELECT count(*) > 3000 AS thousands, count(*) FILTER (WHERE h->>'headers' IS DISTINCT FROM d.payload::text) AS different
	FROM events('jsonb', 'table', 'j.head') e, LATERAL (SELECT ('{' || e.head || '}')::json) l(h)
	JOIN j.doc d ON d.id = (h->>'id')::int;

SELECT pg_drop_replication_slot('jsonb');
SET client_min_messages = warning;
DROP SCHEMA j CASCADE;
