/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The files that tell of hazards: what programs run, what they are told to do, which modules there
 * are. Read, not judged. */

#include <stdbool.h>

#include "base/arena.h"
#include "daemon/modules.h"

/* Tables of iptables-legacy, each a module of its own. */
enum { LEGACY_FILTER, LEGACY_NAT, LEGACY_MANGLE, LEGACY_RAW, LEGACY_TABLES };
extern const char *const hazard_legacy_tables[LEGACY_TABLES];

/* All is the arena's. {0} is of a host that has no such file. */
struct hazard_files {
	struct arena arena;
	enum module_state ipip;
	const char *blacklisted;    /* "FILE:LINE" that keeps ipip from being loaded; NULL */
	bool legacy[LEGACY_TABLES]; /* loaded */
};

/* What stands in front of each path: "" but for tests. */
const char *hazard_files_root(void);
/* Into an empty one. What cannot be read is left out. */
void hazard_files_read(const char *root, struct hazard_files *files);
void hazard_files_done(struct hazard_files *files);
