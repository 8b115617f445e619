/*
 * replication.c - the walsender's client: connection, slot, octets.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "replication.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>

#include <libpq-fe.h>

#include "../../decoder_plugin/wire.h"
#include "../common/pg.h"

/* seconds between the Unix epoch and PostgreSQL's, 2000-01-01 */
#define POSTGRES_EPOCH	946684800

enum replication_state
{
	STATE_CLOSED,
	STATE_CONNECTING,
	STATE_IDENTIFY,				/* IDENTIFY_SYSTEM sent */
	STATE_HISTORY,				/* TIMELINE_HISTORY sent */
	STATE_SLOT,					/* the look at the slot sent */
	STATE_IDENTIFIED,			/* waits for replication_start() */
	STATE_STARTING,				/* START_REPLICATION sent */
	STATE_STREAMING,
	STATE_FINISHING				/* CopyDone sent */
};

struct replication
{
	const struct settings *settings;
	enum replication_state state;
	PGconn	   *conn;
	PostgresPollingStatusType connecting;	/* what PQconnectPoll() waits for */
	bool		readable;		/* poll() saw something to read */
	bool		unsent;			/* PQflush() left something */
	char	   *buffer;			/* of the last message, PQfreemem() */
	struct replication_identity identity;
};

struct replication *
replication_new(const struct settings *settings)
{
	struct replication *r = calloc(1, sizeof(*r));

	if (r)
		r->settings = settings;
	return r;
}

void
replication_close(struct replication *r)
{
	PQfreemem(r->buffer);
	r->buffer = NULL;
	PQfinish(r->conn);
	r->conn = NULL;
	r->state = STATE_CLOSED;
}

void
replication_free(struct replication *r)
{
	if (r)
		replication_close(r);
	free(r);
}

const struct replication_identity *
replication_identity(const struct replication *r)
{
	return &r->identity;
}

bool
replication_is_closed(const struct replication *r)
{
	return r->state == STATE_CLOSED;
}

bool
replication_is_streaming(const struct replication *r)
{
	return r->state == STATE_STREAMING;
}

static enum replication_item
fail(struct replication *r)
{
	replication_close(r);
	return REPLICATION_FAILED;
}

static enum replication_item
fail_command(struct replication *r, const PGresult *res, const char *what, struct err *err)
{
	pg_failure(r->conn, res, what, err);
	return fail(r);
}

enum err_class
replication_connect(struct replication *r, struct err *err)
{
	replication_close(r);
	r->conn = pg_connect_start(r->settings->dsn, true, "outbox-streamer", err);
	if (!r->conn)
		return err->class;
	r->state = STATE_CONNECTING;
	r->connecting = PGRES_POLLING_WRITING;
	r->readable = r->unsent = false;
	return ERR_NONE;
}

/* Puts what libpq holds on the wire, as far as it takes it. */
static bool
flush(struct replication *r)
{
	int			left = PQflush(r->conn);

	r->unsent = left > 0;
	return left >= 0;
}

static bool
send_command(struct replication *r, const char *command, enum replication_state next)
{
	r->state = next;
	return PQsendQuery(r->conn, command) && flush(r);
}

static enum replication_item
next_connecting(struct replication *r, struct err *err)
{
	if (!r->readable)
		return REPLICATION_NONE;
	r->readable = false;
	r->connecting = PQconnectPoll(r->conn);
	if (r->connecting == PGRES_POLLING_FAILED)
	{
		pg_connect_failure(r->conn, err);
		return fail(r);
	}
	if (r->connecting != PGRES_POLLING_OK)
		return REPLICATION_NONE;
	if (PQsetnonblocking(r->conn, 1) != 0 ||
		!send_command(r, "IDENTIFY_SYSTEM", STATE_IDENTIFY))
		return fail_command(r, NULL, "identifying the server", err);
	return REPLICATION_NONE;
}

static void
copy_text(char *to, size_t size, const PGresult *res, int column)
{
	snprintf(to, size, "%s", PQgetvalue(res, 0, column));
}

static lsn_t
get_lsn(const PGresult *res, int column)
{
	lsn_t		lsn = LSN_INVALID;

	lsn_parse(PQgetvalue(res, 0, column), (size_t) PQgetlength(res, 0, column), &lsn);
	return lsn;
}

