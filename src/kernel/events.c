/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events only wake; what is there is read by the next observe. So an event is never
 * applied to anything, and one that is lost costs an observe. Our own changes are known by
 * the port id of the request sockets, or, where the kernel reports them with none, by
 * holding what we wrote already.
 */
#include "kernel/events.h"

#include <errno.h>
#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "kernel/link.h"
#include "kernel/route.h"
#include "kernel/rule.h"

struct events {
	struct netlink *route, *nft;
	int epoll_fd;
};

enum { EVENT_BUFFER = 16 << 20 }; /* bytes: tens of thousands of events */

static int join(struct netlink *netlink, uint32_t group)
{
	if (setsockopt(netlink_fd(netlink), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)))
		return -errno;
	return 0;
}

static int join_adapters(struct netlink *netlink, const struct kern_adapter *const *adapters,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned g = 0; g < ADAPTER_GROUPS && adapters[i]->groups[g]; g++) {
			int error = join(netlink, adapters[i]->groups[g]);

			if (error)
				return error;
		}
	return 0;
}

static int watch(struct events *events, struct netlink *netlink)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = netlink};
	int size = EVENT_BUFFER;

	/* the default holds some 200 events; without the privilege it stays at that */
	(void)!setsockopt(netlink_fd(netlink), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (epoll_ctl(events->epoll_fd, EPOLL_CTL_ADD, netlink_fd(netlink), &event))
		return -errno;
	return 0;
}

int events_open(struct events **events, const struct kern_adapter *const *adapters, size_t n,
		struct err *err)
{
	struct events *opened = xcalloc(1, sizeof(*opened));
	int error;

	opened->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	error = opened->epoll_fd < 0 ? -errno : 0;
	if (!error)
		error = netlink_open(&opened->route, NETLINK_ROUTE, err);
	if (!error)
		error = netlink_open(&opened->nft, NETLINK_NETFILTER, err);
	if (!error)
		error = join_adapters(opened->route, adapters, n);
	if (!error)
		error = join(opened->nft, NFNLGRP_NFTABLES);
	if (!error)
		error = watch(opened, opened->route);
	if (!error)
		error = watch(opened, opened->nft);
	if (error) {
		events_close(opened);
		return err_set(err, error, "event socket: %s", strerror(-error));
	}
	*events = opened;
	return 0;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	netlink_close(events->route);
	netlink_close(events->nft);
	if (events->epoll_fd >= 0)
		close(events->epoll_fd);
	free(events);
}

int events_fd(const struct events *events)
{
	return events->epoll_fd;
}

/* A link event is sent for much that concerns nobody here: compare with what is known. */
static bool link_matters(struct kern *kern, const struct nlmsghdr *h)
{
	const struct ifinfomsg *header = nlmsg_data(h);
	struct link link = {0};

	if (h->nlmsg_type == RTM_DELLINK)
		return !nlmsg_valid_hdr(h, sizeof(*header)) ||
		       names_row(&kern->names, (uint32_t)header->ifi_index);
	if (!link_parse(h, &kern->names, &link))
		return true;
	const struct name_row *row = names_row(&kern->names, (uint32_t)header->ifi_index);
	return !row || row->ours || strcmp(row->device, link.device) != 0 || row->mtu != link.mtu ||
	       row->up != link.up || row->group != link.group || row->tunnel != link_digest(&link);
}

static bool netconf_matters(const struct kern *kern, const struct nlmsghdr *h)
{
	struct nlmsghdr *writable = (struct nlmsghdr *)(uintptr_t)h; /* libnl knows no const */
	int header = sizeof(struct netconfmsg);

	if (!nlmsg_valid_hdr(h, header))
		return true;
	const struct nlattr *index = nlmsg_find_attr(writable, header, NETCONFA_IFINDEX);
	const struct name_row *row = index ? names_row(&kern->names, nla_get_u32(index)) : NULL;
	if (!row) /* all, default, or a device that is new */
		return true;
	const struct nlattr *forwarding = nlmsg_find_attr(writable, header, NETCONFA_FORWARDING);
	const struct nlattr *rp_filter = nlmsg_find_attr(writable, header, NETCONFA_RP_FILTER);
	return (forwarding && nla_get_u32(forwarding) != row->forwarding) ||
	       (rp_filter && nla_get_u32(rp_filter) != row->rp_filter);
}

