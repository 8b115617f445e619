/*
 * deadletter_age.c - how long the oldest dead letter has waited, for metrics.
 *
 * Asked of the table now and then, by an index whose first entry is the answer,
 * and only while somebody may want to know and there may be one.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "deadletter_parts.h"

#define AGE_INTERVAL_MS		5000

/* Nothing has been put there since the table said that there is none. */
static bool
is_known_empty(const struct deadletter *d)
{
	return d->age.known && !d->age.any && d->age.numbered == d->numbered;
}

void
age_step(struct deadletter *d)
{
	const char *values[] = {d->settings->slot};

	if (!d->settings->http_listen || d->age.asked || d->now < d->age.due || is_known_empty(d))
		return;
	d->age.asked = true;
	d->age.due = d->now + AGE_INTERVAL_MS;
	d->age.numbered = d->committed;
	deadletter_send(d, PIPELINE_AGE, "oldest", 1, values, NULL, NULL);
}

void
age_result(struct deadletter *d, const PGresult *res)
{
	d->age.asked = false;
	d->age.known = true;
	d->age.any = PQntuples(res) > 0;
	if (d->age.any)
		d->age.since = d->now - (int64_t) deadletter_number(res, 0, 0);
}

void
age_forget(struct deadletter *d)
{
	d->age.asked = d->age.known = d->age.any = false;
	d->age.due = 0;
}

int64_t
age_deadline(const struct deadletter *d)
{
	return d->settings->http_listen && !d->age.asked && !is_known_empty(d) ? d->age.due : CLOCK_NEVER;
}
