/*
 * pg_outbox--1.0.sql - the outbox table, the calls that write to it, its status.
 *
 * Rules that every version of this script keeps:
 *
 * - It runs as a superuser on behalf of somebody who may be none, in a schema
 *   that may have existed before: nothing is looked up by search_path.
 * - Its objects belong to whoever owns the schema, not to the superuser (the
 *   last step below); no function is SECURITY DEFINER.
 * - Functions that applications call for each event name everything in full,
 *   operators too: a SET search_path would cost more than all their checks.
 *   Every other function pins its search_path, or has a body that was bound
 *   when it was created (RETURN ...).
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

-- complain if the script is sourced in psql, rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_outbox" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

/*
 * The schema is normally made by CREATE EXTENSION.  One that was there before
 * must not belong to a stranger, who could put look-alikes beside our objects.
 * A superuser may install into somebody's schema, as restoring a dump does:
 * the objects are then given to the owner of the schema.
 */
DO $do$
BEGIN
    IF NOT pg_has_role('@extowner@'::regrole,
                       (SELECT nspowner FROM pg_namespace WHERE nspname = 'outbox'),
                       'USAGE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'schema "outbox" exists and belongs to another role',
            HINT = 'Drop the schema, or let its owner or a superuser create the extension.';
    END IF;

    -- events leave in UTF-8: an encoding without conversion fails here, not later
    PERFORM convert_to('x', 'UTF8');
END
$do$;


/* ---- what can be set ---- */

CREATE TABLE outbox.setting (
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT setting_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE outbox.setting IS
'What was set by set_max_event_bytes(); dumped by pg_dump and applied again when restored. Empty: all defaults.';
COMMENT ON COLUMN outbox.setting.name IS 'max_event_bytes';
COMMENT ON COLUMN outbox.setting.value IS 'Its value, in decimal.';
COMMENT ON CONSTRAINT setting_pkey ON outbox.setting IS 'One value for each setting.';

SELECT pg_extension_config_dump('outbox.setting', '');

/*
 * A constant, so that checking an event reads no table.  apply_setting()
 * replaces it; scripts of later versions leave it alone.
 */
CREATE FUNCTION outbox.max_event_bytes()
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1000000::bigint;

COMMENT ON FUNCTION outbox.max_event_bytes() IS
'Largest event in octets, as Kafka''s message.max.bytes counts: payload, key, headers and all other fields together, in UTF-8, and 512 for what is added on the way. Change it with outbox.set_max_event_bytes().';

CREATE FUNCTION outbox.apply_setting()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- what a Kafka client can be configured for, and what fits in a WAL record
    smallest CONSTANT bigint := 1000;
    largest CONSTANT bigint := 268435456;
    bytes bigint := 1000000;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.name <> OLD.name
       OR TG_OP <> 'DELETE' AND NEW.name <> 'max_event_bytes' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown setting "%s"', NEW.name),
            HINT = 'The only setting is max_event_bytes.';
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF NEW.value !~ '^[0-9]{1,18}$' OR NEW.value::bigint NOT BETWEEN smallest AND largest THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('max_event_bytes can''t be %s', left(NEW.value, 40)),
                HINT = format('Choose a number of octets from %s to %s.', smallest, largest);
        END IF;
        bytes := NEW.value::bigint;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION outbox.max_event_bytes() RETURNS bigint '
                   'LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %s::bigint', bytes);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION outbox.apply_setting() IS
'Trigger of outbox.setting: checks a setting and puts it into effect, also when a dump is restored.';

CREATE TRIGGER setting_apply
AFTER INSERT OR UPDATE OR DELETE ON outbox.setting
FOR EACH ROW EXECUTE FUNCTION outbox.apply_setting();

COMMENT ON TRIGGER setting_apply ON outbox.setting IS 'Puts a setting into effect.';

CREATE FUNCTION outbox.set_max_event_bytes(bytes bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF bytes IS NULL THEN
        DELETE FROM outbox.setting WHERE name = 'max_event_bytes';
    ELSE
        INSERT INTO outbox.setting AS s (name, value)
        VALUES ('max_event_bytes', bytes)
        ON CONFLICT ON CONSTRAINT setting_pkey DO UPDATE SET value = excluded.value;
    END IF;
END
$$;

COMMENT ON FUNCTION outbox.set_max_event_bytes(bigint) IS
'Sets the largest event in octets for rows and messages written from now on; NULL sets the default of 1000000, which is also message.max.bytes of the Kafka client. Topic, brokers and streamer must allow as much.';


/* ---- what can be sent ---- */

/*
 * The one place that knows what could never be sent; table and emit_message()
 * ask it.  It can give a hint, and it is cheap: the server reads the text of
 * CHECK expressions anew for every statement, but keeps a PL/pgSQL function
 * ready (README.md has the figures).  For the same reason the parameters have
 * the types of the columns, and the call in the constraint is a bare one.
 *
 * The payload is a jsonb, or anything else of which the octets were counted.
 */
CREATE FUNCTION outbox.check_event(
    aggregatetype varchar,
    aggregateid varchar,
    type varchar,
    topic text,
    key text,
    partition_key text,
    headers jsonb,
    traceparent text,
    payload jsonb,
    payload_octets integer)
RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    -- Kafka: at most 249 octets; "outbox.event." takes 13
    prefix CONSTANT pg_catalog.text := 'outbox.event.';
    topic_octets CONSTANT pg_catalog.int4 := 249;
    -- the streamer's limits: members and depth of headers, escaped fields of a head
    max_headers CONSTANT pg_catalog.int4 := 64;
    max_head_octets CONSTANT pg_catalog.int4 := 1000000;
    -- what the streamer and Kafka's format add to a message: id, position, lengths
    added_octets CONSTANT pg_catalog.int4 := 512;
    field_octets pg_catalog.int4;
    octets pg_catalog.int8;
    code pg_catalog.text := 'check_violation';
    col pg_catalog.text;
    problem pg_catalog.text;
    advice pg_catalog.text;
BEGIN
    -- NULL and length first: a table's column has refused them before, a message has not
    IF aggregatetype IS NULL OR aggregateid IS NULL OR type IS NULL THEN
        code := 'not_null_violation';
        col := CASE WHEN aggregatetype IS NULL THEN 'aggregatetype'
                    WHEN aggregateid IS NULL THEN 'aggregateid' ELSE 'type' END;
        problem := pg_catalog.format('%s must not be null', col);
        advice := 'Every event has an aggregate type, an aggregate id and a type.';

    ELSIF pg_catalog.char_length(aggregatetype) OPERATOR(pg_catalog.>) 255
       OR pg_catalog.char_length(aggregateid) OPERATOR(pg_catalog.>) 255
       OR pg_catalog.char_length(type) OPERATOR(pg_catalog.>) 255 THEN
        code := 'string_data_right_truncation';
        col := CASE WHEN pg_catalog.char_length(aggregatetype) OPERATOR(pg_catalog.>) 255 THEN 'aggregatetype'
                    WHEN pg_catalog.char_length(aggregateid) OPERATOR(pg_catalog.>) 255 THEN 'aggregateid'
                    ELSE 'type' END;
        problem := pg_catalog.format('%s is longer than 255 characters', col);
        advice := 'A long key can be given in "key", which has no such limit.';

    -- where it goes
    ELSIF topic IS NULL AND NOT (
            aggregatetype COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) '^[a-zA-Z0-9._-]+$'
            AND pg_catalog.octet_length(aggregatetype) OPERATOR(pg_catalog.+)
                pg_catalog.octet_length(prefix) OPERATOR(pg_catalog.<=) topic_octets) THEN
        col := 'aggregatetype';
        problem := pg_catalog.format('aggregatetype "%s" can''t be part of a topic''s name',
                                     pg_catalog.left(aggregatetype, 249));
        advice := 'Use at most 236 of the characters a-z, A-Z, 0-9, ".", "_" and "-", or give the event a topic of its own.';

    ELSIF topic IS NOT NULL AND NOT (
            topic COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) '^[a-zA-Z0-9._-]+$'
            AND pg_catalog.octet_length(topic) OPERATOR(pg_catalog.<=) topic_octets
            AND topic COLLATE pg_catalog."C" OPERATOR(pg_catalog.<>) '.'
            AND topic COLLATE pg_catalog."C" OPERATOR(pg_catalog.<>) '..') THEN
        col := 'topic';
        problem := pg_catalog.format('topic "%s" is no legal name of a Kafka topic',
                                     pg_catalog.left(topic, 249));
        advice := 'Use 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-"; neither "." nor ".."; or NULL for the default topic.';

    -- what orders it: events of one key keep their order, so there must be one
    ELSIF pg_catalog.octet_length(COALESCE(key, aggregateid)) OPERATOR(pg_catalog.=) 0 THEN
        col := CASE WHEN key IS NULL THEN 'aggregateid' ELSE 'key' END;
        problem := pg_catalog.format('%s is empty, and the message would have no key', col);
        advice := 'Give aggregateid or key a value: events are kept in order per key.';

    ELSIF pg_catalog.octet_length(partition_key) OPERATOR(pg_catalog.=) 0 THEN
        col := 'partition_key';
        problem := 'partition_key is empty';
        advice := 'Use NULL to choose the partition by the key.';

    -- what goes with it
    ELSIF traceparent IS NOT NULL AND (
            traceparent COLLATE pg_catalog."C" OPERATOR(pg_catalog.!~) '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
            OR traceparent COLLATE pg_catalog."C" OPERATOR(pg_catalog.~) '^00-(0{32}|[0-9a-f]{32}-0{16})-') THEN
        col := 'traceparent';
        problem := pg_catalog.format('traceparent "%s" is none', pg_catalog.left(traceparent, 80));
        advice := 'W3C Trace Context: 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, in lower case, ids not all zero.';

    ELSIF headers IS NOT NULL AND pg_catalog.jsonb_typeof(headers) COLLATE pg_catalog."C"
            OPERATOR(pg_catalog.<>) 'object' THEN
        col := 'headers';
        problem := pg_catalog.format('headers must be a JSON object, not %s', pg_catalog.jsonb_typeof(headers));
        advice := 'One member for each header, such as {"source": "shop"}; NULL for none.';

    -- whoever takes the last header of a name would take this one for ours
    ELSIF headers OPERATOR(pg_catalog.?|) '{id,eventType,outbox.position}'::pg_catalog.text[] THEN
        col := 'headers';
        problem := 'headers "id", "eventType" and "outbox.position" are the streamer''s own';
        advice := 'Choose another name; id and type are columns of the event.';

    ELSIF headers IS NOT NULL AND pg_catalog.jsonb_array_length(
            pg_catalog.jsonb_path_query_array(headers, 'strict $.*')) OPERATOR(pg_catalog.>) max_headers THEN
        code := 'program_limit_exceeded';
        col := 'headers';
        problem := pg_catalog.format('an event can''t have more than %s headers', max_headers);
        advice := 'Put the rest into the payload.';

    -- level 1 is a header's value; the streamer follows it 64 levels down
    ELSIF pg_catalog.jsonb_path_exists(headers, 'strict $.**{66}') THEN
        code := 'program_limit_exceeded';
        col := 'headers';
        problem := 'a header is nested more than 64 levels deep';
        advice := 'Put deep structures into the payload.';

    ELSE
        -- raises an error of its own for what has no counterpart in UTF-8
        field_octets := pg_catalog.octet_length(pg_catalog.convert_to(pg_catalog.concat(
            aggregatetype, aggregateid, type, topic, key, partition_key, headers, traceparent), 'UTF8'));

        octets := field_octets::pg_catalog.int8 OPERATOR(pg_catalog.+) COALESCE(
            payload_octets,
            pg_catalog.octet_length(pg_catalog.convert_to(payload::pg_catalog.text, 'UTF8')),
            0) OPERATOR(pg_catalog.+) added_octets;

        IF octets OPERATOR(pg_catalog.>) outbox.max_event_bytes() THEN
            code := 'program_limit_exceeded';
            problem := pg_catalog.format('an event of %s octets is larger than the limit of %s',
                                         octets, outbox.max_event_bytes());
            advice := 'Send a reference instead of large data, or let the owner raise the limit with outbox.set_max_event_bytes(); topic and brokers must allow as much.';

        -- an octet can become six when it is escaped
        ELSIF field_octets OPERATOR(pg_catalog.>) (max_head_octets OPERATOR(pg_catalog./) 6)
          AND pg_catalog.octet_length(pg_catalog.convert_to(pg_catalog.to_json(pg_catalog.concat(
                  aggregatetype, aggregateid, type, topic, key, partition_key, headers, traceparent)
              )::pg_catalog.text, 'UTF8')) OPERATOR(pg_catalog.>) max_head_octets THEN
            code := 'program_limit_exceeded';
            problem := pg_catalog.format('the fields beside the payload are larger than %s octets', max_head_octets);
            advice := 'Put large data into the payload.';
        ELSE
            RETURN true;
        END IF;
    END IF;

    RAISE EXCEPTION USING
        ERRCODE = code, MESSAGE = problem, HINT = advice,
        SCHEMA = 'outbox', TABLE = 'event', CONSTRAINT = 'event_can_be_sent',
        COLUMN = COALESCE(col, '');
