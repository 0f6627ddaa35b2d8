/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells of a traced flow, from messages made by hand. */
#include "kernel/trace_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <endian.h>
#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "kernel/trace_rules.h"

enum {
	FROM = 0x0a000001,
	TO = 0x0a090909,
	LOCAL = 0x0a010101,
	REMOTE = 0x0a010102,
	WAN = 0x0a020202
};

static const struct trace_question client = {
	.from = {FROM},
	.to = {TO},
	.local = {LOCAL},
	.remote = {REMOTE},
	.protocol = IPPROTO_ICMP,
	.id = 7,
};

static char buf[1024];

static struct nlmsghdr *message(uint16_t subsystem, uint16_t type, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(memset(buf, 0, sizeof(buf)));
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));

	nlh->nlmsg_type = subsystem << 8 | type;
	header->nfgen_family = family;
	return nlh;
}

static struct nlmsghdr *trace(const char *table, const char *chain, uint32_t type)
{
	struct nlmsghdr *nlh = message(NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE, NFPROTO_INET);

	mnl_attr_put_strz(nlh, NFTA_TRACE_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_TRACE_CHAIN, chain);
	mnl_attr_put_u32(nlh, NFTA_TRACE_ID, htonl(99));
	mnl_attr_put_u32(nlh, NFTA_TRACE_TYPE, htonl(type));
	return nlh;
}

static void put_header(struct nlmsghdr *nlh, uint8_t protocol, uint32_t source,
		       uint32_t destination)
{
	uint8_t bytes[20] = {0x45, [9] = protocol};

	source = htonl(source);
	destination = htonl(destination);
	memcpy(bytes + 12, &source, sizeof(source));
	memcpy(bytes + 16, &destination, sizeof(destination));
	mnl_attr_put(nlh, NFTA_TRACE_NETWORK_HEADER, sizeof(bytes), bytes);
	mnl_attr_put_u32(nlh, NFTA_TRACE_IIF, htonl(3));
	mnl_attr_put_u32(nlh, NFTA_TRACE_OIF, htonl(4));
}

static void put_verdict(struct nlmsghdr *nlh, uint32_t code)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_TRACE_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl(code));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u64(nlh, NFTA_TRACE_RULE_HANDLE, htobe64(12));
}

static void a_drop_behind_a_jump_began_in_the_base_chain(void **state)
{
	struct trace_log log = {0};
	struct nlmsghdr *nlh = trace("guard", "wall", NFT_TRACETYPE_RULE);

	(void)state;
	put_header(nlh, IPPROTO_ICMP, FROM, TO);
	put_verdict(nlh, (uint32_t)NFT_JUMP);
	trace_read_message(&log, &client, nlh);
	assert_int_equal(log.n_lost, 0);
	for (int i = 0; i < 2; i++) { /* it stands once, and counts */
		nlh = trace("guard", "deep", NFT_TRACETYPE_RULE);
		put_verdict(nlh, NF_DROP | 1U << 16);
		trace_read_message(&log, &client, nlh);
	}
	assert_int_equal(log.n_lost, 1);
	assert_int_equal(log.lost[0].drop.way, TRACE_OUT);
	assert_int_equal(log.lost[0].drop.layer, TRACE_INNER);
	assert_string_equal(log.lost[0].drop.family, "inet");
	assert_string_equal(log.lost[0].drop.table, "guard");
	assert_string_equal(log.lost[0].drop.chain, "deep");
	assert_string_equal(log.lost[0].began, "wall");
	assert_int_equal(log.lost[0].drop.handle, 12);
	assert_int_equal(log.lost[0].drop.packets, 2);
	assert_int_equal(log.lost[0].iif, 3);
	assert_int_equal(log.lost[0].oif, 4);
}

static void a_policy_drops_without_a_rule(void **state)
{
	struct trace_log log = {0};
	struct nlmsghdr *nlh = trace("guard", "wall", NFT_TRACETYPE_POLICY);

	(void)state;
	put_header(nlh, IPPROTO_IPIP, REMOTE, LOCAL);
	mnl_attr_put_u32(nlh, NFTA_TRACE_POLICY, htonl(NF_DROP));
	trace_read_message(&log, &client, nlh);
	assert_int_equal(log.n_lost, 1);
	assert_int_equal(log.lost[0].drop.way, TRACE_BACK);
	assert_int_equal(log.lost[0].drop.layer, TRACE_OUTER);
	assert_int_equal(log.lost[0].drop.handle, 0);
}

static void on_the_exit_the_outer_packet_comes_from_the_remote(void **state)
{
	struct trace_log log = {0};
	struct trace_question exit = client;
	struct nlmsghdr *nlh = trace("guard", "wall", NFT_TRACETYPE_RULE);

	(void)state;
	exit.exit = true;
	put_header(nlh, IPPROTO_IPIP, REMOTE, LOCAL);
	put_verdict(nlh, NF_DROP);
	trace_read_message(&log, &exit, nlh);
	assert_int_equal(log.lost[0].drop.way, TRACE_OUT);
}

