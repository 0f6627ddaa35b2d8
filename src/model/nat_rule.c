/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NAT rule: what happens to tunnel traffic on the host where it leaves. */
#include "model/resource.h"

#include <errno.h>
#include <string.h>

enum { NAT_PREFIXES_MAX = 100000 };

static const char *const action_choices[] = {"masquerade", "snat", "none"};

/* clang-format off */
static const struct field nat_rule_fields[] = {
	RESOURCE_FIELDS(nat_rule),
	F_PREFIXES(nat_rule, sources, .flags = FIELD_REQUIRED, .min = 1,
		   .max_count = NAT_PREFIXES_MAX, .doc = "inner sources that may leave"),
	F_NAME(nat_rule, out_interface, .flags = FIELD_REQUIRED | FIELD_IFNAME, .min = 1,
	       .max = IFNAMSIZ - 1, .doc = "device that the traffic leaves by"),
	F_CHOICE(nat_rule, action, action_choices, .doc = "what becomes of the source address"),
	F_ADDR(nat_rule, to_address, .doc = "the new source, with snat only"),
	F_NAME(nat_rule, in_interface, .flags = FIELD_IFNAME, .min = 1, .max = IFNAMSIZ - 1,
	       .doc = "device that the traffic comes in by; default: every tunnel"),
	F_PREFIXES(nat_rule, destinations, .max_count = NAT_PREFIXES_MAX,
		   .doc = "only towards these prefixes; default: any"),
	F_U16(nat_rule, priority, .dflt = 100, .doc = "the lowest that matches wins"),
};
/* clang-format on */

static void nat_rule_check(const void *resource, struct errs *errs)
{
	const struct nat_rule *n = resource;
	uint32_t top = n->to_address.host >> 24;

	if (n->action == NAT_SNAT && !n->to_address.host)
		errs_add(errs, -EINVAL, "invalid-resource", "/to_address",
			 "action snat needs to_address");
	if (n->action != NAT_SNAT && n->to_address.host)
		errs_add(errs, -EINVAL, "invalid-resource", "/to_address",
			 "to_address goes with action snat only");
	if (n->to_address.host && (top == 0 || top == 127 || top >= 224))
		errs_add(errs, -EINVAL, "invalid-resource", "/to_address",
			 "to_address must be a unicast address");
	if (n->in_interface[0] && strcmp(n->in_interface, n->out_interface) == 0)
		errs_add(errs, -EINVAL, "invalid-resource", "/in_interface",
			 "in_interface equals out_interface");
}

const struct kind nat_rule_kind = {
	.id = KIND_NAT_RULE,
	.noun = "nat-rule",
	.path = "nat-rules",
	.member = "nat_rules",
	.doc = "source NAT and forwarding for traffic out of tunnels",
	.fields = nat_rule_fields,
	.n_fields = ARRAY_LEN(nat_rule_fields),
	.size = sizeof(struct nat_rule),
	.check = nat_rule_check,
};
