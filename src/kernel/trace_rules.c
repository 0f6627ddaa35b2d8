/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where packets are counted is the table `chains`; of whom, is said by way and layer: each chain
 * has a rule for each of the four. A rule that matches ends its chain, so what conntrack and the
 * packet itself both say counts once. Encapsulation takes the mark of being traced from a packet:
 * each hook's first chain sets it again.
 */
#include "kernel/trace_rules.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

enum {
	IP_PROTOCOL_OFFSET = 9,
	IP_SADDR_OFFSET = 12,
	IP_DADDR_OFFSET = 16,
	IP_HEADER = 20, /* bytes, without options */
	IP_BARE = 0x45, /* the first byte of such a one */
	ICMP_ID_OFFSET = 4,
	ICMP_SEQUENCE_OFFSET = 6,
	ICMP_CODE_OFFSET = 1,
	ICMP_QUOTE_OFFSET = 8, /* what an error is about */
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_NO_PORT = 3, /* its code; */
	ICMP_TOO_LARGE = 4,
	ICMP_ECHO_REQUEST = 8,
	PORT_DESTINATION_OFFSET = 2,
	SIZE_PROBES = 100, /* echo sequence numbers from there on are of another probe */
	BEHIND_CONNTRACK = -199,
};

/* clang-format off */
static const struct chain {
	const char *name;
	enum trace_hook hook;
	enum trace_edge edge;
	int32_t priority;
} chains[] = {
	{TRACE_CHAIN_IN, TRACE_PREROUTING, TRACE_FIRST, INT_MIN},
	/* replies are known by what they were before NAT, which conntrack must have told */
	{"prerouting-reply", TRACE_PREROUTING, TRACE_FIRST, BEHIND_CONNTRACK},
	{"prerouting-last", TRACE_PREROUTING, TRACE_LAST, INT_MAX},
	{"input-first", TRACE_INPUT, TRACE_FIRST, INT_MIN},
	{"input-last", TRACE_INPUT, TRACE_LAST, INT_MAX},
	{"forward-first", TRACE_FORWARD, TRACE_FIRST, INT_MIN},
	{"forward-last", TRACE_FORWARD, TRACE_LAST, INT_MAX},
	{TRACE_CHAIN_SENT, TRACE_OUTPUT, TRACE_FIRST, INT_MIN},
	{"output-last", TRACE_OUTPUT, TRACE_LAST, INT_MAX},
	{"postrouting-first", TRACE_POSTROUTING, TRACE_FIRST, INT_MIN},
	{TRACE_CHAIN_OUT, TRACE_POSTROUTING, TRACE_LAST, INT_MAX},
};
/* clang-format on */

/* The comments of rules that count. */
static const char *const names[TRACE_WAYS][TRACE_LAYERS] = {
	[TRACE_OUT] = {[TRACE_INNER] = "out inner", [TRACE_OUTER] = "out outer"},
	[TRACE_BACK] = {[TRACE_INNER] = "back inner", [TRACE_OUTER] = "back outer"},
};

static const char *const beside_names[TRACE_BESIDES] = {
	[TRACE_SIZES_CAME] = "sizes came",         [TRACE_SIZES_LEFT] = "sizes left",
	[TRACE_SIZES_ANSWERED] = "sizes answered", [TRACE_SIZES_RETURNED] = "sizes returned",
	[TRACE_TOLD_TOO_LARGE] = "told too large", [TRACE_TOLD_NO_PORT] = "told no port",
};

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (!expr)
		out_of_memory(sizeof(void *));
	nftnl_rule_add_expr(rule, expr);
	return expr;
}

static void load_meta(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expr = add(rule, "meta");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_ct(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expr = add(rule, "ct");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	if (key != NFT_CT_DIRECTION)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
}

/* Bytes of a header. */
struct bytes {
	uint32_t base, offset;
};

static void load(struct nftnl_rule *rule, struct bytes header, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *expr = add(rule, "payload");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, header.base);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, header.offset + offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
}

static void compare(struct nftnl_rule *rule, uint32_t operator, const void * value, uint32_t len)
{
	struct nftnl_expr *expr = add(rule, "cmp");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, operator);
	nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, value, len);
}

