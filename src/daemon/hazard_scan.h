/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When hazards are looked for: after the first pass, after one that changed something, and when
 * somebody else changed the ruleset, at most once a second; and before an answer, if the last scan
 * is some seconds old. There is no timer while nothing happens. What comes and goes is logged once.
 */

#include "daemon/agent.h"
#include "daemon/hazards.h"

struct hazard_scan;

/* The agent has its loop, kernel and reconciler. */
struct hazard_scan *hazard_scan_new(struct agent *agent) __attribute__((returns_nonnull));
void hazard_scan_free(struct hazard_scan *scan);
/* They will be asked for within the second: a scan as soon as what is under way has been sent. */
void hazard_scan_soon(struct hazard_scan *scan);
/* As of the last scan, which is done now when the last is old. Valid until the next. */
const struct hazards *hazard_scan_hazards(struct hazard_scan *scan, int64_t *scanned_ms);
/* How many there are of each, as of the last scan. */
void hazard_scan_count(const struct hazard_scan *scan,
		       uint64_t n[static HAZARDS][HAZARD_SEVERITIES]);
