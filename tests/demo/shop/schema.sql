-- schema.sql - the demo's shop: orders, their lines, and who may do what.
-- Copyright (c) 2026, pg_outbox contributors
-- SPDX-License-Identifier: PostgreSQL

CREATE ROLE shop LOGIN;
CREATE ROLE streamer LOGIN REPLICATION;

CREATE SCHEMA shop AUTHORIZATION shop;
SET ROLE shop;

-- version counts the order's events: the demo's counting relies on it
CREATE TABLE shop.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    status text NOT NULL DEFAULT 'placed',
    version integer NOT NULL DEFAULT 1
);

CREATE TABLE shop.order_line (
    order_id bigint NOT NULL REFERENCES shop.orders,
    article text NOT NULL,
    quantity integer NOT NULL,
    price numeric(8,2) NOT NULL
);
CREATE INDEX ON shop.order_line (order_id);

-- a sequence, because a rollback does not take its numbers back
CREATE SEQUENCE shop.rolled_back;
