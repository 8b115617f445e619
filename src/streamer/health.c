/*
 * health.c - is the process alive, and is it ready?
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "health.h"

#include <inttypes.h>
#include <stdio.h>

const char *const health_states[HEALTH_STATES] = {
	"connecting", "standby", "streaming", "draining"
};

bool
health_is_live(const struct health *h, char *text, size_t size)
{
	if (h->late < HEALTH_LATE_MS)
	{
		(void) snprintf(text, size, "ok");
		return true;
	}
	(void) snprintf(text, size, "wedged: what is due to PostgreSQL is %" PRId64 " s late", h->late / 1000);
	return false;
}

bool
health_is_ready(const struct health *h, bool standby_ok, char *text, size_t size)
{
	const char *state = health_states[h->state];

	if (h->state == HEALTH_CONNECTING && h->trouble)
		(void) snprintf(text, size, "%s: %s", state, h->trouble);
	else if (h->state != HEALTH_STREAMING)
		(void) snprintf(text, size, "%s", state);
	else if (!h->sink_reached)
		(void) snprintf(text, size, "%s: no Kafka broker answers", state);
	else if (!h->sink_ready)
		(void) snprintf(text, size, "%s: the Kafka producer is being prepared", state);
	else if (h->stalled >= HEALTH_STALL_MS)
		(void) snprintf(text, size, "%s: nothing acknowledged for %" PRId64 " s", state, h->stalled / 1000);
	else
	{
		(void) snprintf(text, size, "%s", state);
		return true;
	}
	return h->state == HEALTH_STANDBY && standby_ok;
}
