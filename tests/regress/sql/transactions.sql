--
-- Subtransactions, rollbacks, prepared transactions, empty transactions, frames.
--
\pset format unaligned
SELECT fresh_slot('transactions');

-- savepoints: what was rolled back is gone, the rest in its order
BEGIN;
INSERT INTO outbox.event VALUES (u(1), 'order', 'kept');
SAVEPOINT a;
INSERT INTO outbox.event VALUES (u(2), 'order', 'kept');
SAVEPOINT b;
INSERT INTO outbox.event VALUES (u(3), 'order', 'gone');
ROLLBACK TO b;
INSERT INTO outbox.event VALUES (u(4), 'order', 'kept');
RELEASE a;
SAVEPOINT c;
INSERT INTO outbox.event VALUES (u(5), 'order', 'gone');
ROLLBACK TO c;
INSERT INTO outbox.event VALUES (u(6), 'order', 'kept');
COMMIT;
-- the first event in a subtransaction
BEGIN;
SAVEPOINT a;
INSERT INTO outbox.event VALUES (u(7), 'order', 'kept');
RELEASE a;
COMMIT;
-- nothing left of it
BEGIN;
SAVEPOINT a;
INSERT INTO outbox.event VALUES (u(8), 'order', 'gone');
ROLLBACK TO a;
COMMIT;
-- more subtransactions than are kept in shared memory
DO $$
BEGIN
	FOR i IN 1..100 LOOP
		BEGIN
			INSERT INTO outbox.event VALUES (u(i), 'many', i::text);
			IF i % 10 <> 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN
		END;
	END LOOP;
END $$;
SELECT * FROM events('transactions');

-- two-phase commit: at its second phase
BEGIN;
INSERT INTO outbox.event VALUES (u(9), 'order', 'prepared');
PREPARE TRANSACTION 'regress_kept';
BEGIN;
INSERT INTO outbox.event VALUES (u(10), 'order', 'prepared');
PREPARE TRANSACTION 'regress_gone';
INSERT INTO outbox.event VALUES (u(11), 'order', 'between');
COMMIT PREPARED 'regress_kept';
ROLLBACK PREPARED 'regress_gone';
SELECT * FROM events('transactions');

-- a transaction without events sends nothing
CREATE TABLE noise (i int);
INSERT INTO noise SELECT generate_series(1, 1000);
SELECT count(*) FROM pg_logical_slot_get_binary_changes('transactions', NULL, NULL);

-- frames: one message for one row however large, whole events, no message that is
-- started below the limit is left before it; the last one carries the commit line
INSERT INTO outbox.event VALUES (u(1), 'order', '1', NULL, to_jsonb(repeat('x', 200000)));
INSERT INTO outbox.event SELECT u(i), 'order', '1', NULL, to_jsonb(repeat('x', 1000)) FROM generate_series(1, 100) i;
SELECT pg_copy_logical_replication_slot('transactions', 'transactions2') IS NOT NULL AS copied;
SELECT dense_rank() OVER (ORDER BY xid::text::int) AS tx, length(data) / 1000 AS thousands,
	substring(data FROM 1 FOR 9) = '{"begin":' AS begin,
	position('{"commit":'::bytea IN data) > 0 AS commit
	FROM pg_logical_slot_peek_binary_changes('transactions', NULL, NULL);
SELECT tx, count(*), min(length(payload)), max(length(payload)) FROM decoded('transactions', 'frame_size', '1024') GROUP BY tx ORDER BY tx;
SELECT count(*), min(length(data)) > 1024 AS filled, max(length(data)) < 3000 AS small
	FROM pg_logical_slot_get_binary_changes('transactions2', NULL, NULL, 'frame_size', '1024')
	WHERE length(data) < 100000;

-- a transaction that is spilled to disk while it is decoded
SET logical_decoding_work_mem = '64kB';
INSERT INTO outbox.event SELECT u(i), 'order', i::text, NULL, to_jsonb(i) FROM generate_series(1, 5000) i;
SELECT count(*), sum(payload::int), bool_and(head LIKE '%"aggregateid":"' || payload || '"%') AS matching
	FROM events('transactions');
SELECT spill_txns > 0 AS spilled FROM pg_stat_force_next_flush(), pg_stat_replication_slots WHERE slot_name = 'transactions';
RESET logical_decoding_work_mem;

DROP TABLE noise;
SELECT pg_drop_replication_slot(s) FROM unnest('{transactions,transactions2}'::name[]) s;
