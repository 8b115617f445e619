/*
 * deadletter_sql.c - the statements for outbox.dead_letter.
 *
 * Each that writes takes hold of the writer's row first: whoever has taken the
 * slot since has raised the epoch, and then nothing is written.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "deadletter_parts.h"

/* $1 slot, $2 epoch */
#define OURS \
	"ours AS MATERIALIZED (SELECT 1 FROM outbox.dead_letter_writer AS w" \
	" WHERE w.slot = $1 AND w.epoch = $2 FOR SHARE)"

/*
 * The dead-letter topic's copy, in the same transaction as the row: content up to
 * the payload was made by deadletter_copy().  $1 slot
 */
#define COPY(content, payload) \
	"pg_logical_emit_message(true, '" OUTBOX_DEAD_LETTER_PREFIX "' || $1, " content " ||" \
	" coalesce(convert_to(octet_length(" payload ") || ':', 'UTF8') || " payload " || ',', '-,'))"

/* Rows of a batch are held in memory. */
#define BATCH_OCTETS	"4194304"

/* $1 slot */
#define CLAIM \
	"INSERT INTO outbox.dead_letter_writer AS w (slot, epoch) VALUES ($1, 1)" \
	" ON CONFLICT (slot) DO UPDATE SET epoch = w.epoch + 1 RETURNING epoch"

const char	deadletter_claim_sql[] = CLAIM;

/* $1 slot, $2 confirmed: each queue with its head, then what the server may send
 * again. */
const char	deadletter_load_sql[] =
"(SELECT DISTINCT ON (d.queue) d.queue, d.position, d.state = 'queued'"
" FROM outbox.dead_letter AS d WHERE d.slot = $1 ORDER BY d.queue, d.position)"
" UNION ALL"
" SELECT NULL, d.position, false FROM outbox.dead_letter AS d WHERE d.slot = $1 AND d.lsn > $2::pg_lsn";

const char	deadletter_prepare[] =
"SET search_path = pg_catalog, pg_temp;"
"SET lock_timeout = '10s';"
"SET idle_in_transaction_session_timeout = '10s';"
"SET synchronous_commit = on;"
"LISTEN outbox_dead_letter;"

"PREPARE claim (text) AS " CLAIM ";"

"PREPARE put (text, bigint, text, pg_lsn, bigint, text, text, timestamptz, boolean,"
" text, text, text, text, text, text, text, text, text, text, bytea, bytea) AS"
" WITH " OURS ", put AS ("
" INSERT INTO outbox.dead_letter (slot, position, lsn, queue, code, reason, committed_at, complete,"
" source, event_id, aggregatetype, aggregateid, type, topic, key, partition_key, headers, traceparent, payload,"
" state, attempts)"
" SELECT $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,"
" CASE WHEN $6 = '" DEADLETTER_BEHIND "' THEN 'queued' ELSE 'parked' END,"
" CASE WHEN $6 = '" DEADLETTER_BEHIND "' THEN 0 ELSE 1 END"
" FROM ours ON CONFLICT ON CONSTRAINT dead_letter_pkey DO NOTHING RETURNING 1)"
" SELECT (SELECT count(*) FROM ours), (SELECT count(" COPY("$21", "$20") ") FROM put WHERE $21 IS NOT NULL);"

/*
 * $3 confirmed, $4 delivered, $5 Kafka transaction that was committed last (or
 * NULL: not known), $6 queues to look at.  Removes what is delivered or discarded, and marks the head of what remains if
 * it only waited.  A row for each queue: its head, if it has one; and whether
 * anything is marked.
 */
