/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The files that tell of hazards: what programs run, what they are told to do, which modules there
 * are. Read, not judged. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/vec.h"
#include "daemon/modules.h"

/* Tables of iptables-legacy, each a module of its own. */
enum { LEGACY_FILTER, LEGACY_NAT, LEGACY_MANGLE, LEGACY_RAW, LEGACY_TABLES };
extern const char *const hazard_legacy_tables[LEGACY_TABLES];

struct hazard_sysctl {
	const char *key;   /* "net/ipv4/conf/eth0/rp_filter"; it may be a pattern */
	const char *value; /* NULL: patterns do not count for the key */
	const char *where; /* "FILE:LINE" */
};

/* All is the arena's. {0} is of a host that has no such file. */
struct hazard_files {
	struct arena arena;
	enum module_state ipip;
	bool ipip_loaded;
	const char *blacklisted;    /* "FILE:LINE" that keeps ipip from being loaded; NULL */
	bool legacy[LEGACY_TABLES]; /* loaded */
	bool rpfilter;              /* the module of xtables' rpfilter is loaded */

	bool networkd; /* it runs */
	bool networkd_keeps_rules, networkd_keeps_routes;

	bool network_manager;                                       /* it runs */
	struct hazard_specs vec_of(const char *) unmanaged;         /* "interface-name:tun*" */
	struct hazard_sysctls vec_of(struct hazard_sysctl) sysctls; /* what comes later counts */
};

/* What stands in front of each path: "" but for tests. */
const char *hazard_files_root(void);
/* Into an empty one. What cannot be read is left out. */
void hazard_files_read(const char *root, struct hazard_files *files);
void hazard_files_done(struct hazard_files *files);
/* Does udev tell NetworkManager to leave that device alone? */
bool hazard_files_unmanaged(const char *root, unsigned ifindex);
