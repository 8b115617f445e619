/*
 * pg.c - connections to PostgreSQL and the classes of their errors.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "pg.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* what is added to a DSN that does not say it */
#define MAX_ADDED	10

struct parameters
{
	const char **keywords;
	const char **values;
	size_t		n;
};

static const char *
given(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
	{
		if (strcmp(o->keyword, keyword) == 0)
			return o->val;
	}
	return NULL;
}

enum err_class
pg_check_dsn(const char *dsn, const char *where, struct err *err)
{
	char	   *message = NULL;
	PQconninfoOption *options = PQconninfoParse(dsn, &message);
	bool		replication;

	if (options == NULL)
	{
		(void) err_set(err, ERR_CONFIG, "dsn-invalid", "%s: postgres.dsn is not a connection string: %s",
					   where, message != NULL ? message : "out of memory");
		PQfreemem(message);
		return err_hint(err, "write host=... dbname=... user=... or postgresql://user@host/dbname; quote values with spaces as 'a b'");
	}
	replication = given(options, "replication") != NULL;
	PQconninfoFree(options);
	if (!replication)
		return ERR_NONE;
	(void) err_set(err, ERR_CONFIG, "dsn-invalid", "%s: postgres.dsn sets replication", where);
	return err_hint(err, "leave it out: it is added where it is needed");
}

static void
set(struct parameters *p, const char *keyword, const char *value)
{
	p->keywords[p->n] = keyword;
	p->values[p->n++] = value;
}

static void
set_default(struct parameters *p, const PQconninfoOption *options,
			const char *keyword, const char *value)
{
	if (given(options, keyword) == NULL)
		set(p, keyword, value);
}

static bool
has_several_hosts(const PQconninfoOption *options)
{
	const char *host = given(options, "host");
	const char *hostaddr = given(options, "hostaddr");

	return (host != NULL && strchr(host, ',') != NULL) ||
		(hostaddr != NULL && strchr(hostaddr, ',') != NULL);
}

static enum err_class
bad_dsn(const char *what, struct err *err)
{
	size_t		len;

	(void) err_set(err, ERR_CONFIG, "dsn-invalid", "the connection string is not valid: %s",
				   what != NULL ? what : "out of memory");
	/* libpq's sentence ends with a newline; ours ends with nothing */
	len = strlen(err->message);
	while (len > 0 && isspace((unsigned char) err->message[len - 1]))
		err->message[--len] = '\0';
	return err_hint(err, "postgres.dsn is a libpq connection string: host=... dbname=... user=... or postgresql://user@host/dbname");
}

/* The DSN's own settings first, then what it does not say. */
static void
complete(struct parameters *p, const PQconninfoOption *options,
		 bool replication, const char *application_name)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
	{
		if (o->val != NULL && strcmp(o->keyword, "replication") != 0)
			set(p, o->keyword, o->val);
	}
	if (replication)
		set(p, "replication", "database");
	/* unlike application_name, leaves PGAPPNAME in force */
	set_default(p, options, "fallback_application_name", application_name);
	set_default(p, options, "client_encoding", "UTF8");
	/* a peer that is gone without a word is noticed within a minute */
	set_default(p, options, "keepalives_idle", "30");
	set_default(p, options, "keepalives_interval", "10");
	set_default(p, options, "keepalives_count", "3");
	set_default(p, options, "tcp_user_timeout", "60000");
	if (has_several_hosts(options))
		set_default(p, options, "target_session_attrs", "read-write");
}

PGconn *
pg_connect_start(const char *dsn, bool replication, const char *application_name,
				 struct err *err)
{
	struct parameters p = {0};
	PQconninfoOption *options;
	PGconn	   *conn = NULL;
	char	   *message = NULL;
	size_t		count = 0;

	options = PQconninfoParse(dsn, &message);
	if (options == NULL)
	{
		(void) bad_dsn(message, err);
		PQfreemem(message);
		return NULL;
	}
	while (options[count].keyword != NULL)
		count++;
	p.keywords = calloc(count + MAX_ADDED + 1, sizeof(*p.keywords));
	p.values = calloc(count + MAX_ADDED + 1, sizeof(*p.values));
	if (p.keywords != NULL && p.values != NULL)
	{
		complete(&p, options, replication, application_name);
		conn = PQconnectStartParams(p.keywords, p.values, 0);
	}
	free(p.keywords);
	free(p.values);
	PQconninfoFree(options);

	if (conn == NULL)
		(void) err_set(err, ERR_RETRY, "out-of-memory", "out of memory while connecting to PostgreSQL");
	else if (PQstatus(conn) == CONNECTION_BAD)
	{
		/* a parameter that libpq refuses, a socket that nobody listens on */
		(void) pg_connect_failure(conn, err);
		PQfinish(conn);
		conn = NULL;
	}
	else
		(void) PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	return conn;
}