/* Asks for the slot; libpq's escaping depends on the connection. */
static enum replication_item
ask_slot(struct replication *r, struct err *err)
{
	char	   *slot = PQescapeLiteral(r->conn, r->settings->slot, strlen(r->settings->slot));
	char		query[512];

	snprintf(query, sizeof(query),
			 "SELECT s.plugin, s.database, s.wal_status, s.confirmed_flush_lsn, s.slot_type,"
			 " (SELECT setting FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'wal_sender_timeout')"
			 " FROM pg_catalog.pg_replication_slots s WHERE s.slot_name OPERATOR(pg_catalog.=) %s",
			 slot ? slot : "NULL");
	PQfreemem(slot);
	if (!send_command(r, query, STATE_SLOT))
		return fail_command(r, NULL, "looking for the slot", err);
	return REPLICATION_NONE;
}

static enum replication_item
got_identity(struct replication *r, const PGresult *res, struct err *err)
{
	char		command[64];
	uint32_t	timeline;

	if (PQntuples(res) != 1 || PQnfields(res) < 4)
		return fail_command(r, res, "identifying the server", err);
	copy_text(r->identity.system, sizeof(r->identity.system), res, 0);
	timeline = (uint32_t) strtoul(PQgetvalue(res, 0, 1), NULL, 10);
	r->identity.wal_flush = get_lsn(res, 2);
	copy_text(r->identity.database, sizeof(r->identity.database), res, 3);
	r->identity.server_version = PQserverVersion(r->conn);
	timeline_read(&r->identity.timeline, timeline, (struct slice) {NULL, 0}, err);
	if (timeline <= 1)
		return ask_slot(r, err);
	snprintf(command, sizeof(command), "TIMELINE_HISTORY %u", timeline);
	if (!send_command(r, command, STATE_HISTORY))
		return fail_command(r, NULL, "reading the timeline's history", err);
	return REPLICATION_NONE;
}

static enum replication_item
got_history(struct replication *r, const PGresult *res, struct err *err)
{
	struct slice history;

	if (PQntuples(res) != 1 || PQnfields(res) < 2)
		return fail_command(r, res, "reading the timeline's history", err);
	history = (struct slice) {PQgetvalue(res, 0, 1), (size_t) PQgetlength(res, 0, 1)};
	if (timeline_read(&r->identity.timeline, r->identity.timeline.current, history, err))
		return fail(r);
	return ask_slot(r, err);
}

static enum replication_item
refuse_slot(struct replication *r, struct err *err, enum err_class class,
			const char *code, const char *what, const char *hint)
{
	err_set(err, class, code, "slot \"%s\" %s", r->settings->slot, what);
	err_hint(err, "%s", hint);
	return fail(r);
}

static enum replication_item
got_slot(struct replication *r, const PGresult *res, struct err *err)
{
	if (PQntuples(res) == 0)
		return refuse_slot(r, err, ERR_CONFIG, "slot-missing", "does not exist",
						   "create it once with: outbox-streamer slot create");
	if (strcmp(PQgetvalue(res, 0, 0), "outbox_decoder") != 0)
		return refuse_slot(r, err, ERR_CONFIG, "slot-plugin",
						   "was not made for the output plugin outbox_decoder",
						   "set postgres.slot to another name, or drop the slot if nobody needs it");
	if (strcmp(PQgetvalue(res, 0, 1), r->identity.database) != 0)
		return refuse_slot(r, err, ERR_CONFIG, "slot-database", "belongs to another database",
						   "name the slot's database in postgres.dsn, or another slot in postgres.slot");
	if (strcmp(PQgetvalue(res, 0, 2), "lost") == 0)
		return refuse_slot(r, err, ERR_FATAL, "slot-lost", "is lost: the server has removed WAL that it needed",
						   "drop it and create it again, then replay what was missed from the outbox table");
	r->identity.confirmed = get_lsn(res, 3);
	r->identity.wal_sender_timeout = (int) strtol(PQgetvalue(res, 0, 5), NULL, 10);
	r->state = STATE_IDENTIFIED;
	return REPLICATION_IDENTIFIED;
}

