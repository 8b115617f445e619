/*
 * deadletter_redrive.c - the way back: what is marked is sent or removed.
 *
 *   rest -> look -> open -> settle -> fetch -> send -> settle -> fetch ... -> rest
 *                                        fail <-|-> settle
 *
 * The rows of a batch are the heads of marked queues with what follows them, in
 * order; all of them are marked as redriving, and leave the table once they are
 * durable.  A queue that is empty then is free, unless something was put there
 * after the table was asked.  If one of several is refused, they go one by one,
 * and what is refused alone is parked again.
 *
 * They go through a sink of their own, under the slot's name with a suffix.
 * Exactly-once: each batch has a number, which is that sink's progress; so the
 * Kafka transaction itself says whether its rows have been delivered.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <stdlib.h>

#include "../common/backoff.h"
#include "../common/log.h"
#include "deadletter_parts.h"

/* Marks are notified; this is for those that were missed.  To look is to lock a row,
 * so nobody looks where nothing can be marked. */
#define LOOK_INTERVAL_MS	60000

/* What is marked but not confirmed is looked for again after that long. */
#define STARVED_INTERVAL_MS	100

/* A sink that nobody needs is closed. */
#define SINK_IDLE_MS		30000

/* ---------- what the sink says ---------- */

static void
on_acked(void *arg, uint32_t sequence, size_t octets)
{
	struct redrive *r = &((struct deadletter *) arg)->redrive;

	(void) octets;
	if (sequence < (uint32_t) r->nrows && !r->row[sequence].delivered)
	{
		r->row[sequence].delivered = true;
		r->pending--;
	}
}

static void
on_released(void *arg, size_t octets)
{
	(void) arg;
	(void) octets;
}

static void
on_durable(void *arg, uint32_t sequence)
{
	for (uint32_t i = 0; i <= sequence; i++)
		on_acked(arg, i, 0);
}

/* ---------- life ---------- */

void
redrive_init(struct deadletter *d)
{
	d->redrive.settings = *d->settings;
	d->redrive.due = 0;
}

static void
stop_sink(struct redrive *r)
{
	if (r->sink && (r->sink_started || r->sink_stale))
		r->sink_stale = !r->sink->ops->stop(r->sink);
	r->sink_started = false;
}

void
redrive_pause(struct deadletter *d)
{
	struct redrive *r = &d->redrive;

	stop_sink(r);
	redrive_drop_rows(r);
	r->state = REDRIVE_REST;
	r->rechecking = 0;
	r->starved = false;
	r->due = 0;
}

void
redrive_free(struct deadletter *d)
{
	struct redrive *r = &d->redrive;

	if (r->sink)
		r->sink->ops->free(r->sink);
	redrive_drop_rows(r);
	text_free(&r->headers);
	free(r->recheck);
	free((void *) (uintptr_t) (r->settings.slot != d->settings->slot ? r->settings.slot : NULL));
}

void
redrive_recheck(struct deadletter *d, uint64_t queue)
{
	struct redrive *r = &d->redrive;

	if (r->nrecheck == r->capacity)
	{
		size_t		capacity = r->capacity > 0 ? r->capacity * 2 : 64;
		uint64_t   *bigger = realloc(r->recheck, capacity * sizeof(*bigger));

		if (!bigger)
			return;				/* the next start finds it */
		r->recheck = bigger;
		r->capacity = capacity;
	}
	r->recheck[r->nrecheck++] = queue;
}

/* ---------- the sink ---------- */

/* The same settings under a name of its own: nobody's slot has a dot in it. */
static struct sink *
new_sink(struct deadletter *d, struct err *err)
{
	static const struct sink_callbacks callbacks = {on_acked, on_released, on_durable};
	struct redrive *r = &d->redrive;
	char	   *slot;

	if (r->settings.slot == d->settings->slot)
	{
		if (asprintf(&slot, "%s.redrive", d->settings->slot) < 0)
		{
			err_set(err, ERR_RETRY, "out-of-memory", "out of memory");
			return NULL;
		}
		r->settings.slot = slot;
	}
	return d->settings->delivery == DELIVERY_EXACTLY_ONCE ?
		sink_kafka_txn_new(&r->settings, &callbacks, d, err) :
		sink_kafka_new(&r->settings, &callbacks, d, err);
}

