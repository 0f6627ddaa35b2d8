/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Messages of IPv4 addresses: what is built is what is parsed. */

#include "kernel/names.h"
#include "kernel/netlink.h"
#include "model/object.h"

/* type: RTM_NEWADDR, RTM_DELADDR. NULL with err (-ENODEV) when the device is not there. */
struct nlmsghdr *address_build(int type, int flags, const struct address *address,
			       const struct names *names, struct err *err);
/* False: not an IPv4 address. */
bool address_parse(const struct nlmsghdr *h, const struct names *names, struct address *address);
