/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disturbs what an agent, or bench_heal, keeps, and times its return: from the removal's
 * end to the event that says it is there again.
 *
 *   bench_drift route|address|rule|element COUNT PAUSE-MS    one at a time, never one twice
 *   bench_drift routes             all of table 7000 at once
 *   bench_drift ruleset COUNT      `nft flush ruleset`, until so many elements are back
 */
#include "common.h"
#include "netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NFT(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))
#define NFT_TABLE "ipipd"

enum {
	PROTOCOL = 105,
	TABLE = 7000,
	FIRST_RULE = 7010,
	END_RULE = 9999,
	KEY = 64,
	PATIENCE_S = 60
};

struct kind {
	const char *name;
	int protocol, group;
	int get, new, del;
	size_t header;
	int keys[2];
	int (*is_ours)(const struct nlmsghdr *h);
};

static int is_our_route(const struct nlmsghdr *h)
{
	const struct rtmsg *route = NLMSG_DATA(h);

	return route->rtm_protocol == PROTOCOL &&
	       attr_u32(attr_find(h, sizeof(*route), RTA_TABLE)) >= TABLE;
}

static int is_our_address(const struct nlmsghdr *h)
{
	const struct nlattr *protocol = attr_find(h, sizeof(struct ifaddrmsg), IFA_PROTO);

	return protocol && *(const uint8_t *)attr_value(protocol) == PROTOCOL;
}

static int is_our_rule(const struct nlmsghdr *h)
{
	uint32_t priority = attr_u32(attr_find(h, sizeof(struct fib_rule_hdr), FRA_PRIORITY));

	return priority >= FIRST_RULE && priority < END_RULE;
}

static int is_our_element(const struct nlmsghdr *h)
{
	const struct nlattr *table = attr_find(h, sizeof(struct nfgenmsg),
					       NFTA_SET_ELEM_LIST_TABLE);

	return table && strcmp(attr_value(table), NFT_TABLE) == 0;
}

/* clang-format off */
static const struct kind kinds[] = {
	{"route", NETLINK_ROUTE, RTNLGRP_IPV4_ROUTE, RTM_GETROUTE, RTM_NEWROUTE, RTM_DELROUTE,
	 sizeof(struct rtmsg), {RTA_DST, RTA_TABLE}, is_our_route},
	{"address", NETLINK_ROUTE, RTNLGRP_IPV4_IFADDR, RTM_GETADDR, RTM_NEWADDR, RTM_DELADDR,
	 sizeof(struct ifaddrmsg), {IFA_LOCAL, IFA_ADDRESS}, is_our_address},
	{"rule", NETLINK_ROUTE, RTNLGRP_IPV4_RULE, RTM_GETRULE, RTM_NEWRULE, RTM_DELRULE,
	 sizeof(struct fib_rule_hdr), {FRA_PRIORITY, FRA_SRC}, is_our_rule},
	{"element", NETLINK_NETFILTER, NFNLGRP_NFTABLES, NFT(NFT_MSG_GETSETELEM),
	 NFT(NFT_MSG_NEWSETELEM), NFT(NFT_MSG_DELSETELEM), sizeof(struct nfgenmsg), {0},
	 is_our_element},
};
/* clang-format on */

/* One object that will be removed: the removing message, and how its return is known. */
struct victim {
	char *del;
	size_t len;
	char key[KEY];
	size_t key_len;
};

struct victims {
	const struct kind *kind;
	const char *set; /* of nftables, whose elements are dumped */
	struct victim *v;
	size_t len, cap;
};

static void key_add(struct victim *victim, const struct nlattr *attr)
{
	if (!attr || victim->key_len + attr_size(attr) > KEY)
		return;
	memcpy(victim->key + victim->key_len, attr_value(attr), attr_size(attr));
	victim->key_len += attr_size(attr);
}