static void is_u8(struct nftnl_rule *rule, uint8_t value)
{
	compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

static void is_u16(struct nftnl_rule *rule, uint16_t value)
{
	uint16_t wire = htons(value);

	compare(rule, NFT_CMP_EQ, &wire, sizeof(wire));
}

static void is_addr(struct nftnl_rule *rule, struct addr value)
{
	uint32_t wire = htonl(value.host);

	compare(rule, NFT_CMP_EQ, &wire, sizeof(wire));
}

static void match_addrs(struct nftnl_rule *rule, struct bytes ip, struct addr source,
			struct addr destination)
{
	if (source.host) {
		load(rule, ip, IP_SADDR_OFFSET, sizeof(uint32_t));
		is_addr(rule, source);
	}
	if (destination.host) {
		load(rule, ip, IP_DADDR_OFFSET, sizeof(uint32_t));
		is_addr(rule, destination);
	}
}

static void match_icmp_type(struct nftnl_rule *rule, struct bytes icmp, uint8_t type)
{
	load(rule, icmp, 0, sizeof(uint8_t));
	is_u8(rule, type);
}

/* NFT_CMP_LT: plain ones, NFT_CMP_GTE: those of several sizes. */
static void match_sequence(struct nftnl_rule *rule, struct bytes icmp, uint32_t operator)
{
	uint16_t size_probes = htons(SIZE_PROBES);

	load(rule, icmp, ICMP_SEQUENCE_OFFSET, sizeof(uint16_t));
	compare(rule, operator, & size_probes, sizeof(size_probes));
}

/* Which of the echoes it is is not changed by NAT, which they are of may be. */
static void match_echo(struct nftnl_rule *rule, struct bytes icmp, enum trace_way way)
{
	match_icmp_type(rule, icmp, way == TRACE_OUT ? ICMP_ECHO_REQUEST : ICMP_ECHO_REPLY);
	match_sequence(rule, icmp, NFT_CMP_LT);
}

static void match_transport(struct nftnl_rule *rule, const struct trace_question *question,
			    enum trace_way way, struct bytes transport)
{
	if (question->protocol == IPPROTO_ICMP) {
		match_echo(rule, transport, way);
		load(rule, transport, ICMP_ID_OFFSET, sizeof(uint16_t));
		is_u16(rule, question->id);
		return;
	}
	load(rule, transport, 0, sizeof(uint16_t));
	is_u16(rule, way == TRACE_OUT ? question->id : question->port);
	load(rule, transport, PORT_DESTINATION_OFFSET, sizeof(uint16_t));
	is_u16(rule, way == TRACE_OUT ? question->port : question->id);
}

static void match_protocol(struct nftnl_rule *rule, uint8_t protocol)
{
	load_meta(rule, NFT_META_L4PROTO);
	is_u8(rule, protocol);
}

/* Behind an outer header, which the driver makes without options. By the transport header the nft
 * program (1.0.6) could not list it: it dies of what it takes for protocol 4's. */
static const struct bytes network = {NFT_PAYLOAD_NETWORK_HEADER, 0},
			  transport = {NFT_PAYLOAD_TRANSPORT_HEADER, 0},
			  inner_network = {NFT_PAYLOAD_NETWORK_HEADER, IP_HEADER},
			  inner_transport = {NFT_PAYLOAD_NETWORK_HEADER, 2 * IP_HEADER};

/* By the packet itself. */
static void match_inner(struct nftnl_rule *rule, const struct trace_question *question,
			enum trace_way way)
{
	bool out = way == TRACE_OUT;

	match_protocol(rule, question->protocol);
	match_addrs(rule, network, out ? question->from : question->to,
		    out ? question->to : question->from);
	match_transport(rule, question, way, transport);
}

/* A reply that NAT has not yet given back to whom it is for. */
static void match_untranslated(struct nftnl_rule *rule, const struct trace_question *question)
{
	match_protocol(rule, question->protocol);
	match_addrs(rule, network, question->to, (struct addr){0});
	match_transport(rule, question, TRACE_BACK, transport);
}

/* sent: by this host. Of the inner packet only the protocol. */
static void match_tunnel(struct nftnl_rule *rule, const struct trace_question *question, bool sent,
			 uint8_t protocol)
{
	match_protocol(rule, IPPROTO_IPIP);
	match_addrs(rule, network, sent ? question->local : question->remote,
		    sent ? question->remote : question->local);
	load(rule, inner_network, 0, sizeof(uint8_t));
	is_u8(rule, IP_BARE);
	load(rule, inner_network, IP_PROTOCOL_OFFSET, sizeof(uint8_t));
	is_u8(rule, protocol);
}

static void match_outer(struct nftnl_rule *rule, const struct trace_question *question,
			enum trace_way way)
{
	bool out = way == TRACE_OUT;

	match_tunnel(rule, question, out != question->exit, question->protocol);
	match_addrs(rule, inner_network, out ? question->from : question->to,
		    out ? question->to : question->from);
	match_transport(rule, question, way, inner_transport);
}

/* Out of the tunnel those of the other end, of which the exit knows who sends them to whom; into it
 * the answers to them. */
static void match_sizes(struct nftnl_rule *rule, const struct trace_question *question, bool sent)
{
	struct addr sender = question->exit ? question->from : (struct addr){0};
	struct addr target = question->exit ? question->to : question->from;

	match_tunnel(rule, question, sent, IPPROTO_ICMP);
	match_addrs(rule, inner_network, sent ? target : sender, sent ? sender : target);
	match_icmp_type(rule, inner_transport, sent ? ICMP_ECHO_REPLY : ICMP_ECHO_REQUEST);
	match_sequence(rule, inner_transport, NFT_CMP_GTE);
	load(rule, inner_transport, ICMP_ID_OFFSET, sizeof(uint16_t));
	is_u16(rule, question->sizes_id);
}

/* By the packet that it quotes, whose source NAT may have changed. That a port is closed is for the
 * destination to say: a firewall that rejects uses the same word. */
static void match_told(struct nftnl_rule *rule, const struct trace_question *question, uint8_t code)
{
	static const struct bytes quoted = {NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET};
	struct addr by = code == ICMP_NO_PORT ? question->to : (struct addr){0};

	match_protocol(rule, IPPROTO_ICMP);
	match_icmp_type(rule, transport, ICMP_UNREACHABLE);
	load(rule, transport, ICMP_CODE_OFFSET, sizeof(uint8_t));
	is_u8(rule, code);
	match_addrs(rule, network, by, (struct addr){0});
	match_addrs(rule, quoted, (struct addr){0}, question->to);
	load(rule, quoted, IP_PROTOCOL_OFFSET, sizeof(uint8_t));
	is_u8(rule, question->protocol);
	if (question->port) {
		load(rule, quoted, IP_HEADER + PORT_DESTINATION_OFFSET, sizeof(uint16_t));
		is_u16(rule, question->port);
	}
}

/* By what conntrack knows of its flow: how it was before NAT. */
static void match_flow(struct nftnl_rule *rule, const struct trace_question *question,
		       enum trace_way way)
{
	match_protocol(rule, question->protocol);
	load_ct(rule, NFT_CT_DIRECTION);
	is_u8(rule, way == TRACE_OUT ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY);
	load_ct(rule, NFT_CT_SRC_IP);
	is_addr(rule, question->from);
	load_ct(rule, NFT_CT_DST_IP);
	is_addr(rule, question->to);
	load_ct(rule, NFT_CT_PROTO_SRC);
	is_u16(rule, question->id);
	if (question->protocol != IPPROTO_ICMP) {
		load_ct(rule, NFT_CT_PROTO_DST);
		is_u16(rule, question->port);
	}
}

/* What comes out of the tunnel comes in by its device; what another one brings is not it. */
static void match_ingress(struct nftnl_rule *rule, const struct trace_question *question,
			  enum trace_way way, enum trace_hook hook)
{
	char name[IFNAMSIZ] = {0};

	if (!question->device[0] || (way == TRACE_OUT) != question->exit ||
	    (hook != TRACE_PREROUTING && hook != TRACE_INPUT && hook != TRACE_FORWARD))
		return;
	memcpy(name, question->device, strnlen(question->device, sizeof(name) - 1));
	load_meta(rule, NFT_META_IIFNAME);
	compare(rule, NFT_CMP_EQ, name, sizeof(name));
}

static void put_comment(struct nftnl_rule *rule, const char *comment)
{
	struct nftnl_udata_buf *buf = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!buf)
		out_of_memory(NFT_USERDATA_MAXLEN);
	nftnl_udata_put_strz(buf, NFTNL_UDATA_RULE_COMMENT, comment);
	nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(buf),
			    nftnl_udata_buf_len(buf));
	nftnl_udata_buf_free(buf);
}

