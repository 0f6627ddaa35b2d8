/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules to expressions and back, by two tables: `forms` are the expressions that we write,
 * each with all of its attributes; `matches` are the members of a rule as runs of forms.
 * Both directions walk the same tables, so what parses is what would be built.
 */
#include "kernel/nft_rule.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include "base/cleanup.h"

enum {
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_RST = 0x04,
	TCP_FLAGS_OFFSET = 13,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_MSS_VALUE = 2, /* offset within the option */
	IP_SADDR_OFFSET = 12,
	IP_DADDR_OFFSET = 16,
	CT_STATE_ESTABLISHED = 1 << 1,
	CT_STATE_RELATED = 1 << 2,
};

enum form_id {
	FORM_END,
	FORM_IIFNAME,
	FORM_OIFNAME,
	FORM_IS_NAME,
	FORM_IN_SET,
	FORM_SADDR,
	FORM_DADDR,
	FORM_CT_STATE,
	FORM_AND_ESTABLISHED,
	FORM_NOT_ZERO,
	FORM_L4PROTO,
	FORM_IS_TCP,
	FORM_TCP_FLAGS,
	FORM_AND_SYN_RST,
	FORM_IS_SYN,
	FORM_ROUTE_MSS,
	FORM_TO_NETWORK,
	FORM_SET_MSS,
	FORM_IN_MAP,
	FORM_SNAT,
	FORM_MASQUERADE,
	FORM_ACCEPT,
	FORM_DROP,
};

/* What of an expression comes from the rule. */
enum form_argument { ARGUMENT_NONE, ARGUMENT_IFNAME, ARGUMENT_SET };

enum { FORM_ATTRIBUTES = 6 };

struct form {
	const char *expression;
	enum form_argument argument;
	uint16_t argument_attribute;
	struct form_attribute {
		uint8_t size;  /* bytes; 0 ends the list */
		bool answered; /* not written: the kernel may add it to what it dumps */
		uint16_t attribute;
		uint32_t value;
	} attributes[FORM_ATTRIBUTES];
};

/* clang-format off */
#define U32(attr, v) {4, false, (attr), (v)}
#define U8(attr, v) {1, false, (attr), (v)}
#define ANSWERED(attr, v) {4, true, (attr), (v)}

#define META(key)                                                                                  \
	{"meta", .attributes = {U32(NFTNL_EXPR_META_KEY, key),                                     \
				U32(NFTNL_EXPR_META_DREG, NFT_REG_1)}}
#define PAYLOAD(base, offset, len)                                                                 \
	{"payload", .attributes = {U32(NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1),                        \
				   U32(NFTNL_EXPR_PAYLOAD_BASE, base),                             \
				   U32(NFTNL_EXPR_PAYLOAD_OFFSET, offset),                         \
				   U32(NFTNL_EXPR_PAYLOAD_LEN, len)}}
#define CMP(op, data)                                                                              \
	{"cmp", .attributes = {U32(NFTNL_EXPR_CMP_SREG, NFT_REG_1), U32(NFTNL_EXPR_CMP_OP, op),    \
			       data}}
#define BITWISE(len, mask, zero)                                                                   \
	{"bitwise", .attributes = {U32(NFTNL_EXPR_BITWISE_SREG, NFT_REG_1),                        \
				   U32(NFTNL_EXPR_BITWISE_DREG, NFT_REG_1),                        \
				   U32(NFTNL_EXPR_BITWISE_LEN, len), mask, zero}}
#define VERDICT(verdict)                                                                           \
	{"immediate", .attributes = {U32(NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT),                    \
				     U32(NFTNL_EXPR_IMM_VERDICT, verdict)}}

