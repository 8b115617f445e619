/*
 * sink_kafka_txn.c - messages to Kafka, exactly once: a transactional producer.
 *
 * Whole PostgreSQL transactions are grouped into Kafka transactions, each with
 * a record of progress in it:
 *
 *   closed -> opening -> idle -> open -> committing -> idle
 *
 *   opening     on a thread: init_transactions fences older producers of this
 *               slot and aborts what they left open; then the progress is read
 *   open        messages are produced
 *   committing  on a thread; nothing is produced meanwhile
 *
 * Only the progress that is read back decides: any error ends the producer,
 * the slot is given up, and all begins again with opening.  Nothing needs to be
 * remembered for that.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "../common/clock.h"
#include "../common/log.h"
#include "kafka_producer.h"
#include "kafka_progress.h"
#include "kafka_task.h"
#include "kafka_transaction.h"

/* Idle advance is written to the topic at most that often. */
#define IDLE_INTERVAL_MS	10000
#define IDLE_DISTANCE		(16 * 1024 * 1024)

/* How long an open transaction may take to be aborted when the process ends. */
#define ABORT_TIMEOUT_MS	3000

#define TRANSACTION_TIMEOUT_MS	60000	/* librdkafka's default */

/*
 * The broker says that a transaction is committed before it has written the
 * markers, and refuses to begin another one until then; librdkafka then tries
 * again after 20 ms (its constant).  Not asking so soon is the faster way.
 */
#define REST_MS				3

/* In a backlog a group goes on for that many intervals, or until nothing has
 * come for that many. */
#define BACKLOG_INTERVALS	100
#define BACKLOG_PAUSE		4

enum txn_state
{
	TXN_CLOSED,
	TXN_OPENING,
	TXN_IDLE,
	TXN_OPEN,
	TXN_COMMITTING
};

/* The PostgreSQL transactions that share the open Kafka transaction. */
struct group
{
	int64_t		since;			/* when it was opened */
	int64_t		events;
	size_t		octets;
	int64_t		fed_at;			/* when it got something last */
	bool		fed;			/* since the last serve() */
	bool		whole;			/* ends with a commit at present */
	bool		empty;			/* progress only */
	bool		full;			/* takes no more: a part ends here, or the next begins one */
	uint32_t	sent;			/* of a split transaction, its events up to here */
	uint32_t	sequence;		/* the last whole one */
	lsn_t		end;
	lsn_t		newest;			/* end of the one that the last event is of */
};

struct sink_kafka_txn
{
	struct sink sink;
	const struct settings *settings;
	struct kafka_producer producer;
	struct kafka_task task;
	enum txn_state state;
	struct group group;
	uint32_t	sequence;		/* of the transaction that was sent last */

	struct replication_identity identity;
	struct progress progress;	/* ours: what the next record says */
	char		topic[256];
	char		transactional_id[256];
	bool		found;			/* what opening has read */
	struct progress read;

	bool		doomed;			/* the producer or a message has failed: no commit can succeed */
	lsn_t		committed;		/* the progress in Kafka covers this */
	int64_t		rest_until;		/* nothing is begun before */
	int64_t		idle_at;		/* when idle advance was written last */
	bool		doubted;		/* the progress was ahead of the server once */
	lsn_t		too_slow;		/* a transaction that took too long once */
	int64_t		now;			/* of the last serve() */
	uint64_t	ncommitted;		/* Kafka transactions since the start */
	uint64_t	naborted;
};

/* ---------- on the thread ---------- */

static void
open_task(struct kafka_task *task, void *arg)
{
	struct sink_kafka_txn *k = arg;

	if (kafka_progress_prepare(k->producer.client, k->topic, &task->cancel, &task->err) ||
		kafka_transaction_init(k->producer.client, k->transactional_id, &task->cancel, &task->err))
		return;
	kafka_progress_read(k->settings, k->topic, &task->cancel, &k->read, &k->found, &task->err);
}

static void
commit_task(struct kafka_task *task, void *arg)
{
	kafka_transaction_commit(((struct sink_kafka_txn *) arg)->producer.client, &task->err);
}

