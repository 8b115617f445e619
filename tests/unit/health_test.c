/*
 * health_test.c - what counts as alive, and what as ready.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "tap.h"

#include "health.h"

static const struct health good = {
	.state = HEALTH_STREAMING, .sink_ready = true, .sink_reached = true
};

static void
is_ready(const struct health *health, bool standby_ok, bool expected, const char *line)
{
	char		text[128];

	ok(health_is_ready(health, standby_ok, text, sizeof(text)) == expected, "%s: %s", line, expected ? "ready" : "not ready");
	is_str(text, line, "and says so");
}

static void
test_ready(void)
{
	struct health h = good;

	is_ready(&h, false, true, "streaming");
	h.trouble = "connection-lost";
	is_ready(&h, false, true, "streaming");	/* that was before */
	h.stalled = HEALTH_STALL_MS - 1;
	is_ready(&h, false, true, "streaming");
	h.stalled = HEALTH_STALL_MS;
	is_ready(&h, true, false, "streaming: nothing acknowledged for 30 s");
	h.sink_ready = false;
	is_ready(&h, true, false, "streaming: the Kafka producer is being prepared");
	h.sink_reached = false;
	is_ready(&h, true, false, "streaming: no Kafka broker answers");
	h = good;
	h.state = HEALTH_CONNECTING;
	is_ready(&h, true, false, "connecting");
	h.trouble = "postgres-unreachable";
	is_ready(&h, true, false, "connecting: postgres-unreachable");
	h.state = HEALTH_DRAINING;
	is_ready(&h, true, false, "draining");
	h.state = HEALTH_STANDBY;
	is_ready(&h, false, false, "standby");
	is_ready(&h, true, true, "standby");
	h.sink_ready = h.sink_reached = false;
	is_ready(&h, true, true, "standby");	/* it needs Kafka only when it takes over */
}

static void
test_live(void)
{
	struct health h = {.state = HEALTH_CONNECTING, .stalled = INT64_MAX};
	char		text[128];

	ok(health_is_live(&h, text, sizeof(text)), "others that are away: alive");
	is_str(text, "ok", "and says so");
	h.late = HEALTH_LATE_MS - 1;
	ok(health_is_live(&h, text, sizeof(text)), "a little late: alive");
	h = good;
	h.late = HEALTH_LATE_MS;
	ok(!health_is_live(&h, text, sizeof(text)), "late for too long: wedged");
	is_str(text, "wedged: what is due to PostgreSQL is 30 s late", "and says so");
}

int
main(void)
{
	test_ready();
	test_live();
	return done_testing();
}
