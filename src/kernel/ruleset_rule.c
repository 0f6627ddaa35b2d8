/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One foreign rule, expression by expression: what was loaded into a register is kept until a
 * comparison says what is asked of it. What we do not know is a condition more, so that a rule is
 * never taken to be about more packets than it is.
 */
#include "kernel/ruleset.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_conntrack.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
	IP_PROTOCOL_OFFSET = 9,
	IP_SADDR_OFFSET = 12,
	IP_DADDR_OFFSET = 16,
	REGISTERS = NFT_REG32_15 + 1,
};

enum loaded_id {
	LOADED_OTHER,
	LOADED_IN,
	LOADED_OUT,
	LOADED_PROTOCOL,
	LOADED_SOURCE,
	LOADED_DESTINATION,
	LOADED_STATES,
	LOADED_FAMILY,    /* NFPROTO_* */
	LOADED_ETHERTYPE, /* ETH_P_* */
};

struct loaded {
	enum loaded_id id;
	uint32_t mask; /* of an address, or of states */
};

struct reading {
	struct ruleset_rule *rule;
	char *target;
	struct loaded registers[REGISTERS];
};

/* 0 where it is not given: libnftnl ends the process over an attribute of another size. */
static uint32_t number_of(const struct nftnl_expr *expr, uint16_t attribute)
{
	uint32_t number = 0, len = 0;
	const void *bytes = nftnl_expr_is_set(expr, attribute)
				    ? nftnl_expr_get(expr, attribute, &len)
				    : NULL;

	if (bytes && len == sizeof(number))
		memcpy(&number, bytes, sizeof(number));
	return number;
}

static struct loaded *register_of(struct reading *reading, const struct nftnl_expr *expr,
				  uint16_t attribute)
{
	static struct loaded nowhere;
	uint32_t number = number_of(expr, attribute);

	nowhere = (struct loaded){0};
	return number < REGISTERS ? &reading->registers[number] : &nowhere;
}

static void add_condition(struct reading *reading)
{
	reading->rule->flags |= RULESET_CONDITION;
}

static void read_meta(struct reading *reading, const struct nftnl_expr *expr)
{
	static const struct {
		uint32_t key;
		enum loaded_id id;
	} keys[] = {
		{NFT_META_IIFNAME, LOADED_IN},         {NFT_META_OIFNAME, LOADED_OUT},
		{NFT_META_L4PROTO, LOADED_PROTOCOL},   {NFT_META_NFPROTO, LOADED_FAMILY},
		{NFT_META_PROTOCOL, LOADED_ETHERTYPE},
	};
	struct loaded loaded = {LOADED_OTHER, UINT32_MAX};

	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_META_DREG))
		return; /* it sets something */
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].key == number_of(expr, NFTNL_EXPR_META_KEY))
			loaded.id = keys[i].id;
	*register_of(reading, expr, NFTNL_EXPR_META_DREG) = loaded;
}

/* A load of the first bytes of an address is a prefix of it. */
static void read_payload(struct reading *reading, const struct nftnl_expr *expr)
{
	uint32_t offset = number_of(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t len = number_of(expr, NFTNL_EXPR_PAYLOAD_LEN);
	struct loaded loaded = {LOADED_OTHER, UINT32_MAX};

	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_PAYLOAD_DREG))
		return;
	if (number_of(expr, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER) {
		if (offset == IP_PROTOCOL_OFFSET && len == 1)
			loaded.id = LOADED_PROTOCOL;
		if (offset == IP_SADDR_OFFSET && len >= 1 && len <= 4)
			loaded.id = LOADED_SOURCE;
		if (offset == IP_DADDR_OFFSET && len >= 1 && len <= 4)
			loaded.id = LOADED_DESTINATION;
		if (loaded.id >= LOADED_SOURCE)
			loaded.mask = prefix_mask((uint8_t)(8 * len));
	}
	*register_of(reading, expr, NFTNL_EXPR_PAYLOAD_DREG) = loaded;
}

static void read_ct(struct reading *reading, const struct nftnl_expr *expr)
{
	bool states = number_of(expr, NFTNL_EXPR_CT_KEY) == NFT_CT_STATE;

	if (nftnl_expr_is_set(expr, NFTNL_EXPR_CT_DREG))
		*register_of(reading, expr, NFTNL_EXPR_CT_DREG) = (struct loaded){
			states ? LOADED_STATES : LOADED_OTHER, UINT32_MAX};
}