static const struct form forms[] = {
	[FORM_IIFNAME] = META(NFT_META_IIFNAME),
	[FORM_OIFNAME] = META(NFT_META_OIFNAME),
	[FORM_IS_NAME] = {"cmp", ARGUMENT_IFNAME, NFTNL_EXPR_CMP_DATA,
			  {U32(NFTNL_EXPR_CMP_SREG, NFT_REG_1),
			   U32(NFTNL_EXPR_CMP_OP, NFT_CMP_EQ)}},
	[FORM_IN_SET] = {"lookup", ARGUMENT_SET, NFTNL_EXPR_LOOKUP_SET,
			 {U32(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1),
			  ANSWERED(NFTNL_EXPR_LOOKUP_FLAGS, 0)}},
	[FORM_SADDR] = PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, IP_SADDR_OFFSET, 4),
	[FORM_DADDR] = PAYLOAD(NFT_PAYLOAD_NETWORK_HEADER, IP_DADDR_OFFSET, 4),
	[FORM_CT_STATE] = {"ct", .attributes = {U32(NFTNL_EXPR_CT_KEY, NFT_CT_STATE),
						U32(NFTNL_EXPR_CT_DREG, NFT_REG_1)}},
	[FORM_AND_ESTABLISHED] = BITWISE(4, U32(NFTNL_EXPR_BITWISE_MASK,
						CT_STATE_ESTABLISHED | CT_STATE_RELATED),
					 U32(NFTNL_EXPR_BITWISE_XOR, 0)),
	[FORM_NOT_ZERO] = CMP(NFT_CMP_NEQ, U32(NFTNL_EXPR_CMP_DATA, 0)),
	[FORM_L4PROTO] = META(NFT_META_L4PROTO),
	[FORM_IS_TCP] = CMP(NFT_CMP_EQ, U8(NFTNL_EXPR_CMP_DATA, IPPROTO_TCP)),
	[FORM_TCP_FLAGS] = PAYLOAD(NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, 1),
	[FORM_AND_SYN_RST] = BITWISE(1, U8(NFTNL_EXPR_BITWISE_MASK, TCP_FLAG_SYN | TCP_FLAG_RST),
				     U8(NFTNL_EXPR_BITWISE_XOR, 0)),
	[FORM_IS_SYN] = CMP(NFT_CMP_EQ, U8(NFTNL_EXPR_CMP_DATA, TCP_FLAG_SYN)),
	[FORM_ROUTE_MSS] = {"rt", .attributes = {U32(NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS),
						 U32(NFTNL_EXPR_RT_DREG, NFT_REG_1)}},
	[FORM_TO_NETWORK] = {"byteorder", .attributes = {
				U32(NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1),
				U32(NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1),
				U32(NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON),
				U32(NFTNL_EXPR_BYTEORDER_LEN, 2),
				U32(NFTNL_EXPR_BYTEORDER_SIZE, 2)}},
	[FORM_SET_MSS] = {"exthdr", .attributes = {
				U32(NFTNL_EXPR_EXTHDR_SREG, NFT_REG_1),
				U8(NFTNL_EXPR_EXTHDR_TYPE, TCP_OPTION_MSS),
				U32(NFTNL_EXPR_EXTHDR_OFFSET, TCP_OPTION_MSS_VALUE),
				U32(NFTNL_EXPR_EXTHDR_LEN, 2),
				U32(NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT)}},
	[FORM_IN_MAP] = {"lookup", ARGUMENT_SET, NFTNL_EXPR_LOOKUP_SET,
			 {U32(NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1),
			  U32(NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1),
			  ANSWERED(NFTNL_EXPR_LOOKUP_FLAGS, 0)}},
	[FORM_SNAT] = {"nat", .attributes = {
				U32(NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT),
				U32(NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4),
				U32(NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1),
				ANSWERED(NFTNL_EXPR_NAT_REG_ADDR_MAX, NFT_REG_1),
				ANSWERED(NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS)}},
	[FORM_MASQUERADE] = {"masq"},
	[FORM_ACCEPT] = VERDICT(NF_ACCEPT),
	[FORM_DROP] = VERDICT(NF_DROP),
};
/* clang-format on */

enum { MATCH_FORMS = 9 };

/* A member of struct nft_rule, and the forms that say it. */
struct match {
	uint16_t offset, size; /* of the member */
	bool is_bool;
	uint8_t forms[MATCH_FORMS]; /* enum form_id, up to FORM_END */
};

/* clang-format off */
#define MATCH(member, ...)                                                                         \
	{offsetof(struct nft_rule, member), sizeof(((struct nft_rule *)0)->member), false,         \
	 {__VA_ARGS__}}
#define MATCH_BOOL(member, ...)                                                                    \
	{offsetof(struct nft_rule, member), sizeof(((struct nft_rule *)0)->member), true,          \
	 {__VA_ARGS__}}