static void put_actions(struct nftnl_rule *rule, bool traced)
{
	add(rule, "counter");
	if (traced) {
		uint8_t on = 1;
		struct nftnl_expr *expr = add(rule, "immediate");

		nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
		nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, &on, sizeof(on));
		expr = add(rule, "meta");
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_SREG, NFT_REG_1);
	}
	struct nftnl_expr *accept = add(rule, "immediate");
	nftnl_expr_set_u32(accept, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(accept, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
}

static struct nftnl_rule *rule_new(void)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		out_of_memory(sizeof(void *));
	return rule;
}

/* Takes the rule, which has its matches. */
static void put_counter(struct nft_batch *batch, const struct chain *chain, struct nftnl_rule *rule,
			const char *comment, bool traced)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	put_actions(rule, traced);
	put_comment(rule, comment);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, TRACE_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain->name);
	nftnl_rule_nlmsg_build_payload(nlh, rule);
	nft_batch_close(batch, nlh);
	nftnl_rule_free(rule);
}

static void put_rule(struct nft_batch *batch, const struct chain *chain, struct nftnl_rule *rule,
		     const char *comment)
{
	put_counter(batch, chain, rule, comment, chain->edge == TRACE_FIRST);
}

static void match_flow_echo(struct nftnl_rule *rule, const struct trace_question *question,
			    enum trace_way way)
{
	if (question->protocol == IPPROTO_ICMP)
		match_echo(rule, transport, way);
	match_flow(rule, question, way);
}