"PREPARE settle (text, bigint, pg_lsn, text[], bigint, bigint[]) AS"
" WITH " OURS ", gone AS ("
" DELETE FROM outbox.dead_letter AS d USING ours WHERE d.slot = $1"
" AND (d.position = ANY ($4) OR (d.state = 'discarding' AND d.lsn <= $3)"
" OR (d.state = 'redriving' AND d.batch = $5))"
" RETURNING d.position, d.queue, d.state),"
" head AS (SELECT q.queue, h.position, h.state"
" FROM (SELECT g.queue FROM gone AS g UNION SELECT u.queue FROM unnest($6) AS u(queue)) AS q"
" LEFT JOIN LATERAL (SELECT d.position, d.state FROM outbox.dead_letter AS d"
" WHERE d.slot = $1 AND d.queue = q.queue AND NOT EXISTS"
" (SELECT FROM gone AS g WHERE g.position = d.position)"
" ORDER BY d.position LIMIT 1) AS h ON true),"
" follow AS (UPDATE outbox.dead_letter AS d SET state = 'redriving' FROM head AS h"
" WHERE d.slot = $1 AND d.position = h.position AND h.state = 'queued'),"
/* what was to be in another Kafka transaction has not been sent */
" again AS (UPDATE outbox.dead_letter AS d SET batch = NULL FROM ours WHERE d.slot = $1"
" AND d.state = 'redriving' AND d.batch <> $5 AND d.position <> ALL ($4))"
" SELECT h.queue, h.position IS NULL,"
" EXISTS (SELECT FROM head AS e WHERE e.state = 'queued') OR EXISTS"
" (SELECT FROM outbox.dead_letter AS d WHERE d.slot = $1 AND d.state = 'redriving'"
" AND NOT EXISTS (SELECT FROM gone AS g WHERE g.position = d.position)),"
" (SELECT count(*) FROM gone AS g WHERE g.state = 'discarding')"
" FROM (VALUES (1)) AS one LEFT JOIN head AS h ON true;"

/*
 * $3 confirmed, $4 number of the Kafka transaction, $5 rows.  The heads of
 * queues that are marked, each with what follows it up to what is parked.
 */
"PREPARE take (text, bigint, pg_lsn, bigint, integer) AS"
" WITH " OURS ", marked AS MATERIALIZED ("
" SELECT DISTINCT d.queue FROM outbox.dead_letter AS d"
" WHERE d.slot = $1 AND d.state = 'redriving' AND d.lsn <= $3 LIMIT $5),"
" prefix AS (SELECT p.position,"
" sum(p.octets) OVER (ORDER BY p.queue, p.position) AS octets,"
" row_number() OVER (ORDER BY p.queue, p.position) AS i"
" FROM marked AS m CROSS JOIN LATERAL (SELECT f.position, f.queue, f.octets,"
" bool_and(f.state IN ('redriving', 'queued') AND f.lsn <= $3) OVER (ORDER BY f.position) AS free"
" FROM (SELECT d.position, d.queue, d.state, d.lsn, coalesce(octet_length(d.payload), 0) + 1000 AS octets"
" FROM outbox.dead_letter AS d WHERE d.slot = $1 AND d.queue = m.queue"
" ORDER BY d.position LIMIT $5) AS f) AS p WHERE p.free),"
" sent AS (UPDATE outbox.dead_letter AS d SET state = 'redriving', batch = $4 FROM prefix AS p, ours"
" WHERE d.slot = $1 AND d.position = p.position AND p.i <= $5 AND (p.i = 1 OR p.octets <= " BATCH_OCTETS ")"
" RETURNING d.*)"
" SELECT s.position, s.queue, s.complete, s.code, s.source, s.event_id, s.aggregatetype, s.aggregateid, s.type,"
" s.topic, s.key, s.partition_key, s.headers, s.traceparent, s.payload"
" FROM sent AS s ORDER BY s.queue, s.position;"

/* Milliseconds since the oldest one was put there; by the index of that order. */
"PREPARE oldest (text) AS"
" SELECT (extract(epoch FROM clock_timestamp() - d.parked_at) * 1000)::bigint FROM outbox.dead_letter AS d"
" WHERE d.slot = $1 AND d.state <> 'queued' ORDER BY d.parked_at LIMIT 1;"

/*
 * $3 queue, $4 position, $5 code, $6 reason, $7 its copy: it is parked again, and what
 * was to follow waits.  What had only waited has not been copied yet.
 */
"PREPARE fail (text, bigint, bigint, text, text, text, bytea) AS"
" WITH " OURS ", failed AS (UPDATE outbox.dead_letter AS d SET batch = NULL,"
" state = CASE WHEN d.position = $4 OR d.code <> '" DEADLETTER_BEHIND "' THEN 'parked' ELSE 'queued' END,"
" code = CASE WHEN d.position = $4 THEN $5 ELSE d.code END,"
" reason = CASE WHEN d.position = $4 THEN $6 ELSE d.reason END,"
" attempts = d.attempts + CASE WHEN d.position = $4 THEN 1 ELSE 0 END,"
" failed_at = CASE WHEN d.position = $4 THEN clock_timestamp() ELSE d.failed_at END"
" FROM ours WHERE d.slot = $1 AND d.queue = $3 AND d.state = 'redriving'"
" RETURNING d.position, d.attempts, d.payload)"
" SELECT count(" COPY("$7", "f.payload") ") FROM failed AS f"
" WHERE f.position = $4 AND f.attempts = 1 AND $7 IS NOT NULL;";