/* Its progress is a number of ours, not an LSN: no timeline, no slot's position. */
static enum err_class
start_sink(struct deadletter *d, struct err *err)
{
	struct redrive *r = &d->redrive;
	struct replication_identity identity = d->identity;

	if (!r->sink)
		r->sink = new_sink(d, err);
	if (!r->sink)
		return err->class;
	identity.timeline = (struct timeline) {.current = 1};
	identity.confirmed = 0;
	identity.wal_flush = UINT64_MAX;
	if (r->sink->ops->start(r->sink, &identity, err) == ERR_NONE)
		r->sink_started = true;
	else
		r->sink_stale = !r->sink->ops->stop(r->sink);
	return err->class;
}

/* The sink has to begin again; what it has delivered leaves the table. */
static void
begin_again(struct deadletter *d)
{
	struct redrive *r = &d->redrive;

	stop_sink(r);
	if (r->state == REDRIVE_SEND || r->state == REDRIVE_OPEN)
		redrive_settle(d, REDRIVE_LOOK);
}

/* The same after a while: nothing is known against a row. */
static void
try_later(struct deadletter *d, const struct err *err)
{
	struct redrive *r = &d->redrive;

	log_err(LOG_LEVEL_WARNING, err);
	r->sink_at = d->now + backoff_ms(r->attempts++, (uint32_t) d->now * 2654435761u);
	begin_again(d);
}

/* The first row can't be delivered. */
static void
first_refused(struct deadletter *d, const struct err *err)
{
	struct err	trouble = {0};

	if (redrive_fail(d, 0, err))
		return;
	err_set(&trouble, ERR_RETRY, "out-of-memory", "out of memory for a dead letter that is refused again");
	try_later(d, &trouble);
}

static void
sink_failed(struct deadletter *d, const struct err *err)
{
	struct redrive *r = &d->redrive;

	if (err->class != ERR_DATA || r->nrows == 0)
	{
		try_later(d, err);
		return;
	}
	r->sink_at = d->now;
	if (r->nrows == 1)
	{
		stop_sink(r);
		first_refused(d, err);
		return;
	}
	r->singles = r->nrows;
	begin_again(d);
}

/* ---------- sending ---------- */

struct slice
redrive_slice(const PGresult *res, int row, int column)
{
	if (PQgetisnull(res, row, column))
		return (struct slice) {NULL, 0};
	return (struct slice) {PQgetvalue(res, row, column), (size_t) PQgetlength(res, row, column)};
}

void
redrive_members(const PGresult *res, int row, struct slice *member)
{
	static const enum outbox_wire_member columns[FETCH_PAYLOAD - FETCH_MEMBERS] = {
		OUTBOX_WIRE_TABLE, OUTBOX_WIRE_ID, OUTBOX_WIRE_AGGREGATETYPE, OUTBOX_WIRE_AGGREGATEID, OUTBOX_WIRE_TYPE,
		OUTBOX_WIRE_TOPIC, OUTBOX_WIRE_KEY, OUTBOX_WIRE_PARTITION_KEY, OUTBOX_WIRE_HEADERS, OUTBOX_WIRE_TRACEPARENT
	};

	for (int m = 0; m < FETCH_PAYLOAD - FETCH_MEMBERS; m++)
		member[columns[m]] = redrive_slice(res, row, FETCH_MEMBERS + m);
}

/* Reading headers changes them, and a row that is refused again is copied as it was. */
static enum err_class
lend_headers(struct redrive *r, struct slice *headers, struct err *err)
{
	if (!headers->data)
		return ERR_NONE;
	text_clear(&r->headers);
	text_add(&r->headers, headers->data, headers->len);
	if (r->headers.failed)
		return err_set(err, ERR_RETRY, "out-of-memory", "out of memory for a dead letter's headers");
	headers->data = r->headers.data;
	return ERR_NONE;
}

