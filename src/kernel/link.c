/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices: their messages, and the look at all of them. Changing them is link_apply.c. */
#include "kernel/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "kernel/adapter.h"

enum { PROTO_IPIP = 4 }; /* IPPROTO_IPIP: `ip tunnel` writes 4, `ip link` 0 */

static const struct attr_row name_rows[] = {
	ATTR(link, device, IFLA_IFNAME, WIRE_TEXT, .flags = ATTR_ALWAYS),
	ATTR(link, group, IFLA_GROUP, WIRE_U32, .flags = ATTR_ALWAYS),
};

static const struct attr_row rest_rows[] = {
	ATTR(link, alias, IFLA_IFALIAS, WIRE_TEXT, .flags = 0),
	ATTR(link, group, IFLA_GROUP, WIRE_U32, .flags = 0),
	ATTR(link, mtu, IFLA_MTU, WIRE_U32, .flags = 0),
};

static const struct attr_row observed_rows[] = {
	ATTR(link, device, IFLA_IFNAME, WIRE_TEXT, .flags = 0),
	ATTR(link, group, IFLA_GROUP, WIRE_U32, .flags = 0),
	ATTR(link, mtu, IFLA_MTU, WIRE_U32, .flags = 0),
	ATTR(link, alias, IFLA_IFALIAS, WIRE_TEXT, .flags = 0),
};

static const struct attr_row tunnel_rows[] = {
	ATTR(link, underlay, IFLA_IPTUN_LINK, WIRE_DEVICE, .flags = ATTR_ALWAYS),
	ATTR(link, local, IFLA_IPTUN_LOCAL, WIRE_ADDR, .flags = ATTR_ALWAYS),
	ATTR(link, remote, IFLA_IPTUN_REMOTE, WIRE_ADDR, .flags = ATTR_ALWAYS),
	ATTR(link, ttl, IFLA_IPTUN_TTL, WIRE_U8, .flags = ATTR_ALWAYS),
	ATTR(link, tos, IFLA_IPTUN_TOS, WIRE_U8, .flags = ATTR_ALWAYS),
	ATTR(link, pmtudisc, IFLA_IPTUN_PMTUDISC, WIRE_U8, .flags = ATTR_ALWAYS),
	ATTR(link, proto, IFLA_IPTUN_PROTO, WIRE_U8, .flags = ATTR_ALWAYS),
	ATTR(link, fwmark, IFLA_IPTUN_FWMARK, WIRE_U32, .flags = ATTR_ALWAYS),
	ATTR(link, encap, IFLA_IPTUN_ENCAP_TYPE, WIRE_U16, .flags = ATTR_ALWAYS),
	ATTR(link, external, IFLA_IPTUN_COLLECT_METADATA, WIRE_FLAG, .flags = 0),
};

/* Of encapsulation, which we never make: zero, so that a change resets them. */
static const int encap_attrs[] = {
	IFLA_IPTUN_ENCAP_FLAGS,
	IFLA_IPTUN_ENCAP_SPORT,
	IFLA_IPTUN_ENCAP_DPORT,
};

#define MAP(rows)                                                                                  \
	{                                                                                          \
		&link_kind, (rows), ARRAY_LEN(rows)                                                \
	}
static const struct attr_map name_map = MAP(name_rows);
static const struct attr_map rest_map = MAP(rest_rows);
static const struct attr_map observed_map = MAP(observed_rows);
static const struct attr_map tunnel_map = MAP(tunnel_rows);

static int build_tunnel(struct nlmsghdr *msg, const struct link *link, const struct names *names,
			const char **device)
{
	struct nlattr *info = netlink_nest(msg, IFLA_LINKINFO);
	uint16_t zero = 0;

	netlink_put(msg, IFLA_INFO_KIND, link->driver, strlen(link->driver) + 1);
	struct nlattr *tunnel = netlink_nest(msg, IFLA_INFO_DATA);
	int error = attr_build(msg, &tunnel_map, link, names, device);
	if (error)
		return error;
	for (size_t i = 0; i < ARRAY_LEN(encap_attrs); i++)
		netlink_put(msg, encap_attrs[i], &zero, sizeof(zero));
	netlink_nest_end(msg, tunnel);
	netlink_nest_end(msg, info);
	return 0;
}

/* Or the old address of a subnet takes the new one along when it goes. By this message no
 * event says so, and needs to: the device is ours. */