/* An answer to one of the commands before the stream. */
static enum replication_item
next_answer(struct replication *r, struct err *err)
{
	static const char *const what[] = {
		[STATE_IDENTIFY] = "identifying the server",
		[STATE_HISTORY] = "reading the timeline's history",
		[STATE_SLOT] = "looking for the slot",
		[STATE_STARTING] = "starting replication"
	};
	enum replication_item item = REPLICATION_NONE;
	ExecStatusType status;
	PGresult   *res;

	if (r->readable && !PQconsumeInput(r->conn))
		return fail_command(r, NULL, what[r->state], err);
	r->readable = false;
	if (PQisBusy(r->conn))
		return REPLICATION_NONE;
	res = PQgetResult(r->conn);
	status = PQresultStatus(res);
	if (r->state == STATE_STARTING && status == PGRES_COPY_BOTH)
	{
		PQclear(res);
		r->state = STATE_STREAMING;
		return REPLICATION_STARTED;
	}
	if (status != PGRES_TUPLES_OK || r->state == STATE_STARTING)
		item = fail_command(r, res, what[r->state], err);
	else
	{
		PQclear(PQgetResult(r->conn));	/* the end of the command */
		if (r->state == STATE_IDENTIFY)
			item = got_identity(r, res, err);
		else if (r->state == STATE_HISTORY)
			item = got_history(r, res, err);
		else
			item = got_slot(r, res, err);
	}
	PQclear(res);
	return item;
}

/* Appends "name" 'value', quoted for the replication command's grammar. */
static void
append_option(FILE *out, const char *separator, const char *name, const char *value)
{
	fprintf(out, "%s\"%s\" '", separator, name);
	for (; *value; value++)
	{
		if (*value == '\'')
			fputc('\'', out);
		fputc(*value, out);
	}
	fputc('\'', out);
}

static char *
start_command(const struct settings *settings, lsn_t start)
{
	char	   *command = NULL;
	size_t		len;
	FILE	   *out = open_memstream(&command, &len);
	char		number[24];

	if (!out)
		return NULL;
	fprintf(out, "START_REPLICATION SLOT \"%s\" LOGICAL %X/%X", settings->slot, LSN_ARGS(start));
	snprintf(number, sizeof(number), "%d", OUTBOX_WIRE_VERSION);
	append_option(out, " (", OUTBOX_OPTION_WIRE, number);
	snprintf(number, sizeof(number), "%lld", (long long) settings->max_payload);
	append_option(out, ", ", OUTBOX_OPTION_MAX_PAYLOAD, number);
	append_option(out, ", ", OUTBOX_OPTION_PREFIX, settings->message_prefix);
	append_option(out, ", ", OUTBOX_OPTION_ORIGIN, settings->origin);
	append_option(out, ", ", OUTBOX_OPTION_WAIT_VISIBLE, settings->wait_visible ? "on" : "off");
	/* a plugin that is older than an option need not know it for its default */
	if (strcmp(settings->shard, "0/1") != 0)
		append_option(out, ", ", OUTBOX_OPTION_SHARD, settings->shard);
	if (!settings->cork)
		append_option(out, ", ", OUTBOX_OPTION_CORK, "off");
	for (size_t i = 0; i < settings->ntables; i++)
		append_option(out, ", ", OUTBOX_OPTION_TABLE, settings->tables[i]);
	fputc(')', out);
	if (fclose(out) != 0)
	{
		free(command);
		return NULL;
	}
	return command;
}

enum err_class
replication_start(struct replication *r, lsn_t start, struct err *err)
{
	char	   *command = start_command(r->settings, start);
	bool		sent = command && send_command(r, command, STATE_STARTING);

	free(command);
	if (sent)
		return ERR_NONE;
	fail_command(r, NULL, "starting replication", err);
	return err->class;
}

static uint64_t
get_uint64(const char *data)
{
	uint64_t	value;

	memcpy(&value, data, sizeof(value));
	return be64toh(value);
}

/* XLogData: 'w', start, end, time (8 octets each), data.
 * Keepalive: 'k', end, time (8 octets each), reply requested (1). */
static enum replication_item
read_message(struct replication *r, int len, struct replication_message *message,
			 struct err *err)
{
	if (len >= 1 + 8 + 8 + 8 && r->buffer[0] == 'w')
	{
		message->data = r->buffer + 25;
		message->len = (size_t) len - 25;
		return REPLICATION_DATA;
	}
	if (len >= 1 + 8 + 8 + 1 && r->buffer[0] == 'k')
	{
		message->wal_end = get_uint64(r->buffer + 1);
		message->reply_requested = r->buffer[17] != 0;
		return REPLICATION_KEEPALIVE;
	}
	err_set(err, ERR_RETRY, "replication-protocol",
			"unexpected message of %d octets in the replication stream", len);
	return fail(r);
}

