/*
 * kafka_producer.c - a librdkafka producer as both Kafka sinks use it.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/log.h"
#include "kafka_error.h"
#include "kafka_limit.h"
#include "kafka_producer.h"
#include "topics.h"

#define PARTITION_KEY	(UINT64_C(1) << 63)	/* the hash has 31 bits */

/*
 * How long a producer that is given up may take for its last delivery reports.
 * librdkafka 2.0.2 frees some messages twice if it is destroyed with requests
 * under way.
 */
#define CLOSE_TIMEOUT_MS	500
#define CLOSE_STEP_MS		10

#define ARGUMENTS		7		/* of rd_kafka_produceva() */
#define REPORTS_MAX		256		/* delivery reports taken from an event at once */

#define ID_SHOWN		64		/* octets of an id that an error shows; a UUID has 36 */
#define EVENT_NAME_SIZE	(ID_SHOWN + 32)

static uint64_t
make_opaque(const struct message *message, uint32_t sequence)
{
	uint64_t	opaque = sequence;

	if (message->has_partition_key)
		opaque |= PARTITION_KEY | (uint64_t) message->partition_hash << 32;
	return opaque;
}

/*
 * librdkafka: called by rd_kafka_produceva() or, where the topic wasn't known
 * yet, by one of its threads.
 */
static int32_t
partition(const rd_kafka_topic_t *topic, const void *key, size_t key_len,
		  int32_t partitions, void *opaque, void *msg_opaque)
{
	uint64_t	number = (uint64_t) (uintptr_t) msg_opaque;

	if (number & PARTITION_KEY)
		return (int32_t) ((number >> 32 & 0x7fffffff) % (uint64_t) partitions);
	return ((const struct kafka_producer *) opaque)->partitioner(topic, key, key_len, partitions, NULL, NULL);
}

bool
kafka_producer_init(struct kafka_producer *p, const struct settings *settings)
{
	*p = (struct kafka_producer) {.settings = settings};
	p->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return p->wakeup >= 0;
}

void
kafka_producer_free(struct kafka_producer *p)
{
	kafka_producer_close(p);
	close(p->wakeup);
}

enum err_class
kafka_producer_open(struct kafka_producer *p, const char *transactional_id, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf_new(p->settings, err);
	rd_kafka_topic_conf_t *topic_conf;
	char		reason[256];
	static const uint64_t one = 1;

	if (!conf)
		return err->class;
	if (transactional_id)
	{
		/* a gap aborts the Kafka transaction; it need not end the producer */
		rd_kafka_conf_set(conf, "enable.gapless.guarantee", "false", reason, sizeof(reason));
		if (rd_kafka_conf_set(conf, "transactional.id", transactional_id, reason, sizeof(reason)))
		{
			rd_kafka_conf_destroy(conf);
			return err_set(err, ERR_CONFIG, "kafka-property", "transactional.id: %s", reason);
		}
	}
	p->partitioner = kafka_conf_partitioner(p->settings);
	/* kafka_conf_new() has set topic properties, so there is one */
	topic_conf = rd_kafka_conf_get_default_topic_conf(conf);
	rd_kafka_topic_conf_set_partitioner_cb(topic_conf, partition);
	rd_kafka_topic_conf_set_opaque(topic_conf, p);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	p->client = kafka_client_new(RD_KAFKA_PRODUCER, conf, err);
	if (!p->client)
		return err->class;
	rd_kafka_set_log_queue(p->client, NULL);
	p->queue = rd_kafka_queue_get_main(p->client);
	rd_kafka_queue_io_event_enable(p->queue, p->wakeup, &one, sizeof(one));
	p->reached = p->down = false;
	p->opened++;
	p->unacked = 0;
	window_init(p->window, kafka_conf_batch(p->settings));
	p->topics = topics_new();
	if (!p->topics)
		err_set(err, ERR_RETRY, "out-of-memory", "out of memory");
	else if (!settings_kafka(p->settings, "linger.ms") && !kafka_prompt_start(&p->prompt, p->client))
	{
		err_set(err, ERR_RETRY, "out-of-threads", "no thread can be started for the Kafka producer");
		err_hint(err, "raise the limits of processes (ulimit -u, TasksMax) and of open files (ulimit -n)");
	}
	if (err->class)
		kafka_producer_close(p);
	else if (p->asked[0])
		kafka_limit_ask(p->client, p->queue, p->asked);
	p->asked[0] = '\0';
	return err->class;
}