/* Of the flow, as conntrack knows it. */
static void match_flow_sizes(struct nftnl_rule *rule, const struct trace_question *question,
			     enum trace_way way)
{
	match_icmp_type(rule, transport, way == TRACE_OUT ? ICMP_ECHO_REQUEST : ICMP_ECHO_REPLY);
	match_sequence(rule, transport, NFT_CMP_GTE);
	match_flow(rule, question, way);
}

static void put_inner(struct nft_batch *batch, const struct chain *chain,
		      const struct trace_question *question, enum trace_way way)
{
	struct nftnl_rule *rule;

	if (question->exit) {
		rule = rule_new();
		match_ingress(rule, question, way, chain->hook);
		match_flow_echo(rule, question, way);
		put_rule(batch, chain, rule, names[way][TRACE_INNER]);
	}
	rule = rule_new();
	match_ingress(rule, question, way, chain->hook);
	match_inner(rule, question, way);
	put_rule(batch, chain, rule, names[way][TRACE_INNER]);
}

static bool is_reply_chain(const struct chain *chain)
{
	return chain->priority == BEHIND_CONNTRACK;
}

/* These are none of the flow, and are not traced: the socket's buffer is for that. */
static void put_beside(struct nft_batch *batch, const struct chain *chain,
		       const struct trace_question *question)
{
	bool comes = strcmp(chain->name, TRACE_CHAIN_IN) == 0;
	bool icmp = question->protocol == IPPROTO_ICMP;
	struct nftnl_rule *rule;

	if (question->sizes_id && comes) {
		rule = rule_new();
		match_sizes(rule, question, false);
		put_counter(batch, chain, rule, beside_names[TRACE_SIZES_CAME], false);
	}
	if (question->exit && icmp && is_reply_chain(chain)) {
		rule = rule_new();
		match_flow_sizes(rule, question, TRACE_BACK);
		put_counter(batch, chain, rule, beside_names[TRACE_SIZES_ANSWERED], false);
	}
	if (question->exit && icmp && strcmp(chain->name, TRACE_CHAIN_OUT) == 0) {
		rule = rule_new();
		match_flow_sizes(rule, question, TRACE_OUT);
		put_counter(batch, chain, rule, beside_names[TRACE_SIZES_LEFT], false);
		rule = rule_new();
		match_sizes(rule, question, true);
		put_counter(batch, chain, rule, beside_names[TRACE_SIZES_RETURNED], false);
	}
	/* this host's own word, where it is the destination, leaves by output */
	if (question->exit && (comes || strcmp(chain->name, TRACE_CHAIN_SENT) == 0)) {
		enum trace_beside told = icmp ? TRACE_TOLD_TOO_LARGE : TRACE_TOLD_NO_PORT;

		rule = rule_new();
		match_told(rule, question, icmp ? ICMP_TOO_LARGE : ICMP_NO_PORT);
		put_counter(batch, chain, rule, beside_names[told], false);
	}
}

