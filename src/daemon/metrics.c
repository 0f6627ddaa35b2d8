/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting. Whatever a client says is reduced to what we know, so that there is a bound. */
#include "daemon/metrics.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char other[] = "other";

const char *const metrics_triggers[METRICS_TRIGGERS] = {
	"start", "write", "event", "timer", "retry", "request", "verify", "contested",
};

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

void metrics_pass(struct metrics *metrics, const struct metrics_pass *pass)
{
	size_t i = 0;

	while (i < METRICS_TRIGGERS && strcmp(metrics_triggers[i], pass->trigger) != 0)
		i++;
	assert(i < METRICS_TRIGGERS);
	metrics->passes[i]++;
	metrics->pass_failures += pass->failed;
	histogram_add(&metrics->pass_duration, pass->duration_us);
	if (pass->whole && !pass->failed)
		metrics->pass_success_ms = pass->now_ms;
}

/* Of a batch that failed, what was not its fault was not done; nor was any of one that came too
 * late, and is tried again. */
static bool is_answered(const struct op *op)
{
	return op->asked && op->result != -ECANCELED && op->result != -ERESTART;
}

void metrics_ops(struct metrics *metrics, const struct ops *ops, bool drift)
{
	for (size_t i = 0; i < ops->len; i++) {
		const struct op *op = &ops->v[i];

		if (!is_answered(op))
			continue;
		metrics->ops[op->kind][op->verb].done++;
		metrics->ops[op->kind][op->verb].failed += op->result != 0;
		metrics->repaired[op->kind] += drift && !op->result;
	}
}

static const char *method_of(const char *method)
{
	for (size_t i = 0; method && i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i], method) == 0)
			return methods[i];
	return other;
}

static struct request_count *count_of(struct metrics *metrics, const struct request_count *key)
{
	for (size_t i = 0; i < metrics->requests.len; i++) {
		struct request_count *count = &metrics->requests.v[i];

		if (count->route == key->route && count->method == key->method &&
		    strcmp(count->code, key->code) == 0)
			return count;
	}
	vec_push(&metrics->requests, *key);
	return &metrics->requests.v[metrics->requests.len - 1];
}

static struct histogram *time_of(struct metrics *metrics, const char *route)
{
	for (size_t i = 0; i < metrics->times.len; i++)
		if (metrics->times.v[i].route == route)
			return &metrics->times.v[i].duration;
	vec_push(&metrics->times, (struct route_time){.route = route});
	return &metrics->times.v[metrics->times.len - 1].duration;
}

void metrics_request(struct metrics *metrics, const struct metrics_request *request)
{
	struct request_count key = {
		.route = request->route ? request->route : other,
		.method = method_of(request->method),
	};

	snprintf(key.code, sizeof(key.code), "%u", request->status % 1000);
	count_of(metrics, &key)->n++;
	histogram_add(time_of(metrics, key.route), request->duration_us);
}

void metrics_copy(struct metrics *to, const struct metrics *from)
{
	*to = *from;
	to->totals = (struct totals){0};
	vec_copy(&to->requests, &from->requests);
	vec_copy(&to->times, &from->times);
	vec_copy(&to->totals.tunnels, &from->totals.tunnels);
	vec_copy(&to->totals.rules, &from->totals.rules);
}

void metrics_done(struct metrics *metrics)
{
	vec_done(&metrics->requests);
	vec_done(&metrics->times);
	totals_done(&metrics->totals);
}
