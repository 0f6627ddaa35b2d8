/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Messages of IPv4 policy rules: what is built is what is parsed. */

#include "kernel/netlink.h"
#include "model/object.h"

/* type: RTM_NEWRULE, RTM_DELRULE */
struct nlmsghdr *rule_build(int type, const struct rule *rule) __attribute__((returns_nonnull));
/* False: not an IPv4 rule. */
bool rule_parse(const struct nlmsghdr *h, struct rule *rule);
