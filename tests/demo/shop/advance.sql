-- advance.sql - pgbench script: some open order is paid or shipped.
-- Copyright (c) 2026, pg_outbox contributors
-- SPDX-License-Identifier: PostgreSQL

\set regret random(1, 10)
BEGIN;
SELECT coalesce((SELECT id FROM shop.orders WHERE status <> 'shipped'
                 ORDER BY random() LIMIT 1 FOR UPDATE), 0) AS id \gset
WITH o AS (
    UPDATE shop.orders
    SET status = CASE status WHEN 'placed' THEN 'paid' ELSE 'shipped' END, version = version + 1
    WHERE id = :id
    RETURNING *)
SELECT outbox.emit('order', o.id::text, 'Order' || initcap(o.status),
                   jsonb_build_object('version', o.version),
                   headers => '{"shop": "Berlin"}')
FROM o;
\if :regret = 1
SELECT nextval('shop.rolled_back');
ROLLBACK;
\else
COMMIT;
\endif
