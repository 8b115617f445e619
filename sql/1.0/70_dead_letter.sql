/*
 * 70_dead_letter.sql - events that could not be delivered, and their way back.
 *
 * The streamer writes and removes the rows; whoever operates it marks them.
 * Under the order per key, an event whose key has a dead letter is put behind
 * it: (slot, queue) is such a queue, position its order.  A queue's head is
 * parked, or the streamer is at work on it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

CREATE TABLE outbox.dead_letter (
    slot text NOT NULL,
    position text COLLATE "C" NOT NULL,
    lsn pg_lsn NOT NULL,
    queue bigint NOT NULL,
    state text NOT NULL DEFAULT 'parked',
    batch bigint,
    code text NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    committed_at timestamptz NOT NULL,
    complete boolean NOT NULL,
    source text,
    event_id text,
    aggregatetype text,
    aggregateid text,
    type text,
    topic text,
    key text,
    partition_key text,
    headers text,
    traceparent text,
    payload bytea,
    CONSTRAINT dead_letter_pkey PRIMARY KEY (slot, position),
    CONSTRAINT dead_letter_state CHECK (state IN ('parked', 'queued', 'redriving', 'discarding'))
);

COMMENT ON TABLE outbox.dead_letter IS
'Events that could not be delivered, and those of the same key that wait behind them. The streamer writes and removes rows; outbox.redrive() and outbox.discard() mark them. Dumped by pg_dump.';
COMMENT ON COLUMN outbox.dead_letter.slot IS 'Replication slot that the event came from.';
COMMENT ON COLUMN outbox.dead_letter.position IS 'Timeline, commit LSN and index in the transaction, as in the message''s header "outbox.position"; sorts as the events were committed.';
COMMENT ON COLUMN outbox.dead_letter.lsn IS 'End of the commit record, as in position.';
COMMENT ON COLUMN outbox.dead_letter.queue IS 'Events with the same number keep their order: a hash of topic and key, or a number of its own for an event without order.';
COMMENT ON COLUMN outbox.dead_letter.state IS
'parked: could not be delivered, waits for somebody. queued: waits behind a parked one of its key. redriving: is being sent. discarding: is being removed.';
COMMENT ON COLUMN outbox.dead_letter.batch IS 'exactly-once: the Kafka transaction that it is being sent in.';
COMMENT ON COLUMN outbox.dead_letter.code IS 'Why it could not be delivered: a code of the README''s table of errors; key-parked if it waits behind another one.';
COMMENT ON COLUMN outbox.dead_letter.reason IS 'The same in words.';
COMMENT ON COLUMN outbox.dead_letter.attempts IS 'How often it could not be delivered; 0 if it only waits.';
COMMENT ON COLUMN outbox.dead_letter.parked_at IS 'When it was put here.';
COMMENT ON COLUMN outbox.dead_letter.failed_at IS 'When it could not be delivered last.';
COMMENT ON COLUMN outbox.dead_letter.committed_at IS 'When its transaction committed.';
COMMENT ON COLUMN outbox.dead_letter.complete IS 'False: the output plugin could not give all of it, so it can''t be sent from here; outbox.event may have it.';
COMMENT ON COLUMN outbox.dead_letter.source IS 'Table that the event came from, where several are configured.';
COMMENT ON COLUMN outbox.dead_letter.event_id IS 'Event id.';
COMMENT ON COLUMN outbox.dead_letter.aggregatetype IS 'Aggregate type.';
COMMENT ON COLUMN outbox.dead_letter.aggregateid IS 'Aggregate id.';
COMMENT ON COLUMN outbox.dead_letter.type IS 'Event type.';
COMMENT ON COLUMN outbox.dead_letter.topic IS 'Topic that it was for; what the row asked for, if that is no legal name.';
COMMENT ON COLUMN outbox.dead_letter.key IS 'Key of the message.';
COMMENT ON COLUMN outbox.dead_letter.partition_key IS 'What the partition is chosen by, in the key''s place.';
COMMENT ON COLUMN outbox.dead_letter.headers IS 'The row''s further headers, as they were.';
COMMENT ON COLUMN outbox.dead_letter.traceparent IS 'W3C Trace Context.';
COMMENT ON COLUMN outbox.dead_letter.payload IS 'The message''s value, octet by octet; NULL is a tombstone, or not known (complete is false).';
COMMENT ON CONSTRAINT dead_letter_pkey ON outbox.dead_letter IS 'An event is here once, however often it is read again.';
COMMENT ON CONSTRAINT dead_letter_state ON outbox.dead_letter IS 'The states there are.';

CREATE INDEX dead_letter_queue ON outbox.dead_letter (slot, queue, position);
CREATE INDEX dead_letter_marked ON outbox.dead_letter (slot, state, queue)
    WHERE state IN ('redriving', 'discarding');
-- the oldest first; what only waits is younger than what it waits for
CREATE INDEX dead_letter_oldest ON outbox.dead_letter (slot, parked_at)
    WHERE state <> 'queued';
-- by hash: ids and keys may be longer than a B-tree's entries
CREATE INDEX dead_letter_event_id ON outbox.dead_letter USING hash (event_id);
CREATE INDEX dead_letter_key ON outbox.dead_letter USING hash (key);

COMMENT ON INDEX outbox.dead_letter_queue IS 'A queue in its order.';
COMMENT ON INDEX outbox.dead_letter_marked IS 'What the streamer has to do.';
COMMENT ON INDEX outbox.dead_letter_oldest IS 'How long the oldest one has waited, at any size.';
COMMENT ON INDEX outbox.dead_letter_event_id IS 'redrive() and discard() by event id.';
COMMENT ON INDEX outbox.dead_letter_key IS 'redrive() and discard() by key.';

SELECT pg_extension_config_dump('outbox.dead_letter', '');

/*
 * Only the streamer that has the slot may write dead letters.  One that takes
 * it raises the number; one that wakes up late finds that it is another.
 */