/* ---- why a connection failed ---- */

/*
 * Finds ":  28P01: " in a line of libpq's and returns where the five characters
 * start, or NULL.
 */
static const char *
find_sqlstate(const char *line, size_t len)
{
	for (size_t i = 0; i + 10 <= len; i++)
	{
		size_t		n = 0;

		if (memcmp(line + i, ":  ", 3) != 0)
			continue;
		while (n < 5 && (isdigit((unsigned char) line[i + 3 + n]) ||
						 (line[i + 3 + n] >= 'A' && line[i + 3 + n] <= 'Z')))
			n++;
		if (n == 5 && line[i + 8] == ':' && line[i + 9] == ' ')
			return line + i + 3;
	}
	return NULL;
}

static bool
in_class(const char *sqlstate, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
	{
		if (strncmp(sqlstate, *prefixes, strlen(*prefixes)) == 0)
			return true;
	}
	return false;
}

/* States of a refused connection that last until somebody changes something. */
static bool
refuses_for_good(const char *sqlstate)
{
	static const char *const prefixes[] = {
		"28",					/* authentication, pg_hba.conf */
		"3D",					/* no such database */
		"42501",				/* no REPLICATION, no CONNECT */
		"42704", "22", "0A",	/* a parameter that the server doesn't know */
		"08P01",				/* a pooler that doesn't pass replication on */
		NULL
	};

	return in_class(sqlstate, prefixes);
}

/* What libpq itself finds wrong in the parameters; what a server says has an SQLSTATE. */
static bool
is_parameter_error(const char *message)
{
	if (find_sqlstate(message, strlen(message)) != NULL)
		return false;
	return strncmp(message, "invalid ", 8) == 0 ||
		strncmp(message, "could not match ", 16) == 0 ||
		strstr(message, "file \"") != NULL;	/* certificates, keys, service files */
}

struct attempt_summary
{
	char		text[1024];		/* the attempts' lines, without SQLSTATE */
	char		sqlstate[6];	/* of the last attempt */
	int			attempts;
	int			refused;		/* of these, refused for good */
};

static void
add_attempt(struct attempt_summary *s, const char *line, size_t len)
{
	const char *state = find_sqlstate(line, len);
	size_t		used = strlen(s->text);
	char		clean[512];

	if (state != NULL)
	{
		memcpy(s->sqlstate, state, 5);
		(void) snprintf(clean, sizeof(clean), "%.*s%.*s", (int) (state - line - 1), line,
						(int) (len - (size_t) (state - line) - 7), state + 7);
	}
	else
		(void) snprintf(clean, sizeof(clean), "%.*s", (int) len, line);
	s->attempts++;
	if (state != NULL && refuses_for_good(state))
		s->refused++;
	if (strstr(s->text, clean) == NULL)
		(void) snprintf(s->text + used, sizeof(s->text) - used, "%s%s", used > 0 ? "; " : "", clean);
}

/*
 * libpq's message has a line for each attempt (address, encryption), each
 * followed by DETAIL, HINT and LOCATION lines.
 */
static void
summarize(struct attempt_summary *s, const char *message)
{
	while (*message != '\0')
	{
		size_t		len = strcspn(message, "\n");
		bool		extra = len == 0 || isspace((unsigned char) message[0]) ||
			strncmp(message, "LOCATION:", 9) == 0 || strncmp(message, "DETAIL:", 7) == 0 ||
			strncmp(message, "HINT:", 5) == 0;

		if (!extra)
			add_attempt(s, message, len);
		message += len + (message[len] == '\n' ? 1 : 0);
	}
}

static const char *
connect_hint(const char *sqlstate, const char *text)
{
	if (strncmp(sqlstate, "28P01", 5) == 0)
		return "check user and password of postgres.dsn (or postgres.dsn_file, PGPASSWORD, ~/.pgpass)";
	/* a file's name, so the same in every language */
	if (strncmp(sqlstate, "28", 2) == 0 && strstr(text, "pg_hba.conf") != NULL)
		return "add a line for this user, host and database to pg_hba.conf, and reload; the streamer's replication connection needs a line that names its database, not \"replication\"";
	if (strncmp(sqlstate, "28", 2) == 0)
		return "check user and password of postgres.dsn, and the method that pg_hba.conf asks for";
	if (strncmp(sqlstate, "3D", 2) == 0)
		return "check dbname in postgres.dsn";
	if (strcmp(sqlstate, "42501") == 0)
		return "ALTER ROLE ... REPLICATION, and GRANT CONNECT ON DATABASE ... to the role";
	if (strcmp(sqlstate, "08P01") == 0)
		return "connect to the server itself, not through a pooler";
	if (strcmp(sqlstate, "53300") == 0)
		return "raise max_connections and max_wal_senders, or end other connections";
	if (sqlstate[0] == '\0')
		return "check host and port of postgres.dsn, the server's listen_addresses, and firewalls between";
	return "";
}

