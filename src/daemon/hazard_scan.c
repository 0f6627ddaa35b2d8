/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scans: what is read for them, when, and what is said of the difference to the one before. */
#include "daemon/hazard_scan.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum {
	SETTLE_MS = 100, /* after a change: what has to be repaired is, before anything is read */
	APART_MS = 1000, /* scans that nobody asked for */
	REST = 20,       /* and so many times as long as one takes */
	ASKED_MS = 100,  /* and those for answers, when one is due */
	SOON_MS = 10,    /* for one that will be asked for */
	FRESH_MS = 1000, /* an older one is no answer: files may have changed */
	LOGGED_MAX = 16, /* lines for one scan */
};

struct hazard_scan {
	struct agent *agent;
	struct loop_timer *timer;
	struct hazards hazards;
	uint64_t at_ms; /* monotonic; 0: none yet */
	uint64_t took_ms;
	int64_t wall_ms;
};

static bool has(const struct hazards *hazards, const struct hazard *wanted)
{
	for (size_t i = 0; i < hazards->list.len; i++) {
		const struct hazard *hazard = &hazards->list.v[i];

		if (hazard->id == wanted->id && hazard->severity == wanted->severity &&
		    strcmp(hazard->object, wanted->object) == 0)
			return true;
	}
	return false;
}

static void log_hazard(const struct hazard *hazard, bool came)
{
	enum log_level level = hazard->severity == HAZARD_INFO || !came ? LOG_LEVEL_INFO
									: LOG_LEVEL_WARNING;

	log_line(level, "hazard %s%s (%s): %s", came ? "" : "gone: ", hazard_name(hazard->id),
		 hazard_severity_names[hazard->severity], hazard->message);
}

/* Those of one that are not in the other. */
static void log_difference(const struct hazards *of, const struct hazards *other, bool came)
{
	unsigned lines = 0;

	for (size_t i = 0; i < of->list.len && lines < LOGGED_MAX; i++) {
		if (has(other, &of->list.v[i]))
			continue;
		log_hazard(&of->list.v[i], came);
		lines++;
	}
}

/* What udev tells NetworkManager of the first devices of ours: names of the facts. */
static size_t ask_udev(const struct facts *facts, const char *unmanaged[HAZARD_DEVICES_ASKED])
{
	size_t asked = 0, n = 0;

	for (size_t i = 0; i < facts->links.len && asked < HAZARD_DEVICES_ASKED; i++) {
		const struct fact_link *link = &facts->links.v[i];

		if (!link->ours)
			continue;
		asked++;
		if (hazard_files_unmanaged(hazard_files_root(), link->ifindex))
			unmanaged[n++] = link->device;
	}
	return n;
}

static void scan_now(struct hazard_scan *scan)
{
	struct agent *agent = scan->agent;
	struct hazard_files files = {0};
	struct hazards hazards = {0};
	struct ruleset ruleset = {0};
	struct err err = {0};

	uint64_t began_ms = loop_now_ms();

	loop_timer_disarm(agent->loop, scan->timer);
	hazard_files_read(hazard_files_root(), &files);
	const struct facts *facts = reconcile_facts(agent->reconcile);
	const char *unmanaged[HAZARD_DEVICES_ASKED];
	size_t n_unmanaged = files.network_manager ? ask_udev(facts, unmanaged) : 0;
	bool read = agent->kernel->vt->rulesets(agent->kernel, &ruleset, &err) == 0;
	hazards_judge(
		&(struct hazard_view){
			.declaration = &agent->declaration,
			.facts = facts,
			.files = &files,
			.unmanaged = unmanaged,
			.n_unmanaged = n_unmanaged,
			.ruleset = &ruleset,
			.unread = read ? NULL : err.sentence,
		},
		&hazards);
	ruleset_done(&ruleset);
	hazard_files_done(&files);
	log_difference(&hazards, &scan->hazards, true);
	log_difference(&scan->hazards, &hazards, false);
	hazards_done(&scan->hazards);
	scan->hazards = hazards;
	scan->at_ms = loop_now_ms();
	scan->took_ms = scan->at_ms - began_ms;
	scan->wall_ms = loop_wall_ms();
}

static void fire(void *user)
{
	scan_now(user);
}

static void schedule(struct hazard_scan *scan)
{
	uint64_t rest_ms = scan->took_ms * REST;
	uint64_t soon = loop_now_ms() + SETTLE_MS;
	uint64_t next = scan->at_ms + (rest_ms > APART_MS ? rest_ms : APART_MS);

	if (!loop_timer_at(scan->timer))
		loop_timer_arm(scan->agent->loop, scan->timer,
			       scan->at_ms && next > soon ? next : soon);
}

/* The periodic look finds nothing new, as a rule: no scan then, and no work for an idle host. */
static void on_pass(void *user)
{
	struct hazard_scan *scan = user;
	struct reconcile_report report;

	reconcile_report(scan->agent->reconcile, &report);
	if (!scan->at_ms || report.last_pass.ops || strcmp(report.last_pass.trigger, "timer") != 0)
		schedule(scan);
}

static void on_ruleset(void *user)
{
	schedule(user);
}

struct hazard_scan *hazard_scan_new(struct agent *agent)
{
	struct hazard_scan *scan = xcalloc(1, sizeof(*scan));

	scan->agent = agent;
	scan->timer = loop_timer_new(agent->loop, fire, scan);
	reconcile_on_pass(agent->reconcile, on_pass, scan);
	reconcile_on_ruleset(agent->reconcile, on_ruleset, scan);
	return scan;
}

void hazard_scan_free(struct hazard_scan *scan)
{
	if (!scan)
		return;
	loop_timer_free(scan->agent->loop, scan->timer);
	hazards_done(&scan->hazards);
	free(scan);
}

void hazard_scan_soon(struct hazard_scan *scan)
{
	if (!scan->at_ms || loop_now_ms() - scan->at_ms > SOON_MS)
		loop_timer_arm(scan->agent->loop, scan->timer, loop_now_ms() + SOON_MS);
}

const struct hazards *hazard_scan_hazards(struct hazard_scan *scan, int64_t *scanned_ms)
{
	uint64_t age_ms = loop_now_ms() - scan->at_ms;

	if (!scan->at_ms || age_ms > (loop_timer_at(scan->timer) ? ASKED_MS : FRESH_MS))
		scan_now(scan);
	*scanned_ms = scan->wall_ms;
	return &scan->hazards;
}

void hazard_scan_count(const struct hazard_scan *scan,
		       uint64_t n[static HAZARDS][HAZARD_SEVERITIES])
{
	for (size_t i = 0; i < scan->hazards.list.len; i++)
		n[scan->hazards.list.v[i].id][scan->hazards.list.v[i].severity]++;
}
