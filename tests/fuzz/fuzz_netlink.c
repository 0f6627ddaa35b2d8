/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as messages of rtnetlink, in a dump and as events, whatever their type says. The
 * names that come out of them end, and a scope holds keys of ours only.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/address.h"
#include "kernel/count.h"
#include "kernel/events.h"
#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/route.h"
#include "kernel/rule.h"

static void is_a_name(const char name[static IFNAMSIZ])
{
	assert(memchr(name, '\0', IFNAMSIZ));
}

static void read_dump(const struct nlmsghdr *h, const struct names *names)
{
	struct link link = {0};
	struct address address = {0};
	struct route route = {0};
	struct rule rule = {0};
	struct counted_link counted = {0};
	char words[NETLINK_WORDS];

	if (link_parse(h, names, &link)) {
		is_a_name(link.device);
		is_a_name(link.underlay);
		assert(memchr(link.driver, '\0', sizeof(link.driver)));
		assert(memchr(link.alias, '\0', sizeof(link.alias)));
	}
	if (address_parse(h, names, &address)) {
		is_a_name(address.device);
		assert(address.prefix.len <= 32);
	}
	if (route_parse(h, names, &route)) {
		is_a_name(route.device);
		assert(route.dst.len <= 32);
	}
	if (rule_parse(h, &rule))
		assert(rule.from.len <= 32);
	if (count_parse_link(h, names, &counted))
		is_a_name(counted.device);
	if (count_parse_counters(h, names, &counted))
		is_a_name(counted.device);
	netlink_words(h, words);
	assert(memchr(words, '\0', sizeof(words)));
}

static void know(struct kern *kern)
{
	struct name_row *row = names_put(&kern->names, 1, "lo");

	row->up = true;
	row = names_put(&kern->names, 2, "eth0");
	row->up = true;
	row->mtu = 1500;
	row = names_put(&kern->names, 3, "tun_a");
	row->up = row->ours = true;
	row->group = OUR_GROUP;
	vec_push(&kern->remotes, (struct addr){0xac10013e});
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct kern kern = {0};
	struct scope scope = {0};
	uint8_t *copy = malloc(size + 1);
	int left = (int)size;

	if (!copy)
		return 0;
	memcpy(copy, bytes, size);
	know(&kern);
	for (struct nlmsghdr *h = (struct nlmsghdr *)copy; nlmsg_ok(h, left);
	     h = nlmsg_next(h, &left)) {
		read_dump(h, &kern.names);
		events_note(&kern, h, &scope);
	}
	scope_done(&scope);
	names_done(&kern.names);
	vec_done(&kern.remotes);
	free(copy);
	return 0;
}
