/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor of tunnels: what netlink costs when everything is done as the kernel likes it
 * best, without a declaration, a database or a look at what is there.
 *
 *   bench_links create COUNT     each with an address, up, and a route in table 7000; the
 *                                names and addresses are those of load.py
 *   bench_links delete COUNT     the first ones, by group
 *
 * The times printed are of the batches.
 */
#include "common.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	CREATE_CHUNK = 64,
	DELETE_CHUNK = 500,
	INDEX_FIRST = 0x30000000,
	GROUP = 0x62656e63,
	TABLE = 7000,
	PROTOCOL = 105,
};

/* 172.16.16.22; then upward from 198.18.0.1, 10.64.0.0 and 11.0.0.0 */
static const uint32_t local = 0xac101016, remote = 0xc6120001, inner_from = 0x0a400000,
		      to_from = 0x0b000000;

static void device_name(char name[static IFNAMSIZ], unsigned i)
{
	snprintf(name, IFNAMSIZ, "t%u", i);
}

static void add_create(struct batch *batch, unsigned i)
{
	struct ifinfomsg header = {.ifi_index = (int)(INDEX_FIRST + i)};
	char name[IFNAMSIZ];
	uint8_t ttl = 64, on = 1, proto = 4;

	device_name(name, i);
	batch_message(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	batch_text(batch, IFLA_IFNAME, name);
	batch_u32(batch, IFLA_GROUP, GROUP);
	size_t linkinfo = batch_nest(batch, IFLA_LINKINFO);
	batch_text(batch, IFLA_INFO_KIND, "ipip");
	size_t tunnel = batch_nest(batch, IFLA_INFO_DATA);
	batch_u32(batch, IFLA_IPTUN_LOCAL, htonl(local));
	batch_u32(batch, IFLA_IPTUN_REMOTE, htonl(remote + i));
	batch_attr(batch, IFLA_IPTUN_TTL, &ttl, sizeof(ttl));
	batch_attr(batch, IFLA_IPTUN_PMTUDISC, &on, sizeof(on));
	batch_attr(batch, IFLA_IPTUN_PROTO, &proto, sizeof(proto));
	batch_nest_end(batch, tunnel);
	batch_nest_end(batch, linkinfo);
	batch_ack(batch);
}

static void ipv6_off(int folder, unsigned i)
{
	char path[IFNAMSIZ + 32], name[IFNAMSIZ];

	device_name(name, i);
	snprintf(path, sizeof(path), "%s/disable_ipv6", name);
	int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* no IPv6 in this kernel */
	if (write(fd, "1", 1) != 1)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static void add_rest(struct batch *batch, unsigned i)
{
	int index = (int)(INDEX_FIRST + i);
	uint32_t inner = htonl(inner_from + i);
	struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 32};
	struct rtmsg route = {
		.rtm_family = AF_INET,
		.rtm_dst_len = 32,
		.rtm_protocol = PROTOCOL,
		.rtm_scope = RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};

	address.ifa_index = (uint32_t)index;
	batch_message(batch, RTM_SETLINK, 0, &up, sizeof(up));
	batch_message(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof(address));
	batch_u32(batch, IFA_LOCAL, inner);
	batch_u32(batch, IFA_ADDRESS, inner);
	batch_message(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));
	batch_u32(batch, RTA_DST, htonl(to_from + i));
	batch_u32(batch, RTA_OIF, (uint32_t)index);
	batch_u32(batch, RTA_TABLE, TABLE);
	batch_u32(batch, RTA_PREFSRC, inner);
}

static void create(struct netlink *netlink, unsigned count)
{
	struct batch batch = {0};
	struct times times = {0};
	int folder = open("/proc/sys/net/ipv6/conf", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t begin = now_ns();

	for (unsigned from = 0; from < count; from += CREATE_CHUNK) {
		unsigned to = from + CREATE_CHUNK < count ? from + CREATE_CHUNK : count;
		uint64_t start = now_ns();

		batch_clear(&batch);
		for (unsigned i = from; i < to; i++)
			add_create(&batch, i);
		netlink_send(netlink, &batch, to - from, 0);
		batch_clear(&batch);
		for (unsigned i = from; i < to; i++) {
			ipv6_off(folder, i);
			add_rest(&batch, i);
		}
		batch_ack(&batch);
		netlink_send(netlink, &batch, 1, 0);
		times_add(&times, now_ns() - start);
	}
	times_print(&times, now_ns() - begin);
}

static void delete (struct netlink *netlink, unsigned count)
{
	struct batch batch = {0};
	struct times times = {0};
	struct ifinfomsg header = {0};
	uint64_t begin = now_ns();

	for (unsigned from = 0; from < count; from += DELETE_CHUNK) {
		unsigned to = from + DELETE_CHUNK < count ? from + DELETE_CHUNK : count;
		uint64_t start = now_ns();

		batch_clear(&batch);
		for (unsigned i = from; i < to; i++) {
			char name[IFNAMSIZ];

			device_name(name, i);
			batch_message(&batch, RTM_SETLINK, 0, &header, sizeof(header));
			batch_text(&batch, IFLA_IFNAME, name);
			batch_u32(&batch, IFLA_GROUP, GROUP + 1);
		}
		batch_message(&batch, RTM_DELLINK, 0, &header, sizeof(header));
		batch_u32(&batch, IFLA_GROUP, GROUP + 1);
		batch_ack(&batch);
		netlink_send(netlink, &batch, 1, 0);
		times_add(&times, now_ns() - start);
	}
	times_print(&times, now_ns() - begin);
}

int main(int argc, char **argv)
{
	struct netlink netlink;

	if (argc != 3)
		die("usage: bench_links create|delete COUNT");
	netlink_open(&netlink, NETLINK_ROUTE);
	if (strcmp(argv[1], "create") == 0)
		create(&netlink, (unsigned)number(argv[2]));
	else
		delete (&netlink, (unsigned)number(argv[2]));
	return 0;
}
