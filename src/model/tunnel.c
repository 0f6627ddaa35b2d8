/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel: an IPIP device between two underlay addresses. */
#include "model/resource.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const rp_filter_choices[] = {"keep", "off", "strict", "loose"};

/* clang-format off */
static const struct field tunnel_fields[] = {
	RESOURCE_FIELDS(tunnel),
	F_ADDR(tunnel, remote, .flags = FIELD_REQUIRED, .doc = "outer destination address"),
	F_ADDR(tunnel, local, .flags = FIELD_WORD, .word = "auto",
	       .doc = "outer source address; auto: what the kernel picks towards the remote"),
	F_NAME(tunnel, device, .flags = FIELD_IFNAME, .min = 1, .max = IFNAMSIZ - 1,
	       .doc = "name of the interface; default: the tunnel's name"),
	F_NAME(tunnel, underlay, .flags = FIELD_IFNAME, .min = 1, .max = IFNAMSIZ - 1,
	       .doc = "device that the outer packets are bound to"),
	F_PREFIXES(tunnel, addresses, .flags = FIELD_HOST_BITS, .max_count = 16,
		   .doc = "inner addresses with prefix length"),
	F_U32(tunnel, mtu, .flags = FIELD_WORD, .word = "auto", .min = 68, .max = 65515,
	      .doc = "bytes; auto: the underlay's less 20"),
	F_U8(tunnel, ttl, .dflt = 64, .doc = "outer TTL, 0 inherits the inner one"),
	F_U8(tunnel, tos, .flags = FIELD_WORD, .word = "inherit", .word_value = TOS_INHERIT,
	     .max = 252, .step = 4, .doc = "outer TOS, in steps of 4"),
	F_BOOL(tunnel, path_mtu_discovery, .dflt = 1,
	       .doc = "set DF on outer packets; false needs ttl 0"),
	F_BOOL(tunnel, mss_clamp, .dflt = 1,
	       .doc = "clamp the MSS of forwarded TCP to the path MTU"),
	F_CHOICE(tunnel, rp_filter, rp_filter_choices, .doc = "reverse path filter of the device"),
	F_PREFIXES(tunnel, allowed_sources, .max_count = 256,
		   .doc = "inner sources that may arrive; none given: any"),
};
/* clang-format on */

static bool ifaddr_usable(struct addr a)
{
	uint32_t top = a.host >> 24;

	return top != 0 && top != 127 && top < 224;
}

/* A unicast address that can be an outer endpoint. */
static void check_endpoint(struct errs *errs, const char *pointer, struct addr a)
{
	char text[ADDR_TEXT];

	if (!ifaddr_usable(a))
		errs_add(errs, -EINVAL, "invalid-resource", pointer,
			 "%s cannot be a tunnel endpoint", addr_text(a, text));
}

static void address_fault(struct errs *errs, uint32_t i, struct prefix p, const char *sentence)
{
	char pointer[ERR_POINTER], text[PREFIX_TEXT];

	snprintf(pointer, sizeof(pointer), "/addresses/%u", i);
	errs_add(errs, -EINVAL, "invalid-resource", pointer, "%s %s", prefix_text(p, text),
		 sentence);
}

static void check_addresses(const struct tunnel *t, struct errs *errs)
{
	for (uint32_t i = 0; i < t->addresses.len; i++) {
		struct prefix p = t->addresses.v[i];

		if (p.len == 0 || !ifaddr_usable(p.addr))
			address_fault(errs, i, p, "cannot be an address of a device");
		for (uint32_t j = 0; j < i; j++)
			if (prefix_compare(&t->addresses.v[j], &p) == 0)
				address_fault(errs, i, p, "is given twice");
	}
}

static void tunnel_check(const void *resource, struct errs *errs)
{
	const struct tunnel *t = resource;
	const char *fault = ifname_fault(tunnel_device(t));
	bool named = t->device[0] != '\0';

	if (fault)
		errs_add(errs, -EINVAL, "invalid-resource", "/device", "%s%s", fault,
			 named ? ""
			       : "; the tunnel's name cannot be the device's, give \"device\"");
	check_endpoint(errs, "/remote", t->remote);
	if (t->local.host) {
		check_endpoint(errs, "/local", t->local);
		if (t->local.host == t->remote.host)
			errs_add(errs, -EINVAL, "invalid-resource", "/remote",
				 "remote equals local");
	}
	if (strcmp(t->underlay, tunnel_device(t)) == 0)
		errs_add(errs, -EINVAL, "invalid-resource", "/underlay",
			 "a tunnel cannot be its own underlay");
	if (!t->path_mtu_discovery && t->ttl != 0)
		errs_add(errs, -EINVAL, "invalid-resource", "/path_mtu_discovery",
			 "false needs ttl 0: the kernel forces DF with a fixed ttl");
	check_addresses(t, errs);
}

const struct kind tunnel_kind = {
	.id = KIND_TUNNEL,
	.noun = "tunnel",
	.path = "tunnels",
	.member = "tunnels",
	.doc = "an IPIP device between two underlay addresses",
	.fields = tunnel_fields,
	.n_fields = ARRAY_LEN(tunnel_fields),
	.size = sizeof(struct tunnel),
	.check = tunnel_check,
};

const char *tunnel_device(const struct tunnel *tunnel)
{
	return tunnel->device[0] ? tunnel->device : tunnel->head.name;
}