static void what_is_not_of_the_flow_is_nothing(void **state)
{
	struct trace_log log = {0};
	struct nlmsghdr *nlh = trace("guard", "wall", NFT_TRACETYPE_RULE);

	(void)state;
	put_header(nlh, IPPROTO_ICMP, WAN, LOCAL);
	put_verdict(nlh, NF_DROP);
	trace_read_message(&log, &client, nlh);
	nlh = trace("guard", "wall", NFT_TRACETYPE_RULE); /* its headers were lost */
	mnl_attr_put_u32(nlh, NFTA_TRACE_MARK, 0);
	put_verdict(nlh, NF_DROP);
	trace_read_message(&log, &client, nlh);
	nlh = trace(TRACE_TABLE, "wall", NFT_TRACETYPE_RULE);
	put_header(nlh, IPPROTO_ICMP, FROM, TO);
	put_verdict(nlh, NF_DROP);
	trace_read_message(&log, &client, nlh);
	nlh->nlmsg_len = NLMSG_HDRLEN + 2;
	trace_read_message(&log, &client, nlh);
	assert_int_equal(log.n_lost, 0);
	assert_int_equal(log.left_from.host, 0);
}

static void the_last_chain_tells_how_it_left(void **state)
{
	struct trace_log log = {0};
	struct nlmsghdr *nlh = trace(TRACE_TABLE, TRACE_CHAIN_OUT, NFT_TRACETYPE_RULE);

	(void)state;
	put_header(nlh, IPPROTO_ICMP, WAN, TO);
	put_verdict(nlh, NF_ACCEPT);
	trace_read_message(&log, &client, nlh);
	assert_int_equal(log.devices[TRACE_OUT][TRACE_INNER][TRACE_LEFT], 4);
	assert_int_equal(log.left_from.host, WAN);
	assert_int_equal(log.left_for.host, TO);
}

static void the_first_chain_tells_how_it_came(void **state)
{
	struct trace_log log = {0};
	struct nlmsghdr *nlh = trace(TRACE_TABLE, TRACE_CHAIN_IN, NFT_TRACETYPE_RULE);

	(void)state;
	put_header(nlh, IPPROTO_IPIP, REMOTE, LOCAL);
	put_verdict(nlh, NF_ACCEPT);
	trace_read_message(&log, &client, nlh);
	assert_int_equal(log.devices[TRACE_BACK][TRACE_OUTER][TRACE_CAME], 3);
	assert_int_equal(log.devices[TRACE_BACK][TRACE_OUTER][TRACE_LEFT], 0);
	assert_int_equal(log.left_from.host, 0);
}

static void hooks_go_by_the_family(void **state)
{
	(void)state;
	assert_int_equal(trace_read_hook(NFPROTO_INET, NF_INET_LOCAL_OUT), TRACE_OUTPUT);
	assert_int_equal(trace_read_hook(NFPROTO_NETDEV, NF_NETDEV_INGRESS), TRACE_PREROUTING);
	assert_int_equal(trace_read_hook(NFPROTO_NETDEV, NF_NETDEV_EGRESS), TRACE_POSTROUTING);
}

static void conntrack_tells_what_the_other_side_sees(void **state)
{
	struct trace_flow flow = {0};
	struct nlmsghdr *nlh = message(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW, NFPROTO_IPV4);

	(void)state;
	assert_false(trace_read_flow(nlh, &flow));
	struct nlattr *tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_REPLY);
	struct nlattr *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, htonl(TO));
	mnl_attr_put_u32(nlh, CTA_IP_V4_DST, htonl(WAN));
	mnl_attr_nest_end(nlh, ip);
	mnl_attr_nest_end(nlh, tuple);
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(IPS_SEEN_REPLY | IPS_CONFIRMED));
	assert_true(trace_read_flow(nlh, &flow));
	assert_true(flow.known);
	assert_true(flow.replied);
	assert_int_equal(flow.source.host, WAN);
	assert_int_equal(flow.destination.host, TO);
}

static void a_counter_of_netstat_stands_below_its_name(void **state)
{
	static const char text[] = "TcpExt: SyncookiesSent IPReversePathFilter TWRecycled\n"
				   "TcpExt: 1 23 4\n"
				   "IpExt: InNoRoutes InTruncatedPkts\n"
				   "IpExt: 5 6";

	(void)state;
	assert_int_equal(trace_read_netstat(text, "TcpExt", "IPReversePathFilter"), 23);
	assert_int_equal(trace_read_netstat(text, "IpExt", "InTruncatedPkts"), 6);
	assert_int_equal(trace_read_netstat(text, "IpExt", "IPReversePathFilter"), 0);
	assert_int_equal(trace_read_netstat(text, "TcpExt", "IPReverse"), 0);
	assert_int_equal(
		trace_read_netstat("TcpExt: IPReversePathFilter", "TcpExt", "IPReversePathFilter"),
		0);
	assert_int_equal(trace_read_netstat("", "TcpExt", "IPReversePathFilter"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drop_behind_a_jump_began_in_the_base_chain),
		cmocka_unit_test(a_policy_drops_without_a_rule),
		cmocka_unit_test(on_the_exit_the_outer_packet_comes_from_the_remote),
		cmocka_unit_test(what_is_not_of_the_flow_is_nothing),
		cmocka_unit_test(the_last_chain_tells_how_it_left),
		cmocka_unit_test(the_first_chain_tells_how_it_came),
		cmocka_unit_test(hooks_go_by_the_family),
		cmocka_unit_test(conntrack_tells_what_the_other_side_sees),
		cmocka_unit_test(a_counter_of_netstat_stands_below_its_name),
	};

	return cmocka_run_group_tests_name("trace_read", tests, NULL, NULL);
}