/* Row i as a message, under its old id and position.  The time is now: a topic's
 * retention would remove an old one before anybody has read it. */
static enum err_class
make_message(struct deadletter *d, int i, struct err *err)
{
	struct redrive *r = &d->redrive;
	struct message *message = &r->message;
	int64_t		now_ms = clock_wall();
	struct wire_transaction transaction = {.time_us = now_ms * 1000};
	struct wire_event event = {0};
	struct timeline timeline = {0};
	struct parked_position position = {0};

	if (!redrive_true(r->rows, i, FETCH_COMPLETE))
		return err_set(err, ERR_DATA, "not-complete",
					   "the output plugin could not give all of it: correct what is wrong, emit the event again and discard this one");
	(void) deadletter_position(PQgetvalue(r->rows, i, FETCH_POSITION),
							   (size_t) PQgetlength(r->rows, i, FETCH_POSITION), &position);
	transaction.lsn = position.lsn;
	timeline.current = position.timeline;
	event.n = position.n;
	redrive_members(r->rows, i, event.member);
	event.payload = redrive_slice(r->rows, i, FETCH_PAYLOAD);
	if (lend_headers(r, &event.member[OUTBOX_WIRE_HEADERS], err) ||
		route_event(d->router, &timeline, &transaction, &event, now_ms, message, err))
		return err->class;
	message->n = 0;				/* it is alone in its Kafka transaction's count */
	message->headers[message->nheaders++] = (struct header) {slice_of(HEADER_REDRIVEN), slice_of("true")};
	return ERR_NONE;
}

/* What is in the batch from row next on can't go now. */
static void
cut_batch(struct deadletter *d, const struct err *err)
{
	struct redrive *r = &d->redrive;

	if (err->class != ERR_DATA || (r->next > 0 && r->sink->ops->commit))
		sink_failed(d, err);	/* all rows of a Kafka transaction, or none */
	else if (r->next == 0)
		first_refused(d, err);
	else
		r->nrows = r->next;
}

static void
send_rows(struct deadletter *d)
{
	struct redrive *r = &d->redrive;

	while (r->next < r->nrows)
	{
		struct err	err = {0};

		if (!r->held && make_message(d, r->next, &err))
		{
			cut_batch(d, &err);
			return;
		}
		r->held = true;
		switch (r->sink->ops->send(r->sink, &r->message, (uint32_t) r->next, &err))
		{
			case SINK_FULL:
				return;
			case SINK_OK:
				r->held = false;
				r->next++;
				r->pending++;
				break;
			case SINK_FAILED:
				r->held = false;
				cut_batch(d, &err);
				return;
		}
	}
}

static void
step_send(struct deadletter *d)
{
	struct redrive *r = &d->redrive;
	bool		whole = r->next == r->nrows;
	struct err	err = {0};

	send_rows(d);
	if (r->state != REDRIVE_SEND || r->next < r->nrows)
		return;
	if (!whole && r->sink->ops->commit &&
		r->sink->ops->commit(r->sink, (uint32_t) r->nrows - 1, (lsn_t) r->batch, true, &err))
	{
		sink_failed(d, &err);
		return;
	}
	if (r->pending > 0)
		return;
	if (r->singles > 0)
		r->singles--;
	r->attempts = 0;
	redrive_settle(d, REDRIVE_LOOK);
}

/* ---------- steps ---------- */

static void
step_open(struct deadletter *d)
{
	struct redrive *r = &d->redrive;
	struct err	err = {0};

	if (r->sink_stale)
	{
		stop_sink(r);
		return;
	}
	if (!r->sink_started && d->now >= r->sink_at && start_sink(d, &err))
	{
		log_err(LOG_LEVEL_WARNING, &err);
		r->sink_at = d->now + backoff_ms(r->attempts++, (uint32_t) d->now * 2654435761u);
	}
	if (r->sink_started && r->sink && r->sink->ready)
		redrive_settle(d, REDRIVE_SETTLE);
}

