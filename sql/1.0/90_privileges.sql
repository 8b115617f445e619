/*
 * 90_privileges.sql - what roles are granted.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

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
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.dead_letter, '
                   'outbox.dead_letter_writer TO %s', grantee);
END
$$;

COMMENT ON FUNCTION outbox.grant_stream(regrole) IS
'Lets the streamer''s role read events, status and limit, and keep dead letters. It needs the attribute REPLICATION besides, which only a superuser can give.';

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

CREATE FUNCTION outbox.grant_redrive(grantee regrole)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA outbox TO %s', grantee);
    EXECUTE format('GRANT SELECT, UPDATE (state) ON outbox.dead_letter TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION outbox.redrive(text, text, text, text), '
                   'outbox.discard(text, text, text, text), outbox.check_chosen(text[]) TO %s', grantee);
END
$$;

COMMENT ON FUNCTION outbox.grant_redrive(regrole) IS
'Lets a role see dead letters, and let them be sent again or removed.';