END
$$;

COMMENT ON FUNCTION outbox.check_event(varchar, varchar, varchar, text, text, text, jsonb, text, jsonb, integer) IS
'True, or an error with a hint if this event could never be sent.';


/* ---- the table ---- */

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


/* ---- the application's calls ---- */

/*
 * The id is made here and not returned by INSERT: RETURNING would need SELECT
 * on the table, and an application must not be able to read others' events.
 */
CREATE FUNCTION outbox.emit(
    aggregatetype text,
    aggregateid text,
    type text,
    payload jsonb DEFAULT NULL,
    topic text DEFAULT NULL,
    key text DEFAULT NULL,
    partition_key text DEFAULT NULL,
    headers jsonb DEFAULT NULL,
    traceparent text DEFAULT NULL,
    id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    event_id CONSTANT pg_catalog.uuid := COALESCE(id, pg_catalog.gen_random_uuid());
BEGIN
    -- the columns refuse these with an error that names no column or no remedy
    IF (pg_catalog.char_length(aggregatetype) OPERATOR(pg_catalog.<=) 255
        AND pg_catalog.char_length(aggregateid) OPERATOR(pg_catalog.<=) 255
        AND pg_catalog.char_length(type) OPERATOR(pg_catalog.<=) 255) IS NOT TRUE THEN
        PERFORM outbox.check_event(aggregatetype, aggregateid, type, topic, key,
                                   partition_key, headers, traceparent, NULL, NULL);
    END IF;
    INSERT INTO outbox.event (id, aggregatetype, aggregateid, type, payload,
                              topic, key, partition_key, headers, traceparent)
    VALUES (event_id, aggregatetype, aggregateid, type, payload,
            topic, key, partition_key, headers, traceparent);
    RETURN event_id;
END
$$;

COMMENT ON FUNCTION outbox.emit(text, text, text, jsonb, text, text, text, jsonb, text, uuid) IS
'Writes an event to outbox.event; returns its id. What could never be sent is refused with a hint.';

-- STABLE, as what it calls: labelled IMMUTABLE it could not be inlined
CREATE FUNCTION outbox.netstring(value bytea)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN COALESCE(convert_to(octet_length(value) || ':', 'UTF8') || value || convert_to(',', 'UTF8'),
                convert_to('-,', 'UTF8'));

COMMENT ON FUNCTION outbox.netstring(bytea) IS 'A field of a logical message: <octets>:<value>, or -, for NULL.';

CREATE FUNCTION outbox.emit_message(
    aggregatetype text,
    aggregateid text,
    type text,
    payload bytea,
    topic text DEFAULT NULL,
    key text DEFAULT NULL,
    partition_key text DEFAULT NULL,
    headers jsonb DEFAULT NULL,
    traceparent text DEFAULT NULL,
    id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    event_id CONSTANT pg_catalog.uuid := COALESCE(id, pg_catalog.gen_random_uuid());
    lsn pg_catalog.pg_lsn;
BEGIN
    IF outbox.check_event(aggregatetype, aggregateid, type, topic, key, partition_key, headers,
                          traceparent, NULL, pg_catalog.octet_length(payload)) THEN
        -- version 1: ten fields, always in UTF-8; decoder_plugin/wire.h
        lsn := pg_catalog.pg_logical_emit_message(true, 'pg_outbox',
            pg_catalog.convert_to('1', 'UTF8')
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(event_id::pg_catalog.text, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(aggregatetype, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(aggregateid, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(type, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(topic, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(key, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(partition_key, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(headers::pg_catalog.text, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(pg_catalog.convert_to(traceparent, 'UTF8'))
            OPERATOR(pg_catalog.||) outbox.netstring(payload));
    END IF;
    RETURN event_id;
END
$$;

COMMENT ON FUNCTION outbox.emit_message(text, text, text, bytea, text, text, text, jsonb, text, uuid) IS
'Writes an event to the WAL alone, as a transactional logical message, with these octets as payload; returns its id. It leaves no row: nothing can be replayed from the database.';

CREATE FUNCTION outbox.emit_message(
    aggregatetype text,
    aggregateid text,
    type text,
    payload text DEFAULT NULL,
    topic text DEFAULT NULL,
    key text DEFAULT NULL,
    partition_key text DEFAULT NULL,
    headers jsonb DEFAULT NULL,
    traceparent text DEFAULT NULL,
    id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN outbox.emit_message(aggregatetype, aggregateid, type, pg_catalog.convert_to(payload, 'UTF8'),
                               topic, key, partition_key, headers, traceparent, id);
END
$$;

COMMENT ON FUNCTION outbox.emit_message(text, text, text, text, text, text, text, jsonb, text, uuid) IS
'The same with a text as payload, sent in UTF-8 as it is; NULL is a tombstone.';

CREATE FUNCTION outbox.emit_message(
    aggregatetype text,
    aggregateid text,
    type text,
    payload jsonb,
    topic text DEFAULT NULL,
    key text DEFAULT NULL,
    partition_key text DEFAULT NULL,
    headers jsonb DEFAULT NULL,
    traceparent text DEFAULT NULL,
    id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN outbox.emit_message(aggregatetype, aggregateid, type,
                               pg_catalog.convert_to(payload::pg_catalog.text, 'UTF8'),
                               topic, key, partition_key, headers, traceparent, id);
END
$$;

COMMENT ON FUNCTION outbox.emit_message(text, text, text, jsonb, text, text, text, jsonb, text, uuid) IS
'The same with a jsonb as payload: what emit() would send.';


/* ---- status ---- */

/*
 * The server keeps no time of a slot's last confirmation, so somebody has to
 * look now and then: observe() does, and remembers what it saw.
 */
CREATE TABLE outbox.slot_seen (
    slot_name name NOT NULL,
    confirmed_flush_lsn pg_lsn NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT slot_seen_pkey PRIMARY KEY (slot_name)
);

COMMENT ON TABLE outbox.slot_seen IS 'What observe() saw last.';
COMMENT ON COLUMN outbox.slot_seen.slot_name IS 'Replication slot.';
COMMENT ON COLUMN outbox.slot_seen.confirmed_flush_lsn IS 'Its confirmed position when it was last seen.';
COMMENT ON COLUMN outbox.slot_seen.since IS 'When it was first seen at that position.';
COMMENT ON CONSTRAINT slot_seen_pkey ON outbox.slot_seen IS 'One row for each slot.';

/*
 * Columns that only newer servers have are read through to_jsonb(): one text
 * for all versions, which also comes to life after pg_upgrade.
 */
CREATE VIEW outbox.status AS
SELECT s.database,
    s.slot_name,
    s.active,
    s.active_pid,
    s.restart_lsn,
    s.confirmed_flush_lsn,
    CASE WHEN s.restart_lsn >= w.lsn OR s.restart_lsn IS NULL THEN 0
         ELSE pg_wal_lsn_diff(w.lsn, s.restart_lsn) END::bigint AS retained_bytes,
    CASE WHEN s.confirmed_flush_lsn >= w.lsn THEN 0
         ELSE pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn) END::bigint AS unconfirmed_bytes,
    s.wal_status,
    s.safe_wal_size,
    GREATEST(
        CASE WHEN seen.confirmed_flush_lsn = s.confirmed_flush_lsn
             THEN extract(epoch FROM clock_timestamp() - seen.since)
             WHEN seen.confirmed_flush_lsn <> s.confirmed_flush_lsn THEN 0 END,
        extract(epoch FROM clock_timestamp() - v.inactive_since))::double precision
        AS seconds_since_confirmation,
    v.inactive_since,
    COALESCE(v.invalidation_reason,
             CASE WHEN v.conflicting THEN 'conflicting'
                  WHEN s.wal_status = 'lost' THEN 'wal_removed' END) AS invalidation_reason
FROM pg_replication_slots AS s
CROSS JOIN LATERAL (
    SELECT (to_jsonb(s) ->> 'inactive_since')::timestamptz AS inactive_since,
        to_jsonb(s) ->> 'invalidation_reason' AS invalidation_reason,
        (to_jsonb(s) ->> 'conflicting')::boolean AS conflicting) AS v
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END AS lsn) AS w
LEFT JOIN outbox.slot_seen AS seen
    ON seen.slot_name = s.slot_name AND s.database = current_database()
WHERE s.plugin = 'outbox_decoder';

COMMENT ON VIEW outbox.status IS
'Every slot of this server that uses outbox_decoder, of other databases too.';
COMMENT ON COLUMN outbox.status.database IS 'Database that the slot decodes.';
COMMENT ON COLUMN outbox.status.slot_name IS 'Replication slot.';
COMMENT ON COLUMN outbox.status.active IS 'A streamer reads it at this moment.';
COMMENT ON COLUMN outbox.status.active_pid IS 'The server process that sends to the streamer; NULL if inactive.';
COMMENT ON COLUMN outbox.status.restart_lsn IS 'WAL from here on is kept for the slot; NULL if it is lost.';
COMMENT ON COLUMN outbox.status.confirmed_flush_lsn IS 'Everything that committed before is durable elsewhere.';
COMMENT ON COLUMN outbox.status.retained_bytes IS 'WAL that is kept for the slot, in octets, 0 if the slot is lost; a long transaction anywhere in the server adds to it.';
COMMENT ON COLUMN outbox.status.unconfirmed_bytes IS 'WAL written since the confirmed position, in octets, of all databases: the slot''s lag.';
COMMENT ON COLUMN outbox.status.wal_status IS 'reserved, extended, unreserved or lost, as in pg_replication_slots.';
COMMENT ON COLUMN outbox.status.safe_wal_size IS 'Octets that may still be written before the slot can be lost; NULL without max_slot_wal_keep_size.';
COMMENT ON COLUMN outbox.status.seconds_since_confirmation IS
'For how long the confirmed position is known to have stood still. Never too large; too small by at most the time between two calls of outbox.observe(). 0: it has moved since the last call. NULL: not known, since observe() has not seen the slot in this database.';
COMMENT ON COLUMN outbox.status.inactive_since IS 'When the streamer left; NULL while it is active, and before PostgreSQL 17.';
COMMENT ON COLUMN outbox.status.invalidation_reason IS 'Why the slot is of no use any more; NULL if it is of use.';

CREATE FUNCTION outbox.observe()
RETURNS SETOF outbox.status
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- a slot that stands still costs no write
    INSERT INTO outbox.slot_seen AS seen (slot_name, confirmed_flush_lsn, since)
    SELECT s.slot_name, s.confirmed_flush_lsn, clock_timestamp()
    FROM pg_replication_slots AS s
    WHERE s.plugin = 'outbox_decoder' AND s.database = current_database()
        AND s.confirmed_flush_lsn IS NOT NULL
    ON CONFLICT ON CONSTRAINT slot_seen_pkey DO UPDATE
        SET confirmed_flush_lsn = excluded.confirmed_flush_lsn, since = excluded.since
        WHERE seen.confirmed_flush_lsn <> excluded.confirmed_flush_lsn;
    DELETE FROM outbox.slot_seen AS seen
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots AS s WHERE s.slot_name = seen.slot_name);
    RETURN QUERY SELECT * FROM outbox.status;
END
$$;

COMMENT ON FUNCTION outbox.observe() IS
'Remembers the slots'' confirmed positions for outbox.status and returns it. To be called now and then, by a monitoring system or a scheduler, on a primary.';


/* ---- privileges ---- */

CREATE FUNCTION outbox.grant_emit(grantee regrole)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA outbox TO %s', grantee);
    -- not created_at and xid, which tell when a row may be removed
    EXECUTE format('GRANT INSERT (id, aggregatetype, aggregateid, type, payload, topic, key, '
                   'partition_key, headers, traceparent) ON outbox.event TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION '
                   'outbox.emit(text, text, text, jsonb, text, text, text, jsonb, text, uuid), '
                   'outbox.emit_message(text, text, text, bytea, text, text, text, jsonb, text, uuid), '
                   'outbox.emit_message(text, text, text, text, text, text, text, jsonb, text, uuid), '
                   'outbox.emit_message(text, text, text, jsonb, text, text, text, jsonb, text, uuid), '
                   'outbox.check_event(varchar, varchar, varchar, text, text, text, jsonb, text, jsonb, integer), '
                   'outbox.max_event_bytes(), outbox.netstring(bytea) TO %s', grantee);
END
$$;

COMMENT ON FUNCTION outbox.grant_emit(regrole) IS
'Lets a role write events: emit(), emit_message() and INSERT INTO outbox.event; not read or change any.';

CREATE FUNCTION outbox.grant_stream(grantee regrole)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA outbox TO %s', grantee);
    EXECUTE format('GRANT SELECT ON outbox.event, outbox.status TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION outbox.max_event_bytes() TO %s', grantee);
END
$$;

COMMENT ON FUNCTION outbox.grant_stream(regrole) IS
'Lets the streamer''s role read events, status and limit. It needs the attribute REPLICATION besides, which only a superuser can give.';

CREATE FUNCTION outbox.grant_monitor(grantee regrole)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA outbox TO %s', grantee);
    EXECUTE format('GRANT SELECT ON outbox.status TO %s', grantee);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.slot_seen TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION outbox.observe() TO %s', grantee);
END
$$;

COMMENT ON FUNCTION outbox.grant_monitor(regrole) IS
'Lets a role read outbox.status and call observe(); it sees no events.';


/*
 * Last step: all of it to the owner, and nothing to anybody else.  The owner
 * first, so that the privileges that pg_dump takes as given name the owner.
 */
DO $do$
DECLARE
    owner CONSTANT regrole := (SELECT CASE WHEN r.rolsuper THEN n.nspowner ELSE r.oid END
                               FROM pg_namespace AS n, pg_roles AS r
                               WHERE n.nspname = 'outbox' AND r.oid = '@extowner@'::regrole);
    member record;
BEGIN
    FOR member IN
        SELECT i.type, i.identity
        FROM pg_depend AS d
        CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
        WHERE d.refclassid = 'pg_extension'::regclass
            AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_outbox')
            AND d.deptype = 'e'
            AND i.type IN ('table', 'view', 'function')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', member.type, member.identity, owner);
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC',
                       CASE member.type WHEN 'function' THEN 'FUNCTION' ELSE 'TABLE' END,
                       member.identity);
    END LOOP;
END
$do$;
