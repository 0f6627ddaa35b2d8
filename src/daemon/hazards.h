/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What on this host endangers what is declared, though all of it is in the kernel: other programs'
 * rules, settings that undo ours, devices that take our packets. Judged from what was read, by
 * one table; nothing is asked here.
 */

#include "base/arena.h"
#include "base/vec.h"
#include "daemon/hazard_files.h"
#include "kernel/ruleset.h"
#include "model/declaration.h"
#include "model/facts.h"

enum hazard_severity {
	HAZARD_CRITICAL, /* traffic is lost now */
	HAZARD_WARNING,  /* it may be, or will be when something happens */
	HAZARD_INFO,
	HAZARD_SEVERITIES
};
extern const char *const hazard_severity_names[HAZARD_SEVERITIES];

enum hazard_id {
	HAZARD_FORWARD_DROP,
	HAZARD_INPUT_DROP,
	HAZARD_OUTPUT_DROP,
	HAZARD_DEVICE_DROP,
	HAZARD_PROTOCOL_DROP,
	HAZARD_FOREIGN_NAT,
	HAZARD_REVERSE_PATH_CHECK,
	HAZARD_MODULE_MISSING,
	HAZARD_MODULE_BLACKLISTED,
	HAZARD_IPTABLES_LEGACY,
	HAZARD_XT_RPFILTER,
	HAZARD_NETWORKD_REMOVES,
	HAZARD_NETWORK_MANAGER_MANAGES,
	HAZARD_SYSCTL_UNDOES,
	HAZARD_FALLBACK_DEVICE_UP,
	HAZARD_CATCH_ALL_TUNNEL,
	HAZARD_DUPLICATE_ENDPOINTS,
	HAZARD_RULES_UNREAD,
	HAZARDS
};
/* "ForwardDrop" */
const char *hazard_name(enum hazard_id id);

enum {
	HAZARD_RESOURCES = 8,
	HAZARDS_KEPT = 100,        /* of one name */
	HAZARD_DEVICES_ASKED = 32, /* of udev: that many stand for all */
};

struct hazard {
	enum hazard_id id;
	enum hazard_severity severity;
	const char *object, *message;
	const char *fix;                         /* one command line; NULL: none */
	const char *resources[HAZARD_RESOURCES]; /* "nat-rule/exit"; up to NULL */
};

/* By severity, then in the order of the table and of the objects; all is the arena's. {0} has
 * none. */
struct hazards {
	struct arena arena;
	struct hazard_list vec_of(struct hazard) list; /* at most HAZARDS_KEPT of a name */
	size_t total;
};

/* What was read. */
struct hazard_view {
	const struct declaration *declaration;
	const struct facts *facts;
	const struct hazard_files *files;
	const char *const *unmanaged; /* devices that udev keeps NetworkManager from */
	size_t n_unmanaged;
	const struct ruleset *ruleset;
	const char *unread; /* why the ruleset is empty; NULL: it was read */
};

/* Fills an empty list. */
void hazards_judge(const struct hazard_view *view, struct hazards *hazards);
void hazards_done(struct hazards *hazards);
