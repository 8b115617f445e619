/*
 * 80_inbox.sql - the receiving side: what a consumer has handled, and how far it is.
 *
 * What a message changes, its id and the consumer's offset are rows of one database, so
 * one local transaction has all of them or none.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */

-- ---- ids: each message once

CREATE TABLE outbox.inbox (
    consumer text NOT NULL,
    message_id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);

COMMENT ON TABLE outbox.inbox IS 'Ids of messages that were handled: the idempotency keys of consumers.';
COMMENT ON COLUMN outbox.inbox.consumer IS 'Who handled it: a name for all instances of one application.';
COMMENT ON COLUMN outbox.inbox.message_id IS 'The message''s id, of the header id.';
COMMENT ON COLUMN outbox.inbox.received_at IS 'When: expire_inbox() goes by it.';
COMMENT ON CONSTRAINT inbox_pkey ON outbox.inbox IS 'Each consumer handles a message once.';

-- old rows lie together, so a few octets for each hundred pages find them
CREATE INDEX inbox_received_at ON outbox.inbox USING brin (received_at);

COMMENT ON INDEX outbox.inbox_received_at IS 'For expire_inbox().';

CREATE FUNCTION outbox.accept(consumer text, message_id text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO outbox.inbox AS i (consumer, message_id)
    VALUES (accept.consumer, accept.message_id)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

COMMENT ON FUNCTION outbox.accept(text, text) IS
'True if this consumer has not handled the message yet: then handle it, in the same transaction. False if it has. Waits while another transaction is about to handle it.';

CREATE FUNCTION outbox.accept(consumer text, message_id uuid)
RETURNS boolean
LANGUAGE sql VOLATILE
RETURN outbox.accept(consumer, message_id::text);

COMMENT ON FUNCTION outbox.accept(text, uuid) IS 'The same, for an id that is a uuid.';

CREATE FUNCTION outbox.expire_inbox(older_than interval, consumer text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired bigint;
BEGIN
    IF older_than IS NULL OR older_than < interval '0' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'older_than must be an interval from 0 on',
            HINT = 'An id is needed for as long as its message can come again: the retention time of the topic at least.';
    END IF;
    DELETE FROM outbox.inbox AS i
    WHERE i.received_at < now() - older_than
        AND (expire_inbox.consumer IS NULL OR i.consumer = expire_inbox.consumer);
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;

COMMENT ON FUNCTION outbox.expire_inbox(interval, text) IS
'Forgets ids that are older, of one consumer or of all; returns how many. A message that comes again after that is handled again, so keep ids for as long as topics keep messages.';

-- ---- positions: the same for a stream that rises, in one row

CREATE TABLE outbox.inbox_position (
    consumer text NOT NULL,
    system text NOT NULL,
    slot text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    position text COLLATE "C" NOT NULL,
    CONSTRAINT inbox_position_pkey PRIMARY KEY (consumer, system, slot, topic, partition),
    CONSTRAINT inbox_position_form CHECK (position ~ '^[0-9A-F]{8}/[0-9A-F]{16}/[0-9A-F]{8}$')
) WITH (fillfactor = 50);

COMMENT ON TABLE outbox.inbox_position IS 'The last position that accept_position() accepted, for each stream.';
COMMENT ON COLUMN outbox.inbox_position.consumer IS 'Who handled it.';
COMMENT ON COLUMN outbox.inbox_position.system IS 'System identifier of the server that the events come from, or any name for it.';
COMMENT ON COLUMN outbox.inbox_position.slot IS 'Its slot: positions rise within one slot.';
COMMENT ON COLUMN outbox.inbox_position.topic IS 'Topic.';
COMMENT ON COLUMN outbox.inbox_position.partition IS 'Its partition: Kafka keeps order within one.';
COMMENT ON COLUMN outbox.inbox_position.position IS 'Header outbox.position of the last message.';
COMMENT ON CONSTRAINT inbox_position_pkey ON outbox.inbox_position IS 'One position for each stream.';
COMMENT ON CONSTRAINT inbox_position_form ON outbox.inbox_position IS 'Of fixed width, so that text sorts as numbers do.';

CREATE FUNCTION outbox.accept_position(
    consumer text, system text, slot text, topic text, partition integer, "position" text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO outbox.inbox_position AS p (consumer, system, slot, topic, partition, position)
    VALUES (accept_position.consumer, accept_position.system, accept_position.slot,
            accept_position.topic, accept_position.partition, accept_position.position)
    ON CONFLICT ON CONSTRAINT inbox_position_pkey DO UPDATE SET position = excluded.position
    WHERE p.position < excluded.position;
    RETURN FOUND;
END
$$;

COMMENT ON FUNCTION outbox.accept_position(text, text, text, text, integer, text) IS
'As accept(), by the header outbox.position: one row for each stream, however many messages. For messages of a slot in their order only: a redriven or replayed event has its old position and would be taken for handled, so accept those, and no others, by id.';

-- ---- offsets: where inbox-consumer goes on, and who may

CREATE TABLE outbox.inbox_offset (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint,
    epoch bigint NOT NULL,
    backend_pid integer NOT NULL,
    backend_start timestamptz,
    taken_at timestamptz NOT NULL,
    advanced_at timestamptz,
    CONSTRAINT inbox_offset_pkey PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

COMMENT ON TABLE outbox.inbox_offset IS 'How far inbox-consumer is; whatever Kafka says, it goes on here.';
COMMENT ON COLUMN outbox.inbox_offset.consumer IS 'Its name, inbox.consumer.';
COMMENT ON COLUMN outbox.inbox_offset.topic IS 'Topic.';
COMMENT ON COLUMN outbox.inbox_offset.partition IS 'Partition.';
COMMENT ON COLUMN outbox.inbox_offset.next_offset IS 'Offset of the first message that is not handled; NULL: none is.';
COMMENT ON COLUMN outbox.inbox_offset.epoch IS 'Counts who took the partition; only the last may go on.';
COMMENT ON COLUMN outbox.inbox_offset.backend_pid IS 'Server process of the instance that took it.';
COMMENT ON COLUMN outbox.inbox_offset.backend_start IS 'When that process began: its pid may be another''s now. NULL: a session of another role began it, which hides that.';
COMMENT ON COLUMN outbox.inbox_offset.taken_at IS 'When it was taken.';
COMMENT ON COLUMN outbox.inbox_offset.advanced_at IS 'When it last went on; NULL: never.';
COMMENT ON CONSTRAINT inbox_offset_pkey ON outbox.inbox_offset IS 'One row for each partition of a consumer.';

/*
 * In one order, so that two instances can't wait for each other.  A row is locked
 * during a batch only; who keeps it longer was stopped in the middle of one, and would
 * hold everything up until it goes on.  Its server process is ended: it is the same
 * role's, so that needs no further right.
 */
CREATE FUNCTION outbox.inbox_take(consumer text, topics text[], partitions integer[])
RETURNS TABLE (topic text, partition integer, next_offset bigint, epoch bigint)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
    member record;
BEGIN
    FOR member IN
        SELECT u.topic, u.partition FROM unnest(topics, partitions) AS u (topic, partition)
        ORDER BY u.topic, u.partition
    LOOP
        LOOP
            BEGIN
                RETURN QUERY
                INSERT INTO outbox.inbox_offset AS o
                    (consumer, topic, partition, epoch, backend_pid, backend_start, taken_at)
                SELECT inbox_take.consumer, member.topic, member.partition, 1,
                    a.pid, a.backend_start, clock_timestamp()
                FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()
                ON CONFLICT ON CONSTRAINT inbox_offset_pkey DO UPDATE
                SET epoch = o.epoch + 1, backend_pid = excluded.backend_pid,
                    backend_start = excluded.backend_start, taken_at = excluded.taken_at
                RETURNING o.topic, o.partition, o.next_offset, o.epoch;
                EXIT;
            EXCEPTION WHEN lock_not_available THEN
                PERFORM pg_terminate_backend(a.pid)
                FROM outbox.inbox_offset AS o
                JOIN pg_stat_activity AS a ON a.pid = o.backend_pid AND a.backend_start = o.backend_start
                WHERE o.consumer = inbox_take.consumer AND o.topic = member.topic
                    AND o.partition = member.partition AND a.pid <> pg_backend_pid();
            END;
        END LOOP;
    END LOOP;
END
$$;

COMMENT ON FUNCTION outbox.inbox_take(text, text[], integer[]) IS
'Takes partitions for this connection and says where to go on; whoever had them can''t any more. For inbox-consumer.';

CREATE FUNCTION outbox.inbox_advance(
    consumer text, topics text[], partitions integer[], epochs bigint[], next_offsets bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    advanced bigint;
BEGIN
    UPDATE outbox.inbox_offset AS o
    SET next_offset = u.next_offset, advanced_at = now()
    FROM unnest(topics, partitions, epochs, next_offsets) AS u (topic, partition, epoch, next_offset)
    WHERE o.consumer = inbox_advance.consumer AND o.topic = u.topic AND o.partition = u.partition
        AND o.epoch = u.epoch AND COALESCE(o.next_offset, 0) <= u.next_offset;
    GET DIAGNOSTICS advanced = ROW_COUNT;
    IF advanced <> cardinality(topics) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'IB001',
            MESSAGE = format('%s of %s partitions are another instance''s now',
                             cardinality(topics) - advanced, cardinality(topics)),
            HINT = 'Nothing of this transaction may remain; join the group again.';
    END IF;
END
$$;

COMMENT ON FUNCTION outbox.inbox_advance(text, text[], integer[], bigint[], bigint[]) IS
'First statement of a batch: stores the next offsets and locks them until its end; SQLSTATE IB001 if another instance has taken a partition. For inbox-consumer.';

CREATE FUNCTION outbox.inbox_repeated(consumer text, message_ids text[])
RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT u.id, min(u.n) AS n FROM unnest(message_ids) WITH ORDINALITY AS u (id, n)
        WHERE u.id IS NOT NULL GROUP BY u.id
    ), fresh AS (
        -- in one order, so that two instances can't wait for each other
        INSERT INTO outbox.inbox AS i (consumer, message_id)
        SELECT inbox_repeated.consumer, g.id FROM given AS g ORDER BY g.id
        ON CONFLICT DO NOTHING
        RETURNING i.message_id
    )
    SELECT u.n FROM unnest(message_ids) WITH ORDINALITY AS u (id, n) WHERE u.id IS NOT NULL
    EXCEPT
    SELECT g.n FROM given AS g JOIN fresh AS f ON f.message_id = g.id;
END
$$;

COMMENT ON FUNCTION outbox.inbox_repeated(text, text[]) IS
'accept() for many ids: returns the places, from 1, of those that were handled before, or stand earlier in the list; NULL is no id and never repeated.';

-- ---- what can't be handled, and what is only stored

CREATE TABLE outbox.inbox_dead_letter (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    message_offset bigint NOT NULL,
    message_id text,
    message_time timestamptz,
    key bytea,
    type text,
    headers jsonb NOT NULL DEFAULT '{}',
    payload bytea,
    state text NOT NULL,
    sqlstate text,
    reason text,
    attempts integer NOT NULL,
    patience integer NOT NULL DEFAULT 0,
    retry_at timestamptz NOT NULL DEFAULT now(),
    stored_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_dead_letter_pkey PRIMARY KEY (consumer, topic, partition, message_offset),
    CONSTRAINT inbox_dead_letter_state CHECK (state IN ('failed', 'queued', 'waiting'))
);

COMMENT ON TABLE outbox.inbox_dead_letter IS 'Messages whose SQL failed or is to be run apart, and later ones of their keys, which wait behind them.';
COMMENT ON COLUMN outbox.inbox_dead_letter.consumer IS 'Whose it is.';
COMMENT ON COLUMN outbox.inbox_dead_letter.topic IS 'Topic.';
COMMENT ON COLUMN outbox.inbox_dead_letter.partition IS 'Partition.';
COMMENT ON COLUMN outbox.inbox_dead_letter.message_offset IS 'Offset in it.';
COMMENT ON COLUMN outbox.inbox_dead_letter.message_id IS 'The message''s id; NULL if it has none.';
COMMENT ON COLUMN outbox.inbox_dead_letter.message_time IS 'The message''s time; NULL if it has none.';
COMMENT ON COLUMN outbox.inbox_dead_letter.key IS 'Its key; NULL: it has none, and nothing waits behind it.';
COMMENT ON COLUMN outbox.inbox_dead_letter.type IS 'Header eventType.';
COMMENT ON COLUMN outbox.inbox_dead_letter.headers IS 'All headers, by name.';
COMMENT ON COLUMN outbox.inbox_dead_letter.payload IS 'Its value; NULL: a tombstone.';
COMMENT ON COLUMN outbox.inbox_dead_letter.state IS
'failed: waits for somebody. waiting: inbox-consumer runs its SQL apart, once it is the first of its key. queued: waits behind an earlier one of its key.';
COMMENT ON COLUMN outbox.inbox_dead_letter.sqlstate IS 'SQLSTATE of the last failure; NULL: there was none.';
COMMENT ON COLUMN outbox.inbox_dead_letter.reason IS 'The server''s words for it.';
COMMENT ON COLUMN outbox.inbox_dead_letter.attempts IS 'How often its SQL has failed.';
COMMENT ON COLUMN outbox.inbox_dead_letter.patience IS 'Milliseconds that its SQL gets when it is run apart: more each time that it was stopped; 0: inbox.hold_up.';
COMMENT ON COLUMN outbox.inbox_dead_letter.retry_at IS 'Not run apart before this.';
COMMENT ON COLUMN outbox.inbox_dead_letter.stored_at IS 'When it came here.';
COMMENT ON CONSTRAINT inbox_dead_letter_pkey ON outbox.inbox_dead_letter IS 'Each message once.';
COMMENT ON CONSTRAINT inbox_dead_letter_state ON outbox.inbox_dead_letter IS 'What state can be.';

-- by hash: a key may be larger than an index entry
CREATE INDEX inbox_dead_letter_key ON outbox.inbox_dead_letter (consumer, topic, sha256(key), partition, message_offset);
CREATE INDEX inbox_dead_letter_waiting ON outbox.inbox_dead_letter (consumer, attempts, patience, retry_at) WHERE state = 'waiting';
CREATE INDEX inbox_dead_letter_failed ON outbox.inbox_dead_letter (consumer, stored_at) WHERE state = 'failed';

COMMENT ON INDEX outbox.inbox_dead_letter_key IS 'A key''s queue, in its order.';
COMMENT ON INDEX outbox.inbox_dead_letter_failed IS 'What waits for somebody, for figures.';
COMMENT ON INDEX outbox.inbox_dead_letter_waiting IS 'What is to be run apart, those first that have failed least and need least time.';

/*
 * A key's queue is worked off apart from the batches, by another connection, while a
 * batch adds to its end.  The last of it is locked, so that it can't go away before
 * what stands behind it is committed.  If it is locked already, it is being run: then
 * nobody may be there to call the next one, which has to come by itself.
 */
CREATE FUNCTION outbox.inbox_parked(consumer text, topics text[], keys bytea[])
RETURNS TABLE (place bigint, moving boolean)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tail record;
BEGIN
    -- mostly there is nothing
    IF NOT EXISTS (SELECT FROM outbox.inbox_dead_letter AS d WHERE d.consumer = inbox_parked.consumer) THEN
        RETURN;
    END IF;
    FOR tail IN
        SELECT u.n, u.topic, l.partition, l.message_offset
        FROM unnest(topics, keys) WITH ORDINALITY AS u (topic, key, n)
        CROSS JOIN LATERAL (
            SELECT d.partition, d.message_offset FROM outbox.inbox_dead_letter AS d
            WHERE d.consumer = inbox_parked.consumer AND d.topic = u.topic
                AND sha256(d.key) = sha256(u.key) AND d.key = u.key
            ORDER BY d.partition DESC, d.message_offset DESC LIMIT 1) AS l
        WHERE u.key IS NOT NULL
    LOOP
        PERFORM FROM outbox.inbox_dead_letter AS d
        WHERE d.consumer = inbox_parked.consumer AND d.topic = tail.topic
            AND d.partition = tail.partition AND d.message_offset = tail.message_offset
        FOR KEY SHARE SKIP LOCKED;
        place := tail.n;
        moving := NOT FOUND;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION outbox.inbox_parked(text, text[], bytea[]) IS
'Places, from 1, of messages whose key has dead letters, behind which they have to wait; moving: the last of these is being run. For inbox-consumer.';

-- ---- what is run apart

CREATE FUNCTION outbox.inbox_pick(consumer text)
RETURNS SETOF outbox.inbox_dead_letter
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT d.* FROM outbox.inbox_dead_letter AS d
    WHERE d.consumer = inbox_pick.consumer AND d.state = 'waiting' AND d.retry_at <= clock_timestamp()
        AND NOT EXISTS (
            SELECT FROM outbox.inbox_dead_letter AS e
            WHERE e.consumer = d.consumer AND e.topic = d.topic AND sha256(e.key) = sha256(d.key) AND e.key = d.key
                AND (e.partition, e.message_offset) < (d.partition, d.message_offset))
    ORDER BY d.attempts, d.patience, d.retry_at
    LIMIT 1
    FOR UPDATE OF d SKIP LOCKED;
END
$$;

COMMENT ON FUNCTION outbox.inbox_pick(text) IS
'Locks a message that is to be run apart: the first of its key, and of these the one that has failed least and needs least time. For inbox-consumer.';

CREATE FUNCTION outbox.inbox_next(consumer text, topic text, key bytea)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE outbox.inbox_dead_letter AS d SET state = 'waiting', retry_at = clock_timestamp()
    FROM (SELECT e.partition, e.message_offset FROM outbox.inbox_dead_letter AS e
          WHERE e.consumer = inbox_next.consumer AND e.topic = inbox_next.topic
              AND sha256(e.key) = sha256(inbox_next.key) AND e.key = inbox_next.key
          ORDER BY e.partition, e.message_offset LIMIT 1) AS first
    WHERE d.consumer = inbox_next.consumer AND d.topic = inbox_next.topic
        AND d.partition = first.partition AND d.message_offset = first.message_offset
        AND d.state = 'queued';
END
$$;

COMMENT ON FUNCTION outbox.inbox_next(text, text, bytea) IS
'Lets the first of a key''s queue be run apart, when the one before it has left. For inbox-consumer.';

CREATE FUNCTION outbox.inbox_settle(consumer text, topic text, partition integer, message_offset bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key bytea;
BEGIN
    DELETE FROM outbox.inbox_dead_letter AS d
    WHERE d.consumer = inbox_settle.consumer AND d.topic = inbox_settle.topic
        AND d.partition = inbox_settle.partition AND d.message_offset = inbox_settle.message_offset
    RETURNING d.key INTO key;
    PERFORM outbox.inbox_next(consumer, topic, key);
END
$$;

COMMENT ON FUNCTION outbox.inbox_settle(text, text, integer, bigint) IS
'Removes a message that inbox_pick() has locked, in the transaction that has applied it, and calls the next of its key. For inbox-consumer.';

-- ---- the way back: people mark, inbox-consumer runs

CREATE FUNCTION outbox.inbox_chosen(consumer text, message_id text, topic text, key bytea)
RETURNS SETOF outbox.inbox_dead_letter
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT d.* FROM outbox.inbox_dead_letter AS d
    WHERE d.consumer = inbox_chosen.consumer
        AND (d.message_id = inbox_chosen.message_id OR inbox_chosen.message_id IS NULL)
        AND (d.topic = inbox_chosen.topic OR inbox_chosen.topic IS NULL)
        AND ((sha256(d.key) = sha256(inbox_chosen.key) AND d.key = inbox_chosen.key) OR inbox_chosen.key IS NULL);
END
$$;

COMMENT ON FUNCTION outbox.inbox_chosen(text, text, text, bytea) IS
'The dead letters that redrive_inbox() and discard_inbox() are asked for.';

CREATE FUNCTION outbox.redrive_inbox(
    consumer text, message_id text DEFAULT NULL, topic text DEFAULT NULL, key bytea DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marked bigint;
BEGIN
    PERFORM outbox.check_chosen(message_id, topic, key::text);
    -- the failed one of a key is its first: all others wait behind it
    WITH chosen AS MATERIALIZED (
        SELECT c.topic, c.partition, c.message_offset, c.key
        FROM outbox.inbox_chosen(consumer, message_id, topic, key) AS c
    )
    UPDATE outbox.inbox_dead_letter AS d
    SET state = 'waiting', attempts = 0, patience = 0, retry_at = clock_timestamp()
    WHERE d.consumer = redrive_inbox.consumer AND d.state = 'failed'
        AND ((d.topic, d.partition, d.message_offset) IN (SELECT c.topic, c.partition, c.message_offset FROM chosen AS c)
             OR (d.topic, d.key) IN (SELECT c.topic, c.key FROM chosen AS c WHERE c.key IS NOT NULL));
    GET DIAGNOSTICS marked = ROW_COUNT;
    NOTIFY outbox_inbox;
    RETURN marked;
END
$$;

COMMENT ON FUNCTION outbox.redrive_inbox(text, text, text, bytea) IS
'Lets inbox-consumer run the SQL of failed messages again: by message id, topic, key (those that are given; one that waits behind a failed one means that one). What waits behind them follows, in order, and what comes meanwhile behind that. Returns how many failed ones were marked.';

CREATE FUNCTION outbox.discard_inbox(
    consumer text, message_id text DEFAULT NULL, topic text DEFAULT NULL, key bytea DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    dead record;
    discarded bigint := 0;
BEGIN
    PERFORM outbox.check_chosen(message_id, topic, key::text);
    FOR dead IN
        SELECT c.topic, c.partition, c.message_offset
        FROM outbox.inbox_chosen(consumer, message_id, topic, key) AS c
        WHERE c.state = 'failed'
        ORDER BY c.topic, c.partition, c.message_offset
    LOOP
        -- it may have been redriven, or discarded, since it was read
        PERFORM FROM outbox.inbox_dead_letter AS d
        WHERE d.consumer = discard_inbox.consumer AND d.topic = dead.topic AND d.partition = dead.partition
            AND d.message_offset = dead.message_offset AND d.state = 'failed'
        FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        PERFORM outbox.inbox_settle(consumer, dead.topic, dead.partition, dead.message_offset);
        discarded := discarded + 1;
    END LOOP;
    NOTIFY outbox_inbox;
    RETURN discarded;
END
$$;

COMMENT ON FUNCTION outbox.discard_inbox(text, text, text, bytea) IS
'Removes failed messages for good: by message id, topic, key (those that are given). What waits behind them is run. Returns how many there were.';

CREATE TABLE outbox.inbox_message (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    message_offset bigint NOT NULL,
    message_id text,
    message_time timestamptz,
    key bytea,
    type text,
    headers jsonb NOT NULL,
    payload bytea,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_message_pkey PRIMARY KEY (consumer, topic, partition, message_offset)
);

COMMENT ON TABLE outbox.inbox_message IS 'Messages as rows: where inbox-consumer puts them if it has no SQL to call.';
COMMENT ON COLUMN outbox.inbox_message.consumer IS 'Who consumed it.';
COMMENT ON COLUMN outbox.inbox_message.topic IS 'Topic.';
COMMENT ON COLUMN outbox.inbox_message.partition IS 'Partition.';
COMMENT ON COLUMN outbox.inbox_message.message_offset IS 'Offset in it.';
COMMENT ON COLUMN outbox.inbox_message.message_id IS 'The message''s id; NULL if it has none.';
COMMENT ON COLUMN outbox.inbox_message.message_time IS 'The message''s time; NULL if it has none.';
COMMENT ON COLUMN outbox.inbox_message.key IS 'Its key, octet by octet: convert_from(key, ''UTF8'') reads it.';
COMMENT ON COLUMN outbox.inbox_message.type IS 'Header eventType.';
COMMENT ON COLUMN outbox.inbox_message.headers IS 'All headers, by name.';
COMMENT ON COLUMN outbox.inbox_message.payload IS 'Its value, octet by octet: convert_from(payload, ''UTF8'')::jsonb reads JSON; NULL: a tombstone.';
COMMENT ON COLUMN outbox.inbox_message.stored_at IS 'When it was stored.';
COMMENT ON CONSTRAINT inbox_message_pkey ON outbox.inbox_message IS 'Each message once.';

-- ---- a restored database goes on where the dump was

SELECT pg_extension_config_dump('outbox.inbox', '');
SELECT pg_extension_config_dump('outbox.inbox_position', '');
SELECT pg_extension_config_dump('outbox.inbox_offset', '');
SELECT pg_extension_config_dump('outbox.inbox_dead_letter', '');
SELECT pg_extension_config_dump('outbox.inbox_message', '');

CREATE FUNCTION outbox.grant_inbox(grantee regrole)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA outbox TO %s', grantee);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox.inbox, outbox.inbox_position, '
                   'outbox.inbox_offset, outbox.inbox_dead_letter, outbox.inbox_message TO %s', grantee);
    EXECUTE format('GRANT EXECUTE ON FUNCTION outbox.accept(text, text), outbox.accept(text, uuid), '
                   'outbox.accept_position(text, text, text, text, integer, text), '
                   'outbox.expire_inbox(interval, text), '
                   'outbox.inbox_take(text, text[], integer[]), '
                   'outbox.inbox_advance(text, text[], integer[], bigint[], bigint[]), '
                   'outbox.inbox_repeated(text, text[]), outbox.inbox_parked(text, text[], bytea[]), '
                   'outbox.inbox_pick(text), outbox.inbox_next(text, text, bytea), '
                   'outbox.inbox_settle(text, text, integer, bigint), '
                   'outbox.inbox_chosen(text, text, text, bytea), outbox.check_chosen(text[]), '
                   'outbox.redrive_inbox(text, text, text, bytea), '
                   'outbox.discard_inbox(text, text, text, bytea) TO %s', grantee);
END
$$;

COMMENT ON FUNCTION outbox.grant_inbox(regrole) IS
'Lets a role consume: inbox-consumer''s, or an application''s that calls accept(). It needs rights on its own tables besides.';