enum err_class
pg_connect_failure(const PGconn *conn, struct err *err)
{
	const char *message = PQerrorMessage(conn);
	struct attempt_summary s = {.attempts = 0};

	if (is_parameter_error(message))
		return bad_dsn(message, err);
	summarize(&s, message);
	if (s.attempts > 0 && s.refused == s.attempts)
	{
		(void) err_set(err, ERR_CONFIG, "login-refused", "%s", s.text);
		return err_hint(err, "%s", connect_hint(s.sqlstate, s.text));
	}
	if (PQconnectionNeedsPassword(conn))
	{
		(void) err_set(err, ERR_CONFIG, "login-refused", "%s", s.text);
		return err_hint(err, "%s", connect_hint("28P01", ""));
	}
	/* 57P03: it starts up or shuts down */
	(void) err_set(err, ERR_RETRY, strcmp(s.sqlstate, "57P03") == 0 ? "postgres-not-ready" : "postgres-unreachable",
				   "%s", s.text[0] != '\0' ? s.text : "no answer from PostgreSQL");
	return err_hint(err, "%s", connect_hint(s.sqlstate, s.text));
}

/* ---- connecting and waiting ---- */

/* Polls until connected, failed or late. */
static PostgresPollingStatusType
wait_connected(PGconn *conn, int64_t deadline)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED)
	{
		struct pollfd fd = {.fd = PQsocket(conn)};
		int64_t		left = deadline - clock_now();

		fd.events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (left <= 0 || poll(&fd, 1, (int) left) == 0)
			return status;
		status = PQconnectPoll(conn);
	}
	return status;
}

PGconn *
pg_connect(const char *dsn, bool replication, const char *application_name,
		   int timeout_ms, struct err *err)
{
	PGconn	   *conn = pg_connect_start(dsn, replication, application_name, err);

	if (conn == NULL)
		return NULL;
	switch (wait_connected(conn, clock_now() + timeout_ms))
	{
		case PGRES_POLLING_OK:
			return conn;
		case PGRES_POLLING_FAILED:
			(void) pg_connect_failure(conn, err);
			break;
		default:
			(void) err_set(err, ERR_RETRY, "postgres-unreachable",
						   "PostgreSQL at \"%s\", port %s did not answer within %d ms",
						   PQhost(conn) != NULL ? PQhost(conn) : "", PQport(conn) != NULL ? PQport(conn) : "", timeout_ms);
			(void) err_hint(err, "check host and port of postgres.dsn, and firewalls between");
			break;
	}
	PQfinish(conn);
	return NULL;
}

PGconn *
pg_connect_command(const char *dsn, const char *application_name, int timeout_ms, struct err *err)
{
	PGconn	   *conn = pg_connect(dsn, false, application_name, timeout_ms, err);
	PGresult   *res;

	if (conn == NULL)
		return NULL;
	res = pg_query(conn, "pinning search_path", "SET search_path = pg_catalog, pg_temp", 0, NULL, err);
	if (res == NULL)
	{
		PQfinish(conn);
		return NULL;
	}
	PQclear(res);
	return conn;
}

/* ---- failed commands ---- */

struct known_state
{
	const char *sqlstate;		/* a prefix */
	const char *function;		/* of the server's source that raised it; NULL = any */
	enum err_class class;
	const char *code;
	const char *hint;			/* NULL = the server's own */
};

/*
 * First match wins.  The function names the case where several share a
 * SQLSTATE; unlike the message it is the same in every language.
 */
