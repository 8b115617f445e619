/*
 * 50_emit.sql - the application's calls.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

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
