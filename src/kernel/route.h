/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Messages of IPv4 routes: what is built is what is parsed. */

#include "kernel/names.h"
#include "kernel/netlink.h"
#include "model/object.h"

/* type: RTM_NEWROUTE (flags: NLM_F_EXCL or NLM_F_REPLACE), RTM_DELROUTE. NULL with err
 * (-ENODEV) when its device is not there. */
struct nlmsghdr *route_build(int type, int flags, const struct route *route,
			     const struct names *names, struct err *err);
/* False: not an IPv4 route, or a cached one. */
bool route_parse(const struct nlmsghdr *h, const struct names *names, struct route *route);