/* Is one of the remotes in that prefix? They are sorted: the first not below it tells. */
static bool covers_remote(const struct kern *kern, struct prefix prefix)
{
	uint32_t first = prefix_network(prefix).addr.host;
	size_t from = 0, to = kern->remotes.len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (kern->remotes.v[middle].host < first)
			from = middle + 1;
		else
			to = middle;
	}
	return from < kern->remotes.len && prefix_covers(prefix, kern->remotes.v[from]);
}

static bool route_matters(struct kern *kern, const struct nlmsghdr *h)
{
	struct route route = {0};

	if (!route_parse(h, &kern->names, &route))
		return false; /* another family, or a cached one */
	if (route.table >= OUR_TABLE_FIRST && route.table <= OUR_TABLE_LAST) {
		tables_use(&kern->tables, route.table);
		return true;
	}
	return route.dst.len == 0 || covers_remote(kern, route.dst);
}

static bool rule_matters(const struct nlmsghdr *h)
{
	struct rule rule = {0};

	return rule_parse(h, &rule) && rule.priority >= OUR_RULE_FIRST &&
	       rule.priority <= OUR_RULE_LAST;
}

bool events_matter(struct kern *kern, const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_matters(kern, h);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_matters(kern, h);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return rule_matters(h);
	case RTM_NEWNETCONF:
		return netconf_matters(kern, h);
	}
	return true; /* addresses */
}

/* Every message of nf_tables about a thing in a table has the table's name first. */
bool events_nft_matter(const struct nlmsghdr *h)
{
	struct nlmsghdr *writable = (struct nlmsghdr *)(uintptr_t)h; /* libnl knows no const */
	const struct nfgenmsg *header = nlmsg_data(h);

	if (NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    NFNL_MSG_TYPE(h->nlmsg_type) == NFT_MSG_NEWGEN ||
	    !nlmsg_valid_hdr(h, sizeof(*header)) || header->nfgen_family != NFPROTO_IPV4)
		return false;
	struct nlattr *table = nlmsg_find_attr(writable, sizeof(*header), NFTA_TABLE_NAME);
	return table && nla_strcmp(table, OUR_NFT_TABLE) == 0;
}

/* What one socket has, until it has no more. */
static void take(struct kern *kern, struct netlink *netlink, struct kernel_events *taken)
{
	bool nft = netlink == kern->events->nft;
	uint32_t own = nft ? nft_port(kern->nft) : netlink_port(kern->netlink);

	for (;;) {
		struct nlmsghdr *h = NULL;
		ssize_t len = netlink_receive(netlink, MSG_DONTWAIT, &h);

		if (len == -EAGAIN)
			return;
		if (len < 0) { /* lost, or unreadable, which is the same */
			taken->overrun = taken->look = true;
			kern->tables.scanned = false;
			if (len != -ENOBUFS && len != -EMSGSIZE)
				return;
			continue;
		}
		for (int left = (int)len; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			if (h->nlmsg_pid == own)
				continue;
			if (!(nft ? events_nft_matter(h) : events_matter(kern, h)))
				continue;
			taken->look = true;
			if (h->nlmsg_pid)
				taken->port = h->nlmsg_pid;
		}
	}
}

void events_take(struct kern *kern, struct kernel_events *taken)
{
	*taken = (struct kernel_events){0};
	take(kern, kern->events->route, taken);
	take(kern, kern->events->nft, taken);
}
