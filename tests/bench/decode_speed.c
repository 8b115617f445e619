/*
 * decode_speed.c - what reading the wire format costs, in nanoseconds of CPU time
 * an event.
 *
 * Prints the best and the median of several runs as JSON lines: {"name",
 * "value", "unit", "runs", "what"}.  Copying a frame to where it is decoded
 * in place is measured with it and stands on a line of its own.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include <time.h>

#include "../unit/wire_encode.h"

#define RUNS	9

static volatile size_t sink;
static struct err err;

static double
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec * 1e9 + (double) now.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
report(const char *name, double *values, const char *what)
{
	qsort(values, RUNS, sizeof(*values), compare);
	printf("{\"name\":\"%s\",\"value\":%.1f,\"best\":%.1f,\"unit\":\"ns/event\",\"runs\":%d,\"what\":\"%s\"}\n",
		   name, values[RUNS / 2], values[0], RUNS, what);
}

static void
decode_frame(struct decoder *decoder, char *data, size_t len)
{
	enum decode_item item;

	decode_feed(decoder, data, len);
	while ((item = decode_next(decoder, &err)) != DECODE_END)
	{
		if (item == DECODE_ERROR)
		{
			fprintf(stderr, "decode_speed: %s\n", err.message);
			exit(1);
		}
		sink += decoder->event.payload.len;
	}
}

static void
measure(const char *name, const struct wire_out *frame, uint32_t events, const char *what)
{
	double		copied[RUNS];
	double		decoded[RUNS];
	char	   *buffer = malloc(frame->len);
	char		copy_name[80];
	struct decoder decoder;
	int			repeats = (int) (2000000 / events);

	decode_reset(&decoder);
	for (int run = 0; run < RUNS; run++)
	{
		double		start = now_ns();

		for (int i = 0; i < repeats; i++)
		{
			memcpy(buffer, frame->data, frame->len);
			__asm__ volatile("" : : "r" (buffer) : "memory");
		}
		copied[run] = (now_ns() - start) / repeats / events;
		start = now_ns();
		for (int i = 0; i < repeats; i++)
		{
			memcpy(buffer, frame->data, frame->len);
			decode_frame(&decoder, buffer, frame->len);
		}
		decoded[run] = (now_ns() - start) / repeats / events;
	}
	free(buffer);
	report(name, decoded, what);
	(void) snprintf(copy_name, sizeof(copy_name), "%s_copy", name);
	report(copy_name, copied, "the share of copying the frame");
}

static void
fill(struct wire_out *out, size_t limit, uint32_t max_events, size_t payload,
	 const char *headers, uint32_t *events)
{
	struct wire_transaction transaction = {0x16B3748, 1760000000123456, 731, 0};
	struct wire_event event = {
		.member[OUTBOX_WIRE_ID] = slice_of("0198b3e2-7f52-7c1a-9d5e-3f2a1b0c9d8e"),
		.member[OUTBOX_WIRE_AGGREGATETYPE] = slice_of("order"),
		.member[OUTBOX_WIRE_AGGREGATEID] = slice_of("1000042"),
		.member[OUTBOX_WIRE_TYPE] = slice_of("OrderPlaced"),
		.member[OUTBOX_WIRE_HEADERS] = slice_of(headers),
		.payload = {calloc(1, payload), payload}
	};

	wire_put_begin(out, &transaction);
	while (transaction.events < max_events && out->len < limit)
	{
		event.n = transaction.events++;
		wire_put_event(out, &event);
	}
	wire_put_commit(out, &transaction);
	*events = transaction.events;
	free((char *) event.payload.data);
}

int
main(void)
{
	struct wire_out out = {0};
	uint32_t	events;

	fill(&out, 1000, 1, 50, NULL, &events);
	fprintf(stderr, "decode_speed: one-row transaction of %zu octets\n", out.len);
	measure("decode_one_row", &out, events, "one-row transaction of 300 octets, begin and commit with it");

	out.len = 0;
	fill(&out, 64 * 1024, UINT32_MAX, 150, NULL, &events);
	fprintf(stderr, "decode_speed: frame of %zu octets, %u events\n", out.len, events);
	measure("decode_64k", &out, events, "frames of 64 KiB, events of 300 octets");

	out.len = 0;
	fill(&out, 64 * 1024, UINT32_MAX, 150,
		 "{\"tenant\": \"acme\", \"trace\": \"6f1c\", \"n\": 17}", &events);
	measure("decode_64k_headers", &out, events, "the same, with headers (escaped quotation marks)");
	free(out.data);
	return 0;
}
