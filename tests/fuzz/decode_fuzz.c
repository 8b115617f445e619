/*
 * decode_fuzz.c - any octets as a frame.
 *
 * What is accepted must be canonical: encoded again it gives the same octets.
 * And it must not matter whether a frame is cut in two between its lines.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "wire_encode.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes one frame in a copy of its exact length, and encodes it again. */
static enum decode_item
run(struct decoder *decoder, const char *data, size_t len, struct wire_out *again)
{
	char	   *copy = malloc(len);
	struct err	err = {0};
	enum decode_item item;

	if (len > 0)
		memcpy(copy, data, len);
	decode_feed(decoder, copy, len);
	do
	{
		item = decode_next(decoder, &err);
		if (item == DECODE_BEGIN)
			wire_put_begin(again, &decoder->transaction);
		else if (item == DECODE_EVENT)
			wire_put_event(again, &decoder->event);
		else if (item == DECODE_COMMIT)
			wire_put_commit(again, &decoder->transaction);
	} while (item != DECODE_END && item != DECODE_ERROR);
	if (item == DECODE_ERROR && (err.class != ERR_FATAL || err.message[0] == '\0'))
		abort();
	free(copy);
	return item;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_out again;
	struct decoder decoder;
	enum decode_item item;

	again.len = 0;
	decode_reset(&decoder);
	item = run(&decoder, (const char *) data, size, &again);
	if (again.len > size || (again.len > 0 && memcmp(again.data, data, again.len) != 0) ||
		(item == DECODE_END && again.len != size))
		abort();

	/* the part that was understood, cut into two frames behind its first line */
	if (again.len > 0)
	{
		size_t		len = again.len;
		const char *lf = memchr(data, '\n', size);
		size_t		cut = (size_t) (lf - (const char *) data) + 1;

		again.len = 0;
		decode_reset(&decoder);
		if (run(&decoder, (const char *) data, cut, &again) != DECODE_END ||
			run(&decoder, (const char *) data + cut, len - cut, &again) != DECODE_END ||
			again.len != len)
			abort();
	}
	return 0;
}
