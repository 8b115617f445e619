/*
 * http.c - a small HTTP server for probes and figures, driven by somebody else's
 * poll loop.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http_address.h"

#define BACKLOG		64

/* Above our own limit: one that is to give way is there for a moment longer. */
#define DAEMON_CONNECTIONS	(2 * HTTP_CONNECTIONS)

/* A connection that is open. */
struct peer
{
	int			fd;				/* -1 = the slot is free */
	int64_t		since;
	bool		leaving;		/* shut down; the daemon closes it in its next run */
};

struct http
{
	struct MHD_Daemon *daemon;
	int			epoll_fd;
	http_handler handler;
	void	   *arg;
	int64_t		now;			/* of this http_serve() */
	size_t		npeers;			/* that are open */
	struct peer peers[DAEMON_CONNECTIONS];
};

/* ---------- connections ---------- */

/*
 * libmicrohttpd's timeout is one of silence: an octet now and then would prolong
 * it for ever.  So lifetimes are ours; what is over is shut down, and libmicrohttpd
 * finds its end.
 */
static void
leave(struct peer *peer)
{
	peer->leaving = true;
	shutdown(peer->fd, SHUT_RDWR);
}

/* The oldest that is not on its way out; NULL: none.  count: how many there are. */
static struct peer *
oldest_peer(struct http *http, size_t *count)
{
	struct peer *oldest = NULL;

	*count = 0;
	for (size_t i = 0; i < DAEMON_CONNECTIONS; i++)
	{
		struct peer *peer = &http->peers[i];

		if (peer->fd < 0 || peer->leaving)
			continue;
		++*count;
		if (!oldest || peer->since < oldest->since)
			oldest = peer;
	}
	return oldest;
}

/* libmicrohttpd: a connection has come or is about to be closed. */
static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *http = arg;
	struct peer *peer;
	size_t		count;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
	{
		if (*context)
		{
			*(struct peer *) *context = (struct peer) {.fd = -1};
			http->npeers--;
		}
		return;
	}
	peer = oldest_peer(http, &count);
	if (count >= HTTP_CONNECTIONS)
		leave(peer);
	for (size_t i = 0; i < DAEMON_CONNECTIONS; i++)
	{
		if (http->peers[i].fd >= 0)
			continue;
		http->peers[i] = (struct peer) {
			.fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
			.since = http->now
		};
		*context = &http->peers[i];
		http->npeers++;
		return;
	}
}

/* ---------- requests ---------- */

static enum MHD_Result
send_answer(struct MHD_Connection *connection, const struct http_answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	response = MHD_create_response_from_buffer(answer->len, answer->body,
											   answer->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!response)
	{
		free(answer->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
							answer->type ? answer->type : "text/plain; charset=utf-8");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/* libmicrohttpd: the head of a request is complete.  Its body, if it has one, is
 * not waited for: the answer ends the connection. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
		   const char *version, const char *data, size_t *data_len, void **context)
{
	struct http *http = arg;
	struct http_request request = {.path = url, .connection = connection};
	struct http_answer answer = {0};

	(void) version;
	(void) data;
	*data_len = 0;
	(void) context;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
	else
	{
		http->handler(http->arg, &request, &answer);
		if (answer.status == 0)
			answer.status = MHD_HTTP_NOT_FOUND;
	}
	return send_answer(connection, &answer);
}

const char *
http_argument(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---------- the server ---------- */

/* A socket that listens there; -1 with errno set. */
static int
open_socket(const struct http_address *address)
{
	int			on = 1;
	int			fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (address->any)
	{
		int			off = 0;

		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *) &address->address, address->len) != 0 || listen(fd, BACKLOG) != 0)
	{
		int			saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Every address, on a machine without IPv6 too. */
static int
listen_there(struct http_address *address)
{
	int			fd = open_socket(address);

	if (fd < 0 && address->any && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
	{
		in_port_t	port = ((const struct sockaddr_in6 *) &address->address)->sin6_port;
		struct sockaddr_in *in = (struct sockaddr_in *) &address->address;

		*in = (struct sockaddr_in) {.sin_family = AF_INET, .sin_port = port};
		address->len = sizeof(*in);
		address->any = false;
		fd = open_socket(address);
	}
	return fd;
}

static struct MHD_Daemon *
start_daemon(struct http *http, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http,
							MHD_OPTION_LISTEN_SOCKET, fd,
							MHD_OPTION_CONNECTION_LIMIT, (unsigned) DAEMON_CONNECTIONS,
							MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTP_MEMORY,
							MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) (HTTP_LIFETIME_MS / 1000),
							MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
							MHD_OPTION_END);
}

static void
explain(const char *listen, int reason, struct err *err)
{
	err_set(err, ERR_CONFIG, "http-listen", "http.listen = %s: %s", listen, strerror(reason));
	err_hint(err, "%s", reason == EADDRINUSE ? "another process listens there (ss -ltnp names it): choose another port" :
			 reason == EACCES ? "ports below 1024 need a right: choose a higher one" :
			 "an address of this machine and a free port; :PORT for all of its addresses");
}

struct http *
http_open(const char *listen, http_handler handler, void *arg, struct err *err)
{
	struct http *http = calloc(1, sizeof(*http));
	struct http_address address;
	int			fd = -1;

	errno = http ? EINVAL : ENOMEM;
	if (http && http_address_parse(listen, &address))
		fd = listen_there(&address);
	if (fd < 0)
	{
		explain(listen, errno, err);
		free(http);
		return NULL;
	}
	*http = (struct http) {.handler = handler, .arg = arg};
	for (size_t i = 0; i < DAEMON_CONNECTIONS; i++)
		http->peers[i].fd = -1;
	http->daemon = start_daemon(http, fd);
	if (!http->daemon)
	{
		err_set(err, ERR_CONFIG, "http-listen", "http.listen = %s: libmicrohttpd does not start", listen);
		close(fd);
		free(http);
		return NULL;
	}
	http->epoll_fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon);	/* closes the listening socket, too */
	free(http);
}

void
http_poll(const struct http *http, struct pollfd *pollfd)
{
	*pollfd = (struct pollfd) {.fd = http ? http->epoll_fd : -1, .events = POLLIN};
}

int64_t
http_deadline(const struct http *http, int64_t now)
{
	MHD_UNSIGNED_LONG_LONG left;
	int64_t		until = CLOCK_NEVER;
	size_t		count;
	struct peer *oldest;

	if (!http || http->npeers == 0)
		return CLOCK_NEVER;
	if (MHD_get_timeout(http->daemon, &left) == MHD_YES)
		until = now + (int64_t) (left < HTTP_LIFETIME_MS ? left : HTTP_LIFETIME_MS);
	oldest = oldest_peer((struct http *) http, &count);
	if (oldest && oldest->since + HTTP_LIFETIME_MS < until)
		until = oldest->since + HTTP_LIFETIME_MS;
	return until;
}

void
http_serve(struct http *http, int64_t now, bool ready)
{
	struct peer *oldest;
	size_t		count;

	if (!http || (!ready && now < http_deadline(http, now)))
		return;
	http->now = now;
	while ((oldest = oldest_peer(http, &count)) && now - oldest->since >= HTTP_LIFETIME_MS)
		leave(oldest);
	MHD_run(http->daemon);
}