static void
abort_task(struct kafka_task *task, void *arg)
{
	(void) task;				/* whoever comes next aborts it, too */
	kafka_transaction_abort(((struct sink_kafka_txn *) arg)->producer.client);
}

static enum err_class
start_task(struct sink_kafka_txn *k, kafka_task_function function, struct err *err)
{
	if (kafka_task_start(&k->task, k->producer.wakeup, function, k))
		return ERR_NONE;
	err_set(err, ERR_RETRY, "out-of-threads", "no thread can be started");
	return err_hint(err, "raise the limits of processes (ulimit -u, TasksMax) and of open files (ulimit -n)");
}

/* ---------- the group ---------- */

static enum err_class
begin_group(struct sink_kafka_txn *k, struct err *err)
{
	rd_kafka_error_t *error = rd_kafka_begin_transaction(k->producer.client);

	if (error)
	{
		err_set(err, ERR_RETRY, "kafka-begin", "Kafka: beginning a transaction: %s",
				rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
		return err->class;
	}
	k->group = (struct group) {.since = k->now, .fed_at = k->now, .end = k->committed};
	k->state = TXN_OPEN;
	return ERR_NONE;
}

/* How much of a split transaction is delivered when the group is. */
static struct split
split_so_far(const struct sink_kafka_txn *k)
{
	struct split split = k->sink.split;

	if (k->group.sent > split.sent)
		split.sent = k->group.sent;
	return split.sent > 0 && split.lsn > k->group.end ? split : (struct split) {0};
}

static enum err_class
send_progress(struct sink_kafka_txn *k, struct err *err)
{
	char		value[PROGRESS_TEXT_MAX];
	size_t		len;
	rd_kafka_resp_err_t code;

	k->progress.lsn = k->group.end;
	k->progress.split = split_so_far(k);
	len = progress_write(&k->progress, value);
	if (len == 0)
		return err_set(err, ERR_CONFIG, "progress-name", "the database's name isn't UTF-8: the progress can't be written");
	code = rd_kafka_producev(k->producer.client,
							 RD_KAFKA_V_TOPIC(k->topic), RD_KAFKA_V_PARTITION(0),
							 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							 RD_KAFKA_V_KEY(k->settings->slot, strlen(k->settings->slot)),
							 RD_KAFKA_V_VALUE(value, len),
							 RD_KAFKA_V_OPAQUE((void *) (uintptr_t) KAFKA_NO_MESSAGE),
							 RD_KAFKA_V_END);
	if (code)
		return err_set(err, ERR_RETRY, "kafka-progress", "Kafka: the progress can't be written: %s",
					   rd_kafka_err2str(code));
	return ERR_NONE;
}

/* Commits what the group holds, with the progress in it. */
static enum err_class
close_group(struct sink_kafka_txn *k, struct err *err)
{
	if (send_progress(k, err) || start_task(k, commit_task, err))
		return err->class;
	k->state = TXN_COMMITTING;
	return ERR_NONE;
}

static bool
is_large(const struct sink_kafka_txn *k)
{
	return k->group.events >= k->settings->group_events ||
		k->group.octets >= (size_t) k->settings->group_bytes;
}

/*
 * When a group that isn't large is closed.  A commit takes its time whatever the
 * size, and what is read meanwhile waits.  So while there is a backlog, groups
 * are large; nobody's event is late because of that.
 */
static int64_t
due_at(const struct sink_kafka_txn *k)
{
	int64_t		interval = k->settings->group_interval;
	int64_t		longest = k->group.since + interval * BACKLOG_INTERVALS;
	int64_t		pause = k->group.fed_at + interval * BACKLOG_PAUSE;

	if (!k->sink.backlog)
		return k->group.since + interval;
	return pause < longest ? pause : longest;
}

/* ---------- what the stream calls ---------- */

/*
 * The coordinator gives up a Kafka transaction that takes too long.  If the group
 * has ended with a commit, or a broker was away, it will do better the next time;
 * a PostgreSQL transaction that takes too long twice is too large.
 */
static void
judge_slowness(struct sink_kafka_txn *k, struct err *err)
{
	const char *given = settings_kafka(k->settings, "transaction.timeout.ms");
	int64_t		timeout = given ? strtoll(given, NULL, 10) : TRANSACTION_TIMEOUT_MS;

	if (k->state != TXN_OPEN || k->group.whole || k->now - k->group.since < timeout)
		return;
	if (k->too_slow == k->group.newest)
	{
		err_set(err, ERR_DATA, "transaction-too-slow",
				"the transaction that ends at %X/%X can't be produced within kafka.transaction.timeout.ms (%" PRId64 " ms)",
				LSN_ARGS(k->too_slow), timeout);
		err_hint(err, "raise it, and transaction.max.timeout.ms of the brokers if need be; or let such transactions be split (outbox.large_transactions), into parts of fewer events (outbox.max_transaction_events)");
		k->sink.rejection = (struct sink_rejection) {.sequence = k->sequence, .alone = true};
	}
	k->too_slow = k->group.newest;
}

/* Whatever failed: if we have been fenced, that is why. */
static void
explain(struct sink_kafka_txn *k, struct err *err)
{
	char		reason[256];

	if (err->class != ERR_RETRY ||
		rd_kafka_fatal_error(k->producer.client, reason, sizeof(reason)) != RD_KAFKA_RESP_ERR__FENCED)
		return;
	err_set(err, ERR_RETRY, "fenced",
			"fenced: another instance has taken over, or a transaction took longer than kafka.transaction.timeout.ms (%s)",
			reason);
	judge_slowness(k, err);
}

static enum err_class
start(struct sink *sink, const struct replication_identity *identity, struct err *err)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;

	if (k->identity.timeline.current != identity->timeline.current)
		sink->split = (struct split) {0};	/* what was counted was another's */
	k->doomed = false;
	k->identity = *identity;
	k->committed = identity->confirmed;
	k->progress = (struct progress) {
		.generation = k->settings->generation, .timeline = identity->timeline.current
	};
	memcpy(k->progress.system, identity->system, sizeof(k->progress.system));
	memcpy(k->progress.database, identity->database, sizeof(k->progress.database));
	snprintf(k->progress.slot, sizeof(k->progress.slot), "%s", k->settings->slot);
	progress_topic(k->topic, sizeof(k->topic), identity->system, k->settings->slot);
	progress_transactional_id(k->transactional_id, sizeof(k->transactional_id),
							  identity->system, k->settings->slot);
	if (kafka_producer_open(&k->producer, k->transactional_id, err))
		return err->class;
	k->state = TXN_OPENING;
	return start_task(k, open_task, err);
}

