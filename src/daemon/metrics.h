/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the agent counts of itself, from its start on: plain numbers, added to where it happens.
 * How they are told is metric_table.c's.
 */

#include "daemon/histogram.h"
#include "daemon/totals.h"
#include "daemon/usage.h"
#include "model/op.h"

enum { METRICS_TRIGGERS = 8, METRICS_VERBS = OP_ADOPT + 1 };
extern const char *const metrics_triggers[METRICS_TRIGGERS];

struct op_count {
	uint64_t done, failed; /* of those that the kernel was asked for */
};

struct request_count {
	const char *route, *method;
	char code[4];
	uint64_t n;
};

struct route_time {
	const char *route;
	struct histogram duration;
};

struct metrics {
	uint64_t passes[METRICS_TRIGGERS], pass_failures;
	struct histogram pass_duration;
	uint64_t pass_success_ms; /* since the epoch; 0: none yet */
	struct op_count ops[KINDS][METRICS_VERBS];
	uint64_t repaired[KINDS]; /* ops that no write asked for */
	uint64_t overruns, scrape_failures;
	struct request_counts vec_of(struct request_count) requests;
	struct route_times vec_of(struct route_time) times;
	struct totals totals;
	struct usage usage; /* as it was read last */
};

struct metrics_pass {
	const char *trigger;
	uint64_t now_ms, duration_us; /* now_ms since the epoch */
	bool whole;                   /* it looked at everything */
	bool failed;
};

void metrics_pass(struct metrics *metrics, const struct metrics_pass *pass);
/* Of a round, after they were applied; drift: nobody here has asked for what they repair. */
void metrics_ops(struct metrics *metrics, const struct ops *ops, bool drift);

struct metrics_request {
	const char *route;  /* its template, always the same pointer; NULL: of no route */
	const char *method; /* as it came; NULL: unknown */
	unsigned status;
	uint64_t duration_us;
};

void metrics_request(struct metrics *metrics, const struct metrics_request *request);
/* What there is to tell; totals are not to be gone on with. */
void metrics_copy(struct metrics *to, const struct metrics *from);
void metrics_done(struct metrics *metrics);
