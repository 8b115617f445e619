/*
 * deadletter_connection.c - the connection: statements out, results in.
 *
 *   closed -> connecting -> claiming -> loading -> preparing -> open
 *
 * Claiming raises the slot's epoch in outbox.dead_letter_writer.  If it comes
 * out as ours and one, nobody else has written since, and what is known of the
 * table still holds; so losing and retaking the slot costs one statement, not
 * reading a million keys again.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <assert.h>
#include <endian.h>
#include <inttypes.h>

#include "../common/backoff.h"
#include "../common/log.h"
#include "../common/pg.h"
#include "deadletter_parts.h"

#define CONNECT_TIMEOUT_MS	10000

/* How often it is looked what need not be remembered. */
#define PRUNE_INTERVAL_MS	100

/* ---------- the pipeline ---------- */

/* Memory was out, so no result will come: serve() begins the connection again. */
static void
not_sent(struct deadletter *d)
{
	if (d->failure.class)
		return;
	(void) pg_failure(d->conn, NULL, "writing dead letters", &d->failure);
	d->failure.class = ERR_RETRY;
}

static void
sync_pipeline(struct deadletter *d)
{
	if (PQpipelineSync(d->conn))
		deadletter_expect(d, (struct pipeline_entry) {.kind = PIPELINE_SYNC});
	else
		not_sent(d);
	d->unsynced = false;
	d->copies = 0;
}

void
deadletter_send(struct deadletter *d, enum pipeline_kind kind, const char *statement, int nparams,
				const char *const *values, const int *lengths, const int *formats)
{
	if (d->unsynced)
		sync_pipeline(d);
	if (PQsendQueryPrepared(d->conn, statement, nparams, values, lengths, formats, 1))
		deadletter_expect(d, (struct pipeline_entry) {.kind = kind});
	else
		not_sent(d);
	sync_pipeline(d);
}

void
deadletter_close(struct deadletter *d)
{
	PQfinish(d->conn);
	d->conn = NULL;
	d->state = DEADLETTER_CLOSED;
	d->first = d->next;
	d->rows = 0;
	d->ready = d->unsynced = d->aborted = false;
	d->copies = 0;
	age_forget(d);
}

void
deadletter_claim(struct deadletter *d)
{
	const char *values[] = {d->settings->slot};

	if (d->state == DEADLETTER_OPEN)
		deadletter_send(d, PIPELINE_CLAIM, "claim", 1, values, NULL, NULL);
	else
	{
		if (!PQsendQueryParams(d->conn, deadletter_claim_sql, 1, NULL, values, NULL, NULL, 1))
			not_sent(d);
		d->state = DEADLETTER_CLAIMING;
	}
}

uint64_t
deadletter_number(const PGresult *res, int row, int column)
{
	uint64_t	number = 0;

	if (!PQgetisnull(res, row, column) && PQgetlength(res, row, column) == (int) sizeof(number))
		memcpy(&number, PQgetvalue(res, row, column), sizeof(number));
	return be64toh(number);
}

/* ---------- results ---------- */

/* Somebody else has taken the slot. */
static void
dethroned(struct deadletter *d)
{
	d->loaded = false;
	if (!d->failure.class)
		err_set(&d->failure, ERR_RETRY, "fenced", "another instance writes the dead letters of slot \"%s\" now",
				d->settings->slot);
}

static void
claimed(struct deadletter *d, const PGresult *res)
{
	int64_t		epoch = PQntuples(res) == 1 ? (int64_t) deadletter_number(res, 0, 0) : 0;

	d->loaded = d->loaded && epoch == d->epoch + 1;
	d->epoch = epoch;
}

/* A statement's result, but the end of a transaction. */
static void
take_result(struct deadletter *d, struct pipeline_entry *entry, PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	entry->answered = true;
	if (status == PGRES_PIPELINE_ABORTED)
		d->aborted = true;
	else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		d->aborted = true;
		if (!d->failure.class)
		{
			pg_failure(d->conn, res, "writing dead letters", &d->failure);
			if (d->failure.class == ERR_CONFIG)
				err_hint(&d->failure, "the streamer's role needs outbox.grant_stream()");
		}
	}
	else if (entry->kind == PIPELINE_ROW)
	{
		if (deadletter_number(res, 0, 0) == 0)
			dethroned(d);
	}
	else if (entry->kind == PIPELINE_CLAIM)
	{
		claimed(d, res);
		d->ready = d->held && d->loaded && !entry->stale;
	}
	else if (entry->kind == PIPELINE_AGE)
		age_result(d, res);
	else if (entry->stale)
		redrive_late_result(d, entry->kind, res);
	else
	{
		redrive_result(d, entry->kind, res);
		return;
	}
	PQclear(res);
}

