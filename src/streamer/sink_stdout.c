/*
 * sink_stdout.c - messages to standard output, for a first look without Kafka.
 *
 * One line each: topic, key, headers and payload, with tabs between them; an
 * absent key or payload is shown as NULL.  Durable means: written.  Standard
 * output is somebody else's and stays blocking, so no more is written at once
 * than a pipe that polls as writable takes (PIPE_BUF octets).
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sink.h"

/* More than that waiting to be written: full. */
#define BUFFER_SOFT_LIMIT	(64 * 1024)

#define WAITING_MAX			4096

struct waiting
{
	uint32_t	sequence;
	size_t		octets;			/* as message_octets() */
	size_t		end;			/* written once this much of the buffer is */
};

struct sink_stdout
{
	struct sink sink;
	char	   *buffer;
	size_t		len;
	size_t		capacity;
	size_t		written;
	struct waiting waiting[WAITING_MAX];	/* a queue, oldest first */
	size_t		nwaiting;
};

static void
put(struct sink_stdout *s, const char *data, size_t len)
{
	memcpy(s->buffer + s->len, data, len);
	s->len += len;
}

static void
put_slice(struct sink_stdout *s, struct slice slice)
{
	put(s, slice.data ? slice.data : "NULL", slice.data ? slice.len : 4);
}

static size_t
line_length(const struct message *message)
{
	size_t		len = message->topic_len + message->key.len + message->payload.len + 16;

	for (int i = 0; i < message->nheaders; i++)
		len += message->headers[i].name.len + message->headers[i].value.len + 8;
	return len;
}

static bool
reserve(struct sink_stdout *s, size_t len)
{
	char	   *larger;

	if (s->len + len <= s->capacity)
		return true;
	larger = realloc(s->buffer, s->len + len);
	if (!larger)
		return false;
	s->buffer = larger;
	s->capacity = s->len + len;
	return true;
}

static enum err_class
start(struct sink *sink, const struct replication_identity *identity, struct err *err)
{
	(void) identity, (void) err;
	sink->ready = true;
	return ERR_NONE;
}

static enum sink_result
send_message(struct sink *sink, const struct message *message, uint32_t sequence, struct err *err)
{
	struct sink_stdout *s = (struct sink_stdout *) sink;

	if (s->len - s->written >= BUFFER_SOFT_LIMIT || s->nwaiting == WAITING_MAX)
		return SINK_FULL;
	if (!reserve(s, line_length(message)))
	{
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		return SINK_FAILED;
	}
	put(s, message->topic, message->topic_len);
	put(s, "\t", 1);
	put_slice(s, message->key);
	put(s, "\t", 1);
	for (int i = 0; i < message->nheaders; i++)
	{
		put(s, ",", i > 0);
		put_slice(s, message->headers[i].name);
		put(s, "=", 1);
		put_slice(s, message->headers[i].value);
	}
	put(s, "\t", 1);
	put_slice(s, message->payload);
	put(s, "\n", 1);
	s->waiting[s->nwaiting++] = (struct waiting)
	{
		sequence, message_octets(message->key.len, message->payload.len), s->len
	};
	return SINK_OK;
}

static void
acknowledge(struct sink_stdout *s)
{
	size_t		done = 0;

	if (s->len == 0)
		return;					/* and perhaps no memory to move yet */
	while (done < s->nwaiting && s->waiting[done].end <= s->written)
	{
		s->sink.callbacks.acked(s->sink.arg, s->waiting[done].sequence, s->waiting[done].octets);
		done++;
	}
	s->nwaiting -= done;
	memmove(s->waiting, s->waiting + done, s->nwaiting * sizeof(s->waiting[0]));
	if (s->written < s->len && s->written < BUFFER_SOFT_LIMIT)
		return;
	memmove(s->buffer, s->buffer + s->written, s->len - s->written);
	for (size_t i = 0; i < s->nwaiting; i++)
		s->waiting[i].end -= s->written;
	s->len -= s->written;
	s->written = 0;
}

static enum err_class
serve(struct sink *sink, int64_t now, struct err *err)
{
	struct sink_stdout *s = (struct sink_stdout *) sink;
	struct pollfd pollfd = {.fd = STDOUT_FILENO, .events = POLLOUT};

	(void) now;
	while (s->written < s->len && poll(&pollfd, 1, 0) > 0)
	{
		size_t		left = s->len - s->written;
		ssize_t		n = write(STDOUT_FILENO, s->buffer + s->written,
							  left < PIPE_BUF ? left : PIPE_BUF);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return err_set(err, ERR_FATAL, "stdout-closed",
						   "standard output can't be written: %s", strerror(errno));
		if (n > 0)
			s->written += (size_t) n;
	}
	acknowledge(s);
	return ERR_NONE;
}

static void
poll_sink(const struct sink *sink, struct pollfd *pollfd)
{
	const struct sink_stdout *s = (const struct sink_stdout *) sink;

	*pollfd = (struct pollfd) {.fd = s->written < s->len ? STDOUT_FILENO : -1, .events = POLLOUT};
}

/* What is in the buffer belongs to lines that may be half written: it stays,
 * but nobody waits for it. */
static bool
stop(struct sink *sink)
{
	((struct sink_stdout *) sink)->nwaiting = 0;
	sink->ready = false;
	return true;
}

static void
free_sink(struct sink *sink)
{
	free(((struct sink_stdout *) sink)->buffer);
	free(sink);
}

struct sink *
sink_stdout_new(const struct sink_callbacks *callbacks, void *arg, struct err *err)
{
	static const struct sink_ops ops = {
		.name = "stdout", .start = start, .send = send_message, .serve = serve,
		.poll = poll_sink, .stop = stop, .free = free_sink
	};
	struct sink_stdout *s = calloc(1, sizeof(*s));

	if (!s)
	{
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory");
		return NULL;
	}
	s->sink = (struct sink) {.ops = &ops, .callbacks = *callbacks, .arg = arg};
	return &s->sink;
}