void
kafka_producer_close(struct kafka_producer *p)
{
	if (!p->client)
		return;
	topics_free(p->topics);
	p->topics = NULL;
	rd_kafka_purge(p->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	for (int64_t until = clock_now() + CLOSE_TIMEOUT_MS; rd_kafka_outq_len(p->client) > 0 && clock_now() < until;)
	{
		rd_kafka_event_t *event = rd_kafka_queue_poll(p->queue, CLOSE_STEP_MS);

		if (event)
			rd_kafka_event_destroy(event);
	}
	kafka_prompt_stop(&p->prompt);
	rd_kafka_queue_destroy(p->queue);
	rd_kafka_destroy(p->client);
	p->client = NULL;
}

static rd_kafka_headers_t *
make_headers(const struct message *message)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t) message->nheaders);

	for (int i = 0; i < message->nheaders; i++)
		rd_kafka_header_add(headers, message->headers[i].name.data,
							(ssize_t) message->headers[i].name.len,
							message->headers[i].value.data,
							(ssize_t) message->headers[i].value.len);
	return headers;
}

/* "the event with id ..." for an error, as far as its header says it. */
static const char *
name_event(struct slice id, char *out, size_t size)
{
	if (id.len == 0)
		return "an event";
	snprintf(out, size, "the event with id \"%.*s\"", (int) (id.len < ID_SHOWN ? id.len : ID_SHOWN), id.data);
	return out;
}

