/*
 * metrics_process.c - what the system says of this process.
 *
 * Copyright (c) 2026, pg_outbox contributors
 * SPDX-License-Identifier: PostgreSQL
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct metric cpu = {
	"process_cpu_seconds_total", METRIC_COUNTER, NULL, "User and system processor time of this process."
};
static const struct metric memory = {
	"process_resident_memory_bytes", METRIC_GAUGE, NULL, "Memory of this process that is resident."
};
static const struct metric start = {
	"process_start_time_seconds", METRIC_GAUGE, NULL, "When this process started, since the Unix epoch."
};

/* The whole of a small file of /proc, NUL-terminated; false if it isn't there. */
static bool
slurp(const char *path, char *buf, size_t size)
{
	FILE	   *file = fopen(path, "re");
	size_t		len;

	if (!file)
		return false;
	len = fread(buf, 1, size - 1, file);
	buf[len] = '\0';
	fclose(file);
	return len > 0;
}

/* /proc/self/stat's field 22, behind the name in parentheses, in ticks since boot. */
static bool
start_ticks(uint64_t *ticks)
{
	char		buf[2048];
	char	   *at;

	if (!slurp("/proc/self/stat", buf, sizeof(buf)) || !(at = strrchr(buf, ')')))
		return false;
	for (int field = 2; field < 22 && at; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ticks = strtoull(at + 1, NULL, 10);
	return true;
}

/* When the machine started, in seconds since the epoch: a number that stands still,
 * unlike the difference of two clocks. */
static bool
boot_time(int64_t *seconds)
{
	FILE	   *file = fopen("/proc/stat", "re");
	char	   *line = NULL;
	size_t		size = 0;
	bool		found = false;

	while (file && !found && getline(&line, &size, file) > 0)
	{
		found = strncmp(line, "btime ", 6) == 0;
		if (found)
			*seconds = strtoll(line + 6, NULL, 10);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

static int64_t
milliseconds(struct timeval time)
{
	return (int64_t) time.tv_sec * 1000 + time.tv_usec / 1000;
}

void
metrics_process(struct metrics_text *text)
{
	struct rusage usage;
	int64_t		boot;
	char		statm[256];
	char	   *resident;
	uint64_t	ticks;
	long		per_second = sysconf(_SC_CLK_TCK);

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metrics_one_time(text, &cpu, milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime));
	if (slurp("/proc/self/statm", statm, sizeof(statm)) && (resident = strchr(statm, ' ')))
		metrics_one(text, &memory, strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE));
	if (start_ticks(&ticks) && per_second > 0 && boot_time(&boot))
		metrics_one_time(text, &start, boot * 1000 + (int64_t) (ticks * 1000 / (uint64_t) per_second));
}
