/*
 * undeliverable.h - the errors of class ERR_DATA: whom each of them concerns.
 *
 * Errors are classified where they arise (kafka_error, route, the sinks): all
 * that may mend itself is ERR_RETRY and is tried for ever, what somebody must
 * mend is ERR_CONFIG or ERR_FATAL and ends the process.  What remains is data
 * that can't be delivered; here is what may become a dead letter of it.  The
 * README's table of errors has the same codes.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_UNDELIVERABLE_H
#define OUTBOX_UNDELIVERABLE_H

enum undeliverable
{
	UNDELIVERABLE_EVENT,		/* this event alone */
	UNDELIVERABLE_TOPIC,		/* all events of its topic, until somebody mends that */
	UNDELIVERABLE_TRANSACTION	/* its transaction as a whole: no dead letter, the
								 * stream stops under every policy */
};

/* What isn't in the table concerns the event. */
extern enum undeliverable undeliverable_what(const char *code);

#endif							/* OUTBOX_UNDELIVERABLE_H */
