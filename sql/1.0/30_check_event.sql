/*
 * 30_check_event.sql - what can be sent, and what is refused.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

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
    ELSIF headers OPERATOR(pg_catalog.?|) '{id,eventType,outbox.position,outbox.part,outbox.replay,outbox.redriven,outbox.dead_letter.code,outbox.dead_letter.reason,outbox.dead_letter.topic,outbox.dead_letter.position,outbox.dead_letter.slot,outbox.dead_letter.payload}'::pg_catalog.text[] THEN
        col := 'headers';
        problem := 'headers "id", "eventType", "outbox.position", "outbox.part", "outbox.replay", "outbox.redriven" and "outbox.dead_letter.*" are the streamer''s own';
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
