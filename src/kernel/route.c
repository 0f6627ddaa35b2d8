/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes of our tables. They are dumped table by table: an unfiltered dump, or one filtered
 * by protocol only, walks a router's full BGP table each time. Which of the thousand tables
 * hold something is found by asking each of them once (a few milliseconds), and kept by
 * what we write, by the rules that look up, and by route events; after an overrun all are
 * asked again.
 */
#include "kernel/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/adapter.h"

static const struct attr_row route_rows[] = {
	ATTR(route, table, RTA_TABLE, WIRE_U32, .flags = ATTR_ALWAYS),
	ATTR(route, dst, RTA_DST, WIRE_PREFIX),
	ATTR(route, metric, RTA_PRIORITY, WIRE_U32, .flags = ATTR_ALWAYS),
	ATTR(route, device, RTA_OIF, WIRE_DEVICE),
	ATTR(route, gateway, RTA_GATEWAY, WIRE_ADDR),
	ATTR(route, prefsrc, RTA_PREFSRC, WIRE_ADDR),
};

static const struct attr_map route_map = {&route_kind, route_rows, ARRAY_LEN(route_rows)};

/* Members that are in the header of the message, not in an attribute. */
static const uint32_t header_members[] = {
	offsetof(struct route, tos),
	offsetof(struct route, type),
	offsetof(struct route, scope),
	offsetof(struct route, protocol),
};

struct nlmsghdr *route_build(int type, int flags, const struct route *route,
			     const struct names *names, struct err *err)
{
	struct rtmsg header = {
		.rtm_family = AF_INET,
		.rtm_dst_len = route->dst.len,
		.rtm_tos = route->tos,
		.rtm_table = RT_TABLE_COMPAT, /* 8 bits: the attribute counts */
		.rtm_protocol = route->protocol,
		.rtm_scope = route->scope,
		.rtm_type = type == RTM_NEWROUTE ? RTN_UNICAST : RTN_UNSPEC,
		/* on a multipoint device a gateway is on no link that the kernel knows */
		.rtm_flags = route->gateway.host ? RTNH_F_ONLINK : 0,
	};
	const char *device = "";

	if (type == RTM_NEWROUTE)
		flags |= NLM_F_CREATE;
	struct nlmsghdr *msg = netlink_message(type, flags, &header, sizeof(header));
	int error = attr_build(msg, &route_map, route, names, &device);
	if (error) {
		free(msg);
		err_set(err, error, "no device %s", device);
		return NULL;
	}
	return msg;
}

/* What a route may carry that a struct route cannot say. */
static bool has_other(const struct attrs *attrs)
{
	return attrs->v[RTA_METRICS] || attrs->v[RTA_MULTIPATH] || attrs->v[RTA_ENCAP] ||
	       attrs->v[RTA_NH_ID] || attrs->v[RTA_VIA] || attrs->v[RTA_FLOW];
}

bool route_parse(const struct nlmsghdr *h, const struct names *names, struct route *route)
{
	const struct rtmsg *header = nlmsg_data(h);
	struct attrs attrs;

	if ((h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE) ||
	    !nlmsg_valid_hdr(h, sizeof(*header)) || header->rtm_family != AF_INET ||
	    header->rtm_dst_len > 32 || header->rtm_flags & RTM_F_CLONED)
		return false;
	attrs_read(h, sizeof(*header), &attrs);
	attr_parse(&attrs, &route_map, route, names);
	route->dst.len = header->rtm_dst_len;
	route->tos = header->rtm_tos;
	route->type = header->rtm_type == RTN_UNICAST && !has_other(&attrs) ? ROUTE_UNICAST
									    : ROUTE_OTHER;
	route->scope = header->rtm_scope;
	route->protocol = header->rtm_protocol;
	for (size_t i = 0; i < ARRAY_LEN(header_members); i++)
		attr_set(&route_kind, route, header_members[i]);
	if (route->protocol == OUR_PROTOCOL && route->table >= OUR_TABLE_FIRST &&
	    route->table <= OUR_TABLE_LAST)
		route->head.marks |= OBJECT_OURS;
	return true;
}

/* Of one table, or (0) of all, only those with our protocol. -ENOENT: no such table */
static int dump_messages(struct kern *kern, uint32_t table, struct messages *messages,
			 struct err *err)
{
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_protocol = table ? 0 : OUR_PROTOCOL};
	cleanup_free struct nlmsghdr *request = netlink_message(RTM_GETROUTE, 0, &header,
								sizeof(header));

	if (table)
		netlink_put(request, RTA_TABLE, &table, sizeof(table));
	return adapter_dump(kern, request, messages, "routes", err);
}

static int dump_table(struct kern *kern, uint32_t table, struct look *look, struct err *err)
{
	cleanup_messages struct messages messages = {0};
	struct err why = {0};
	int error = dump_messages(kern, table, &messages, &why);

	if (error == -ENOENT)
		return 0;
	if (error)
		return err_set(err, error, "%s", why.sentence);
	messages_each(h, &messages) {
		struct route route = {0};

		/* without strict checking the kernel gives every table */
		if (!route_parse(h, &kern->names, &route) || route.table != table)
			continue;
		memcpy(objects_add(look->observed, KIND_ROUTE), &route, sizeof(route));
	}
	return 0;
}

