/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The field tables of kernel objects. What is set in a desired object is what is kept equal. */
#include "model/object.h"
#include "model/resource.h"

static const char *const sysctl_names[] = {"forwarding", "rp_filter"};
static const char *const route_types[] = {"unicast", "other"};
static const char *const rule_actions[] = {"lookup", "goto", "nop", "other"};
static const char *const set_types[] = {"ipv4_addr", "ifname", "other"};
static const char *const chain_types[] = {"filter", "nat", "other"};
static const char *const hooks[] = {"prerouting", "input", "forward", "output", "postrouting"};
static const char *const verdicts[] = {"none", "accept", "drop", "masquerade", "snat", "other"};
static const struct kind *const rule_row_kind = &nft_rule_kind;

#define KIND(enum_id, st, text)                                                                    \
	const struct kind st##_kind = {                                                            \
		.id = (enum_id),                                                                   \
		.noun = (text),                                                                    \
		.fields = st##_fields,                                                             \
		.n_fields = ARRAY_LEN(st##_fields),                                                \
		.size = sizeof(struct st),                                                         \
	}

/* clang-format off */
static const struct field link_fields[] = {
	F_NAME(link, device, .flags = FIELD_KEY, .doc = "name of the interface"),
	F_NAME(link, driver, .flags = FIELD_RECREATE, .doc = "ipip for a tunnel"),
	F_ADDR(link, local, .doc = "outer source address"),
	F_ADDR(link, remote, .flags = FIELD_RECREATE_ZERO, .doc = "outer destination address"),
	F_NAME(link, underlay, .doc = "device that the outer packets are bound to"),
	F_U8(link, ttl, .doc = "outer TTL, 0 inherits"),
	F_U8(link, tos, .doc = "outer TOS, 1 inherits"),
	F_BOOL(link, pmtudisc, .doc = "sets DF on outer packets"),
	F_U8(link, proto, .doc = "protocol of the inner packets, 4 is IPv4"),
	F_U32(link, fwmark, .doc = "mark of outer packets"),
	F_U16(link, encap, .doc = "further encapsulation, 0 is none"),
	F_BOOL(link, external, .flags = FIELD_RECREATE,
	       .doc = "the endpoints come with each packet"),
	F_U32(link, mtu, .doc = "bytes"),
	F_BOOL(link, up, .doc = "it is switched on"),
	F_U32(link, group, .flags = FIELD_MARK, .doc = "says whose it is"),
	F_NAME(link, alias, .flags = FIELD_MARK, .doc = "says whose it is"),
	F_U32(link, ifindex, .flags = FIELD_IGNORE, .doc = "number of the interface"),
};
KIND(KIND_LINK, link, "link");

static const struct field address_fields[] = {
	F_NAME(address, device, .flags = FIELD_KEY, .doc = "that has it"),
	F_PREFIX(address, prefix, .flags = FIELD_KEY | FIELD_HOST_BITS,
	       .doc = "the address, and the length of its prefix"),
	F_U32(address, ifindex, .flags = FIELD_IGNORE, .doc = "number of the device"),
};
KIND(KIND_ADDRESS, address, "address");

static const struct field sysctl_fields[] = {
	F_NAME(sysctl, device, .flags = FIELD_KEY, .doc = "whose setting it is"),
	F_CHOICE(sysctl, name, sysctl_names, .flags = FIELD_KEY, .doc = "of net.ipv4.conf"),
	F_U32(sysctl, value, .doc = "as it is to be, or is"),
	F_U32(sysctl, before, .flags = FIELD_IGNORE,
	       .doc = "what it was before the agent wrote it"),
	F_U32(sysctl, ifindex, .flags = FIELD_IGNORE, .doc = "number of the device"),
};
KIND(KIND_SYSCTL, sysctl, "sysctl");

static const struct field route_fields[] = {
	F_U32(route, table, .flags = FIELD_KEY, .key_word = "table",
	       .doc = "number of the routing table"),
	F_PREFIX(route, dst, .flags = FIELD_KEY, .doc = "destination"),
	F_U32(route, metric, .flags = FIELD_KEY, .key_word = "metric",
	       .doc = "of equal routes the lowest wins"),
	F_U8(route, tos, .flags = FIELD_KEY | FIELD_HEX, .key_word = "tos",
	       .doc = "only packets of this TOS, 0 for all"),
	F_CHOICE(route, type, route_types, .doc = "what becomes of the packets"),
	F_NAME(route, device, .doc = "they leave by"),
	F_ADDR(route, gateway, .doc = "they go to"),
	F_ADDR(route, prefsrc, .doc = "source of the host's own packets"),
	F_U8(route, scope, .doc = "distance of the destination, as the kernel counts it"),
	F_U8(route, protocol, .flags = FIELD_MARK, .doc = "says whose it is"),
};
KIND(KIND_ROUTE, route, "route");