static void build_switches(struct nlmsghdr *msg)
{
	uint32_t on = 1;
	struct nlattr *families = netlink_nest(msg, IFLA_AF_SPEC);
	struct nlattr *inet = netlink_nest(msg, AF_INET);
	struct nlattr *conf = netlink_nest(msg, IFLA_INET_CONF);

	netlink_put(msg, IPV4_DEVCONF_PROMOTE_SECONDARIES, &on, sizeof(on));
	netlink_nest_end(msg, conf);
	netlink_nest_end(msg, inet);
	netlink_nest_end(msg, families);
}

struct nlmsghdr *link_build(const struct link *link, unsigned parts, uint32_t index, int flags,
			    const struct names *names, struct err *err)
{
	struct ifinfomsg header = {.ifi_index = (int)index};
	const char *device = "";
	int error = 0;

	if (parts & LINK_REST && link->head.set & object_bit(link_kind, "up")) {
		header.ifi_change = IFF_UP;
		header.ifi_flags = link->up ? IFF_UP : 0;
	}
	struct nlmsghdr *msg = netlink_message(RTM_NEWLINK, flags, &header, sizeof(header));
	if (parts & LINK_NAME)
		error = attr_build(msg, &name_map, link, names, &device);
	if (parts & LINK_REST && !error)
		error = attr_build(msg, &rest_map, link, names, &device);
	if (parts & LINK_SWITCH)
		build_switches(msg);
	if (parts & LINK_TUNNEL && !error)
		error = build_tunnel(msg, link, names, &device);
	if (error) {
		free(msg);
		err_set(err, error, "no underlay device %s", device);
		return NULL;
	}
	return msg;
}

static void parse_info(const struct nlattr *nest, const struct names *names, struct link *link)
{
	struct attrs info, data;

	attrs_nested(nest, &info);
	const struct nlattr *kind = info.v[IFLA_INFO_KIND], *tunnel = info.v[IFLA_INFO_DATA];
	if (kind)
		attr_text(kind, link->driver, sizeof(link->driver));
	if (strcmp(link->driver, "ipip") != 0 || !tunnel)
		return;
	attrs_nested(tunnel, &data);
	attr_parse(&data, &tunnel_map, link, names);
	if (!link->proto)
		link->proto = PROTO_IPIP;
}

static uint32_t marks_of(const struct link *link)
{
	uint32_t database_id;

	if (link->group == OUR_DOOMED_GROUP)
		return OBJECT_OURS | OBJECT_DOOMED;
	if (link->group == OUR_GROUP || alias_parse(link->alias, &database_id))
		return OBJECT_OURS;
	return 0;
}

bool link_parse(const struct nlmsghdr *h, const struct names *names, struct link *link)
{
	const struct ifinfomsg *header = nlmsg_data(h);
	struct attrs attrs;

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
	    !nlmsg_valid_hdr(h, sizeof(*header)))
		return false;
	attrs_read(h, sizeof(*header), &attrs);
	attr_parse(&attrs, &observed_map, link, names);
	link->up = header->ifi_flags & IFF_UP;
	if (attrs.v[IFLA_LINKINFO])
		parse_info(attrs.v[IFLA_LINKINFO], names, link);
	attr_set(&link_kind, link, offsetof(struct link, up));
	attr_set(&link_kind, link, offsetof(struct link, driver));
	link->ifindex = (uint32_t)header->ifi_index;
	attr_set(&link_kind, link, offsetof(struct link, ifindex));
	link->head.marks |= marks_of(link);
	return true;
}

bool link_is_fallback(const struct link *link)
{
	return strcmp(link->device, "tunl0") == 0 && strcmp(link->driver, "ipip") == 0;
}

uint64_t link_digest(const struct link *link)
{
	uint64_t digest = UINT64_C(14695981039346656037); /* FNV-1a */

	if (strcmp(link->driver, "ipip") != 0)
		return 0;
	for (unsigned i = 0; i < link_kind.n_fields; i++) {
		const struct field *field = &link_kind.fields[i];
		const uint8_t *member = field_in(field, link);

		if (field->offset < offsetof(struct link, local) ||
		    field->offset > offsetof(struct link, external))
			continue;
		for (uint32_t at = 0; at < field->size; at++)
			digest = (digest ^ member[at]) * UINT64_C(1099511628211);
	}
	return digest;
}

struct nlmsghdr *link_dump_request(void)
{
	struct ifinfomsg header = {0};
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;
	struct nlmsghdr *request = netlink_message(RTM_GETLINK, 0, &header, sizeof(header));

