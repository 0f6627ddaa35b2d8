/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fastest healer there can be: what an event says is gone, it adds again, unseen. Ready
 * when it prints a line; ends on SIGTERM.
 */
#include "common.h"
#include "netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>

enum { PROTOCOL = 105, FIRST_RULE = 7000, END_RULE = 9999 };

static struct netlink requests, nft_requests;

static void again(struct netlink *netlink, int type, const struct nlmsghdr *h)
{
	static struct batch add;

	batch_clear(&add);
	batch_message(&add, type, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, NLMSG_DATA(h),
		      h->nlmsg_len - NLMSG_HDRLEN);
	netlink_send(netlink, &add, 1, EEXIST);
}

static int route_event(const struct nlmsghdr *h, void *user)
{
	uint32_t priority = h->nlmsg_type == RTM_DELRULE
				    ? attr_u32(attr_find(h, sizeof(struct fib_rule_hdr),
							 FRA_PRIORITY))
				    : 0;

	(void)user;
	if (h->nlmsg_type == RTM_DELROUTE &&
	    ((const struct rtmsg *)NLMSG_DATA(h))->rtm_protocol == PROTOCOL)
		again(&requests, RTM_NEWROUTE, h);
	else if (h->nlmsg_type == RTM_DELADDR)
		again(&requests, RTM_NEWADDR, h);
	else if (priority >= FIRST_RULE && priority < END_RULE)
		again(&requests, RTM_NEWRULE, h);
	return 0;
}

static int nft_event(const struct nlmsghdr *h, void *user)
{
	static struct batch add;

	(void)user;
	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM))
		return 0;
	batch_clear(&add);
	batch_nft_begin(&add);
	batch_message(&add, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM,
		      NLM_F_CREATE | NLM_F_ACK, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN);
	batch_nft_end(&add);
	netlink_send(&nft_requests, &add, 1, EEXIST);
	return 0;
}

int main(void)
{
	static const unsigned groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_IFADDR,
					  RTNLGRP_IPV4_RULE};
	struct netlink route, nft;

	stop_on_signals();
	netlink_open(&requests, NETLINK_ROUTE);
	netlink_open(&nft_requests, NETLINK_NETFILTER);
	netlink_open(&route, NETLINK_ROUTE);
	netlink_open(&nft, NETLINK_NETFILTER);
	for (size_t i = 0; i < BENCH_LEN(groups); i++)
		netlink_join(&route, groups[i]);
	netlink_join(&nft, NFNLGRP_NFTABLES);
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		struct pollfd fds[] = {{.fd = route.fd, .events = POLLIN},
				       {.fd = nft.fd, .events = POLLIN}};

		if (poll(fds, BENCH_LEN(fds), -1) <= 0)
			continue;
		if (fds[0].revents)
			netlink_listen(&route, 0, route_event, NULL);
		if (fds[1].revents)
			netlink_listen(&nft, 0, nft_event, NULL);
	}
	return 0;
}
