/*
 * sink.h - where messages go: a table of functions.
 *
 * A sink takes messages in order, and says of each, once and in any order,
 * that it is durable.  Nothing here waits.  All functions are called by the
 * one thread of the loop.
 *
 * Life: start -> (ready) -> send... -> stop -> start ...  After stop nothing
 * that was sent before is acknowledged any more; the stream begins again at
 * the flush LSN.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#ifndef OUTBOX_SINK_H
#define OUTBOX_SINK_H

#include <poll.h>

#include "../common/err.h"
#include "identity.h"
#include "route.h"
#include "settings.h"
#include "split.h"
#include "window.h"

/* What a message costs besides its key and payload, in octets: the broker
 * client's structures and headers.  Part of the in-flight limit. */
#define MESSAGE_OVERHEAD	512

static inline size_t
message_octets(size_t key_len, size_t payload_len)
{
	return key_len + payload_len + MESSAGE_OVERHEAD;
}

struct sink;

/*
 * What a sink says to the stream.  octets as message_octets() counts them.
 */
struct sink_callbacks
{
	/* One message of this transaction is durable, and out of memory. */
	void		(*acked) (void *arg, uint32_t sequence, size_t octets);

	/* One message is out of memory, but not yet durable. */
	void		(*released) (void *arg, size_t octets);

	/* All messages of this transaction and of those before it are durable. */
	void		(*durable) (void *arg, uint32_t sequence);
};

/*
 * A message was refused for its data.  If it was refused together with others
 * (brokers answer for whole batches), alone is unset: whoever is in doubt is
 * sent again, each by itself.  taken == 1 says that no other was refused.
 */
struct sink_rejection
{
	uint32_t	sequence;		/* highest one, if several were refused */
	bool		alone;
	uint32_t	taken;			/* refused ones that send() had taken: they count as in flight */
	char		topic[TOPIC_MAX_LEN + 1];
	char		position[POSITION_LEN + 1];	/* of the first one refused; "" = not known */
};

/* What a topic says of itself, asked because it has refused a message for its size. */
struct sink_limit
{
	char		topic[TOPIC_MAX_LEN + 1];
	int64_t		octets;			/* of the largest batch that it takes; 0 = nothing new */
};

enum sink_result
{
	SINK_OK,
	SINK_FULL,					/* not taken: serve, then try again */
	SINK_FAILED					/* err is filled */
};

/* For figures: what a sink knows of itself since the start. */
struct sink_report
{
	bool		reached;		/* as far as is known, a broker answers */
	const char *library;		/* version of the broker client; "" = none */
	uint64_t	producers;		/* made */
	uint64_t	outages;		/* no broker answered any more */
	uint64_t	committed;		/* Kafka transactions */
	uint64_t	aborted;		/* given up */
};

struct sink_ops
{
	const char *name;

	/* Takes up work for the slot that identity describes.  Nothing is sent
	 * until sink->ready is set, which may take a while. */
	enum err_class (*start) (struct sink *sink, const struct replication_identity *identity,
							 struct err *err);

	/* Copies the message.  sequence comes back when it is durable. */
	enum sink_result (*send) (struct sink *sink, const struct message *message,
							  uint32_t sequence, struct err *err);

	/* Handles what has come in and what is due: calls back.  ERR_DATA:
	 * sink->rejection is filled.  ERR_RETRY: it must be stopped and started. */
	enum err_class (*serve) (struct sink *sink, int64_t now, struct err *err);

	/* What to poll for; fd = -1 for nothing. */
	void		(*poll) (const struct sink *sink, struct pollfd *pollfd);

	/* False: a call is under way that can't be broken off; ask again later. */
	bool		(*stop) (struct sink *sink);
	void		(*free) (struct sink *sink);

	/* ----- optional, for a sink that groups transactions ----- */

	/*
	 * The transaction of that sequence is complete, its commit ends at end.
	 * now: close the group here, whatever else would decide it.
	 */
	enum err_class (*commit) (struct sink *sink, uint32_t sequence, lsn_t end, bool now,
							  struct err *err);

	/*
	 * The flush LSN could be this; returns what may be confirmed, and sees to
	 * it that it becomes more.  urgent: the server waits for it.
	 */
	lsn_t		(*confirm) (struct sink *sink, lsn_t flush, bool urgent);

	/* When serve() wants to be called at the latest. */
	int64_t		(*deadline) (const struct sink *sink);

	/* ----- optional, for one that is reached through a network ----- */

	/* Fills *report; asks the client if need be, but waits for nothing. */
	void		(*report) (struct sink *sink, struct sink_report *report);
};

/* What every sink begins with. */
struct sink
{
	const struct sink_ops *ops;
	struct sink_callbacks callbacks;
	void	   *arg;			/* of the callbacks */
	struct sink_rejection rejection;
	struct sink_limit limit;	/* the stream takes it, and sets octets to 0 */
	struct window window;		/* how many events it wants in flight */
	bool		ready;			/* takes messages */
	bool		backlog;		/* the stream says: what it reads was committed long ago */
	lsn_t		progress;		/* once ready: what earlier runs have delivered */

	/* A transaction that goes out in parts.  The stream sets it before start(),
	 * once it knows the number of events; once ready, the sink says how much of
	 * it earlier runs have delivered. */
	struct split split;
};

/* Each returns NULL and fills err on failure. */
extern struct sink *sink_kafka_new(const struct settings *settings,
								   const struct sink_callbacks *callbacks,
								   void *arg, struct err *err);
extern struct sink *sink_kafka_txn_new(const struct settings *settings,
									   const struct sink_callbacks *callbacks,
									   void *arg, struct err *err);
extern struct sink *sink_stdout_new(const struct sink_callbacks *callbacks,
									void *arg, struct err *err);

#endif							/* OUTBOX_SINK_H */