static void read_fib(struct reading *reading, const struct nftnl_expr *expr)
{
	uint32_t result = number_of(expr, NFTNL_EXPR_FIB_RESULT);

	if (number_of(expr, NFTNL_EXPR_FIB_FLAGS) & NFTA_FIB_F_SADDR &&
	    (result == NFT_FIB_RESULT_OIF || result == NFT_FIB_RESULT_OIFNAME))
		reading->rule->flags |= RULESET_REVERSE_PATH;
	*register_of(reading, expr, NFTNL_EXPR_FIB_DREG) = (struct loaded){0};
}

static void read_bitwise(struct reading *reading, const struct nftnl_expr *expr)
{
	const struct loaded from = *register_of(reading, expr, NFTNL_EXPR_BITWISE_SREG);
	struct loaded to = {0};
	uint32_t len = 0, mask = 0;
	const void *bytes = nftnl_expr_is_set(expr, NFTNL_EXPR_BITWISE_MASK)
				    ? nftnl_expr_get(expr, NFTNL_EXPR_BITWISE_MASK, &len)
				    : NULL;

	if (bytes && len <= sizeof(mask)) {
		memcpy(&mask, bytes, len);
		if (from.id == LOADED_SOURCE || from.id == LOADED_DESTINATION)
			to = (struct loaded){from.id, from.mask & ntohl(mask)};
		if (from.id == LOADED_STATES && len == sizeof(mask))
			to = (struct loaded){from.id, from.mask & mask};
	}
	*register_of(reading, expr, NFTNL_EXPR_BITWISE_DREG) = to;
}

struct compared {
	const uint8_t *bytes;
	uint32_t len;
	bool other_than;
};

/* A name of which not all bytes are compared is the beginning of one. */
static void ask_device(struct reading *reading, struct ruleset_device *device,
		       const struct compared *compared)
{
	if (device->given || compared->len > IFNAMSIZ || !compared->len) {
		add_condition(reading);
		return;
	}
	device->given = true;
	device->other_than = compared->other_than;
	device->begins = !memchr(compared->bytes, '\0', compared->len);
	memcpy(device->name, compared->bytes,
	       compared->len < IFNAMSIZ ? compared->len : IFNAMSIZ - 1);
}

static void ask_address(struct reading *reading, struct ruleset_addresses *addresses, uint32_t mask,
			const struct compared *compared)
{
	uint32_t address = 0;
	uint8_t len = mask ? (uint8_t)__builtin_popcount(mask) : 0;

	if (addresses->given || compared->len > sizeof(address) || prefix_mask(len) != mask) {
		add_condition(reading);
		return;
	}
	memcpy(&address, compared->bytes, compared->len);
	addresses->given = true;
	addresses->other_than = compared->other_than;
	addresses->prefix = (struct prefix){{ntohl(address)}, len};
}

/* Either masked and compared with 0, or compared with one state. */
static void ask_states(struct reading *reading, uint32_t mask, const struct compared *compared)
{
	uint32_t value = 0;

	if (compared->len != sizeof(value) || reading->rule->states) {
		add_condition(reading);
		return;
	}
	memcpy(&value, compared->bytes, sizeof(value));
	uint32_t states = value ? value : mask;
	bool none_of = value ? compared->other_than : !compared->other_than;
	reading->rule->states = (uint8_t)(none_of ? ~states : states);
	if (!reading->rule->states)
		add_condition(reading);
}

static void ask_protocol(struct reading *reading, const struct compared *compared)
{
	struct ruleset_rule *rule = reading->rule;

	if (compared->len != 1 ||
	    (rule->protocol_given && (rule->protocol != *compared->bytes ||
				      rule->protocol_other_than != compared->other_than))) {
		add_condition(reading);
		return;
	}
	rule->protocol_given = true;
	rule->protocol = *compared->bytes;
	rule->protocol_other_than = compared->other_than;
}

static void ask_version(struct reading *reading, bool ipv4, const struct compared *compared)
{
	if (ipv4 == compared->other_than)
		reading->rule->flags |= RULESET_NEVER;
}

