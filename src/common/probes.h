/*
 * probes.h - /livez, /readyz and /metrics, as every program here serves them.
 *
 * The program says what is true; paths, status and form are the same for all.
 *
 *   /livez               200 or 503, and a line that says why
 *   /readyz              likewise; "?standby=ok": a standby will do
 *   /metrics             Prometheus' text format
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_PROBES_H
#define OUTBOX_PROBES_H

#include "config.h"
#include "http.h"
#include "metrics.h"

/* Answered at once, within http_serve(). */
struct probes
{
	/* Both write one line without its end, which says why. */
	bool		(*live) (void *arg, char *line, size_t size);
	bool		(*ready) (void *arg, bool standby_ok, char *line, size_t size);
	void		(*metrics) (void *arg, struct metrics_text *text);
	void	   *arg;
};

/* The row of a program's table. */
#define PROBES_KEYS \
	{"http", "listen", CONFIG_STRING, NULL, NULL, 0, 0, 0, \
		"Where /livez, /readyz and /metrics are served: address:port, [IPv6]:port, or :port for all addresses of the machine, " \
	"as Kubernetes needs it. Not set: nowhere. There is neither login nor TLS."}

/* http.listen, NULL if nothing is to be served.  ERR_CONFIG: it is no address. */
extern enum err_class probes_listen(const struct config *config, const char **listen, struct err *err);

/*
 * Serves them there, see http_poll() and what follows it; probes must outlive it.
 * NULL with err filled: ERR_CONFIG.
 */
extern struct http *probes_open(const char *listen, const struct probes *probes, struct err *err);

#endif							/* OUTBOX_PROBES_H */