static bool
may_have_rows(const struct deadletter *d)
{
	return d->parked.count > 0 || d->counts.parked > 0;
}

static void
step_rest(struct deadletter *d)
{
	struct redrive *r = &d->redrive;

	if (d->quiet)
		return;
	if (r->poked || r->nrecheck > 0 || (d->now >= r->due && may_have_rows(d)))
	{
		r->poked = false;
		redrive_settle(d, REDRIVE_LOOK);
	}
	else if (r->sink_started && d->now - r->idle_since >= SINK_IDLE_MS)
		stop_sink(r);
}

void
redrive_step(struct deadletter *d)
{
	struct redrive *r = &d->redrive;
	struct err	err = {0};

	if (r->sink_started && r->sink->ops->serve(r->sink, d->now, &err))
		sink_failed(d, &err);
	if (r->state == REDRIVE_REST)
		step_rest(d);
	if (r->state == REDRIVE_OPEN)
		step_open(d);
	if (r->state == REDRIVE_SEND)
		step_send(d);
}

static void
rest(struct deadletter *d, bool starved)
{
	struct redrive *r = &d->redrive;

	r->state = REDRIVE_REST;
	r->starved = starved;
	r->idle_since = d->now;
	r->due = d->now + (starved ? STARVED_INTERVAL_MS : LOOK_INTERVAL_MS);
}

static void
fetched(struct deadletter *d, PGresult *res)
{
	struct redrive *r = &d->redrive;

	if (!r->sink_started || !r->sink->ready)
	{
		PQclear(res);
		r->state = REDRIVE_OPEN;
		return;
	}
	r->rows = res;
	r->nrows = PQntuples(res) < REDRIVE_ROWS ? PQntuples(res) : REDRIVE_ROWS;
	for (int i = 0; i < r->nrows; i++)
		r->row[i] = (struct redrive_row) {.queue = deadletter_number(res, i, FETCH_QUEUE)};
	r->starved = false;
	if (r->nrows == 0)
	{
		redrive_drop_rows(r);
		rest(d, r->more);
	}
	else
		r->state = REDRIVE_SEND;
}

void
redrive_late_result(struct deadletter *d, enum pipeline_kind kind, const PGresult *res)
{
	for (int i = 0; kind == PIPELINE_SETTLE && i < PQntuples(res); i++)
		if (!PQgetisnull(res, i, 0))
			redrive_recheck(d, deadletter_number(res, i, 0));
}

void
redrive_result(struct deadletter *d, enum pipeline_kind kind, PGresult *res)
{
	struct redrive *r = &d->redrive;

	if (kind == PIPELINE_FETCH)
	{
		fetched(d, res);
		return;
	}
	if (kind == PIPELINE_FAIL)
		redrive_settle(d, REDRIVE_LOOK);
	else
	{
		redrive_settled(d, res);
		if (!r->more || d->quiet)
			rest(d, false);
		else if (!r->sink_started || !r->sink->ready)
			r->state = REDRIVE_OPEN;
		else
			redrive_fetch(d);
	}
	PQclear(res);
}

int64_t
redrive_deadline(const struct deadletter *d)
{
	const struct redrive *r = &d->redrive;
	int64_t		due = CLOCK_NEVER;

	if (r->state == REDRIVE_REST && !d->quiet)
		due = r->poked || r->nrecheck > 0 ? 0 : may_have_rows(d) ? r->due : CLOCK_NEVER;
	else if (r->state == REDRIVE_OPEN && !r->sink_started)
		due = r->sink_stale ? d->now + 10 : r->sink_at;
	if (r->sink_started && r->sink->ops->deadline && r->sink->ops->deadline(r->sink) < due)
		due = r->sink->ops->deadline(r->sink);
	return due;
}
