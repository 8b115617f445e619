/*
 * deadletter.c - parking: which events are stored, and how.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

#include "deadletter_parts.h"

/* 2000-01-01, where the server's timestamps begin, in microseconds. */
#define POSTGRES_EPOCH_US	INT64_C(946684800000000)

/* ---------- positions ---------- */

static bool
read_hex(const char *text, size_t len, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];
		int			digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return false;
		*value = *value << 4 | (uint64_t) digit;
	}
	return true;
}

bool
deadletter_position(const char *text, size_t len, struct parked_position *position)
{
	uint64_t	timeline,
				lsn,
				n;

	if (len != POSITION_LEN || text[8] != '/' || text[25] != '/' ||
		!read_hex(text, 8, &timeline) || !read_hex(text + 9, 16, &lsn) || !read_hex(text + 26, 8, &n))
		return false;
	*position = (struct parked_position) {(uint32_t) timeline, (uint32_t) n, lsn};
	return true;
}

static struct parked_position
position_of(const struct message *message)
{
	struct parked_position position = {0};

	(void) deadletter_position(message->position, POSITION_LEN, &position);
	return position;
}

/* ---------- life ---------- */

struct deadletter *
deadletter_new(const struct settings *settings, const struct router *router,
			   void (*durable) (void *arg, uint32_t sequence, size_t octets), void *arg, struct err *err)
{
	struct deadletter *d = calloc(1, sizeof(*d));

	if (d)
		d->ring = calloc(PIPELINE_MAX, sizeof(*d->ring));
	if (!d || !d->ring)
	{
		free(d);
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		return NULL;
	}
	d->settings = settings;
	d->router = router;
	d->durable = durable;
	d->arg = arg;
	parked_init(&d->parked, (size_t) settings->max_parked_keys);
	parked_init(&d->unconfirmed, (size_t) settings->max_parked_keys);
	redrive_init(d);
	return d;
}

void
deadletter_free(struct deadletter *d)
{
	if (!d)
		return;
	redrive_free(d);
	deadletter_close(d);
	parked_clear(&d->parked);
	parked_clear(&d->unconfirmed);
	text_free(&d->copy.content);
	text_free(&d->copy.headers);
	free(d->ring);
	free(d);
}

void
deadletter_start(struct deadletter *d, const struct replication_identity *identity)
{
	d->identity = *identity;
	d->confirmed = identity->confirmed;
	d->held = true;
	d->ready = false;
	if (d->state == DEADLETTER_OPEN)
		deadletter_claim(d);
	else if (d->state > DEADLETTER_CONNECTING)
		deadletter_close(d);	/* it was claimed for an earlier turn at the slot */
}

void
deadletter_pause(struct deadletter *d, bool forget)
{
	d->held = d->ready = false;
	for (uint32_t i = d->first; i != d->next; i++)
		if (forget || deadletter_entry(d, i)->kind != PIPELINE_ROW)
			deadletter_entry(d, i)->stale = true;
	redrive_pause(d);
}

void
deadletter_quiet(struct deadletter *d)
{
	d->quiet = true;
}

bool
deadletter_ready(const struct deadletter *d)
{
	return d->ready;
}

bool
deadletter_pending(const struct deadletter *d)
{
	return d->rows > 0;
}

struct deadletter_counts
deadletter_counts(const struct deadletter *d)
{
	struct deadletter_counts counts = d->counts;

	counts.keys = d->parked.count;
	counts.oldest_ms = d->age.any ? d->now - d->age.since : 0;
	return counts;
}

/* ---------- rows ---------- */

static bool
pipeline_has_room(const struct deadletter *d)
{
	/* some entries are kept for what is no row */
	return d->next - d->first < PIPELINE_MAX - 64;
}

/* Whether other events wait for this one. */
static bool
has_order(const struct deadletter *d, const struct message *message)
{
	return d->settings->dead_letter_order == DEAD_LETTER_PER_KEY && message->key.data;
}

bool
deadletter_holds(const struct deadletter *d, const struct message *message)
{
	struct parked_position position;

	if (d->parked.count == 0 && d->unconfirmed.count == 0)
		return false;
	position = position_of(message);
	return parked_holds(&d->unconfirmed, parked_queue_of_event(&position), &position) ||
		(has_order(d, message) &&
		 parked_holds(&d->parked, parked_queue_of_key(message->topic, message->topic_len, message->key),
					  &position));
}

/* Parameters in binary form: nothing is quoted, and an octet is an octet. */
struct parameters
{
	int			n;
	const char *values[21];
	int			lengths[21];
	int			formats[21];
	uint64_t	numbers[21];	/* in network order */
};

static void
add_octets(struct parameters *p, struct slice octets)
{
	p->values[p->n] = octets.data;
	p->lengths[p->n] = (int) octets.len;
	p->formats[p->n++] = 1;
}

static void
add_number(struct parameters *p, uint64_t number)
{
	p->numbers[p->n] = htobe64(number);
	add_octets(p, (struct slice) {(const char *) &p->numbers[p->n], sizeof(uint64_t)});
}

/* The topic that it was for, as far as it is known. */
static struct slice
topic_of(const struct deadletter_event *e)
{
	return e->message->topic_len > 0 ?
		(struct slice) {e->message->topic, e->message->topic_len} : e->event->member[OUTBOX_WIRE_TOPIC];
}

