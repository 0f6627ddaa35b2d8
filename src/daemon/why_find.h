/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which resources have to do with a path, for the questions and the judges of why*.c. */

#include "daemon/why.h"

/* An exit route that covers a destination. */
struct why_exit {
	const struct exit_route *route; /* NULL: none does */
	struct prefix destination;      /* of it, the longest */
	struct prefix from;             /* likewise; 0.0.0.0/0 without */
};

/* The one that the rules would choose: by the longest `from`, then the longest destination, of
 * those that are enabled before others. tunnel NULL: any. any_from: whatever their `from`. */
struct why_exit why_find_exit(const struct why_known *known, const char *tunnel, struct addr to,
			      struct addr from, bool any_from);
/* A tunnel that is declared, by its device; NULL */
const struct tunnel *why_find_device(const struct why_world *world, const char *device);
/* The tunnel that declares this address among its own; NULL */
const struct tunnel *why_find_address(const struct why_world *world, struct addr addr);
/* The tunnel's subnet that has this address; false: it has none. */
bool why_find_subnet(const struct tunnel *tunnel, struct addr addr, struct prefix *subnet);
/* Its outer source, resolved; 0: not known */
struct addr why_find_local(const struct why_world *world, const struct tunnel *tunnel);
/* The tunnel between these two; local 0: any. NULL */
const struct tunnel *why_find_tunnel(const struct why_world *world, struct addr local,
				     struct addr remote);
/* A NAT rule for packets from there, in by one device and out by the other; of those that are
 * enabled before others. NULL */
const struct nat_rule *why_find_nat(const struct why_known *known, struct addr from, const char *in,
				    const char *out);
const struct status *why_status(const struct why_known *known, enum kind_id kind, const char *name);
/* Is the device a tunnel, ours or not? */
bool why_is_tunnel(const struct why_known *known, const char *device);
