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
	F_NAME(link, device, .flags = FIELD_KEY),
	F_NAME(link, driver, .flags = FIELD_RECREATE),
	F_ADDR(link, local),
	F_ADDR(link, remote, .flags = FIELD_RECREATE_ZERO),
	F_NAME(link, underlay),
	F_U8(link, ttl),
	F_U8(link, tos),
	F_BOOL(link, pmtudisc),
	F_U8(link, proto),
	F_U32(link, fwmark),
	F_U16(link, encap),
	F_BOOL(link, external, .flags = FIELD_RECREATE),
	F_U32(link, mtu),
	F_BOOL(link, up),
	F_U32(link, group, .flags = FIELD_MARK),
	F_NAME(link, alias, .flags = FIELD_MARK),
	F_U32(link, ifindex, .flags = FIELD_IGNORE),
};
KIND(KIND_LINK, link, "link");

static const struct field address_fields[] = {
	F_NAME(address, device, .flags = FIELD_KEY),
	F_PREFIX(address, prefix, .flags = FIELD_KEY | FIELD_HOST_BITS),
	F_U32(address, ifindex, .flags = FIELD_IGNORE),
};
KIND(KIND_ADDRESS, address, "address");

static const struct field sysctl_fields[] = {
	F_NAME(sysctl, device, .flags = FIELD_KEY),
	F_CHOICE(sysctl, name, sysctl_names, .flags = FIELD_KEY),
	F_U32(sysctl, value),
	F_U32(sysctl, before, .flags = FIELD_IGNORE),
	F_U32(sysctl, ifindex, .flags = FIELD_IGNORE),
};
KIND(KIND_SYSCTL, sysctl, "sysctl");

static const struct field route_fields[] = {
	F_U32(route, table, .flags = FIELD_KEY),
	F_PREFIX(route, dst, .flags = FIELD_KEY),
	F_U32(route, metric, .flags = FIELD_KEY),
	F_U8(route, tos, .flags = FIELD_KEY),
	F_CHOICE(route, type, route_types),
	F_NAME(route, device),
	F_ADDR(route, gateway),
	F_ADDR(route, prefsrc),
	F_U8(route, scope),
	F_U8(route, protocol, .flags = FIELD_MARK),
};
KIND(KIND_ROUTE, route, "route");

static const struct field rule_fields[] = {
	F_U32(rule, priority, .flags = FIELD_KEY),
	F_PREFIX(rule, from, .flags = FIELD_KEY),
	F_U32(rule, fwmark, .flags = FIELD_KEY),
	F_U32(rule, fwmask, .flags = FIELD_KEY),
	F_CHOICE(rule, action, rule_actions, .flags = FIELD_KEY),
	F_U32(rule, table, .flags = FIELD_KEY),
	F_S32(rule, suppress_prefixlength, .flags = FIELD_KEY),
	F_U32(rule, target, .flags = FIELD_KEY),
	F_U8(rule, protocol, .flags = FIELD_KEY),
};
KIND(KIND_RULE, rule, "rule");

static const struct field nft_table_fields[] = {
	F_NAME(nft_table, name, .flags = FIELD_KEY),
	F_U32(nft_table, flags),
};
KIND(KIND_NFT_TABLE, nft_table, "nft-table");

static const struct field nft_set_fields[] = {
	F_NAME(nft_set, name, .flags = FIELD_KEY),
	F_CHOICE(nft_set, type, set_types, .flags = FIELD_RECREATE),
	F_BOOL(nft_set, map, .flags = FIELD_RECREATE),
	F_BOOL(nft_set, interval, .flags = FIELD_RECREATE),
	F_BOOL(nft_set, counter, .flags = FIELD_RECREATE),
};
KIND(KIND_NFT_SET, nft_set, "nft-set");

static const struct field nft_element_fields[] = {
	F_NAME(nft_element, set_name, .flags = FIELD_KEY),
	F_NAME(nft_element, device, .flags = FIELD_KEY),
	F_PREFIX(nft_element, prefix, .flags = FIELD_KEY),
	F_ADDR(nft_element, to),
};
KIND(KIND_NFT_ELEMENT, nft_element, "nft-element");

static const struct field nft_chain_fields[] = {
	F_NAME(nft_chain, name, .flags = FIELD_KEY),
	F_CHOICE(nft_chain, type, chain_types, .flags = FIELD_RECREATE),
	F_CHOICE(nft_chain, hook, hooks, .flags = FIELD_RECREATE),
	F_S32(nft_chain, priority, .flags = FIELD_RECREATE),
	F_BOOL(nft_chain, accept),
	F_ROWS(nft_chain, rules, &rule_row_kind),
};
KIND(KIND_NFT_CHAIN, nft_chain, "nft-chain");

static const struct field nft_rule_fields[] = {
	F_NAME(nft_rule, iif),
	F_NAME(nft_rule, iif_set),
	F_NAME(nft_rule, oif),
	F_NAME(nft_rule, oif_set),
	F_NAME(nft_rule, saddr_set),
	F_NAME(nft_rule, daddr_set),
	F_BOOL(nft_rule, established),
	F_BOOL(nft_rule, clamp),
	F_NAME(nft_rule, snat_map),
	F_CHOICE(nft_rule, verdict, verdicts),
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
