/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv4 addresses of devices. */
#include "kernel/address.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/adapter.h"

static const struct attr_row address_rows[] = {
	ATTR(address, prefix, IFA_LOCAL, WIRE_PREFIX, .flags = ATTR_ALWAYS),
	ATTR(address, prefix, IFA_ADDRESS, WIRE_PREFIX, .flags = ATTR_ALWAYS),
};

static const struct attr_map address_map = {&address_kind, address_rows, ARRAY_LEN(address_rows)};

struct nlmsghdr *address_build(int type, int flags, const struct address *address,
			       const struct names *names, struct err *err)
{
	struct ifaddrmsg header = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = address->prefix.len,
		.ifa_index = names_index(names, address->device),
	};
	uint8_t protocol = OUR_PROTOCOL;
	const char *device = "";

	if (!header.ifa_index) {
		err_set(err, -ENODEV, "no device %s", address->device);
		return NULL;
	}
	if (type == RTM_NEWADDR)
		flags |= NLM_F_CREATE;
	struct nlmsghdr *msg = netlink_message(type, flags, &header, sizeof(header));
	(void)!attr_build(msg, &address_map, address, names, &device);
	if (type == RTM_NEWADDR)
		netlink_put(msg, IFA_PROTO, &protocol, sizeof(protocol));
	return msg;
}

bool address_parse(const struct nlmsghdr *h, const struct names *names, struct address *address)
{
	const struct ifaddrmsg *header = nlmsg_data(h);
	struct attrs attrs;

	if ((h->nlmsg_type != RTM_NEWADDR && h->nlmsg_type != RTM_DELADDR) ||
	    !nlmsg_valid_hdr(h, sizeof(*header)) || header->ifa_family != AF_INET ||
	    header->ifa_prefixlen > 32)
		return false;
	attrs_read(h, sizeof(*header), &attrs);
	attr_parse(&attrs, &address_map, address, names);
	/* IFA_ADDRESS is the peer's where there is one: the own one is IFA_LOCAL */
	if (attrs.v[IFA_LOCAL])
		address->prefix.addr = attr_addr(attrs.v[IFA_LOCAL]);
	address->prefix.len = header->ifa_prefixlen;
	names_device(names, header->ifa_index, address->device);
	attr_set(&address_kind, address, offsetof(struct address, device));
	const uint8_t *proto = attr_payload(attrs.v[IFA_PROTO], sizeof(*proto));
	if (proto && *proto == OUR_PROTOCOL)
		address->head.marks |= OBJECT_OURS;
	return true;
}

static bool has_peer(const struct nlmsghdr *h)
{
	struct attrs attrs;

	attrs_read(h, sizeof(struct ifaddrmsg), &attrs);
	const struct nlattr *local = attrs.v[IFA_LOCAL], *peer = attrs.v[IFA_ADDRESS];
	return local && peer && attr_addr(local).host != attr_addr(peer).host;
}

/* index 0: of every device */
static int dump_device(struct kern *kern, uint32_t index, struct objects *observed,
		       struct facts *facts, struct err *err)
{
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_index = index};
	cleanup_free struct nlmsghdr *request = netlink_message(RTM_GETADDR, 0, &header,
								sizeof(header));
	cleanup_messages struct messages messages = {0};
	int error = adapter_dump(kern, request, &messages, "addresses", err);

	if (error)
		return error;
	messages_each(h, &messages) {
		struct address address = {0};

		if (!address_parse(h, &kern->names, &address))
			continue;
		if (!has_peer(h)) /* with one it is another address to the kernel */
			memcpy(objects_add(observed, KIND_ADDRESS), &address, sizeof(address));
		struct fact_addr *fact = vec_add(&facts->addrs);
		fact->addr = address.prefix.addr;
		fact->len = address.prefix.len;
		memcpy(fact->device, address.device, IFNAMSIZ);
	}
	return 0;
}

static int dump(struct kern *kern, struct look *look, struct err *err)
{
	return dump_device(kern, 0, look->observed, look->facts, err);
}

/* All of each device that is named: there is no asking for one address. */
static int look_at(struct kern *kern, const struct object_list *keys, struct look *look,
		   struct err *err)
{
	const char *last = "";
	int error = 0;

	for (size_t i = 0; i < keys->len && !error; i++) {
		const char *device = ((const struct address *)keys->v[i])->device;
		uint32_t index = names_index(&kern->names, device);

		if (strcmp(device, last) == 0)
			continue;
		last = device;
		facts_drop_addrs(look->facts, device, (struct addr){0});
		if (index)
			error = dump_device(kern, index, look->observed, look->facts, err);
		if (error == -ENODEV) /* gone since the links were looked at */
			error = 0;
	}
	facts_sort(look->facts);
	return error;
}

static struct nlmsghdr *build(struct kern *kern, const struct op *op, struct err *err)
{
	if (op->verb == OP_DELETE)
		return address_build(RTM_DELADDR, 0, (const struct address *)op->have, &kern->names,
				     err);
	/* what came since the look is not ours to take over */
	return address_build(RTM_NEWADDR, op->verb == OP_ADD ? NLM_F_EXCL : NLM_F_REPLACE,
			     (const struct address *)op->want, &kern->names, err);
}

const struct kern_adapter address_adapter = {
	.kind = KIND_ADDRESS,
	.groups = {RTNLGRP_IPV4_IFADDR},
	.dump = dump,
	.look_at = look_at,
	.build = build,
	.gone = -EADDRNOTAVAIL,
};
