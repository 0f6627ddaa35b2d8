/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of routes: takes what is in table 7000, removes it, and puts it back, one ack
 * for all.
 *
 *   bench_routes replay          prints how long putting them back took
 *   bench_routes churn COUNT     so many changes that come to nothing: del, add, del, add
 */
#include "common.h"
#include "netlink.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum { TABLE = 7000, CHUNK = 512 };

struct routes {
	struct batch add, del;
	unsigned count, most;
};

static void take(const struct nlmsghdr *h, void *user)
{
	struct routes *routes = user;
	size_t size = h->nlmsg_len - NLMSG_HDRLEN;

	if (attr_u32(attr_find(h, sizeof(struct rtmsg), RTA_TABLE)) != TABLE ||
	    (routes->most && routes->count == routes->most))
		return;
	routes->count++;
	batch_message(&routes->add, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, NLMSG_DATA(h),
		      size);
	batch_message(&routes->del, RTM_DELROUTE, 0, NLMSG_DATA(h), size);
}

static void read_routes(struct netlink *netlink, struct routes *routes)
{
	struct rtmsg header = {.rtm_family = AF_INET};
	struct batch request = {0};

	batch_message(&request, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
	batch_u32(&request, RTA_TABLE, TABLE);
	netlink_dump(netlink, &request, take, routes);
	if (!routes->count)
		die("no routes in table %d", TABLE);
	batch_ack(&routes->add);
	batch_ack(&routes->del);
}

int main(int argc, char **argv)
{
	struct netlink netlink;
	struct routes routes = {0};
	struct times times = {0};
	unsigned rounds = 1;

	if (argc < 2)
		die("usage: bench_routes replay | churn COUNT");
	if (argc == 3)
		routes.most = CHUNK;
	netlink_open(&netlink, NETLINK_ROUTE);
	read_routes(&netlink, &routes);
	if (argc == 3)
		rounds = (unsigned)number(argv[2]) / 2 / routes.count + 1;
	for (unsigned i = 0; i < rounds; i++) {
		netlink_send(&netlink, &routes.del, 1, 0);
		uint64_t start = now_ns();
		netlink_send(&netlink, &routes.add, 1, 0);
		times_add(&times, now_ns() - start);
	}
	times_print(&times, 0);
	return 0;
}