static const struct nlattr *element_key(const struct nlattr *element)
{
	return attr_in(attr_in(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
}

static void key_of(const struct kind *kind, const struct nlmsghdr *h, struct victim *victim)
{
	if (kind->protocol == NETLINK_NETFILTER) {
		key_add(victim, attr_find(h, kind->header, NFTA_SET_ELEM_LIST_SET));
		key_add(victim,
			element_key(attr_in(attr_find(h, kind->header, NFTA_SET_ELEM_LIST_ELEMENTS),
					    NFTA_LIST_ELEM)));
		return;
	}
	for (size_t i = 0; i < BENCH_LEN(kind->keys); i++)
		key_add(victim, attr_find(h, kind->header, kind->keys[i]));
}

static void victim_add(struct victims *victims, struct batch *del)
{
	if (victims->len == victims->cap) {
		victims->cap = victims->cap ? victims->cap * 2 : 1024;
		victims->v = must_alloc(victims->v, victims->cap * sizeof(*victims->v));
	}
	struct victim *victim = &victims->v[victims->len++];
	*victim = (struct victim){.del = must_alloc(NULL, del->len), .len = del->len};
	memcpy(victim->del, del->bytes, del->len);
	/* the key is read out of the message that says "remove": it names the same */
	const char *at = del->bytes;
	if (victims->kind->protocol == NETLINK_NETFILTER)
		at += ((const struct nlmsghdr *)at)->nlmsg_len; /* behind the batch's begin */
	key_of(victims->kind, (const struct nlmsghdr *)at, victim);
}

static void add_element(struct victims *victims, const struct nlattr *element)
{
	const struct nlattr *key = attr_in(element, NFTA_SET_ELEM_KEY);
	struct batch del = {0};

	if (!key)
		return;
	batch_nft_begin(&del);
	batch_nft(&del, NFT_MSG_DELSETELEM, 0);
	batch_text(&del, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	batch_text(&del, NFTA_SET_ELEM_LIST_SET, victims->set);
	size_t elements = batch_nest(&del, NFTA_SET_ELEM_LIST_ELEMENTS);
	size_t one = batch_nest(&del, NFTA_LIST_ELEM);
	batch_attr(&del, key->nla_type, attr_value(key), attr_size(key));
	batch_nest_end(&del, one);
	batch_nest_end(&del, elements);
	batch_ack(&del);
	batch_nft_end(&del);
	victim_add(victims, &del);
}

static void take(const struct nlmsghdr *h, void *user)
{
	struct victims *victims = user;
	const struct kind *kind = victims->kind;
	struct batch del = {0};

	if (h->nlmsg_type != kind->new || !kind->is_ours(h))
		return;
	if (kind->protocol == NETLINK_NETFILTER) {
		const struct nlattr *list = attr_find(h, kind->header, NFTA_SET_ELEM_LIST_ELEMENTS);
		const char *end = list ? (const char *)list + list->nla_len : NULL;
		const struct nlattr *at = list ? attr_value(list) : NULL;

		for (; at && (const char *)at < end && at->nla_len >= NLA_HDRLEN;
		     at = attr_next(at, end))
			add_element(victims, at);
		return;
	}
	batch_message(&del, kind->del, NLM_F_ACK, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN);
	victim_add(victims, &del);
}

/* The set with the most elements that are no intervals is the one with the NAT sources. */
struct sets {
	char name[64][NFT_SET_MAXNAMELEN];
	size_t n;
};

static void take_set(const struct nlmsghdr *h, void *user)
{
	struct sets *sets = user;
	const struct nlattr *table = attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_TABLE);
	const struct nlattr *name = attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_NAME);
	uint32_t flags = attr_u32(attr_find(h, sizeof(struct nfgenmsg), NFTA_SET_FLAGS));

	if (table && name && strcmp(attr_value(table), NFT_TABLE) == 0 &&
	    !(__builtin_bswap32(flags) & NFT_SET_INTERVAL) && sets->n < BENCH_LEN(sets->name))
		strncpy(sets->name[sets->n++], attr_value(name), NFT_SET_MAXNAMELEN - 1);
}

static void find_elements(struct netlink *netlink, struct victims *victims)
{
	static struct sets sets;
	struct batch request = {0};
	struct victims best = *victims;

	batch_nft(&request, NFT_MSG_GETSET, NLM_F_DUMP);
	netlink_dump(netlink, &request, take_set, &sets);
	for (size_t i = 0; i < sets.n; i++) {
		struct victims some = {.kind = victims->kind, .set = sets.name[i]};

		batch_clear(&request);
		batch_nft(&request, NFT_MSG_GETSETELEM, NLM_F_DUMP);
		batch_text(&request, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		batch_text(&request, NFTA_SET_ELEM_LIST_SET, some.set);
		netlink_dump(netlink, &request, take, &some);
		if (some.len > best.len)
			best = some;
	}
	*victims = best;
}

static void find_victims(struct netlink *netlink, struct victims *victims)
{
	const struct kind *kind = victims->kind;
	char header[64] = {AF_INET};
	struct batch request = {0};

	if (kind->protocol == NETLINK_NETFILTER) {
		find_elements(netlink, victims);
		return;
	}
	batch_message(&request, kind->get, NLM_F_DUMP, header, kind->header);
	netlink_dump(netlink, &request, take, victims);
}

struct awaited {
	const struct kind *kind;
	const struct victim *victim;
};

static int is_back(const struct nlmsghdr *h, void *user)
{
	const struct awaited *awaited = user;
	struct victim seen = {0};

	if (h->nlmsg_type != awaited->kind->new)
		return 0;
	key_of(awaited->kind, h, &seen);
	return seen.key_len == awaited->victim->key_len &&
	       memcmp(seen.key, awaited->victim->key, seen.key_len) == 0;
}

static int nothing(const struct nlmsghdr *h, void *user)
{
	(void)h;
	(void)user;
	return 0;
}

static void pause_ms(unsigned long ms)
{
	struct timespec pause = {.tv_sec = (time_t)(ms / 1000),
				 .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

static void disturb(const struct kind *kind, size_t count, unsigned long quiet_ms)
{
	struct netlink requests, events;
	struct victims victims = {.kind = kind};
	struct times times = {0};

	netlink_open(&requests, kind->protocol);
	netlink_open(&events, kind->protocol);
	find_victims(&requests, &victims);
	if (victims.len < count)
		die("%zu objects of kind %s, not %zu", victims.len, kind->name, count);
	netlink_join(&events, (unsigned)kind->group);
	for (size_t i = 0; i < count; i++) {
		/* spread over all that there are */
		struct victim *victim = &victims.v[i * (victims.len / count)];
		struct batch del = {.bytes = victim->del, .len = victim->len};
		struct awaited awaited = {kind, victim};

		pause_ms(quiet_ms);
		netlink_listen(&events, 0, nothing, NULL);
		netlink_send(&requests, &del, 1, 0);
		uint64_t start = now_ns();
		if (!netlink_listen(&events, start + PATIENCE_S * UINT64_C(1000000000), is_back,
				    &awaited))
			die("%s %zu did not come back within %d s", kind->name, i, PATIENCE_S);
		times_add(&times, now_ns() - start);
	}
	times_print(&times, 0);
}

struct counting {
	int type;
	size_t wanted, seen;
};

static int count_new(const struct nlmsghdr *h, void *user)
{
	struct counting *counting = user;

	counting->seen += h->nlmsg_type == counting->type;
	return counting->seen >= counting->wanted;
}

static void wait_for(struct netlink *events, struct counting *counting)
{
	struct times times = {0};
	uint64_t start = now_ns();

	if (!netlink_listen(events, start + 10 * PATIENCE_S * UINT64_C(1000000000), count_new,
			    counting))
		die("%zu of %zu came back", counting->seen, counting->wanted);
	times_add(&times, now_ns() - start);
	times_print(&times, 0);
}

static void flush_routes(void)
{
	struct netlink requests, events;
	struct victims victims = {.kind = &kinds[0]};
	struct batch del = {0};

	netlink_open(&requests, NETLINK_ROUTE);
	netlink_open(&events, NETLINK_ROUTE);
	find_victims(&requests, &victims);
	for (size_t i = 0; i < victims.len; i++) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)victims.v[i].del;

		batch_message(&del, RTM_DELROUTE, 0, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN);
	}
	if (!victims.len)
		die("no routes of ours");
	batch_ack(&del);
	netlink_join(&events, RTNLGRP_IPV4_ROUTE);
	netlink_send(&requests, &del, 1, 0);
	wait_for(&events, &(struct counting){RTM_NEWROUTE, victims.len, 0});
}

static void flush_ruleset(size_t elements)
{
	struct netlink requests, events;
	struct nfgenmsg all = {.nfgen_family = NFPROTO_UNSPEC};
	struct batch del = {0};

	netlink_open(&requests, NETLINK_NETFILTER);
	netlink_open(&events, NETLINK_NETFILTER);
	netlink_join(&events, NFNLGRP_NFTABLES);
	batch_nft_begin(&del);
	batch_message(&del, NFT(NFT_MSG_DELTABLE), NLM_F_ACK, &all, sizeof(all));
	batch_nft_end(&del);
	netlink_send(&requests, &del, 1, 0);
	wait_for(&events, &(struct counting){NFT(NFT_MSG_NEWSETELEM), elements, 0});
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "routes") == 0) {
		flush_routes();
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "ruleset") == 0) {
		flush_ruleset(number(argv[2]));
		return 0;
	}
	for (size_t i = 0; argc == 4 && i < BENCH_LEN(kinds); i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			disturb(&kinds[i], number(argv[2]), number(argv[3]));
			return 0;
		}
	die("usage: bench_drift route|address|rule|element COUNT PAUSE-MS | routes |"
	    " ruleset COUNT");
}