static void put_rules(struct nft_batch *batch, const struct chain *chain,
		      const struct trace_question *question)
{
	bool early = question->exit && chain->hook == TRACE_PREROUTING &&
		     chain->edge == TRACE_FIRST && !is_reply_chain(chain);

	if (is_reply_chain(chain)) {
		put_inner(batch, chain, question, TRACE_BACK);
		return;
	}
	for (enum trace_way way = 0; way < TRACE_WAYS; way++) {
		struct nftnl_rule *rule = rule_new();

		match_outer(rule, question, way);
		put_rule(batch, chain, rule, names[way][TRACE_OUTER]);
		if (way == TRACE_BACK && early) {
			rule = rule_new();
			match_untranslated(rule, question);
			put_rule(batch, chain, rule, "traced only");
		} else {
			put_inner(batch, chain, question, way);
		}
	}
}

static void put_chain(struct nft_batch *batch, const struct chain *chain)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TRACE_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain->name);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	struct nlattr *hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(chain->hook));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)chain->priority));
	mnl_attr_nest_end(nlh, hook);
	nft_batch_close(batch, nlh);
}

static void put_table(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = nft_batch_open(batch, type, flags);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TRACE_TABLE);
	nft_batch_close(batch, nlh);
}

void trace_rules_delete(struct nft_batch *batch)
{
	put_table(batch, NFT_MSG_DELTABLE, 0);
}

void trace_rules_build(struct nft_batch *batch, const struct trace_question *question)
{
	put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		if (is_reply_chain(&chains[i]) && !question->exit)
			continue;
		put_chain(batch, &chains[i]);
		put_rules(batch, &chains[i], question);
		put_beside(batch, &chains[i], question);
	}
}

static const struct chain *find_chain(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		if (strcmp(chains[i].name, name) == 0)
			return &chains[i];
	return NULL;
}

static int read_counter(struct nftnl_expr *expr, void *data)
{
	if (strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0)
		*(uint64_t *)data += nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

static bool has_comment(const void *userdata, uint32_t len, const char *comment)
{
	const struct nftnl_udata *at = userdata;
	size_t size = strlen(comment) + 1;

	return at && len == size + 2 && nftnl_udata_type(at) == NFTNL_UDATA_RULE_COMMENT &&
	       nftnl_udata_len(at) == size && memcmp(nftnl_udata_get(at), comment, size) == 0;
}

void trace_rules_count(const struct nftnl_rule *rule, struct trace_counts *counts)
{
	uint32_t len = 0;
	uint64_t packets = 0;
	const char *name = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	const struct chain *chain = name ? find_chain(name) : NULL;
	const void *userdata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);

	if (!chain)
		return;
	nftnl_expr_foreach((struct nftnl_rule *)(uintptr_t)rule, read_counter, &packets);
	for (enum trace_way way = 0; way < TRACE_WAYS; way++)
		for (enum trace_layer layer = 0; layer < TRACE_LAYERS; layer++)
			if (has_comment(userdata, len, names[way][layer]))
				counts->packets[way][layer][chain->hook][chain->edge] +=
					(uint32_t)packets;
	for (enum trace_beside beside = 0; beside < TRACE_BESIDES; beside++)
		if (has_comment(userdata, len, beside_names[beside]))
			counts->beside[beside] += (uint32_t)packets;
}