static void read_cmp(struct reading *reading, const struct nftnl_expr *expr)
{
	const struct loaded *loaded = register_of(reading, expr, NFTNL_EXPR_CMP_SREG);
	uint32_t op = number_of(expr, NFTNL_EXPR_CMP_OP);
	struct compared compared = {.other_than = op == NFT_CMP_NEQ};
	struct ruleset_rule *rule = reading->rule;
	uint16_t type = htons(ETH_P_IP);

	compared.bytes = nftnl_expr_get(expr, NFTNL_EXPR_CMP_DATA, &compared.len);
	if (!compared.bytes || (op != NFT_CMP_EQ && op != NFT_CMP_NEQ)) {
		add_condition(reading);
		return;
	}
	switch (loaded->id) {
	case LOADED_IN:
		ask_device(reading, &rule->in, &compared);
		break;
	case LOADED_OUT:
		ask_device(reading, &rule->out, &compared);
		break;
	case LOADED_PROTOCOL:
		ask_protocol(reading, &compared);
		break;
	case LOADED_SOURCE:
		ask_address(reading, &rule->source, loaded->mask, &compared);
		break;
	case LOADED_DESTINATION:
		ask_address(reading, &rule->destination, loaded->mask, &compared);
		break;
	case LOADED_STATES:
		ask_states(reading, loaded->mask, &compared);
		break;
	case LOADED_FAMILY:
		ask_version(reading, compared.len == 1 && *compared.bytes == NFPROTO_IPV4,
			    &compared);
		break;
	case LOADED_ETHERTYPE:
		ask_version(reading,
			    compared.len == sizeof(type) &&
				    memcmp(compared.bytes, &type, sizeof(type)) == 0,
			    &compared);
		break;
	case LOADED_OTHER:
		add_condition(reading);
		break;
	}
}

/* A map from states to verdicts lets through what is established: nobody writes another one. */
static void read_lookup(struct reading *reading, const struct nftnl_expr *expr)
{
	const struct loaded *loaded = register_of(reading, expr, NFTNL_EXPR_LOOKUP_SREG);

	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_DREG)) {
		add_condition(reading);
	} else if (number_of(expr, NFTNL_EXPR_LOOKUP_DREG) != NFT_REG_VERDICT) {
		*register_of(reading, expr, NFTNL_EXPR_LOOKUP_DREG) = (struct loaded){0};
	} else if (loaded->id == LOADED_STATES && !reading->rule->states) {
		reading->rule->states = RULESET_ESTABLISHED | RULESET_RELATED;
		reading->rule->verdict = RULESET_ACCEPT;
	} else {
		reading->rule->verdict = RULESET_OTHER;
	}
}

static void read_immediate(struct reading *reading, const struct nftnl_expr *expr)
{
	static const struct {
		int32_t verdict;
		enum ruleset_verdict is;
	} verdicts[] = {
		{NF_ACCEPT, RULESET_ACCEPT}, {NF_DROP, RULESET_DROP},  {NFT_RETURN, RULESET_RETURN},
		{NFT_JUMP, RULESET_JUMP},    {NFT_GOTO, RULESET_GOTO}, {NFT_CONTINUE, RULESET_NONE},
	};
	const char *chain = NULL;

	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_VERDICT)) {
		*register_of(reading, expr, NFTNL_EXPR_IMM_DREG) = (struct loaded){0};
		return;
	}
	reading->rule->verdict = RULESET_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		if (verdicts[i].verdict == (int32_t)number_of(expr, NFTNL_EXPR_IMM_VERDICT))
			reading->rule->verdict = (uint8_t)verdicts[i].is;
	if (nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_CHAIN))
		chain = nftnl_expr_get_str(expr, NFTNL_EXPR_IMM_CHAIN);
	if (chain)
		name_copy_(reading->target, RULESET_NAME, chain);
}

static void read_masq(struct reading *reading, unused_ const struct nftnl_expr *expr)
{
	reading->rule->flags |= RULESET_SNAT;
	reading->rule->verdict = RULESET_ACCEPT;
}

