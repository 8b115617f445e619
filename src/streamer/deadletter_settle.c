/*
 * deadletter_settle.c - the way back: what the table is told, and says.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <stdio.h>

#include "../common/log.h"
#include "deadletter_parts.h"

#define RECHECK_MAX			500	/* queues in one statement */

void
redrive_drop_rows(struct redrive *r)
{
	PQclear(r->rows);
	r->rows = NULL;
	r->nrows = r->next = r->pending = 0;
	r->held = false;
}

static size_t
append(char *out, size_t size, size_t used, const char *separator, const char *text, size_t len)
{
	return used + (size_t) snprintf(out + used, size - used, "%s%.*s", separator, (int) len, text);
}

/* Removes what is delivered, and what is discarded. */
void
redrive_settle(struct deadletter *d, enum redrive_state state)
{
	struct redrive *r = &d->redrive;
	char		epoch[24],
				confirmed[32],
				batch[24],
				number[24];
	char		positions[REDRIVE_ROWS * (POSITION_LEN + 1) + 3];
	char		queues[RECHECK_MAX * 22 + 3];
	const char *values[] = {d->settings->slot, epoch, confirmed, positions, NULL, queues};
	size_t		used = append(positions, sizeof(positions), 0, "{", "", 0);
	const char *separator = "";

	for (int i = 0; i < r->nrows; i++)
		if (r->row[i].delivered)
		{
			used = append(positions, sizeof(positions), used, separator,
						  PQgetvalue(r->rows, i, FETCH_POSITION), (size_t) PQgetlength(r->rows, i, FETCH_POSITION));
			separator = ",";
			d->counts.redriven++;
		}
	append(positions, sizeof(positions), used, "}", "", 0);

	r->rechecking = r->nrecheck < RECHECK_MAX ? r->nrecheck : RECHECK_MAX;
	used = append(queues, sizeof(queues), 0, "{", "", 0);
	for (size_t i = 0; i < r->rechecking; i++)
	{
		snprintf(number, sizeof(number), "%" PRId64, (int64_t) r->recheck[i]);
		used = append(queues, sizeof(queues), used, i > 0 ? "," : "", number, strlen(number));
	}
	append(queues, sizeof(queues), used, "}", "", 0);

	snprintf(epoch, sizeof(epoch), "%" PRId64, d->epoch);
	snprintf(confirmed, sizeof(confirmed), "%X/%X", LSN_ARGS(d->confirmed));
	/* only the progress that was read back says what an earlier sink has delivered */
	if (state == REDRIVE_SETTLE && d->settings->delivery == DELIVERY_EXACTLY_ONCE)
	{
		snprintf(batch, sizeof(batch), "%" PRId64, (int64_t) r->sink->progress);
		values[4] = batch;
	}
	redrive_drop_rows(r);
	r->floor = d->committed;
	r->state = state;
	deadletter_send(d, PIPELINE_SETTLE, "settle", 6, values, NULL, NULL);
}

void
redrive_fetch(struct deadletter *d)
{
	struct redrive *r = &d->redrive;
	char		epoch[24],
				confirmed[32],
				batch[24],
				rows[16];
	const char *values[] = {
		d->settings->slot, epoch, confirmed,
		d->settings->delivery == DELIVERY_EXACTLY_ONCE ? batch : NULL, rows
	};

	snprintf(epoch, sizeof(epoch), "%" PRId64, d->epoch);
	snprintf(confirmed, sizeof(confirmed), "%X/%X", LSN_ARGS(d->confirmed));
	if ((lsn_t) r->batch < r->sink->progress)
		r->batch = (int64_t) r->sink->progress;
	r->batch++;
	snprintf(batch, sizeof(batch), "%" PRId64, r->batch);
	snprintf(rows, sizeof(rows), "%d", r->singles > 0 ? 1 : REDRIVE_ROWS);
	r->state = REDRIVE_FETCH;
	deadletter_send(d, PIPELINE_FETCH, "take", 5, values, NULL, NULL);
}

/* The copy for the dead-letter topic, which is told of what was only waiting.  False: out
 * of memory. */
static bool
copy_of_row(struct deadletter *d, int i, const struct err *err, struct slice *content)
{
	const PGresult *res = d->redrive.rows;
	struct slice member[OUTBOX_WIRE_NMEMBERS] = {{NULL, 0}};
	struct deadletter_copied copied = {.member = member, .code = err->code, .reason = err->message};

	redrive_members(res, i, member);
	copied.topic = member[OUTBOX_WIRE_TOPIC];
	copied.key = member[OUTBOX_WIRE_KEY];
	copied.headers = member[OUTBOX_WIRE_HEADERS];
	copied.position = redrive_slice(res, i, FETCH_POSITION);
	copied.complete = redrive_true(res, i, FETCH_COMPLETE);
	return deadletter_copy(d, &copied, content);
}

/* Row i can't be delivered: it is parked again. */
bool
redrive_fail(struct deadletter *d, int i, const struct err *err)
{
	struct redrive *r = &d->redrive;
	struct slice copy;
	bool		made = copy_of_row(d, i, err, &copy);
	const int	lengths[] = {0, 0, 0, 0, 0, 0, (int) copy.len};
	const int	formats[] = {0, 0, 0, 0, 0, 0, 1};
	char		epoch[24],
				queue[24],
				position[POSITION_LEN + 1];
	const char *values[] = {d->settings->slot, epoch, queue, position, err->code, err->message, copy.data};

	if (!made)
		return false;
	snprintf(epoch, sizeof(epoch), "%" PRId64, d->epoch);
	snprintf(queue, sizeof(queue), "%" PRId64, (int64_t) r->row[i].queue);
	snprintf(position, sizeof(position), "%.*s", PQgetlength(r->rows, i, FETCH_POSITION),
			 PQgetvalue(r->rows, i, FETCH_POSITION));
	log_warning("redriven dead letter %s is refused again: %s", position, err->message);
	d->counts.refused_again++;
	redrive_drop_rows(r);
	r->state = REDRIVE_FAIL;
	deadletter_send(d, PIPELINE_FAIL, "fail", 7, values, lengths, formats);
	return true;
}

bool
redrive_true(const PGresult *res, int row, int column)
{
	return !PQgetisnull(res, row, column) && PQgetvalue(res, row, column)[0] != 0;
}

/* Frees the keys whose queues are empty. */
void
redrive_settled(struct deadletter *d, const PGresult *res)
{
	struct redrive *r = &d->redrive;
	uint64_t	discarded = PQntuples(res) > 0 ? deadletter_number(res, 0, 3) : 0;

	if (r->rechecking > 0)
		memmove(r->recheck, r->recheck + r->rechecking, (r->nrecheck - r->rechecking) * sizeof(*r->recheck));
	r->nrecheck -= r->rechecking;
	r->rechecking = 0;
	r->more = false;
	for (int i = 0; i < PQntuples(res); i++)
	{
		uint64_t	queue = deadletter_number(res, i, 0);
		const struct parked_entry *entry = PQgetisnull(res, i, 0) ? NULL : parked_find(&d->parked, queue);

		r->more |= redrive_true(res, i, 2);
		if (!entry || !redrive_true(res, i, 1))
			continue;
		/* the one point where a key becomes free: nothing of it is in the table,
		 * nor was put there since the table was asked */
		if (entry->touched <= r->floor)
			parked_remove(&d->parked, queue);
		else
			redrive_recheck(d, queue);
	}
	if (discarded > 0)
	{
		d->counts.discarded += discarded;
		log_info("%" PRIu64 " dead letters discarded", discarded);
	}
}
