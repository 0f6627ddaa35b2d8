/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exit route: which destinations leave through which tunnel. */
#include "model/resource.h"

#include <errno.h>

enum { EXIT_PREFIXES_MAX = 100000, EXIT_FROM_MAX = 256 };

static const struct kind *const tunnel_reference = &tunnel_kind;

/* clang-format off */
static const struct field exit_route_fields[] = {
	RESOURCE_FIELDS(exit_route),
	F_NAME(exit_route, tunnel, .flags = FIELD_REQUIRED, .min = 1, .max = RESOURCE_NAME - 1,
	       .refers_to = &tunnel_reference, .doc = "the tunnel that they leave through"),
	F_PREFIXES(exit_route, destinations, .flags = FIELD_REQUIRED | FIELD_UNIQUE, .min = 1,
		   .max_count = EXIT_PREFIXES_MAX, .doc = "prefixes; 0.0.0.0/0 is everything"),
	F_ADDR(exit_route, source,
	       .doc = "source of the host's own packets; default: the tunnel's first address"),
	F_U32(exit_route, metric, .doc = "metric of the routes"),
	F_PREFIXES(exit_route, from, .flags = FIELD_UNIQUE, .max_count = EXIT_FROM_MAX,
		   .doc = "only traffic from these prefixes; default: all"),
};
/* clang-format on */

uint64_t exit_route_routes(const struct exit_route *route)
{
	return (uint64_t)route->destinations.len * (route->from.len ? route->from.len : 1);
}

static void exit_route_check(const void *resource, struct errs *errs)
{
	const struct exit_route *e = resource;

	if (exit_route_routes(e) > EXIT_PREFIXES_MAX)
		errs_add(errs, -EINVAL, "invalid-resource", "/from",
			 "destinations times from are %llu, at most %d are allowed",
			 (unsigned long long)exit_route_routes(e), EXIT_PREFIXES_MAX);
}

const struct kind exit_route_kind = {
	.id = KIND_EXIT_ROUTE,
	.noun = "exit-route",
	.path = "exit-routes",
	.member = "exit_routes",
	.doc = "which destinations leave through which tunnel",
	.fields = exit_route_fields,
	.n_fields = ARRAY_LEN(exit_route_fields),
	.size = sizeof(struct exit_route),
	.check = exit_route_check,
};
