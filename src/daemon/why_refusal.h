/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Why the kernel refuses a packet that comes in by a device: its errno, told apart (kernel.md). */

#include "daemon/why_fix.h"

enum why_refusal {
	WHY_REFUSED_FORWARDING, /* it is off on the device */
	WHY_REFUSED_RP_FILTER,  /* the way to its source is not by the device */
	WHY_REFUSED_SOURCE,     /* it cannot be a source: said, with what repairs it */
	WHY_REFUSED_NO_ROUTE,
	WHY_REFUSED_ROUTE,   /* a route that refuses: said, with what repairs it */
	WHY_REFUSED_UNKNOWN, /* said */
};

/*
 * Says it. reverse: the answer about the way to its source; of: of the device that it comes in
 * by. What repairs the others depends on the end: the caller's.
 */
enum why_refusal why_refusal_judge(const struct why_known *known, const struct why_route *route,
				   const struct why_route *reverse, struct why_sysctls of,
				   struct why_check *check);
/* What lets in by the device a packet that rp_filter refuses; reverse: as above. */
void why_refusal_loosen(const struct why_known *known, const char *device,
			const struct why_route *reverse, struct why_check *check);
/* "net.ipv4.conf.eth0/100.rp_filter": a dot in a device's name is a slash to sysctl. */
enum { WHY_SYSCTL = 64 };
const char *why_refusal_sysctl(const char *device, const char *name, char text[static WHY_SYSCTL]);