static const struct known_state known_states[] = {
	{"42704", "ReplicationSlotAcquire", ERR_CONFIG, "slot-missing",
		"create it with \"outbox-streamer slot create\""},
	{"42704", "ReplicationSlotDrop", ERR_CONFIG, "slot-missing", NULL},
	{"42710", NULL, ERR_CONFIG, "slot-exists",
		"\"outbox-streamer slot show\" tells about it; nothing replaces a slot silently"},
	{"55006", NULL, ERR_RETRY, "slot-active",
		"another instance streams from it; a second one waits until the slot is free"},
	{"53400", NULL, ERR_CONFIG, "slots-exhausted",
		"drop a slot that nobody needs (pg_replication_slots), or raise max_replication_slots and restart the server"},
	{"55000", "CheckLogicalDecodingRequirements", ERR_CONFIG, "wal-level",
		"ALTER SYSTEM SET wal_level = logical, and restart the server"},
	{"55000", "RaiseSlotInvalidationError", ERR_FATAL, "slot-lost", NULL},
	{"55000", "StartLogicalReplication", ERR_FATAL, "slot-lost", NULL},
	{"42501", "StartupDecodingContext", ERR_CONFIG, "plugin-not-allowed",
		"ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, outbox_decoder (separate names, not one quoted string), then SELECT pg_reload_conf()"},
	{"42501", "CheckSlotPermissions", ERR_CONFIG, "replication-right", "ALTER ROLE ... REPLICATION"},
	{"58P01", "internal_load_library", ERR_CONFIG, "plugin-missing",
		"install outbox_decoder on the server, for its major version: make -C decoder_plugin install"},
	{"58P01", "expand_dynamic_library_name", ERR_CONFIG, "plugin-missing",
		"install outbox_decoder on the server, for its major version: make -C decoder_plugin install"},
	{"58P01", NULL, ERR_FATAL, "wal-missing", NULL},
	{"42501", NULL, ERR_CONFIG, "permission-denied",
		"grant it to the role of postgres.dsn: outbox.grant_stream(), grant_redrive() and grant_inbox() give what the extension's objects need, GRANT what your own tables do"},
	{"42P01", NULL, ERR_CONFIG, "table-missing", NULL},
	{"42704", NULL, ERR_CONFIG, "object-missing", NULL},
	{"22", NULL, ERR_CONFIG, "bad-parameter", NULL},
	{"42", NULL, ERR_CONFIG, "bad-command", NULL},
	{"0A", NULL, ERR_CONFIG, "not-supported", NULL},
	{"25P03", NULL, ERR_RETRY, "connection-lost", NULL},
	{"28", NULL, ERR_CONFIG, "login-refused", NULL},
	{"3D", NULL, ERR_CONFIG, "database-missing", NULL},
	{"3F", NULL, ERR_CONFIG, "schema-missing", NULL},
	{"08", NULL, ERR_RETRY, "connection-lost", NULL},
	{"40", NULL, ERR_RETRY, "postgres-busy", NULL},
	{"53", NULL, ERR_RETRY, "postgres-resources", NULL},
	{"55P03", NULL, ERR_RETRY, "postgres-busy", NULL},
	{"57014", NULL, ERR_RETRY, "canceled", NULL},
	{"57", NULL, ERR_RETRY, "postgres-shutdown", NULL},
	{"58", NULL, ERR_RETRY, "postgres-system", NULL},
	{"", NULL, ERR_FATAL, "postgres-error", NULL}
};

static const struct known_state *
find_state(const char *sqlstate, const char *function)
{
	const struct known_state *s = known_states;

	while (strncmp(s->sqlstate, sqlstate, strlen(s->sqlstate)) != 0 ||
		   (s->function != NULL && (function == NULL || strcmp(s->function, function) != 0)))
		s++;
	return s;
}

static const char *
field(const PGresult *res, int code)
{
	const char *text = res != NULL ? PQresultErrorField(res, code) : NULL;

	return text != NULL ? text : "";
}

enum err_class
pg_failure(PGconn *conn, const PGresult *res, const char *what, struct err *err)
{
	const char *sqlstate = field(res, PG_DIAG_SQLSTATE);
	const char *detail = field(res, PG_DIAG_MESSAGE_DETAIL);
	const struct known_state *state;
	const char *hint;

	if (sqlstate[0] == '\0')
	{
		struct attempt_summary s = {.attempts = 0};
		bool		lost = PQstatus(conn) == CONNECTION_BAD;

		summarize(&s, PQerrorMessage(conn));
		if (s.attempts == 0 && res != NULL)
			summarize(&s, PQresultErrorMessage(res));
		return err_set(err, lost ? ERR_RETRY : ERR_FATAL, lost ? "connection-lost" : "postgres-error",
					   "%s: %s", what, s.attempts > 0 ? s.text : "the server closed the connection");
	}
	state = find_state(sqlstate, field(res, PG_DIAG_SOURCE_FUNCTION));
	(void) err_set(err, state->class, state->code, "%s: %s%s%s%s", what,
				   field(res, PG_DIAG_MESSAGE_PRIMARY),
				   detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "");
	hint = state->hint != NULL ? state->hint : field(res, PG_DIAG_MESSAGE_HINT);
	return err_hint(err, "%s", hint);
}

PGresult *
pg_query(PGconn *conn, const char *what, const char *sql, int nparams,
		 const char *const *params, struct err *err)
{
	PGresult   *res = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return res;
	(void) pg_failure(conn, res, what, err);
	PQclear(res);
	return NULL;
}

const char *
pg_value(const PGresult *res, int row, int column)
{
	return PQgetisnull(res, row, column) ? "" : PQgetvalue(res, row, column);
}
