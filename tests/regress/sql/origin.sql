--
-- Changes that came from elsewhere by replication.
--
\pset format unaligned
SELECT fresh_slot('origin');
SELECT pg_replication_origin_create('regress_outbox') > 0 AS created;
INSERT INTO outbox.event VALUES (u(1), 'order', 'local');
SELECT pg_replication_origin_session_setup('regress_outbox');
INSERT INTO outbox.event VALUES (u(2), 'order', 'from elsewhere');
SELECT pg_logical_emit_message(true, 'pg_outbox', message('3', 'a', 'from elsewhere', NULL, NULL, NULL, NULL, NULL, NULL, NULL)) IS NULL;
SELECT pg_replication_origin_session_reset();
INSERT INTO outbox.event VALUES (u(4), 'order', 'local');
SELECT pg_copy_logical_replication_slot('origin', 'origin2') IS NOT NULL AS copied;
SELECT pg_copy_logical_replication_slot('origin', 'origin3') IS NOT NULL AS copied;
SELECT * FROM events('origin');
SELECT * FROM events('origin2', 'origin', 'any');
SELECT * FROM events('origin3', 'origin', 'none');
SELECT pg_replication_origin_drop('regress_outbox');
SELECT pg_drop_replication_slot(s) FROM unnest('{origin,origin2,origin3}'::name[]) s;