static void rules_use_tables(struct kern *kern, const struct objects *observed)
{
	const struct object_list *rules = &observed->kind[KIND_RULE];

	for (size_t i = 0; i < rules->len; i++)
		tables_use(&kern->tables, ((const struct rule *)rules->v[i])->table);
}

void tables_use(struct tables *tables, uint32_t table)
{
	if (table >= OUR_TABLE_FIRST && table <= OUR_TABLE_LAST)
		tables->used[table - OUR_TABLE_FIRST] = 1;
}

/* Where routes of ours are. A foreign one in a table that nobody here uses is in no way. */
static int scan_tables(struct kern *kern, struct err *err)
{
	cleanup_messages struct messages messages = {0};
	int error = dump_messages(kern, 0, &messages, err);

	if (error)
		return error;
	messages_each(h, &messages) {
		struct route route = {0};

		if (route_parse(h, &kern->names, &route) && route.head.marks & OBJECT_OURS)
			tables_use(&kern->tables, route.table);
	}
	kern->tables.scanned = true;
	return 0;
}

static int dump(struct kern *kern, struct look *look, struct err *err)
{
	int error = kern->tables.scanned ? 0 : scan_tables(kern, err);

	rules_use_tables(kern, look->observed);
	tables_use(&kern->tables, OUR_TABLE_FIRST);
	for (uint32_t i = 0; i < ARRAY_LEN(kern->tables.used) && !error; i++)
		if (kern->tables.used[i])
			error = dump_table(kern, OUR_TABLE_FIRST + i, look, err);
	return error;
}

/* The route that packets to its first address take is the one that was asked for, mostly. */
static struct nlmsghdr *match_request(const struct route *key)
{
	struct rtmsg header = {
		.rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_flags = RTM_F_FIB_MATCH};
	struct nlmsghdr *msg = netlink_message(RTM_GETROUTE, 0, &header, sizeof(header));
	uint32_t wire = htonl(key->dst.addr.host);

	netlink_put(msg, RTA_DST, &wire, sizeof(wire));
	return msg;
}

static void keep(struct look *look, const struct route *route)
{
	memcpy(objects_add(look->observed, KIND_ROUTE), route, sizeof(*route));
}

/* Those that no answer told, from a dump of their table: there is no asking for one by its key. */
static int look_for(struct kern *kern, const struct object_list *keys, struct look *look,
		    struct err *err)
{
	struct objects dumped = {.arena = look->observed->arena};
	uint32_t last = 0;
	int error = 0;

	for (size_t i = 0; i < keys->len && !error; i++) {
		uint32_t table = ((const struct route *)keys->v[i])->table;

		if (table != last)
			error = dump_table(kern, table, &(struct look){&dumped, look->facts}, err);
		last = table;
	}
	objects_sort(&dumped);
	for (size_t i = 0; i < keys->len && !error; i++) {
		const struct object *found = objects_find(&dumped, KIND_ROUTE, keys->v[i]);

		if (found)
			keep(look, (const struct route *)found);
	}
	objects_done(&dumped);
	return error;
}

static int look_at(struct kern *kern, const struct object_list *keys, struct look *look,
		   struct err *err)
{
	cleanup_batch struct batch batch = {.arena = look->observed->arena};
	struct object_list unknown = {0};

	for (size_t i = 0; i < keys->len; i++)
		batch_ask(&batch, match_request((const struct route *)keys->v[i]), i);
	batch_send(kern->netlink, &batch);
	for (size_t i = 0; i < batch.requests.len; i++) {
		const struct request *request = &batch.requests.v[i];
		struct object *key = keys->v[request->tag];
		struct route route = {0};

		if (!request->result && route_parse(request->answer, &kern->names, &route) &&
		    kind_key_compare(&route_kind, &route, key) == 0)
			keep(look, &route);
		else
			object_list_push(&unknown, key);
	}
	int error = look_for(kern, &unknown, look, err);
	free(unknown.v);
	return error;
}

/*
 * An add is exclusive: what came since the look is not ours to write over. Whatever has the
 * same key as an observed route is replaced in place, without a gap.
 */
static struct nlmsghdr *build(struct kern *kern, const struct op *op, struct err *err)
{
	if (op->verb == OP_DELETE)
		return route_build(RTM_DELROUTE, 0, (const struct route *)op->have, &kern->names,
				   err);
	const struct route *route = (const struct route *)op->want;
	tables_use(&kern->tables, route->table);
	return route_build(RTM_NEWROUTE, op->verb == OP_ADD ? NLM_F_EXCL : NLM_F_REPLACE, route,
			   &kern->names, err);
}

const struct kern_adapter route_adapter = {
	.kind = KIND_ROUTE,
	.groups = {RTNLGRP_IPV4_ROUTE},
	.dump = dump,
	.look_at = look_at,
	.build = build,
	.gone = -ESRCH,
};
