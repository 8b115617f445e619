-- place.sql - pgbench script: an order, its lines and its event, in one transaction.
-- Copyright (c) 2026, pg_outbox contributors
-- SPDX-License-Identifier: PostgreSQL

\set lines random(1, 4)
\set regret random(1, 10)
BEGIN;
INSERT INTO shop.orders (customer) VALUES ('customer of till ' || :client_id) RETURNING id \gset
INSERT INTO shop.order_line
SELECT :id, (ARRAY['keyboard', 'cable', 'mouse', 'lamp'])[n], 1 + n % 2, 9.95 * n
FROM generate_series(1, :lines) AS n;
SELECT outbox.emit('order', :id::text, 'OrderPlaced',
                   jsonb_build_object('version', 1, 'total', sum(quantity * price)),
                   headers => '{"shop": "Berlin"}')
FROM shop.order_line WHERE order_id = :id;
\if :regret = 1
SELECT nextval('shop.rolled_back');
ROLLBACK;
\else
COMMIT;
\endif