/* The copy is over: why? */
static enum replication_item
end_of_copy(struct replication *r, struct err *err)
{
	PGresult   *res = PQgetResult(r->conn);
	enum replication_item item = REPLICATION_FINISHED;

	if (PQresultStatus(res) == PGRES_FATAL_ERROR)
		item = fail_command(r, res, "streaming", err);
	else if (r->state != STATE_FINISHING)
	{
		err_set(err, ERR_RETRY, "connection-closed", "the server has ended the stream");
		item = fail(r);
	}
	else
		replication_close(r);
	PQclear(res);
	return item;
}

/* The next whole CopyData message: > 0 its length, 0 none yet, < 0 as libpq. */
static int
get_message(struct replication *r)
{
	int			len;

	PQfreemem(r->buffer);
	r->buffer = NULL;
	len = PQgetCopyData(r->conn, &r->buffer, 1);
	if (len == 0 && r->readable)
	{
		r->readable = false;
		if (!PQconsumeInput(r->conn))
			return -2;
		len = PQgetCopyData(r->conn, &r->buffer, 1);
	}
	return len;
}

static enum replication_item
next_message(struct replication *r, struct replication_message *message, struct err *err)
{
	int			len;

	do
		len = get_message(r);
	while (len > 0 && r->state == STATE_FINISHING);

	if (len == 0)
		return REPLICATION_NONE;
	if (len == -1)
		return end_of_copy(r, err);
	if (len < 0)
		return fail_command(r, NULL, "streaming", err);
	return read_message(r, len, message, err);
}

enum replication_item
replication_next(struct replication *r, struct replication_message *message, struct err *err)
{
	switch (r->state)
	{
		case STATE_CLOSED:
		case STATE_IDENTIFIED:
			return REPLICATION_NONE;
		case STATE_CONNECTING:
			return next_connecting(r, err);
		case STATE_IDENTIFY:
		case STATE_HISTORY:
		case STATE_SLOT:
		case STATE_STARTING:
			return next_answer(r, err);
		case STATE_STREAMING:
		case STATE_FINISHING:
			return next_message(r, message, err);
	}
	return REPLICATION_NONE;
}

void
replication_poll(const struct replication *r, bool want_data, struct pollfd *pollfd)
{
	*pollfd = (struct pollfd) {.fd = r->conn ? PQsocket(r->conn) : -1};
	if (r->state == STATE_CONNECTING)
		pollfd->events = r->connecting == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	else
		pollfd->events = (short) ((want_data || r->state != STATE_STREAMING ? POLLIN : 0) |
								  (r->unsent ? POLLOUT : 0));
}

void
replication_ready(struct replication *r, short revents)
{
	if (r->state == STATE_CONNECTING)
		r->readable = revents != 0;
	else if (revents & (POLLIN | POLLHUP | POLLERR))
		r->readable = true;
	if (r->state > STATE_CONNECTING && (revents & POLLOUT))
		flush(r);				/* a failure shows when reading */
}

static char *
put_uint64(char *out, uint64_t value)
{
	value = htobe64(value);
	memcpy(out, &value, sizeof(value));
	return out + sizeof(value);
}

enum err_class
replication_status(struct replication *r, lsn_t flush_lsn, struct err *err)
{
	char		update[1 + 8 * 4 + 1];
	char	   *out = update;
	struct timeval now;

	gettimeofday(&now, NULL);
	*out++ = 'r';
	for (int i = 0; i < 3; i++) /* written, flushed, applied */
		out = put_uint64(out, flush_lsn);
	out = put_uint64(out, (uint64_t) ((int64_t) (now.tv_sec - POSTGRES_EPOCH) * 1000000 + now.tv_usec));
	*out = 0;					/* no reply wanted */
	if (PQputCopyData(r->conn, update, sizeof(update)) <= 0 || !flush(r))
	{
		fail_command(r, NULL, "sending a status update", err);
		return err->class;
	}
	return ERR_NONE;
}

void
replication_finish(struct replication *r)
{
	if (r->state != STATE_STREAMING || PQputCopyEnd(r->conn, NULL) <= 0 || !flush(r))
		replication_close(r);
	else
		r->state = STATE_FINISHING;
}