static const struct match matches[] = {
	MATCH(iif, FORM_IIFNAME, FORM_IS_NAME),
	MATCH(iif_set, FORM_IIFNAME, FORM_IN_SET),
	MATCH(oif, FORM_OIFNAME, FORM_IS_NAME),
	MATCH(oif_set, FORM_OIFNAME, FORM_IN_SET),
	MATCH(saddr_set, FORM_SADDR, FORM_IN_SET),
	MATCH(daddr_set, FORM_DADDR, FORM_IN_SET),
	MATCH_BOOL(established, FORM_CT_STATE, FORM_AND_ESTABLISHED, FORM_NOT_ZERO),
	MATCH_BOOL(clamp, FORM_L4PROTO, FORM_IS_TCP, FORM_TCP_FLAGS, FORM_AND_SYN_RST, FORM_IS_SYN,
		   FORM_ROUTE_MSS, FORM_TO_NETWORK, FORM_SET_MSS),
	MATCH(snat_map, FORM_SADDR, FORM_IN_MAP, FORM_SNAT),
};
/* clang-format on */

/* The verdicts that are one expression; snat is a match, and none is nothing. */
static const uint8_t verdict_forms[] = {
	[NFT_VERDICT_ACCEPT] = FORM_ACCEPT,
	[NFT_VERDICT_DROP] = FORM_DROP,
	[NFT_VERDICT_MASQUERADE] = FORM_MASQUERADE,
	[NFT_VERDICT_OTHER] = FORM_END,
};

static void attribute_bytes(const struct form_attribute *attribute, uint8_t bytes[static 4])
{
	if (attribute->size == 1)
		bytes[0] = (uint8_t)attribute->value;
	else
		memcpy(bytes, &attribute->value, 4);
}

static void form_build(enum form_id id, const char *argument, struct nftnl_rule *to)
{
	const struct form *form = &forms[id];
	struct nftnl_expr *expr = nftnl_expr_alloc(form->expression);

	if (!expr)
		out_of_memory(sizeof(*form));
	for (size_t i = 0; i < FORM_ATTRIBUTES && form->attributes[i].size; i++) {
		const struct form_attribute *attribute = &form->attributes[i];
		uint8_t bytes[4];

		if (attribute->answered)
			continue;
		attribute_bytes(attribute, bytes);
		nftnl_expr_set(expr, attribute->attribute, bytes, attribute->size);
	}
	if (form->argument == ARGUMENT_SET) {
		nftnl_expr_set_str(expr, form->argument_attribute, argument);
	} else if (form->argument == ARGUMENT_IFNAME) {
		char name[IFNAMSIZ] = {0};

		/* 16 bytes, zeros included: a shorter comparison is a wildcard */
		memcpy(name, argument, strnlen(argument, IFNAMSIZ - 1));
		nftnl_expr_set(expr, form->argument_attribute, name, sizeof(name));
	}
	nftnl_rule_add_expr(to, expr);
}

static bool is_given(const struct nft_rule *rule, const struct match *match)
{
	return *((const char *)rule + match->offset) != 0;
}

int nft_rule_build(const struct nft_rule *rule, struct nftnl_rule *to)
{
	bool snat = rule->verdict == NFT_VERDICT_SNAT;

	if (rule->verdict >= NFT_VERDICT_OTHER || snat != (*rule->snat_map != '\0'))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		const struct match *match = &matches[i];

		if (!is_given(rule, match))
			continue;
		for (size_t f = 0; match->forms[f] != FORM_END; f++)
			form_build(match->forms[f], (const char *)rule + match->offset, to);
	}
	if (verdict_forms[rule->verdict] != FORM_END)
		form_build(verdict_forms[rule->verdict], NULL, to);
	return 0;
}

static const struct form_attribute *form_attribute(const struct form *form, uint16_t attribute)
{
	for (size_t i = 0; i < FORM_ATTRIBUTES && form->attributes[i].size; i++)
		if (form->attributes[i].attribute == attribute)
			return &form->attributes[i];
	return NULL;
}

/* An attribute that the form does not have must at least say nothing: be all zeros. */
static bool attribute_matches(const struct form *form, const struct nftnl_expr *expr, uint16_t id)
{
	const struct form_attribute *attribute = form_attribute(form, id);
	uint8_t bytes[4] = {0};
	uint32_t len = 0;

	if (form->argument != ARGUMENT_NONE && form->argument_attribute == id)
		return true;
	if (!nftnl_expr_is_set(expr, id))
		return !attribute || attribute->answered;
	const uint8_t *value = nftnl_expr_get(expr, id, &len);
	if (!value || len > sizeof(bytes))
		return false;
	if (attribute)
		attribute_bytes(attribute, bytes);
	return (!attribute || attribute->size == len) && memcmp(value, bytes, len) == 0;
}

