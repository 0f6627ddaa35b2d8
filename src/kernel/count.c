/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of devices, all of them by one dump. Those of nftables are nft.c's. */
#include "kernel/count.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/link.h"

/* What stands in that attribute, behind a header of that size. */
static bool parse_stats(const struct nlmsghdr *h, int header, int type, struct link_stats *stats)
{
	struct rtnl_link_stats64 counted = {0};
	const struct nlattr *attr;

	if (!nlmsg_valid_hdr(h, header))
		return false;
	attr = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, header, type);
	if (!attr)
		return false;
	/* shorter on kernels that count less, longer on those that count more */
	memcpy(&counted, nla_data(attr),
	       (size_t)nla_len(attr) < sizeof(counted) ? (size_t)nla_len(attr) : sizeof(counted));
	*stats = (struct link_stats){
		.rx_bytes = counted.rx_bytes,
		.rx_packets = counted.rx_packets,
		.rx_errors = counted.rx_errors,
		.rx_dropped = counted.rx_dropped,
		.tx_bytes = counted.tx_bytes,
		.tx_packets = counted.tx_packets,
		.tx_errors = counted.tx_errors,
		.tx_dropped = counted.tx_dropped,
		.tx_carrier_errors = counted.tx_carrier_errors,
		.collisions = counted.collisions,
	};
	return true;
}

bool count_parse_stats(const struct nlmsghdr *h, struct link_stats *stats)
{
	return parse_stats(h, sizeof(struct ifinfomsg), IFLA_STATS64, stats);
}

bool count_parse_link(const struct nlmsghdr *h, const struct names *names,
		      struct counted_link *counted)
{
	struct link link = {0};

	if (!link_parse(h, names, &link) || !count_parse_stats(h, &counted->stats))
		return false;
	memcpy(counted->device, link.device, IFNAMSIZ);
	counted->ifindex = link.ifindex;
	counted->mtu = link.mtu;
	counted->up = link.up;
	counted->ours = link.head.marks & OBJECT_OURS;
	return true;
}

bool count_parse_counters(const struct nlmsghdr *h, const struct names *names,
			  struct counted_link *counted)
{
	const struct if_stats_msg *header = nlmsg_data(h);
	const struct name_row *row;

	if (!parse_stats(h, sizeof(*header), IFLA_STATS_LINK_64, &counted->stats))
		return false;
	row = names_row(names, header->ifindex);
	if (!row)
		return false;
	memcpy(counted->device, row->device, IFNAMSIZ);
	counted->ifindex = row->index;
	counted->mtu = row->mtu;
	counted->up = row->up;
	counted->ours = row->ours;
	return true;
}

/* Not RTM_GETLINK: with all else that the kernel says of a link it takes three times as long. */
int count_links(struct kern *kern, struct counted_links *links, struct err *err)
{
	struct if_stats_msg header = {.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)};
	cleanup_free struct nlmsghdr *request = netlink_message(RTM_GETSTATS, 0, &header,
								sizeof(header));
	cleanup_messages struct messages messages = {0};
	int error = adapter_dump(kern, request, &messages, "counters", err);

	if (error)
		return error;
	messages_each(h, &messages) {
		struct counted_link counted = {0};

		if (count_parse_counters(h, &kern->names, &counted))
			vec_push(links, counted);
	}
	return 0;
}