static const struct field rule_fields[] = {
	F_U32(rule, priority, .flags = FIELD_KEY, .doc = "the lowest that matches is followed"),
	F_PREFIX(rule, from, .flags = FIELD_KEY, .key_word = "from", .doc = "only this source"),
	F_U32(rule, fwmark, .flags = FIELD_KEY | FIELD_HEX, .key_word = "fwmark",
	       .doc = "only packets with this mark"),
	F_U32(rule, fwmask, .flags = FIELD_KEY | FIELD_HEX, .key_word = "mask",
	       .doc = "bits of the mark that count"),
	F_CHOICE(rule, action, rule_actions, .flags = FIELD_KEY,
	       .doc = "what becomes of the packets"),
	F_U32(rule, table, .flags = FIELD_KEY, .key_word = "",
	       .doc = "number of the routing table"),
	F_S32(rule, suppress_prefixlength, .flags = FIELD_KEY, .key_word = "suppress_prefixlength",
	       .doc = "pass over routes with no longer a prefix, -1 over none"),
	F_U32(rule, target, .flags = FIELD_KEY, .key_word = "", .doc = "priority to go on at"),
	F_U8(rule, protocol, .flags = FIELD_KEY, .key_word = "protocol", .doc = "says whose it is"),
};
KIND(KIND_RULE, rule, "rule");

static const struct field nft_table_fields[] = {
	F_NAME(nft_table, name, .flags = FIELD_KEY, .doc = "of the table, of family ip"),
	F_U32(nft_table, flags, .doc = "as nftables has them"),
};
KIND(KIND_NFT_TABLE, nft_table, "nft-table");

static const struct field nft_set_fields[] = {
	F_NAME(nft_set, name, .flags = FIELD_KEY, .doc = "of the set"),
	F_CHOICE(nft_set, type, set_types, .flags = FIELD_RECREATE, .doc = "of its elements"),
	F_BOOL(nft_set, map, .flags = FIELD_RECREATE, .doc = "an element has a value"),
	F_BOOL(nft_set, interval, .flags = FIELD_RECREATE, .doc = "an element is a prefix"),
	F_BOOL(nft_set, counter, .flags = FIELD_RECREATE, .doc = "an element counts its packets"),
};
KIND(KIND_NFT_SET, nft_set, "nft-set");

static const struct field nft_element_fields[] = {
	F_NAME(nft_element, set_name, .flags = FIELD_KEY, .doc = "the set that it is in"),
	F_NAME(nft_element, device, .flags = FIELD_KEY, .doc = "the element, in a set of devices"),
	F_PREFIX(nft_element, prefix, .flags = FIELD_KEY,
	       .doc = "the element, in a set of addresses"),
	F_ADDR(nft_element, to, .doc = "the value, in a map"),
};
KIND(KIND_NFT_ELEMENT, nft_element, "nft-element");

static const struct field nft_chain_fields[] = {
	F_NAME(nft_chain, name, .flags = FIELD_KEY, .doc = "of the chain"),
	F_CHOICE(nft_chain, type, chain_types, .flags = FIELD_RECREATE, .doc = "what it may do"),
	F_CHOICE(nft_chain, hook, hooks, .flags = FIELD_RECREATE, .doc = "where packets come by"),
	F_S32(nft_chain, priority, .flags = FIELD_RECREATE,
	       .doc = "order among the chains of a hook"),
	F_BOOL(nft_chain, accept, .doc = "what no rule decides may pass"),
	F_ROWS(nft_chain, rules, &rule_row_kind, .doc = "in their order"),
};
KIND(KIND_NFT_CHAIN, nft_chain, "nft-chain");

static const struct field nft_rule_fields[] = {
	F_NAME(nft_rule, iif, .doc = "only what came in by this device"),
	F_NAME(nft_rule, iif_set, .doc = "only what came in by a device of this set"),
	F_NAME(nft_rule, oif, .doc = "only what leaves by this device"),
	F_NAME(nft_rule, oif_set, .doc = "only what leaves by a device of this set"),
	F_NAME(nft_rule, saddr_set, .doc = "only sources of this set"),
	F_NAME(nft_rule, daddr_set, .doc = "only destinations of this set"),
	F_BOOL(nft_rule, established, .doc = "only what belongs to a known connection"),
	F_BOOL(nft_rule, clamp, .doc = "clamps the MSS to the path MTU"),
	F_NAME(nft_rule, snat_map, .doc = "map from the source to its new address"),
	F_CHOICE(nft_rule, verdict, verdicts, .doc = "what becomes of the packet"),
};
KIND(KIND_NFT_RULE, nft_rule, "nft-rule");
/* clang-format on */

const struct kind *const kinds[KINDS] = {
	[KIND_TUNNEL] = &tunnel_kind,       [KIND_EXIT_ROUTE] = &exit_route_kind,
	[KIND_NAT_RULE] = &nat_rule_kind,   [KIND_NFT_TABLE] = &nft_table_kind,
	[KIND_NFT_SET] = &nft_set_kind,     [KIND_NFT_ELEMENT] = &nft_element_kind,
	[KIND_NFT_CHAIN] = &nft_chain_kind, [KIND_LINK] = &link_kind,
	[KIND_ADDRESS] = &address_kind,     [KIND_SYSCTL] = &sysctl_kind,
	[KIND_ROUTE] = &route_kind,         [KIND_RULE] = &rule_kind,
	[KIND_NFT_RULE] = &nft_rule_kind,
};