CREATE TABLE outbox.dead_letter_writer (
    slot text NOT NULL,
    epoch bigint NOT NULL,
    CONSTRAINT dead_letter_writer_pkey PRIMARY KEY (slot)
);

COMMENT ON TABLE outbox.dead_letter_writer IS 'Which streamer writes the dead letters of a slot.';
COMMENT ON COLUMN outbox.dead_letter_writer.slot IS 'Replication slot.';
COMMENT ON COLUMN outbox.dead_letter_writer.epoch IS 'Raised by each streamer that begins; who knows an older number writes nothing any more.';
COMMENT ON CONSTRAINT dead_letter_writer_pkey ON outbox.dead_letter_writer IS 'One row for each slot.';

CREATE FUNCTION outbox.check_chosen(VARIADIC given text[])
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF num_nonnulls(VARIADIC given) = 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'which dead letters?',
            HINT = 'Give id, topic or key.';
    END IF;
END
$$;

COMMENT ON FUNCTION outbox.check_chosen(text[]) IS
'Fails if nothing is given that says which dead letters are meant. For redrive(), discard() and those of the inbox.';

/*
 * Both functions only mark.  What is marked as redriving includes all that
 * comes before it in its queue: nothing overtakes.
 */
CREATE FUNCTION outbox.redrive(
    event_id text DEFAULT NULL,
    topic text DEFAULT NULL,
    key text DEFAULT NULL,
    slot text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marked bigint;
BEGIN
    PERFORM outbox.check_chosen(event_id, topic, key);
    UPDATE outbox.dead_letter AS d SET state = 'redriving'
    FROM (SELECT c.slot, c.queue, max(c.position COLLATE "C") AS upto
          FROM outbox.dead_letter AS c
          WHERE (c.event_id = redrive.event_id OR redrive.event_id IS NULL)
              AND (c.topic = redrive.topic OR redrive.topic IS NULL)
              AND (c.key = redrive.key OR redrive.key IS NULL)
              AND (c.slot = redrive.slot OR redrive.slot IS NULL)
          GROUP BY c.slot, c.queue) AS q
    WHERE d.slot = q.slot AND d.queue = q.queue AND d.position <= q.upto
        AND d.state IN ('parked', 'queued');
    GET DIAGNOSTICS marked = ROW_COUNT;
    NOTIFY outbox_dead_letter;
    RETURN marked;
END
$$;

COMMENT ON FUNCTION outbox.redrive(text, text, text, text) IS
'Lets the streamer send dead letters again: by event id, topic, key (those that are given), with all that waits before them. What waits behind them follows. Returns how many were marked.';

CREATE FUNCTION outbox.discard(
    event_id text DEFAULT NULL,
    topic text DEFAULT NULL,
    key text DEFAULT NULL,
    slot text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marked bigint;
BEGIN
    PERFORM outbox.check_chosen(event_id, topic, key);
    UPDATE outbox.dead_letter AS d SET state = 'discarding'
    WHERE (d.event_id = discard.event_id OR discard.event_id IS NULL)
        AND (d.topic = discard.topic OR discard.topic IS NULL)
        AND (d.key = discard.key OR discard.key IS NULL)
        AND (d.slot = discard.slot OR discard.slot IS NULL)
        AND d.state = 'parked';
    GET DIAGNOSTICS marked = ROW_COUNT;
    NOTIFY outbox_dead_letter;
    RETURN marked;
END
$$;

COMMENT ON FUNCTION outbox.discard(text, text, text, text) IS
'Lets the streamer remove dead letters for good: the parked ones with this event id, topic, key (those that are given). What waits behind them is sent. Returns how many were marked.';
