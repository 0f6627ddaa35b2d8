/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of a look: dumps links, addresses, routes of our tables, rules and our nftables
 * elements, and throws them away. Prints how long that took.
 *
 *   bench_look [links]     of links: these alone, with what they have counted
 */
#include "common.h"
#include "netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define TABLE "ipipd"

enum { ROUTES = 7000, SETS_MAX = 4096 };

static char sets[SETS_MAX][NFT_SET_MAXNAMELEN];
static unsigned n_sets, seen;

static void count(const struct nlmsghdr *h, void *user)
{
	(void)h;
	(void)user;
	seen++;
}

static void take_set(const struct nlmsghdr *h, void *user)
{
	const struct nlattr *table = attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_TABLE);
	const struct nlattr *name = attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_NAME);

	(void)user;
	if (table && name && strcmp(attr_value(table), TABLE) == 0 && n_sets < SETS_MAX)
		strncpy(sets[n_sets++], attr_value(name), NFT_SET_MAXNAMELEN - 1);
}

static void look_links(struct netlink *netlink)
{
	struct if_stats_msg header = {.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)};
	struct batch request = {0};

	batch_message(&request, RTM_GETSTATS, NLM_F_DUMP, &header, sizeof(header));
	netlink_dump(netlink, &request, count, NULL);
}

static void look_route(struct netlink *netlink)
{
	struct ifinfomsg link = {0};
	struct ifaddrmsg address = {.ifa_family = AF_INET};
	struct rtmsg route = {.rtm_family = AF_INET};
	struct fib_rule_hdr rule = {.family = AF_INET};
	struct netconfmsg netconf = {.ncm_family = AF_INET};
	const struct {
		int get;
		const void *header;
		size_t size;
	} looks[] = {
		{RTM_GETLINK, &link, sizeof(link)},
		{RTM_GETADDR, &address, sizeof(address)},
		{RTM_GETROUTE, &route, sizeof(route)},
		{RTM_GETRULE, &rule, sizeof(rule)},
		{RTM_GETNETCONF, &netconf, sizeof(netconf)},
	};

	for (size_t i = 0; i < BENCH_LEN(looks); i++) {
		struct batch request = {0};

		batch_message(&request, looks[i].get, NLM_F_DUMP, looks[i].header, looks[i].size);
		if (looks[i].get == RTM_GETLINK)
			batch_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		if (looks[i].get == RTM_GETROUTE)
			batch_u32(&request, RTA_TABLE, ROUTES);
		netlink_dump(netlink, &request, count, NULL);
	}
}

static void look_nft(struct netlink *netlink)
{
	static const int gets[] = {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE};
	struct batch request = {0};

	for (size_t i = 0; i < BENCH_LEN(gets); i++) {
		batch_clear(&request);
		batch_nft(&request, gets[i], NLM_F_DUMP);
		netlink_dump(netlink, &request, count, NULL);
	}
	batch_clear(&request);
	batch_nft(&request, NFT_MSG_GETSET, NLM_F_DUMP);
	netlink_dump(netlink, &request, take_set, NULL);
	for (unsigned i = 0; i < n_sets; i++) {
		batch_clear(&request);
		batch_nft(&request, NFT_MSG_GETSETELEM, NLM_F_DUMP);
		batch_text(&request, NFTA_SET_ELEM_LIST_TABLE, TABLE);
		batch_text(&request, NFTA_SET_ELEM_LIST_SET, sets[i]);
		netlink_dump(netlink, &request, count, NULL);
	}
}

int main(int argc, char **argv)
{
	bool links = argc > 1 && strcmp(argv[1], "links") == 0;
	struct netlink route, nft;
	struct times times = {0};

	netlink_open(&route, NETLINK_ROUTE);
	netlink_open(&nft, NETLINK_NETFILTER);
	uint64_t start = now_ns();
	if (links) {
		look_links(&route);
	} else {
		look_route(&route);
		look_nft(&nft);
	}
	times_add(&times, now_ns() - start);
	if (!seen)
		die("nothing to see");
	times_print(&times, 0);
	return 0;
}