	netlink_put(request, IFLA_EXT_MASK, &mask, sizeof(mask));
	return request;
}

static void name_take(struct kern *kern, struct nlmsghdr *h)
{
	const struct ifinfomsg *header = nlmsg_data(h);
	const struct nlattr *name;

	if (h->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(h, sizeof(*header)))
		return;
	name = nlmsg_find_attr(h, sizeof(*header), IFLA_IFNAME);
	if (name && nla_len(name) > 0)
		names_put(&kern->names, (uint32_t)header->ifi_index, nla_data(name));
}

static struct fact_link fact_of(const struct kern *kern, const struct nlmsghdr *h,
				const struct link *link)
{
	const struct ifinfomsg *header = nlmsg_data(h);
	struct name_row *row = names_row(&kern->names, link->ifindex);
	struct fact_link fact = {
		.ifindex = link->ifindex,
		.mtu = link->mtu,
		.up = link->up,
		.ours = link->head.marks & OBJECT_OURS,
		.adoptable = link_is_adoptable(link),
		.loopback = header->ifi_flags & IFF_LOOPBACK,
		.local = link->local,
		.remote = link->remote,
	};

	memcpy(fact.device, link->device, IFNAMSIZ);
	memcpy(fact.driver, link->driver, IFNAMSIZ);
	if (!row)
		return fact;
	row->mtu = link->mtu;
	row->group = link->group;
	row->up = link->up;
	row->tunnel = link_digest(link);
	row->ours = fact.ours;
	fact.forwarding = row->forwarding;
	fact.rp_filter = row->rp_filter;
	return fact;
}

/* Names first: a tunnel's underlay may be dumped after it. */
static int dump(struct kern *kern, struct look *look, struct err *err)
{
	cleanup_free struct nlmsghdr *request = link_dump_request();
	cleanup_messages struct messages messages = {0};
	int error = adapter_dump(kern, request, &messages, "links", err);

	if (error)
		return error;
	names_clear(&kern->names);
	messages_each(h, &messages)
		name_take(kern, h);
	messages_each(h, &messages) {
		struct link link = {0};

		if (!link_parse(h, &kern->names, &link))
			continue;
		vec_push(&look->facts->links, fact_of(kern, h, &link));
		if (!link_is_fallback(&link))
			memcpy(objects_add(look->observed, KIND_LINK), &link, sizeof(link));
	}
	return 0;
}

static void looked_at(struct kern *kern, const struct link *key, const struct request *request,
		      struct look *look)
{
	struct link link = {0};

	if (request->result || !nlmsg_valid_hdr(request->answer, sizeof(struct ifinfomsg)) ||
	    !link_parse(request->answer, &kern->names, &link)) {
		names_remove(&kern->names, names_index(&kern->names, key->device));
		facts_drop_link(look->facts, key->device);
		return;
	}
	if (names_index(&kern->names, link.device) != link.ifindex) {
		names_remove(&kern->names, names_index(&kern->names, link.device));
		names_put(&kern->names, link.ifindex, link.device);
	}
	struct fact_link fact = fact_of(kern, request->answer, &link);
	facts_put_link(look->facts, &fact);
	memcpy(objects_add(look->observed, KIND_LINK), &link, sizeof(link));
}

static int look_at(struct kern *kern, const struct object_list *keys, struct look *look,
		   struct err *err)
{
	cleanup_batch struct batch batch = {.arena = look->observed->arena};
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;

	for (size_t i = 0; i < keys->len; i++) {
		const struct link *key = (const struct link *)keys->v[i];
		struct ifinfomsg header = {0};
		struct nlmsghdr *msg = netlink_message(RTM_GETLINK, 0, &header, sizeof(header));

		netlink_put(msg, IFLA_EXT_MASK, &mask, sizeof(mask));
		netlink_put(msg, IFLA_IFNAME, key->device, strlen(key->device) + 1);
		batch_ask(&batch, msg, i);
	}
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		const struct link *key = (const struct link *)keys->v[request->tag];

		if (request->result && request->result != -ENODEV)
			return err_set(err, request->result, "reading link %s: %s", key->device,
				       strerror(-request->result));
		looked_at(kern, key, request, look);
	}
	/* a device that was made anew has other switches than the one before */
	return sysctl_look_at(kern, keys, look, err);
}

const struct kern_adapter link_adapter = {
	.kind = KIND_LINK,
	.groups = {RTNLGRP_LINK},
	.dump = dump,
	.look_at = look_at,
	.apply = link_apply,
};
