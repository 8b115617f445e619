/*
 * 60_status.sql - slots and how far they are.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

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