static void read_nat(struct reading *reading, const struct nftnl_expr *expr)
{
	if (number_of(expr, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT)
		reading->rule->flags |= RULESET_SNAT;
	reading->rule->verdict = RULESET_ACCEPT;
}

static void read_reject(struct reading *reading, unused_ const struct nftnl_expr *expr)
{
	reading->rule->verdict = RULESET_DROP;
}

static void read_queue(struct reading *reading, unused_ const struct nftnl_expr *expr)
{
	reading->rule->verdict = RULESET_OTHER;
}

/* Of xtables: its states, if it asks for nothing else. */
static void read_conntrack_match(struct reading *reading, const struct nftnl_expr *expr)
{
	uint32_t len = 0;
	const struct xt_conntrack_mtinfo3 *match = nftnl_expr_get(expr, NFTNL_EXPR_MT_INFO, &len);

	if (number_of(expr, NFTNL_EXPR_MT_REV) == 3 && len >= sizeof(*match) &&
	    match->match_flags == XT_CONNTRACK_STATE && !match->invert_flags &&
	    (uint8_t)match->state_mask && !reading->rule->states)
		reading->rule->states = (uint8_t)match->state_mask;
	else
		add_condition(reading);
}

static void read_match(struct reading *reading, const struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_MT_NAME);

	if (name && strcmp(name, "comment") == 0)
		return;
	if (name && strcmp(name, "conntrack") == 0) {
		read_conntrack_match(reading, expr);
		return;
	}
	if (name && strcmp(name, "rpfilter") == 0)
		reading->rule->flags |= RULESET_REVERSE_PATH;
	add_condition(reading);
}

static void read_target(struct reading *reading, const struct nftnl_expr *expr)
{
	static const struct {
		const char *name;
		enum ruleset_verdict verdict;
		uint8_t flags;
	} targets[] = {
		{"DROP", RULESET_DROP, 0},
		{"REJECT", RULESET_DROP, 0},
		{"MASQUERADE", RULESET_ACCEPT, RULESET_SNAT},
		{"SNAT", RULESET_ACCEPT, RULESET_SNAT},
		{"NETMAP", RULESET_ACCEPT, RULESET_SNAT},
		{"NFQUEUE", RULESET_OTHER, 0},
	};
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_TG_NAME);

	for (size_t i = 0; name && i < ARRAY_LEN(targets); i++) {
		if (strcmp(targets[i].name, name) != 0)
			continue;
		reading->rule->verdict = (uint8_t)targets[i].verdict;
		reading->rule->flags |= targets[i].flags;
	}
}

static void read_nothing(unused_ struct reading *reading, unused_ const struct nftnl_expr *expr)
{
}

static const struct {
	const char *name;
	void (*read)(struct reading *reading, const struct nftnl_expr *expr);
} expressions[] = {
	{"meta", read_meta},       {"payload", read_payload},
	{"ct", read_ct},           {"fib", read_fib},
	{"bitwise", read_bitwise}, {"cmp", read_cmp},
	{"lookup", read_lookup},   {"masq", read_masq},
	{"nat", read_nat},         {"immediate", read_immediate},
	{"reject", read_reject},   {"queue", read_queue},
	{"match", read_match},     {"target", read_target},
	{"counter", read_nothing}, {"log", read_nothing},
	{"notrack", read_nothing},
};

static int read_expression(struct nftnl_expr *expr, void *data)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
		if (strcmp(expressions[i].name, name) != 0)
			continue;
		expressions[i].read(data, expr);
		return 0;
	}
	add_condition(data);
	return 0;
}

static void rule_free(struct nftnl_rule **rule)
{
	if (*rule)
		nftnl_rule_free(*rule);
}

void ruleset_rule_parse(const struct nlmsghdr *nlh, struct ruleset_rule *rule,
			char target[static RULESET_NAME])
{
	cleanup_(rule_free) struct nftnl_rule *from = nftnl_rule_alloc();
	struct reading reading = {rule, target, {{0}}};

	*rule = (struct ruleset_rule){.target = RULESET_NO_CHAIN};
	memset(target, 0, RULESET_NAME);
	if (from && nftnl_rule_nlmsg_parse(nlh, from) >= 0) {
		nftnl_expr_foreach(from, read_expression, &reading);
		return;
	}
	rule->flags = RULESET_CONDITION;
	rule->verdict = RULESET_OTHER;
}