/* A transaction has ended: its rows are durable, or it has failed. */
static void
take_sync(struct deadletter *d, uint32_t end)
{
	for (uint32_t i = d->first; i != end; i++)
	{
		struct pipeline_entry *entry = deadletter_entry(d, i);

		if (entry->kind != PIPELINE_ROW)
			continue;
		d->rows--;
		if (d->aborted || d->failure.class)
		{
			d->doubt |= !entry->stale;
			continue;
		}
		d->committed = entry->number;
		if (!entry->stale)
			d->durable(d->arg, entry->sequence, entry->octets);
	}
	d->first = end + 1;
	d->aborted = false;
}

/*
 * libpq gives for each statement its result and then NULL, and for the end of a
 * transaction one without.  Entries stay until their transaction has ended.
 */
static void
take_results(struct deadletter *d)
{
	uint32_t	current = d->first;

	while (current != d->next && deadletter_entry(d, current)->answered)
		current++;
	while (d->first != d->next && !PQisBusy(d->conn))
	{
		PGresult   *res = PQgetResult(d->conn);
		struct pipeline_entry *entry = deadletter_entry(d, current);

		if (!res)
		{
			if (PQstatus(d->conn) == CONNECTION_BAD)
				return;
			continue;
		}
		assert(current != d->next);
		if (PQresultStatus(res) == PGRES_PIPELINE_SYNC)
		{
			PQclear(res);
			take_sync(d, current);
			current = d->first;
			continue;
		}
		take_result(d, entry, res);
		current++;
	}
}

/* ---------- connecting ---------- */

static void
lost(struct deadletter *d, const struct err *err, struct err *out)
{
	/* a writer that was replaced has lost the slot, too */
	bool		doubt = d->doubt || strcmp(err->code, "fenced") == 0;

	for (uint32_t i = d->first; i != d->next; i++)
	{
		doubt |= deadletter_entry(d, i)->kind == PIPELINE_ROW && !deadletter_entry(d, i)->stale;
		/* keys may be free without our knowing */
		d->loaded &= deadletter_entry(d, i)->kind != PIPELINE_SETTLE;
	}
	d->committed = d->numbered;
	d->doubt = false;
	if (err->class == ERR_RETRY && (!d->trouble || strcmp(d->trouble, err->code) != 0))
		log_err(LOG_LEVEL_WARNING, err);
	d->trouble = err->code;
	redrive_pause(d);
	deadletter_close(d);
	d->connect_at = d->now + backoff_ms(d->attempts++, (uint32_t) d->now * 2654435761u);
	if (err->class != ERR_RETRY)
		*out = *err;
	else if (doubt)
		err_set(out, ERR_RETRY, err->code, "dead letters are in doubt: %s", err->message);
}

static void
begin_load(struct deadletter *d)
{
	char		confirmed[32];
	const char *values[] = {d->settings->slot, confirmed};

	snprintf(confirmed, sizeof(confirmed), "%X/%X", LSN_ARGS(d->identity.confirmed));
	parked_clear(&d->parked);
	parked_clear(&d->unconfirmed);
	if (!PQsendQueryParams(d->conn, deadletter_load_sql, 2, NULL, values, NULL, NULL, 1))
		not_sent(d);
	(void) PQsetSingleRowMode(d->conn);
	d->state = DEADLETTER_LOADING;
}

static void
open_pipeline(struct deadletter *d)
{
	(void) PQenterPipelineMode(d->conn);
	d->state = DEADLETTER_OPEN;
	d->attempts = 0;
	d->trouble = NULL;
	d->ready = d->held && d->loaded;
	if (d->parked.count > 0)
		log_info("%zu keys have dead letters", d->parked.count);
}

/* One row of the table's content.  False: too many. */
static bool
load_row(struct deadletter *d, const PGresult *res)
{
	struct parked_position position;

	if (!deadletter_position(PQgetvalue(res, 0, 1), (size_t) PQgetlength(res, 0, 1), &position))
		return true;
	if (PQgetisnull(res, 0, 0))
		return parked_add(&d->unconfirmed, parked_queue_of_event(&position), &position) != NULL;
	if (PQgetvalue(res, 0, 2)[0])
		redrive_recheck(d, deadletter_number(res, 0, 0));
	return parked_add(&d->parked, deadletter_number(res, 0, 0), &position) != NULL;
}

/* A result of the statements before the pipeline; NULL: the last one is done. */
static enum err_class
take_early(struct deadletter *d, const PGresult *res, struct err *err)
{
	switch (res ? PQresultStatus(res) : PGRES_COMMAND_OK)
	{
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_SINGLE_TUPLE:
			break;
		default:
			pg_failure(d->conn, res, "preparing for dead letters", err);
			return err_hint(err, "outbox.on_undeliverable = dead-letter needs the extension pg_outbox with outbox.dead_letter, and outbox.grant_stream() for the streamer's role");
	}
	if (d->state == DEADLETTER_CLAIMING && res)
		claimed(d, res);
	else if (d->state == DEADLETTER_LOADING && res && PQresultStatus(res) == PGRES_SINGLE_TUPLE &&
			 !load_row(d, res))
	{
		err_set(err, ERR_CONFIG, "parked-keys", "more than %" PRId64 " keys have dead letters", d->settings->max_parked_keys);
		return err_hint(err, "raise outbox.max_parked_keys");
	}
	if (res)
		return ERR_NONE;
	if (d->state == DEADLETTER_CLAIMING && !d->loaded)
		begin_load(d);
	else if (d->state != DEADLETTER_PREPARING)
	{
		d->loaded = true;
		if (!PQsendQuery(d->conn, deadletter_prepare))
			not_sent(d);
		d->state = DEADLETTER_PREPARING;
	}
	else
		open_pipeline(d);
	return ERR_NONE;
}

