/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Inside the search for hazards: what a find function reads, and how it says where one is. The
 * table of them is in hazards.c. */

#include "daemon/hazards.h"

struct hunt {
	const struct hazard_view *view;
	struct hazards *found;
	enum hazard_id id; /* that is looked for */
	size_t kept;       /* of that one */
	uint64_t steps;    /* through rules, of all */
};

/* Where a hazard is. */
struct place {
	enum hazard_severity severity;
	/* in place of their {names} in the row's texts; NULL: they are not in there */
	const char *object, *what, *devices, *rules;
	bool unfixable; /* the row's fix does not help here */
	const char *resources[HAZARD_RESOURCES];
};

/* Its texts are copied; what no log or document takes of them is "?". */
void hunt_add(struct hunt *hunt, const struct place *place);
/* Declared, enabled, and not going away. */
bool hunt_is_wanted(const struct resource *resource);
bool hunt_wants(const struct hunt *hunt, enum kind_id kind); /* any of that kind */
/* "tunnel/tun_a" */
const char *hunt_name(struct hunt *hunt, enum kind_id kind, const struct resource *resource);
static inline const struct resources *hunt_declared(const struct hunt *hunt, enum kind_id kind)
{
	return &hunt->view->declaration->kind[kind];
}

/* hazard_devices.c */
void find_missing_module(struct hunt *hunt);
void find_blacklisted_module(struct hunt *hunt);
void find_legacy_tables(struct hunt *hunt);
void find_xt_rpfilter(struct hunt *hunt);
void find_fallback_device(struct hunt *hunt);
void find_catch_all_tunnels(struct hunt *hunt);
void find_duplicate_endpoints(struct hunt *hunt);

/* hazard_programs.c */
void find_networkd(struct hunt *hunt);
void find_network_manager(struct hunt *hunt);
void find_sysctl_lines(struct hunt *hunt);

/* hazard_rules.c */
void find_forward_drops(struct hunt *hunt);
void find_input_drops(struct hunt *hunt);
void find_output_drops(struct hunt *hunt);
void find_device_drops(struct hunt *hunt);
void find_protocol_drops(struct hunt *hunt);
void find_foreign_nat(struct hunt *hunt);
void find_reverse_path_checks(struct hunt *hunt);
void find_unread_rules(struct hunt *hunt);
