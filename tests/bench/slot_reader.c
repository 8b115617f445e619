/*
 * slot_reader.c - reads a logical slot, throws away what it gets, and says how
 * long that took
 *
 *   slot_reader -d CONNINFO -s SLOT -e END_LSN [-o NAME=VALUE]...
 *
 * The yardstick for output plugins: it costs as little as a libpq client can
 * (pg_recvlogical writes every message by itself and is slower than a server).
 * It confirms nothing and only answers when asked to.  It ends once END_LSN is
 * reached, by the LSN of a message or of a keepalive, and prints one line:
 *
 *   messages=N octets=N seconds=S reader_cpu=S walsender_cpu=S
 *
 * The walsender's time is read from /proc, so it has to run on this machine.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MAX_OPTIONS		32
#define COMMAND_SIZE	8192

/* positions of fields in messages of the replication protocol */
#define XLOGDATA_HEADER	25
#define KEEPALIVE_SIZE	18
#define KEEPALIVE_REPLY	17
#define STATUS_SIZE		34

/* microseconds from 1970 to 2000, where the protocol's clock starts */
#define EPOCH_USECS		INT64_C(946684800000000)

typedef struct Counts
{
	uint64_t	messages;
	uint64_t	octets;			/* without the protocol's headers */
} Counts;

_Noreturn static void
die(const char *what, const char *why)
{
	fprintf(stderr, "slot_reader: %s: %s\n", what, why);
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* seconds of processor time that a process has used */
static double
cpu_of(int pid)
{
	char		path[64];
	uint64_t	ns;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	if (file == NULL || fscanf(file, "%" SCNu64, &ns) != 1)
		die(path, "can't read it");
	fclose(file);
	return (double) ns / 1e9;
}

static double
own_cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double) usage.ru_utime.tv_sec + (double) usage.ru_stime.tv_sec +
		(double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t
parse_lsn(const char *text)
{
	uint32_t	high;
	uint32_t	low;

	if (sscanf(text, "%" SCNx32 "/%" SCNx32, &high, &low) != 2)
		die(text, "not an LSN");
	return (uint64_t) high << 32 | low;
}

static uint64_t
load_u64(const char *src)
{
	uint64_t	value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | (unsigned char) src[i];
	return value;
}

static void
store_u64(char *dst, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		dst[i] = (char) (value & 0xFF);
}

/* an answer that confirms nothing */
static void
send_status(PGconn *conn)
{
	char		status[STATUS_SIZE] = {'r'};
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	store_u64(status + 25, (uint64_t) ((int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000 - EPOCH_USECS));
	if (PQputCopyData(conn, status, sizeof(status)) <= 0 || PQflush(conn) != 0)
		die("status", PQerrorMessage(conn));
}

static void
start(PGconn *conn, const char *slot, char *const *options, int noptions)
{
	char		command[COMMAND_SIZE];
	char	   *name = PQescapeIdentifier(conn, slot, strlen(slot));
	int			len = snprintf(command, sizeof(command), "START_REPLICATION SLOT %s LOGICAL 0/0", name);
	PGresult   *result;

	PQfreemem(name);
	for (int i = 0; i < noptions && len < (int) sizeof(command); i++)
	{
		char	   *equals = strchr(options[i], '=');
		char	   *option;
		char	   *value;

		if (equals == NULL)
			die(options[i], "not NAME=VALUE");
		option = PQescapeIdentifier(conn, options[i], (size_t) (equals - options[i]));
		value = PQescapeLiteral(conn, equals + 1, strlen(equals + 1));
		len += snprintf(command + len, sizeof(command) - (size_t) len, "%s%s %s%s",
						i == 0 ? " (" : ", ", option, value, i == noptions - 1 ? ")" : "");
		PQfreemem(option);
		PQfreemem(value);
	}
	if (len >= (int) sizeof(command))
		die("options", "too long");
	result = PQexec(conn, command);
	if (PQresultStatus(result) != PGRES_COPY_BOTH)
		die(command, PQerrorMessage(conn));
	PQclear(result);
}

/* counts a message; true if it is at or past the end */
static bool
take(PGconn *conn, const char *message, int size, uint64_t end, Counts *counts)
{
	if (message[0] == 'w' && size >= XLOGDATA_HEADER)
	{
		counts->messages++;
		counts->octets += (uint64_t) (size - XLOGDATA_HEADER);
		return load_u64(message + 1) >= end;
	}
	if (message[0] == 'k' && size >= KEEPALIVE_SIZE)
	{
		if (message[KEEPALIVE_REPLY] != 0)
			send_status(conn);
		return load_u64(message + 1) >= end;
	}
	die("message", "of unknown kind");
}

static void
read_until(PGconn *conn, uint64_t end, Counts *counts)
{
	struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
	bool		done = false;

	while (!done)
	{
		char	   *message;
		int			size = PQgetCopyData(conn, &message, 1);

		if (size < 0)
			die("stream ended", PQerrorMessage(conn));
		if (size == 0)
		{
			if (poll(&fd, 1, -1) < 0 || !PQconsumeInput(conn))
				die("connection", PQerrorMessage(conn));
			continue;
		}
		done = take(conn, message, size, end, counts);
		PQfreemem(message);
	}
}

int
main(int argc, char **argv)
{
	const char *conninfo = "";
	const char *slot = NULL;
	uint64_t	end = 0;
	char	   *options[MAX_OPTIONS];
	int			noptions = 0;
	int			c;
	PGconn	   *conn;
	Counts		counts = {0};
	double		began;
	double		walsender;
	double		reader;

	while ((c = getopt(argc, argv, "d:s:e:o:")) != -1)
	{
		if (c == 'd')
			conninfo = optarg;
		else if (c == 's')
			slot = optarg;
		else if (c == 'e')
			end = parse_lsn(optarg);
		else if (c == 'o' && noptions < MAX_OPTIONS)
			options[noptions++] = optarg;
		else
			die("usage", "slot_reader -d CONNINFO -s SLOT -e END_LSN [-o NAME=VALUE]...");
	}
	if (slot == NULL || end == 0)
		die("usage", "-s and -e are needed");

	conn = PQconnectdbParams((const char *[]) {"dbname", "replication", NULL},
							 (const char *[]) {conninfo, "database", NULL}, 1);
	if (PQstatus(conn) != CONNECTION_OK)
		die("connection", PQerrorMessage(conn));

	walsender = cpu_of(PQbackendPID(conn));
	reader = own_cpu();
	began = now();
	start(conn, slot, options, noptions);
	read_until(conn, end, &counts);
	printf("messages=%" PRIu64 " octets=%" PRIu64 " seconds=%.3f reader_cpu=%.3f walsender_cpu=%.3f\n",
		   counts.messages, counts.octets, now() - began, own_cpu() - reader,
		   cpu_of(PQbackendPID(conn)) - walsender);
	PQfinish(conn);
	return 0;
}