static enum sink_result
send_message(struct sink *sink, const struct message *message, uint32_t sequence, struct err *err)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;
	enum sink_result result;
	bool		in_part = message->lsn == sink->split.lsn;

	if (!in_part && message->n >= k->settings->max_transaction_events)
	{
		err_set(err, ERR_DATA, "transaction-too-large",
				"the transaction that ends at %X/%X has more than %" PRId64 " events, too many for one Kafka transaction",
				LSN_ARGS(message->lsn), k->settings->max_transaction_events);
		err_hint(err, "raise outbox.max_transaction_events, and kafka.transaction.timeout.ms with it; or set outbox.large_transactions = split");
		sink->rejection = (struct sink_rejection) {.sequence = sequence, .alone = true};
		return SINK_FAILED;
	}
	if (k->state == TXN_OPEN && in_part && k->group.whole)
		k->group.full = true;	/* what came before is committed first */
	if (k->state == TXN_OPEN ? k->group.full : k->state != TXN_IDLE || k->now < k->rest_until)
		return SINK_FULL;
	if (k->state == TXN_IDLE && begin_group(k, err))
	{
		explain(k, err);
		return SINK_FAILED;
	}
	result = kafka_producer_send(&k->producer, message, sequence, &sink->rejection, err);
	if (result == SINK_FAILED)
		explain(k, err);
	else if (result == SINK_OK)
	{
		k->sequence = sequence;
		k->group.newest = message->lsn;
		k->group.whole = false;
		k->group.fed = true;
		k->group.events++;
		k->group.octets += message_octets(message->key.len, message->payload.len);
		if (in_part)
		{
			k->group.sent = message->n + 1;
			k->group.full = split_ends_part(&sink->split, message->n);
		}
	}
	return result;
}