/* A name that fills its member to the last byte has no end, and none of ours does that. */
static bool name_parse(const void *value, size_t len, char *name, size_t size)
{
	size_t used = strnlen(value, len);

	if (used == 0 || used >= size)
		return false;
	memcpy(name, value, used);
	memset(name + used, 0, size - used);
	return true;
}

static bool argument_parse(const struct form *form, const struct nftnl_expr *expr, char *argument,
			   size_t size)
{
	uint32_t len = 0;

	if (form->argument == ARGUMENT_NONE)
		return true;
	const char *value = nftnl_expr_get(expr, form->argument_attribute, &len);
	if (!value)
		return false;
	/* "__set0": somebody's anonymous set, which lives and dies with the rule */
	if (form->argument == ARGUMENT_SET)
		return strncmp(value, "__", 2) != 0 &&
		       name_parse(value, strlen(value), argument, size);
	if (len != IFNAMSIZ || !name_parse(value, len, argument, size))
		return false;
	/* after the NUL there must be nothing, or it compares with another name */
	return memcmp(value, argument, IFNAMSIZ) == 0;
}

static bool form_parse(enum form_id id, const struct nftnl_expr *expr, char *argument, size_t size)
{
	const struct form *form = &forms[id];
	enum { ATTRIBUTES_END = NFTNL_EXPR_BASE + 16 }; /* more than any expression has */

	if (strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), form->expression) != 0)
		return false;
	for (uint16_t attribute = NFTNL_EXPR_BASE; attribute < ATTRIBUTES_END; attribute++)
		if (!attribute_matches(form, expr, attribute))
			return false;
	return argument_parse(form, expr, argument, size);
}

enum { RULE_EXPRESSIONS = 32 }; /* more than the longest of our rules has */

struct expressions {
	struct nftnl_expr *v[RULE_EXPRESSIONS];
	size_t len; /* RULE_EXPRESSIONS + 1: too many */
};

static int collect(struct nftnl_expr *expr, void *data)
{
	struct expressions *expressions = data;

	if (expressions->len < RULE_EXPRESSIONS)
		expressions->v[expressions->len] = expr;
	expressions->len += expressions->len <= RULE_EXPRESSIONS;
	return 0;
}

/* How many expressions from `at` say the match; 0 when they do not. Fills the member then. */
static size_t match_parse(const struct match *match, const struct expressions *from, size_t at,
			  struct nft_rule *rule)
{
	char argument[SET_NAME] = {0};
	size_t f = 0;

	for (; match->forms[f] != FORM_END; f++)
		if (at + f >= from->len ||
		    !form_parse(match->forms[f], from->v[at + f], argument, match->size))
			return 0;
	if (match->is_bool)
		argument[0] = true;
	memcpy((char *)rule + match->offset, argument, match->size);
	return f;
}

static bool verdict_parse(const struct expressions *from, size_t at, struct nft_rule *rule)
{
	rule->verdict = *rule->snat_map ? NFT_VERDICT_SNAT : NFT_VERDICT_NONE;
	if (at == from->len)
		return true;
	if (at + 1 != from->len || rule->verdict == NFT_VERDICT_SNAT)
		return false;
	for (uint8_t verdict = 0; verdict < ARRAY_LEN(verdict_forms); verdict++)
		if (verdict_forms[verdict] != FORM_END &&
		    form_parse(verdict_forms[verdict], from->v[at], NULL, 0)) {
			rule->verdict = verdict;
			return true;
		}
	return false;
}

void nft_rule_parse(struct nftnl_rule *from, struct nft_rule *rule)
{
	struct expressions expressions = {.len = 0};
	size_t at = 0;

	*rule = (struct nft_rule){.head.set = kind_all(&nft_rule_kind)};
	nftnl_expr_foreach(from, collect, &expressions);
	if (expressions.len <= RULE_EXPRESSIONS && !nftnl_rule_is_set(from, NFTNL_RULE_USERDATA)) {
		for (size_t i = 0; i < ARRAY_LEN(matches); i++)
			at += match_parse(&matches[i], &expressions, at, rule);
		if (verdict_parse(&expressions, at, rule))
			return;
	}
	*rule = (struct nft_rule){
		.head.set = kind_all(&nft_rule_kind),
		.verdict = NFT_VERDICT_OTHER,
	};
}