/* One by one: an initializer would set half a kilobyte to zero before, for each message. */
static void
set_arguments(rd_kafka_vu_t arguments[ARGUMENTS], rd_kafka_topic_t *topic, rd_kafka_headers_t *headers,
			  const struct message *message, uint32_t sequence)
{
	arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
	arguments[0].u.rkt = topic;
	arguments[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
	arguments[1].u.i = RD_KAFKA_MSG_F_COPY;
	arguments[2].vtype = RD_KAFKA_VTYPE_KEY;
	arguments[2].u.mem.ptr = (void *) message->key.data;
	arguments[2].u.mem.size = message->key.len;
	arguments[3].vtype = RD_KAFKA_VTYPE_VALUE;
	arguments[3].u.mem.ptr = (void *) message->payload.data;
	arguments[3].u.mem.size = message->payload.len;
	arguments[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
	arguments[4].u.i64 = message->timestamp_ms;
	arguments[5].vtype = RD_KAFKA_VTYPE_HEADERS;
	arguments[5].u.headers = headers;
	arguments[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
	arguments[6].u.ptr = (void *) (uintptr_t) make_opaque(message, sequence);
}

/* A message that the client itself refuses. */
static enum sink_result
refused(const struct message *message, uint32_t sequence, rd_kafka_resp_err_t code,
		const char *reason, struct sink_rejection *rejection, struct err *err)
{
	const struct kafka_error *known = kafka_error(code);
	struct slice id = message->nheaders > 0 && slice_equal(message->headers[0].name, slice_of(HEADER_ID)) ?
		message->headers[0].value : (struct slice) {NULL, 0};
	char		event[EVENT_NAME_SIZE];

	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return SINK_FULL;
	err_set(err, known->class, known->code, "Kafka: topic \"%s\": %s was refused: %s",
			message->topic, name_event(id, event, sizeof(event)), reason);
	err_hint(err, "%s", known->hint);
	if (known->class == ERR_DATA)
	{
		*rejection = (struct sink_rejection) {.sequence = sequence, .alone = true};
		memcpy(rejection->topic, message->topic, message->topic_len + 1);
	}
	return SINK_FAILED;
}

void
kafka_producer_hurry(struct kafka_producer *p)
{
	kafka_prompt_ask(&p->prompt);
}

enum sink_result
kafka_producer_send(struct kafka_producer *p, const struct message *message, uint32_t sequence,
					struct sink_rejection *rejection, struct err *err)
{
	rd_kafka_topic_t *topic = topics_get(p->topics, p->client, message->topic, message->topic_len);
	rd_kafka_headers_t *headers;
	rd_kafka_vu_t arguments[ARGUMENTS];
	rd_kafka_error_t *error;
	enum sink_result result;

	if (!topic)
		return refused(message, sequence, rd_kafka_last_error(),
					   rd_kafka_err2str(rd_kafka_last_error()), rejection, err);
	headers = make_headers(message);
	set_arguments(arguments, topic, headers, message, sequence);
	error = rd_kafka_produceva(p->client, arguments, ARGUMENTS);
	if (!error)
	{
		/* a message alone is no backlog, however old it is */
		if (p->unacked++ == 0)
			kafka_producer_hurry(p);
		return SINK_OK;
	}
	rd_kafka_headers_destroy(headers);
	result = refused(message, sequence, rd_kafka_error_code(error),
					 rd_kafka_error_string(error), rejection, err);
	rd_kafka_error_destroy(error);
	return result;
}

/* A header of a message that was not delivered; empty: it has none of the name. */
static struct slice
read_header(const rd_kafka_message_t *report, const char *name)
{
	rd_kafka_headers_t *headers;
	const void *value = NULL;
	size_t		len = 0;

	if (rd_kafka_message_headers(report, &headers) || rd_kafka_header_get_last(headers, name, &value, &len))
		return (struct slice) {NULL, 0};
	return (struct slice) {(char *) value, len};
}

/* Where a message came from, as its header says. */
static void
read_position(const rd_kafka_message_t *report, char position[POSITION_LEN + 1])
{
	struct slice value = read_header(report, HEADER_POSITION);

	position[0] = '\0';
	if (value.len != POSITION_LEN)
		return;
	memcpy(position, value.data, value.len);
	position[value.len] = '\0';
}

/* A message that was not delivered. */
static void
failed_report(const rd_kafka_message_t *report, struct sink_rejection *rejection, struct err *err)
{
	const struct kafka_error *known = kafka_error(report->err);
	uint32_t	sequence = (uint32_t) (uintptr_t) report->_private;
	char		partition_text[32] = "";
	char		event[EVENT_NAME_SIZE];

	/* what failed as a consequence of something else says nothing by itself */
	if (err->class == ERR_DATA && known->class == ERR_DATA)
	{
		if (sequence - rejection->sequence < UINT32_MAX / 2)
			rejection->sequence = sequence;
		rejection->taken++;
		return;
	}
	if (err->class == ERR_DATA || (err->class && known->class != ERR_DATA))
		return;
	/* none was chosen in a topic that nobody knows */
	if (report->partition >= 0)
		snprintf(partition_text, sizeof(partition_text), " partition %" PRId32, report->partition);
	err_set(err, known->class, known->code, "Kafka: topic \"%s\"%s did not take %s: %s",
			rd_kafka_topic_name(report->rkt), partition_text,
			name_event(read_header(report, HEADER_ID), event, sizeof(event)), rd_kafka_err2str(report->err));
	err_hint(err, "%s", known->hint);
	rejection->sequence = sequence;
	rejection->alone = !known->batch;
	rejection->taken = 1;
	read_position(report, rejection->position);
	snprintf(rejection->topic, sizeof(rejection->topic), "%s", rd_kafka_topic_name(report->rkt));
}

static void
serve_report(struct kafka_producer *p, const rd_kafka_message_t *report,
			 kafka_delivered delivered, void *arg,
			 struct sink_rejection *rejection, struct err *err)
{
	uint64_t	opaque = (uint64_t) (uintptr_t) report->_private;

	if (opaque == KAFKA_NO_MESSAGE)
		return;
	p->unacked--;
	if (report->err)
	{
		failed_report(report, rejection, err);
		if (p->limit && report->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
			snprintf(p->asked, sizeof(p->asked), "%s", rd_kafka_topic_name(report->rkt));
	}
	else
	{
		delivered(arg, (uint32_t) opaque, message_octets(report->key_len, report->len));
		p->reached = true;
	}
}

static void
note_reached(struct kafka_producer *p)
{
	if (!p->down || !p->reached)
		return;
	p->down = false;
	log_info("the Kafka brokers answer again");
}

static void
serve_reports(struct kafka_producer *p, rd_kafka_event_t *event,
			  kafka_delivered delivered, void *arg,
			  struct sink_rejection *rejection, struct err *err)
{
	const rd_kafka_message_t *reports[REPORTS_MAX];
	size_t		n;

	/* those of one event were one batch */
	window_acknowledged(p->window, rd_kafka_event_message_count(event), (uint32_t) p->settings->max_inflight_events);
	while ((n = rd_kafka_event_message_array(event, reports, REPORTS_MAX)) > 0)
		for (size_t i = 0; i < n; i++)
			serve_report(p, reports[i], delivered, arg, rejection, err);
	note_reached(p);
}

/* Errors of the client as a whole; most of them it mends by itself. */
static void
serve_error(struct kafka_producer *p, rd_kafka_event_t *event, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	char		reason[256];

	if (code == RD_KAFKA_RESP_ERR__FATAL)
	{
		rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(p->client, reason, sizeof(reason));

		if (!err->class)
			err_set(err, ERR_RETRY, "kafka-producer", "the Kafka producer can't go on (%s): %s",
					rd_kafka_err2name(fatal), reason);
	}
	else if ((code == RD_KAFKA_RESP_ERR__AUTHENTICATION) && !p->reached)
	{
		if (!err->class)
		{
			err_set(err, ERR_CONFIG, "kafka-login", "the Kafka broker refuses the login: %s",
					rd_kafka_event_error_string(event));
			err_hint(err, "see kafka.sasl.* and kafka.ssl.*");
		}
	}
	else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !p->down)
	{
		p->down = true;
		p->reached = false;
		p->outages++;
		kafka_log_unreachable(p->trouble[0] ? p->trouble : rd_kafka_event_error_string(event));
	}
	else
	{
		snprintf(p->trouble, sizeof(p->trouble), "%s", rd_kafka_event_error_string(event));
		log_debug("Kafka: %s", p->trouble);
	}
}

static void
serve_log(rd_kafka_event_t *event)
{
	const char *facility;
	const char *text;
	int			level;

	if (rd_kafka_event_log(event, &facility, &text, &level) == 0)
		log_debug("librdkafka: %s: %s", facility, text);
}

static void
serve_limit(struct kafka_producer *p, rd_kafka_event_t *event)
{
	const char *topic = NULL;
	int64_t		octets = kafka_limit_read(event, &topic);

	if (octets <= 0 || !p->limit)
		return;
	snprintf(p->limit->topic, sizeof(p->limit->topic), "%s", topic);
	p->limit->octets = octets;
}

enum err_class
kafka_producer_serve(struct kafka_producer *p, kafka_delivered delivered, void *arg,
					 struct sink_rejection *rejection, struct err *err)
{
	rd_kafka_event_t *event;
	uint64_t	count;
	ssize_t		got;

	if (!p->client)
		return ERR_NONE;
	/* before the queue is emptied, or a wake-up in between would be lost */
	do
		got = read(p->wakeup, &count, sizeof(count));
	while (got < 0 && errno == EINTR);

	while ((event = rd_kafka_queue_poll(p->queue, 0)))
	{
		switch (rd_kafka_event_type(event))
		{
			case RD_KAFKA_EVENT_DR:
				serve_reports(p, event, delivered, arg, rejection, err);
				break;
			case RD_KAFKA_EVENT_ERROR:
				serve_error(p, event, err);
				break;
			case RD_KAFKA_EVENT_LOG:
				serve_log(event);
				break;
			case RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT:
				serve_limit(p, event);
				break;
			default:
				break;
		}
		rd_kafka_event_destroy(event);
	}
	return err->class;
}

/*
 * librdkafka says that all brokers are away, but not that one is back; a delivery
 * shows it, but nothing may be there to deliver.  Asked for metadata without any
 * time to wait, it tells at once whether there is a connection: if not, with
 * __TRANSPORT; else the answer can't be there yet.
 */
static void
look_for_brokers(struct kafka_producer *p)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code;

	if (p->reached || !p->client)
		return;
	code = rd_kafka_metadata(p->client, 0, NULL, &metadata, 0);
	if (metadata)
		rd_kafka_metadata_destroy(metadata);
	p->reached = code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
	note_reached(p);
}

void
kafka_producer_report(struct kafka_producer *p, struct sink_report *report)
{
	look_for_brokers(p);
	report->reached = p->reached;
	report->library = rd_kafka_version_str();
	report->producers = p->opened;
	report->outages = p->outages;
}
