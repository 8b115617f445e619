/*
 * stream.h - the streamer's loop: replication in, Kafka out, one number back.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_STREAM_H
#define OUTBOX_STREAM_H

#include "../common/metrics.h"
#include "settings.h"

/*
 * What "stream" does.  Takes over SIGTERM, SIGINT, SIGHUP and SIGPIPE.
 *
 * reload is called on SIGHUP; it reads the configuration again into *fresh,
 * whose pointers must stay valid until the next call or the end.  Keys that
 * can't be reloaded are the caller's to compare and warn about.
 *
 * Returns ERR_NONE if it was asked to stop or reached settings->endpos.
 */
struct stream_reload
{
	enum err_class (*read) (void *arg, struct settings *fresh, struct err *err);
	void	   *arg;
};

extern enum err_class stream_run(const struct settings *settings,
								 const struct stream_reload *reload,
								 struct err *err);

/* All metrics; ends with a name of NULL. */
extern const struct metric stream_metrics[];

#endif							/* OUTBOX_STREAM_H */
