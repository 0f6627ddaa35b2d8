/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events wake, and what is there is read by the next observe, but for what no lookup finds by its
 * key: routes, rules, and addresses that went. Of these the event is the look's first answer, and
 * the kernel refuses what does not fit it. One that is lost costs an observe. Our own changes are
 * known by the port id of the request sockets, or, where the kernel reports them with none, by
 * holding what we wrote already.
 */
#include "kernel/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netconf.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/text.h"
#include "kernel/address.h"
#include "kernel/count.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "kernel/rule.h"

struct events {
	struct netlink *route, *nft;
	int epoll_fd;
};

enum {
	EVENT_BUFFER = 16 << 20, /* bytes: tens of thousands of events */
	RECEIVES_MAX = 1024,     /* from one socket in a turn */
};

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

/* What we did ourselves does not even wake us: the kernel keeps events of that port to itself.
 * Of a message that carries several, all are of one transaction. */
static void ignore(const struct netlink *netlink, uint32_t port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1), /* it loads big-endian */
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	/* a help only: take() knows them, too */
	(void)!setsockopt(netlink_fd(netlink), SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

void events_ignore(const struct events *events, uint32_t route_port, uint32_t nft_port)
{
	ignore(events->route, route_port);
	ignore(events->nft, nft_port);
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

static void note_device(const char *device, struct scope *scope)
{
	struct link key = {0};

	name_copy(key.device, device);
	scope_add(scope, KIND_LINK, &key);
}

/* Of a device that we have deleted: that it changed group and went down, told in the name of
 * nobody. */
static bool is_last_word(const struct kern *kern, const struct ifinfomsg *header,
			 const struct link *link)
{
	const struct name_row *row = names_removed(&kern->names, (uint32_t)header->ifi_index);

	return row && row->ours && strcmp(row->device, link->device) == 0 &&
	       (link->group == OUR_DOOMED_GROUP || link->group == OUR_GROUP);
}

/* A link event is sent for much that concerns nobody here: compare with what is known. Of a
 * device of ours no fact hangs on it but that it is there. */
static void note_link(struct kern *kern, const struct nlmsghdr *h, struct scope *scope)
{
	const struct ifinfomsg *header = nlmsg_data(h);
	struct link link = {0};

	if (!nlmsg_valid_hdr(h, sizeof(*header))) {
		scope->everything = true;
		return;
	}
	const struct name_row *row = names_row(&kern->names, (uint32_t)header->ifi_index);
	if (h->nlmsg_type == RTM_DELLINK) {
		if (row && row->ours)
			note_device(row->device, scope);
		else
			scope->everything |= row != NULL;
		return;
	}
	bool parsed = link_parse(h, &kern->names, &link);
	if (!row && parsed && is_last_word(kern, header, &link))
		return;
	if (!parsed || !row || strcmp(row->device, link.device) != 0)
		scope->everything = true;
	else if (row->ours)
		note_device(row->device, scope);
	else
		scope->everything |= row->mtu != link.mtu || row->up != link.up ||
				     row->group != link.group || row->tunnel != link_digest(&link);
}

static void note_netconf(const struct kern *kern, const struct nlmsghdr *h, struct scope *scope)
{
	struct sysctl key = {0};
	struct attrs attrs;

	if (!nlmsg_valid_hdr(h, sizeof(struct netconfmsg))) {
		scope->everything = true;
		return;
	}
	attrs_read(h, sizeof(struct netconfmsg), &attrs);
	const struct name_row *row = names_row(&kern->names, attr_u32(attrs.v[NETCONFA_IFINDEX]));
	if (!row) { /* all, default, or a device that is new */
		scope->everything = true;
		return;
	}
	const uint32_t *forwarding = attr_payload(attrs.v[NETCONFA_FORWARDING],
						  sizeof(*forwarding));
	const uint32_t *rp_filter = attr_payload(attrs.v[NETCONFA_RP_FILTER], sizeof(*rp_filter));
	memcpy(key.device, row->device, sizeof(key.device));
	if (forwarding && *forwarding != row->forwarding) {
		key.name = SYSCTL_FORWARDING;
		scope_add(scope, KIND_SYSCTL, &key);
	}
	if (rp_filter && *rp_filter != row->rp_filter) {
		key.name = SYSCTL_RP_FILTER;
		scope_add(scope, KIND_SYSCTL, &key);
	}
}

static void note_told(enum kind_id kind, struct object *object, bool gone, struct scope *scope)
{
	object->marks |= gone ? OBJECT_TOLD_GONE : OBJECT_TOLD;
	scope_add(scope, kind, object);
}

/* Any address that is not on a device of ours is a fact. */
static void note_address(const struct kern *kern, const struct nlmsghdr *h, struct scope *scope)
{
	const struct ifaddrmsg *header = nlmsg_data(h);
	bool valid = nlmsg_valid_hdr(h, sizeof(*header));
	const struct name_row *row = valid ? names_row(&kern->names, header->ifa_index) : NULL;
	const struct name_row *removed = valid && h->nlmsg_type == RTM_DELADDR
						 ? names_removed(&kern->names, header->ifa_index)
						 : NULL;
	struct address address = {0};

	if (row && row->ours && h->nlmsg_type == RTM_DELADDR &&
	    address_parse(h, &kern->names, &address))
		note_told(KIND_ADDRESS, &address.head, true, scope);
	else if (row && row->ours)
		note_device(row->device, scope);
	else if (row || !removed || !removed->ours)
		scope->everything = true;
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

static void note_route(struct kern *kern, const struct nlmsghdr *h, struct scope *scope)
{
	struct route route = {0};

	if (!route_parse(h, &kern->names, &route))
		return; /* another family, or a cached one */
	if (route.table >= OUR_TABLE_FIRST && route.table <= OUR_TABLE_LAST) {
		tables_use(&kern->tables, route.table);
		note_told(KIND_ROUTE, &route.head, h->nlmsg_type == RTM_DELROUTE, scope);
	} else if (route.dst.len == 0 || covers_remote(kern, route.dst)) {
		scope->everything = true;
	}
}

static void note_rule(const struct nlmsghdr *h, struct scope *scope)
{
	struct rule rule = {0};

	if (rule_parse(h, &rule) && rule.priority >= OUR_RULE_FIRST &&
	    rule.priority <= OUR_RULE_LAST)
		note_told(KIND_RULE, &rule.head, h->nlmsg_type == RTM_DELRULE, scope);
}

void events_note(struct kern *kern, const struct nlmsghdr *h, struct scope *scope)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		note_link(kern, h, scope);
		return;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		note_route(kern, h, scope);
		return;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		note_rule(h, scope);
		return;
	case RTM_NEWNETCONF:
		note_netconf(kern, h, scope);
		return;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		note_address(kern, h, scope);
		return;
	}
}

/* One event of somebody else's. Who it was counts only where it concerns us. */
static void note(struct kern *kern, bool nft, const struct nlmsghdr *h, struct scope *scope,
		 struct kernel_events *taken)
{
	struct scope own = {0};
	uint32_t pid = 0;
	char name[16];

	if (nft && nft_event_culprit(h, &pid, name)) {
		taken->ruleset = true;
		culprit_tell_nft(&taken->culprit, h->nlmsg_pid, pid, name);
		return;
	}
	if (nft)
		nft_note_event(kern->nft, h, &own);
	else
		events_note(kern, h, &own);
	if (!scope_is_empty(&own) && nft)
		culprit_add_nft(&taken->culprit, h->nlmsg_pid);
	else if (!scope_is_empty(&own))
		culprit_add(&taken->culprit, h->nlmsg_pid);
	scope_join(scope, &own);
	scope_done(&own);
}

/* The last that is heard of a device tells what it had counted. */
static void note_gone(const struct kern *kern, const struct nlmsghdr *h,
		      struct kernel_events *taken)
{
	struct counted_link gone = {0};

	if (h->nlmsg_type == RTM_DELLINK && count_parse_link(h, &kern->names, &gone))
		vec_push(&taken->gone, gone);
}

/* What one socket has, until it has no more, or that is enough for a turn of the loop: others may
 * make events faster than they are read. */
static void take(struct kern *kern, struct netlink *netlink, struct scope *scope,
		 struct kernel_events *taken)
{
	bool nft = netlink == kern->events->nft;
	uint32_t own = nft ? nft_port(kern->nft) : netlink_port(kern->netlink);

	for (unsigned i = 0; i < RECEIVES_MAX; i++) {
		struct nlmsghdr *h = NULL;
		ssize_t len = netlink_receive(netlink, MSG_DONTWAIT, &h);

		if (len == -EAGAIN)
			return;
		if (len < 0) { /* lost, or unreadable, which is the same */
			taken->overrun = taken->ruleset = scope->everything = true;
			taken->culprit.changed = taken->culprit.several = true;
			kern->tables.scanned = false;
			if (len != -ENOBUFS && len != -EMSGSIZE)
				return;
			continue;
		}
		for (int left = (int)len; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			if (h->nlmsg_pid == own)
				continue;
			if (!nft)
				note_gone(kern, h, taken);
			note(kern, nft, h, scope, taken);
		}
	}
	taken->more = true;
}

void events_take(struct kern *kern, struct scope *scope, struct kernel_events *taken)
{
	struct scope noted = {0};

	*taken = (struct kernel_events){.culprit = taken->culprit};
	take(kern, kern->events->route, &noted, taken);
	take(kern, kern->events->nft, &noted, taken);
	taken->look = !scope_is_empty(&noted);
	scope_join(scope, &noted);
	scope_done(&noted);
}
