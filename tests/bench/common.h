/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the programs of the benchmark share. They are measured, not trusted: whatever goes
 * wrong ends them, with a sentence.
 */
#include <stddef.h>
#include <stdint.h>

#define BENCH_LEN(a) (sizeof(a) / sizeof((a)[0]))

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *must_alloc(void *old, size_t size);
unsigned long number(const char *text); /* dies of anything else */

uint64_t now_ns(void); /* monotonic */

/* Durations, in nanoseconds, and what is printed of them. */
struct times {
	uint64_t *v;
	size_t len, cap;
};

void times_add(struct times *times, uint64_t ns);

/* One JSON line with n, p50, p99 and max in seconds, and wall (0: the sum of all). */
void times_print(struct times *times, uint64_t wall_ns);

/* Set by SIGTERM and SIGINT once stop_on_signals was called; blocking calls get EINTR. */
extern volatile int stopped;
void stop_on_signals(void);
