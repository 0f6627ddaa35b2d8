/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which metrics there are, and the numbers that a scrape tells. */

#include "daemon/agent.h"
#include "daemon/exposition.h"
#include "daemon/http.h"
#include "daemon/hazard_scan.h"

extern const struct metric metric_table[];
extern const size_t metric_table_len;

/* All the numbers at one moment, so that they can be written piece by piece. */
struct scrape {
	struct metrics metrics; /* a copy, without what totals need to go on */
	uint64_t one, ready, orphans;
	uint64_t resources[RESOURCE_KINDS][STATES];
	uint64_t database_bytes, database_failures;
	uint64_t contested, followers; /* followers: of the events, filled by the API */
	struct http_numbers http;
	uint64_t hazards[HAZARDS][HAZARD_SEVERITIES]; /* as of the last scan */
};

/* Reads the kernel's counters; where that fails, they are left out. */
void scrape_take(struct agent *agent, struct scrape *scrape);
void scrape_done(struct scrape *scrape);
