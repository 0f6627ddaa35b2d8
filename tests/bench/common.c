/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors, clocks and percentiles of the benchmark's programs. */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

volatile int stopped;

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void *must_alloc(void *old, size_t size)
{
	void *got = realloc(old, size);

	if (!got)
		die("out of memory");
	return got;
}

unsigned long number(const char *text)
{
	char *end = NULL;

	errno = 0;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;
	if (!text || errno || end == text || *end)
		die("not a number: %s", text ? text : "(nothing)");
	return value;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void times_add(struct times *times, uint64_t ns)
{
	if (times->len == times->cap) {
		times->cap = times->cap ? times->cap * 2 : 1024;
		times->v = must_alloc(times->v, times->cap * sizeof(*times->v));
	}
	times->v[times->len++] = ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double at(const struct times *times, double share)
{
	size_t i = (size_t)((double)times->len * share);

	return (double)times->v[i < times->len ? i : times->len - 1] / 1e9;
}

void times_print(struct times *times, uint64_t wall_ns)
{
	if (!times->len)
		die("nothing was measured");
	uint64_t sum = 0;
	for (size_t i = 0; i < times->len; i++)
		sum += times->v[i];
	if (!wall_ns)
		wall_ns = sum;
	qsort(times->v, times->len, sizeof(*times->v), compare);
	printf("{\"n\":%zu,\"p50\":%.9f,\"p99\":%.9f,\"max\":%.9f,\"wall\":%.9f}\n", times->len,
	       at(times, 0.5), at(times, 0.99), at(times, 1), (double)wall_ns / 1e9);
	fflush(stdout);
}

static void on_signal(int number_)
{
	(void)number_;
	stopped = 1;
}

void stop_on_signals(void)
{
	/* without SA_RESTART: what blocks comes back */
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}