static enum err_class
commit(struct sink *sink, uint32_t sequence, lsn_t end, bool now, struct err *err)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;

	k->group.whole = true;
	k->group.sequence = sequence;
	k->group.end = end;
	return now || is_large(k) || end == sink->split.lsn ? close_group(k, err) : ERR_NONE;
}

static lsn_t
confirm(struct sink *sink, lsn_t flush, bool urgent)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;
	struct err	err = {0};

	if (flush <= k->committed)
		return flush;
	if (k->state == TXN_IDLE && k->now >= k->rest_until &&
		(urgent || flush - k->committed >= IDLE_DISTANCE || k->now - k->idle_at >= IDLE_INTERVAL_MS))
	{
		k->idle_at = k->now;
		if (!begin_group(k, &err))
		{
			k->group.empty = true;
			k->group.end = flush;
			close_group(k, &err);
		}
		if (err.class)
			log_err(LOG_LEVEL_WARNING, &err);	/* the next use fails, too */
	}
	return k->committed;
}

static void
delivered(void *arg, uint32_t sequence, size_t octets)
{
	struct sink *sink = arg;

	(void) sequence;			/* durable only when the Kafka transaction is */
	sink->callbacks.released(sink->arg, octets);
}

static enum err_class
opened(struct sink_kafka_txn *k, struct err *err)
{
	struct progress_start from;

	if (progress_judge(&k->progress, &k->identity, k->found ? &k->read : NULL, &from, err))
	{
		/* whoever had the slot may have gone on after we had looked at the server,
		 * and before the slot was ours: look once more */
		if (!k->doubted && strcmp(err->code, "progress-ahead") == 0)
			err->class = ERR_RETRY;
		k->doubted = true;
		return err->class;
	}
	k->doubted = false;
	log_info("exactly-once: transactional id \"%s\", %s %X/%X", k->transactional_id,
			 k->found ? "the progress in Kafka is" : "no progress in Kafka yet, going on from",
			 LSN_ARGS(from.lsn));
	if (from.split.lsn != LSN_INVALID)
	{
		k->sink.split = from.split;
		log_info("exactly-once: of the transaction that ends at %X/%X, %" PRIu32 " of %" PRIu32 " events are delivered",
				 LSN_ARGS(from.split.lsn), from.split.sent, from.split.total);
	}
	k->committed = k->sink.progress = from.lsn;
	k->state = TXN_IDLE;
	k->sink.ready = true;
	return ERR_NONE;
}

static void
committed(struct sink_kafka_txn *k)
{
	k->ncommitted++;
	k->state = TXN_IDLE;
	k->rest_until = k->now + REST_MS;
	k->committed = k->group.end;
	if (k->group.sent > k->sink.split.sent)
		k->sink.split.sent = k->group.sent;
	if (!k->group.whole && !k->group.empty)
		k->too_slow = LSN_INVALID;	/* a part: the next has its own time */
	else if (!k->group.empty)
		k->sink.callbacks.durable(k->sink.arg, k->group.sequence);
}

static enum err_class
serve(struct sink *sink, int64_t now, struct err *err)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;
	enum txn_state state = k->state;

	k->now = now;
	k->doomed |= kafka_producer_serve(&k->producer, delivered, sink, &sink->rejection, err) != ERR_NONE;
	if (kafka_task_finished(&k->task))
	{
		/* a record that was refused explains more than the failed commit */
		if (k->task.err.class && !err->class)
			*err = k->task.err;
		if (!err->class && state == TXN_OPENING)
			opened(k, err);
		else if (!err->class && state == TXN_COMMITTING)
			committed(k);
	}
	if (k->group.fed)
		k->group.fed_at = now;
	k->group.fed = false;
	if (!err->class && k->state == TXN_OPEN &&
		(k->group.full || (k->group.whole && (is_large(k) || now >= due_at(k)))))
		close_group(k, err);
	explain(k, err);
	return err->class;
}

