/*
 * cork.c - in a backlog, small messages leave together
 *
 * A walsender calls send() for every message, which for a small transaction costs
 * as much as decoding it, and its reader is woken for each.  As with TCP_CORK we
 * hold back what is small while more is to come, but know when nothing is: the
 * walsender flushes before it waits for WAL, which is within the callback that
 * reads a page of it.
 *
 * What is held back lies in the backend's send buffer, where everything else that
 * is sent lines up behind it: neither the order nor a keepalive's position is
 * touched.  Three functions of PqCommMethods are ours for as long as the decoding
 * context lives (src/include/libpq/libpq.h; the server replaces all of them for
 * parallel workers, src/backend/libpq/pqmq.c):
 *
 *   flush_if_writable  doesn't, until there is enough, or it is old enough, or the
 *                      walsender is about to wait
 *   is_send_pending    doesn't count what is held back, or the walsender would stop
 *                      decoding until it has gone
 *   putmessage_noblock counts what is put
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "outbox_decoder.h"

#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "replication/walsender.h"
#include "utils/timestamp.h"

/* Port is not looked at: its headers of Kerberos and OpenSSL need not be there */
#undef ENABLE_GSS
#undef USE_SSL
#undef USE_OPENSSL
#include "libpq/libpq.h"

/* what is held back at most, in octets and in microseconds */
#define CORK_OCTETS			(32 * 1024)
#define CORK_US				1000

/* The clock is asked at every so many calls: it costs as much as a small record. */
#define CLOCK_INTERVAL		16

/* type and length of a protocol message */
#define MESSAGE_HEADER		5

/* There is one connection in a process, and one decoding context that writes to it. */
static struct
{
	const PQcommMethods *socket;	/* what was there before; NULL: not corked */
	PQcommMethods methods;
	XLogPageReadCB read_page;
	bool		reading;		/* within read_page: what is flushed has to go */
	bool		held;			/* the last flush was put off ... */
	TimestampTz since;			/* ... for the first time then */
	Size		octets;			/* put since the buffer was empty */
	unsigned	calls;
	MemoryContextCallback at_end;
} cork;

static int
flush_all(void)
{
	int			result = cork.socket->flush_if_writable();

	cork.held = false;
	if (!cork.socket->is_send_pending())
		cork.octets = 0;
	return result;
}

static bool
is_old(void)
{
	return ++cork.calls % CLOCK_INTERVAL == 0 && GetCurrentTimestamp() - cork.since >= CORK_US;
}

static int
flush_if_writable(void)
{
	if (cork.reading || cork.octets >= CORK_OCTETS || (cork.held && is_old()))
		return flush_all();
	if (!cork.held && cork.socket->is_send_pending())
	{
		cork.held = true;
		cork.since = GetCurrentTimestamp();
	}
	return 0;
}

static bool
is_send_pending(void)
{
	return !cork.held && cork.socket->is_send_pending();
}

static void
putmessage_noblock(char type, const char *content, size_t len)
{
	cork.octets += MESSAGE_HEADER + len;
	cork.socket->putmessage_noblock(type, content, len);
}

static int
read_page(XLogReaderState *state, XLogRecPtr page, int len, XLogRecPtr target, char *buffer)
{
	int			result;

	cork.reading = true;
	result = cork.read_page(state, page, len, target, buffer);
	cork.reading = false;
	return result;
}

/* the context is gone, at the end or by an ERROR: its connection may have other uses */
static void
take_out(void *arg)
{
	(void) arg;
	if (PqCommMethods == &cork.methods)
		PqCommMethods = cork.socket;
	cork.socket = NULL;
}

void
outbox_cork(LogicalDecodingContext *ctx)
{
	/* SQL functions write to a table, and have pages read by this function */
	if (!am_walsender || ctx->reader->routine.page_read == read_local_xlog_page || cork.socket)
		return;
	memset(&cork, 0, sizeof(cork));
	cork.socket = PqCommMethods;
	cork.methods = *PqCommMethods;
	cork.methods.flush_if_writable = flush_if_writable;
	cork.methods.is_send_pending = is_send_pending;
	cork.methods.putmessage_noblock = putmessage_noblock;
	PqCommMethods = &cork.methods;
	cork.read_page = ctx->reader->routine.page_read;
	ctx->reader->routine.page_read = read_page;
	cork.at_end.func = take_out;
	MemoryContextRegisterResetCallback(ctx->context, &cork.at_end);
}

void
outbox_uncork(void)
{
	if (cork.socket && cork.held)
		(void) flush_all();
}
