/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy rules of our priorities. */
#include "kernel/rule.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/adapter.h"

static const struct attr_row rule_rows[] = {
	ATTR(rule, priority, FRA_PRIORITY, WIRE_U32, .flags = ATTR_ALWAYS),
	ATTR(rule, from, FRA_SRC, WIRE_PREFIX),
	ATTR(rule, fwmark, FRA_FWMARK, WIRE_U32),
	ATTR(rule, fwmask, FRA_FWMASK, WIRE_U32),
	ATTR(rule, table, FRA_TABLE, WIRE_U32),
	ATTR(rule, suppress_prefixlength, FRA_SUPPRESS_PREFIXLEN, WIRE_LENGTH),
	ATTR(rule, target, FRA_GOTO, WIRE_U32),
	ATTR(rule, protocol, FRA_PROTOCOL, WIRE_U8, .flags = ATTR_ALWAYS),
};

static const struct attr_map rule_map = {&rule_kind, rule_rows, ARRAY_LEN(rule_rows)};

/* What a rule may carry that a struct rule cannot say. */
static const int other_attrs[] = {
	FRA_DST,       FRA_IIFNAME,  FRA_OIFNAME,     FRA_FLOW,        FRA_TUN_ID,
	FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE,
};

static const uint8_t actions[] = {
	[RULE_LOOKUP] = FR_ACT_TO_TBL,
	[RULE_GOTO] = FR_ACT_GOTO,
	[RULE_NOP] = FR_ACT_NOP,
	[RULE_OTHER] = FR_ACT_UNSPEC,
};

struct nlmsghdr *rule_build(int type, const struct rule *rule)
{
	struct fib_rule_hdr header = {
		.family = AF_INET,
		.src_len = rule->from.len,
		.table = rule->action == RULE_LOOKUP ? RT_TABLE_COMPAT : RT_TABLE_UNSPEC,
		.action = actions[rule->action],
	};
	/* without EXCL the kernel makes the same rule twice */
	int flags = type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0;
	struct nlmsghdr *msg = netlink_message(type, flags, &header, sizeof(header));
	const char *device;

	(void)!attr_build(msg, &rule_map, rule, NULL, &device); /* it names no device */
	return msg;
}

static uint8_t action_of(uint8_t wire)
{
	for (uint8_t i = 0; i < RULE_OTHER; i++)
		if (actions[i] == wire)
			return i;
	return RULE_OTHER;
}

static bool has_other(const struct attrs *attrs, const struct fib_rule_hdr *header)
{
	const uint8_t *l3mdev = attr_payload(attrs->v[FRA_L3MDEV], sizeof(*l3mdev));
	const uint32_t *group = attr_payload(attrs->v[FRA_SUPPRESS_IFGROUP], sizeof(*group));

	if (header->dst_len || header->tos || header->flags & FIB_RULE_INVERT)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(other_attrs); i++)
		if (attrs->v[other_attrs[i]])
			return true;
	return (l3mdev && *l3mdev) || (group && *group != UINT32_MAX);
}

bool rule_parse(const struct nlmsghdr *h, struct rule *rule)
{
	const struct fib_rule_hdr *header = nlmsg_data(h);
	struct attrs attrs;

	if ((h->nlmsg_type != RTM_NEWRULE && h->nlmsg_type != RTM_DELRULE) ||
	    !nlmsg_valid_hdr(h, sizeof(*header)) || header->family != AF_INET ||
	    header->src_len > 32)
		return false;
	rule->suppress_prefixlength = SUPPRESS_NONE;
	attrs_read(h, sizeof(*header), &attrs);
	attr_parse(&attrs, &rule_map, rule, NULL);
	rule->from.len = header->src_len;
	rule->action = has_other(&attrs, header) ? RULE_OTHER : action_of(header->action);
	attr_set(&rule_kind, rule, offsetof(struct rule, action));
	/* of another form than ours it is somebody's who took our number */
	if (rule->action != RULE_OTHER && rule->protocol == OUR_PROTOCOL &&
	    rule->priority >= OUR_RULE_FIRST && rule->priority <= OUR_RULE_LAST)
		rule->head.marks |= OBJECT_OURS;
	return true;
}

static int dump(struct kern *kern, struct look *look, struct err *err)
{
	struct fib_rule_hdr header = {.family = AF_INET};
	cleanup_free struct nlmsghdr *request = netlink_message(RTM_GETRULE, 0, &header,
								sizeof(header));
	cleanup_messages struct messages messages = {0};
	int error = adapter_dump(kern, request, &messages, "rules", err);

	if (error)
		return error;
	messages_each(h, &messages) {
		struct rule rule = {0};

		if (!rule_parse(h, &rule) || rule.priority < OUR_RULE_FIRST ||
		    rule.priority > OUR_RULE_LAST)
			continue;
		memcpy(objects_add(look->observed, KIND_RULE), &rule, sizeof(rule));
	}
	return 0;
}

static struct nlmsghdr *build(struct kern *kern, const struct op *op, struct err *err)
{
	const struct rule *rule = (const struct rule *)(op->verb == OP_DELETE ? op->have
									      : op->want);

	if (rule->action == RULE_OTHER) {
		err_set(err, -EOPNOTSUPP, "a rule of another form than ours");
		return NULL;
	}
	tables_use(&kern->tables, rule->table);
	return rule_build(op->verb == OP_DELETE ? RTM_DELRULE : RTM_NEWRULE, rule);
}

const struct kern_adapter rule_adapter = {
	.kind = KIND_RULE,
	.groups = {RTNLGRP_IPV4_RULE},
	.dump = dump,
	.build = build,
	.gone = -ENOENT,
};