static void
poll_sink(const struct sink *sink, struct pollfd *pollfd)
{
	*pollfd = (struct pollfd) {
		.fd = ((const struct sink_kafka_txn *) sink)->producer.wakeup, .events = POLLIN
	};
}

static int64_t
deadline(const struct sink *sink)
{
	const struct sink_kafka_txn *k = (const struct sink_kafka_txn *) sink;

	if (k->state == TXN_OPEN && (k->group.whole || k->group.full))
		return k->group.full ? k->now : due_at(k);
	return k->state == TXN_IDLE && k->now < k->rest_until ? k->rest_until : CLOCK_NEVER;
}

/* What is open is aborted by whoever initialises this transactional id next. */
static bool
stop(struct sink *sink)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;

	sink->ready = false;
	if (k->task.running)
	{
		struct err	ignored = {0};

		/* A commit waits for all messages; once one has failed, librdkafka sends the
		 * others no more and can't commit, but goes on waiting for them. */
		if (k->doomed)
			rd_kafka_purge(k->producer.client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
						   RD_KAFKA_PURGE_F_NON_BLOCKING);
		/* it needs its delivery reports to be taken, too */
		kafka_producer_serve(&k->producer, delivered, sink, &sink->rejection, &ignored);
		atomic_store(&k->task.cancel, true);
		if (!kafka_task_finished(&k->task))
			return false;
	}
	kafka_producer_close(&k->producer);
	if (k->state == TXN_OPEN || k->state == TXN_COMMITTING)
		k->naborted++;
	k->state = TXN_CLOSED;
	return true;
}

static void
report(struct sink *sink, struct sink_report *out)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;

	kafka_producer_report(&k->producer, out);
	out->committed = k->ncommitted;
	out->aborted = k->naborted;
}

/* Waits for the task; false if it takes too long. */
static bool
wait_for_task(struct sink_kafka_txn *k, int64_t until)
{
	struct pollfd pollfd = {.fd = k->producer.wakeup, .events = POLLIN};
	struct sink_rejection ignored;
	struct err	err = {0};

	atomic_store(&k->task.cancel, true);
	while (!kafka_task_finished(&k->task))
	{
		int64_t		left = until - clock_now();

		if (left <= 0)
			return false;
		poll(&pollfd, 1, (int) left);
		kafka_producer_serve(&k->producer, delivered, k, &ignored, &err);
	}
	return true;
}

/*
 * The process ends.  An open transaction would hold back the readers of its
 * topics until its timeout, so it is aborted.  A call that can't be broken off
 * ends with the process: then nothing is freed.
 */
static void
free_sink(struct sink *sink)
{
	struct sink_kafka_txn *k = (struct sink_kafka_txn *) sink;
	int64_t		until = clock_now() + ABORT_TIMEOUT_MS;
	struct err	err = {0};

	if (k->task.running && !wait_for_task(k, until))
		return;
	if (k->state == TXN_OPEN && !start_task(k, abort_task, &err) && !wait_for_task(k, until))
		return;
	kafka_producer_free(&k->producer);
	free(k);
}

struct sink *
sink_kafka_txn_new(const struct settings *settings, const struct sink_callbacks *callbacks,
				   void *arg, struct err *err)
{
	static const struct sink_ops ops = {
		.name = "kafka, exactly once", .start = start, .send = send_message, .serve = serve,
		.poll = poll_sink, .stop = stop, .free = free_sink,
		.commit = commit, .confirm = confirm, .deadline = deadline, .report = report
	};
	struct sink_kafka_txn *k = calloc(1, sizeof(*k));

	if (!k || !kafka_producer_init(&k->producer, settings))
	{
		free(k);
		err_set(err, ERR_FATAL, "out-of-memory", "out of memory or file descriptors");
		return NULL;
	}
	k->settings = settings;
	k->sink = (struct sink) {.ops = &ops, .callbacks = *callbacks, .arg = arg};
	k->producer.limit = &k->sink.limit;
	k->producer.window = &k->sink.window;
	return &k->sink;
}