/* The copy for the dead-letter topic, if there is to be one.  False: out of memory. */
static bool
copy_of(struct deadletter *d, const struct deadletter_event *e, struct slice *content)
{
	struct deadletter_copied copied = {
		.member = e->event->member, .topic = topic_of(e), .key = e->message->key, .headers = e->headers,
		.position = {e->message->position, POSITION_LEN}, .code = e->code, .reason = e->reason,
		.complete = !e->event->member[OUTBOX_WIRE_ERROR].data
	};

	return deadletter_copy(d, &copied, content);
}

static void
fill(const struct deadletter *d, const struct deadletter_event *e, uint64_t queue, struct slice copy,
	 struct parameters *p)
{
	static const enum outbox_wire_member members[] = {
		OUTBOX_WIRE_TABLE, OUTBOX_WIRE_ID, OUTBOX_WIRE_AGGREGATETYPE, OUTBOX_WIRE_AGGREGATEID, OUTBOX_WIRE_TYPE
	};
	const struct slice *member = e->event->member;
	static const char yes = 1,
				no = 0;

	p->n = 0;
	add_octets(p, slice_of(d->settings->slot));
	add_number(p, (uint64_t) d->epoch);
	add_octets(p, (struct slice) {e->message->position, POSITION_LEN});
	add_number(p, e->message->lsn);
	add_number(p, queue);
	add_octets(p, slice_of(e->code));
	add_octets(p, slice_of(e->reason));
	add_number(p, (uint64_t) (e->transaction->time_us - POSTGRES_EPOCH_US));
	add_octets(p, (struct slice) {member[OUTBOX_WIRE_ERROR].data ? &no : &yes, 1});
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		add_octets(p, member[members[i]]);
	add_octets(p, topic_of(e));
	add_octets(p, e->message->key);
	add_octets(p, member[OUTBOX_WIRE_PARTITION_KEY]);
	add_octets(p, e->headers);
	add_octets(p, member[OUTBOX_WIRE_TRACEPARENT]);
	add_octets(p, e->event->payload);
	add_octets(p, copy);
}

bool
deadletter_put(struct deadletter *d, const struct deadletter_event *event, struct err *err)
{
	const struct message *message = event->message;
	struct parked_position position = position_of(message);
	uint64_t	self = parked_queue_of_event(&position);
	uint64_t	queue = has_order(d, message) ?
		parked_queue_of_key(message->topic, message->topic_len, message->key) : self;
	struct parked_entry *entry = NULL;
	struct parameters p;
	struct slice copy;

	if (!d->ready || d->state != DEADLETTER_OPEN || !pipeline_has_room(d))
		return false;
	if (has_order(d, message))
		entry = parked_add(&d->parked, queue, &position);
	if ((has_order(d, message) && !entry) || !parked_add(&d->unconfirmed, self, &position))
	{
		err_set(err, ERR_DATA, "parked-keys", "more than %" PRId64 " keys have dead letters",
				d->settings->max_parked_keys);
		err_hint(err, "mend what they have in common, then outbox.redrive(); or raise outbox.max_parked_keys");
		return false;
	}
	if (!copy_of(d, event, &copy))
		return false;			/* out of memory */
	fill(d, event, queue, copy, &p);
	if (!PQsendQueryPrepared(d->conn, "put", p.n, p.values, p.lengths, p.formats, 1))
		return false;			/* the same, or serve() finds out why */
	d->numbered++;
	if (entry)
		entry->touched = d->numbered;
	deadletter_expect(d, (struct pipeline_entry) {
		.kind = PIPELINE_ROW, .sequence = event->sequence, .octets = event->octets, .number = d->numbered
	});
	d->rows++;
	d->unsynced = true;
	d->counts.parked++;
	/* with so many copies as exactly-once may send in one, a transaction is complete */
	if (copy.data && ++d->copies >= d->settings->max_transaction_events)
		deadletter_flush(d);
	return true;
}

/* ---------- waiting ---------- */

void
deadletter_poll(const struct deadletter *d, struct pollfd fds[DEADLETTER_POLLFDS])
{
	fds[0] = fds[1] = (struct pollfd) {.fd = -1};
	if (d->redrive.sink && d->redrive.sink_started)
		d->redrive.sink->ops->poll(d->redrive.sink, &fds[1]);
	if (!d->conn)
		return;
	fds[0] = (struct pollfd) {.fd = PQsocket(d->conn), .events = POLLIN};
	if (d->state == DEADLETTER_CONNECTING)
		fds[0].events = d->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	else if (PQflush(d->conn) == 1)
		fds[0].events = POLLIN | POLLOUT;
}

int64_t
deadletter_deadline(const struct deadletter *d)
{
	int64_t		due;

	if (d->state == DEADLETTER_CLOSED)
		return d->held ? d->connect_at : CLOCK_NEVER;
	if (d->state == DEADLETTER_CONNECTING)
		return d->give_up_at;
	if (d->failure.class)
		return 0;				/* of what was sent since serve() */
	if (d->state != DEADLETTER_OPEN || !d->ready)
		return CLOCK_NEVER;
	due = redrive_deadline(d);
	return age_deadline(d) < due ? age_deadline(d) : due;
}

bool
deadletter_wants_confirm(const struct deadletter *d)
{
	return d->ready && d->redrive.starved;
}
