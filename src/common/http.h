/*
 * http.h - a small HTTP server for probes and figures, driven by somebody else's
 * poll loop.
 *
 * libmicrohttpd without threads of its own: the loop polls one descriptor, which
 * stands for the listening socket and all connections, and calls http_serve()
 * when it is ready or the deadline has passed.  Nothing here waits.
 *
 * Whoever can reach the port is a stranger.  So only GET and HEAD are answered;
 * one request to a connection; a connection lives for HTTP_LIFETIME_MS, however
 * slowly it talks; beyond HTTP_CONNECTIONS the oldest gives way to a new one, so
 * that silent ones can't keep a probe out; and each has HTTP_MEMORY octets for its
 * request.
 *
 * A server that isn't wanted is NULL: all functions but http_open() take that.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_HTTP_H
#define OUTBOX_HTTP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define HTTP_CONNECTIONS	32
#define HTTP_LIFETIME_MS	10000
#define HTTP_MEMORY			8192

struct http;

/* What is asked. */
struct http_request
{
	const char *path;			/* "/metrics", without what follows a "?" */
	void	   *connection;		/* for http_argument() */
};

/* What is answered; zeroed before. */
struct http_answer
{
	unsigned	status;			/* 0 = there is no such path: 404 */
	const char *type;			/* static; NULL = text/plain */
	char	   *body;			/* of malloc(), taken over; NULL = an empty one */
	size_t		len;
};

/* Answers a request, at once.  Called within http_serve() only. */
typedef void (*http_handler) (void *arg, const struct http_request *request, struct http_answer *answer);

/* Value of an argument of the query ("?name=value"), NULL if there is none; valid
 * within the handler. */
extern const char *http_argument(const struct http_request *request, const char *name);

/* Listens where http_address.h says.  NULL with err filled: ERR_CONFIG. */
extern struct http *http_open(const char *listen, http_handler handler, void *arg, struct err *err);
extern void http_free(struct http *http);

/* fd is -1 if there is no server. */
extern void http_poll(const struct http *http, struct pollfd *pollfd);

/* Of clock_now(): when http_serve() is due even if nothing comes in. */
extern int64_t http_deadline(const struct http *http, int64_t now);

/* Takes what has come in, answers it, and closes what is over. */
extern void http_serve(struct http *http, int64_t now, bool ready);

#endif							/* OUTBOX_HTTP_H */
