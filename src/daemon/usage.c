/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process's own numbers, as the client libraries of Prometheus tell them. */
#include "daemon/usage.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STAT_START = 22, STAT_RESIDENT = 24 }; /* fields of proc(5), from 1 on */
enum { STAT_BEHIND_NAME = 3 };                /* the first one that is no free text */

static uint64_t to_us(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!directory)
		return 0;
	for (const struct dirent *d; (d = readdir(directory));)
		n += d->d_name[0] != '.';
	closedir(directory);
	return n - 1; /* the directory itself */
}

static void read_stat(struct usage *usage)
{
	unsigned long long field[STAT_RESIDENT + 1] = {0};
	char line[1024] = "";
	FILE *file = fopen("/proc/self/stat", "re");
	bool got = file && fgets(line, sizeof(line), file);
	char *s = got ? strrchr(line, ')') : NULL;

	if (file)
		fclose(file);
	if (!s)
		return;
	s += 2;
	for (unsigned i = STAT_BEHIND_NAME; i <= STAT_RESIDENT && *s; i++) {
		char *end = s + strcspn(s, " ");

		field[i] = strtoull(s, NULL, 10);
		s = *end ? end + 1 : end;
	}
	usage->resident_bytes = field[STAT_RESIDENT] * (uint64_t)sysconf(_SC_PAGESIZE);
	usage->start_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME) +
			  field[STAT_START] * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

void usage_read(struct usage *usage)
{
	struct rusage used = {0};
	struct rlimit limit = {0};
	uint64_t start_ms = usage->start_ms;

	getrusage(RUSAGE_SELF, &used);
	getrlimit(RLIMIT_NOFILE, &limit);
	*usage = (struct usage){
		.cpu_us = to_us(used.ru_utime) + to_us(used.ru_stime),
		.open_fds = count_fds(),
		.max_fds = limit.rlim_cur,
	};
	read_stat(usage);
	if (start_ms)
		usage->start_ms = start_ms;
}
