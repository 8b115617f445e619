--
-- Partitioned outbox tables: a partition counts as the root that is configured.
--
\pset format unaligned
CREATE SCHEMA part;
CREATE TABLE part.root (id int, aggregatetype text, aggregateid text, payload json, at date) PARTITION BY RANGE (at);
CREATE TABLE part.y2025 PARTITION OF part.root FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (aggregatetype);
CREATE TABLE part.y2025_order PARTITION OF part.y2025 FOR VALUES IN ('order');
CREATE TABLE part.y2025_rest PARTITION OF part.y2025 DEFAULT;
-- columns in another order, and some that were dropped
CREATE TABLE part.y2026 (gone int, payload json, at date, gone2 text, aggregateid text, aggregatetype text, id int);
ALTER TABLE part.y2026 DROP gone, DROP gone2;
SELECT fresh_slot('partitions');
ALTER TABLE part.root ATTACH PARTITION part.y2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO part.root VALUES (1, 'order', '1', '{"n":1}', '2025-05-05'), (2, 'stock', '2', '{"n":2}', '2025-05-05'),
	(3, 'order', '3', '{"n":3}', '2026-05-05');
-- straight into a leaf
INSERT INTO part.y2026 (id, at) VALUES (4, '2026-06-06');
SELECT pg_copy_logical_replication_slot('partitions', 'partitions2') IS NOT NULL AS copied;
SELECT pg_copy_logical_replication_slot('partitions', 'partitions3') IS NOT NULL AS copied;
SELECT * FROM events('partitions', 'table', 'part.root');
-- the nearest that is configured counts
SELECT * FROM events('partitions2', 'table', 'part.root', 'table', 'part.y2025', 'table', 'part.y2025_rest');
SELECT * FROM events('partitions3', 'table', 'part.y2025_order');

-- detached and attached while it flows: each row as it was then
ALTER TABLE part.root DETACH PARTITION part.y2026;
INSERT INTO part.y2026 (id, at) VALUES (5, '2026-06-06');
ALTER TABLE part.root ATTACH PARTITION part.y2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO part.y2026 (id, at) VALUES (6, '2026-06-06');
ALTER TABLE part.root DETACH PARTITION part.y2025;
INSERT INTO part.y2025 (id, aggregatetype, at) VALUES (7, 'order', '2025-01-02');
ALTER TABLE part.root ATTACH PARTITION part.y2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO part.root (id, aggregatetype, at) VALUES (8, 'order', '2025-01-02');
-- names further up change
ALTER TABLE part.root RENAME TO trunk;
INSERT INTO part.y2026 (id, at) VALUES (9, '2026-06-06');
ALTER TABLE part.trunk RENAME TO root;
INSERT INTO part.y2026 (id, at) VALUES (10, '2026-06-06');
ALTER SCHEMA part RENAME TO parts;
INSERT INTO parts.y2026 (id, at) VALUES (11, '2026-06-06');
ALTER SCHEMA parts RENAME TO part;
INSERT INTO part.y2026 (id, at) VALUES (12, '2026-06-06');
ALTER TABLE part.root SET SCHEMA outbox;
INSERT INTO part.y2026 (id, at) VALUES (13, '2026-06-06');
ALTER TABLE outbox.root SET SCHEMA part;
-- a new partition, in the transaction that fills it
BEGIN;
CREATE TABLE part.y2027 PARTITION OF part.root FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO part.root (id, at) VALUES (14, '2027-01-01');
COMMIT;
SELECT * FROM events('partitions', 'table', 'part.root');

-- from partition to partition is a DELETE and an INSERT for the server: publishing
-- it again is prevented by the table's trigger, not here
UPDATE part.root SET at = '2026-01-01' WHERE id = 14;
SELECT * FROM events('partitions', 'table', 'part.root');

SELECT pg_drop_replication_slot(s) FROM unnest('{partitions,partitions2,partitions3}'::name[]) s;
DROP TABLE part.root;
DROP SCHEMA part;
