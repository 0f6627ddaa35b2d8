/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Messages of devices: what is built is what is parsed. */

#include "kernel/names.h"
#include "kernel/netlink.h"
#include "model/object.h"

enum link_part {
	LINK_NAME = 1 << 0,   /* name and group, of a creating message */
	LINK_TUNNEL = 1 << 1, /* driver, endpoints and the rest of the tunnel, all together */
	LINK_REST = 1 << 2,   /* alias, group, mtu, up: those that are set */
	LINK_SWITCH = 1 << 3, /* what is switched on a device that we made: promote_secondaries */
};

/*
 * flags: NLM_F_CREATE | NLM_F_EXCL, or 0 for a device that exists. NULL with err (-ENODEV)
 * when the underlay device is not there.
 */
struct nlmsghdr *link_build(const struct link *link, unsigned parts, uint32_t index, int flags,
			    const struct names *names, struct err *err);
/* One that is, or was. False: not a device. */
bool link_parse(const struct nlmsghdr *h, const struct names *names, struct link *link);
/* The device that the kernel makes by itself with the driver; never ours, never drift. */
/* Changes with what makes it that tunnel: endpoints, ttl and so on. 0: no ipip device. */
uint64_t link_digest(const struct link *link);
bool link_is_fallback(const struct link *link);
/* A dump request of all devices, with their counters, but not those of their protocols. */
struct nlmsghdr *link_dump_request(void) __attribute__((returns_nonnull));