static void
step_connecting(struct deadletter *d, struct err *err)
{
	struct pollfd fd = {
		.fd = PQsocket(d->conn), .events = d->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT
	};

	if (poll(&fd, 1, 0) == 0)
	{
		if (d->now >= d->give_up_at)
			err_set(err, ERR_RETRY, "postgres-unreachable", "PostgreSQL has not answered for %d s", CONNECT_TIMEOUT_MS / 1000);
		return;
	}
	d->polling = PQconnectPoll(d->conn);
	if (d->polling == PGRES_POLLING_OK)
	{
		(void) PQsetnonblocking(d->conn, 1);
		deadletter_claim(d);
	}
	else if (d->polling == PGRES_POLLING_FAILED)
		pg_connect_failure(d->conn, err);
}

static void
step_closed(struct deadletter *d, struct err *err)
{
	/* a standby doesn't need one, and must not claim anything */
	if (!d->held || d->now < d->connect_at)
		return;
	d->conn = pg_connect_start(d->settings->dsn, false, "outbox-streamer dead letters", err);
	if (!d->conn)
		return;
	d->state = DEADLETTER_CONNECTING;
	d->polling = PGRES_POLLING_WRITING;
	d->give_up_at = d->now + CONNECT_TIMEOUT_MS;
}

static void
step_early(struct deadletter *d, struct err *err)
{
	/* what was not sent has no result, which isn't an empty one */
	while (d->state != DEADLETTER_OPEN && !err->class && !d->failure.class && !PQisBusy(d->conn))
	{
		PGresult   *res = PQgetResult(d->conn);

		take_early(d, res, err);
		PQclear(res);
	}
}

static void
step_open(struct deadletter *d)
{
	PGnotify   *notify;

	take_results(d);
	while ((notify = PQnotifies(d->conn)))
	{
		d->redrive.poked = true;
		PQfreemem(notify);
	}
	/* somebody else has written since: what is known has to be read again */
	if (d->held && !d->loaded && !d->failure.class)
	{
		deadletter_close(d);
		return;
	}
	if (!d->failure.class && d->ready)
	{
		redrive_step(d);
		age_step(d);
	}
}

void
deadletter_flush(struct deadletter *d)
{
	if (!d->unsynced)
		return;
	sync_pipeline(d);
	(void) PQflush(d->conn);	/* a failure shows when results are read */
}

/* What lies behind the slot's position is never read again. */
static void
note_confirmed(struct deadletter *d, lsn_t confirmed)
{
	if (confirmed > d->confirmed)
		d->confirmed = confirmed;
	if (d->unconfirmed.count == 0 || d->now < d->prune_at)
		return;
	d->prune_at = d->now + PRUNE_INTERVAL_MS;
	for (size_t i = 0; i < d->unconfirmed.capacity; i++)
		while (d->unconfirmed.entries[i].queue != 0 && d->unconfirmed.entries[i].since.lsn <= d->confirmed)
			parked_remove(&d->unconfirmed, d->unconfirmed.entries[i].queue);
	if (d->unconfirmed.count == 0)
		parked_clear(&d->unconfirmed);
}

enum err_class
deadletter_serve(struct deadletter *d, int64_t now, lsn_t confirmed, struct err *err)
{
	struct err	failure = {0};

	d->now = now;
	if (d->held)
		note_confirmed(d, confirmed);
	if (d->state == DEADLETTER_CLOSED)
		step_closed(d, &failure);
	else if (d->state == DEADLETTER_CONNECTING)
		step_connecting(d, &failure);
	if (d->state > DEADLETTER_CONNECTING && !failure.class)
	{
		if (!PQconsumeInput(d->conn) || PQflush(d->conn) < 0)
			pg_failure(d->conn, NULL, "writing dead letters", &failure);
		else if (d->state != DEADLETTER_OPEN)
			step_early(d, &failure);
		if (d->state == DEADLETTER_OPEN && !failure.class)
			step_open(d);
		if (!failure.class)
			failure = d->failure;
		d->failure = (struct err) {0};
		if (!failure.class && d->state == DEADLETTER_OPEN && PQflush(d->conn) < 0)
			pg_failure(d->conn, NULL, "writing dead letters", &failure);
	}
	if (failure.class)
		lost(d, &failure, err);
	return err->class;
}
