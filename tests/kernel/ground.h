/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ground of a kernel test: a network namespace of its own, made anew for each test,
 * and the real kernel opened in it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/kernel.h"

struct ground {
	struct kernel *kernel;
	struct arena arena;
	struct objects observed;
	struct facts facts;
	struct scope scope; /* of the events since ground_quiet */
	struct counted_links gone;
	struct err err;
};

/* cmocka setup and teardown; *state is the struct ground */
int ground_new(void **state);
int ground_free(void **state);

/* Runs a shell line; the test fails when it does. */
void ground_sh(const char *fmt, ...) printf_(1, 2);
/* Its output is exactly that. */
void ground_prints(const char *expected, const char *line);
/* Looks again; the test fails when that is impossible. */
void ground_look(struct ground *ground);
/* The first object of that kind whose key reads like that; NULL when there is none. */
void *ground_find(struct ground *ground, enum kind_id kind, const char *key);
/* Applies one op and returns its result. */
int ground_apply(struct ground *ground, struct op *op);
int ground_add(struct ground *ground, enum kind_id kind, const void *want);
int ground_delete(struct ground *ground, enum kind_id kind, const void *have);
/* Waits for events, up to two seconds; what they said, summed up. */
struct kernel_events ground_events(struct ground *ground, bool until_look);
/* Takes what is there and forgets it, the scope too. */
void ground_quiet(struct ground *ground);

struct addr ground_addr(const char *s);
struct prefix ground_prefix(const char *s);
