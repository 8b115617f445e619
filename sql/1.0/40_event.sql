/*
 * 40_event.sql - the table outbox.event.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

CREATE TABLE outbox.event (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregatetype varchar(255) NOT NULL,
    aggregateid varchar(255) NOT NULL,
    type varchar(255) NOT NULL,
    payload jsonb,
    topic text,
    key text,
    partition_key text,
    headers jsonb,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT event_pkey PRIMARY KEY (id),
    CONSTRAINT event_can_be_sent CHECK (outbox.check_event(
        aggregatetype, aggregateid, type, topic, key, partition_key, headers, traceparent,
        payload, NULL))
);

COMMENT ON TABLE outbox.event IS
'Outbox: a row that commits becomes one message. Published is the INSERT alone; UPDATE, DELETE and rows restored from a dump are not. pg_dump leaves the rows out.';
COMMENT ON COLUMN outbox.event.id IS 'Event id: the header "id" of the message, by which consumers recognise a duplicate.';
COMMENT ON COLUMN outbox.event.aggregatetype IS 'Aggregate type, such as order: names the topic outbox.event.<aggregatetype> unless the row has a topic.';
COMMENT ON COLUMN outbox.event.aggregateid IS 'Aggregate id: the message''s key unless the row has a key.';
COMMENT ON COLUMN outbox.event.type IS 'Event type, such as OrderPlaced: the header "eventType".';
COMMENT ON COLUMN outbox.event.payload IS 'The message''s value; NULL is a tombstone.';
COMMENT ON COLUMN outbox.event.topic IS 'Topic of this row; NULL: the default.';
COMMENT ON COLUMN outbox.event.key IS 'Key of this row; NULL: aggregateid.';
COMMENT ON COLUMN outbox.event.partition_key IS 'Chooses the partition in the key''s place; NULL: the key does.';
COMMENT ON COLUMN outbox.event.headers IS 'Further headers, one for each member: strings as they are, null as a null header, others as JSON.';
COMMENT ON COLUMN outbox.event.traceparent IS 'W3C Trace Context of the request: the header "traceparent".';
COMMENT ON COLUMN outbox.event.created_at IS 'Start of the transaction that wrote the row.';
COMMENT ON COLUMN outbox.event.xid IS 'Transaction that wrote the row.';
COMMENT ON CONSTRAINT event_pkey ON outbox.event IS 'An event id is used once.';
COMMENT ON CONSTRAINT event_can_be_sent ON outbox.event IS 'Refuses, in the application''s transaction, what could never be sent.';
