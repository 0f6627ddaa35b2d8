/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the host is, as expand needs it: values read from the kernel in the same look as
 * the observed objects. Arrays are sorted by their first member.
 */

#include <net/if.h>

#include "base/vec.h"
#include "model/object.h"

struct fact_link {
	char device[IFNAMSIZ];
	char driver[IFNAMSIZ]; /* "" for a physical one */
	uint32_t ifindex;
	uint32_t mtu; /* bytes */
	bool up;
	bool ours;      /* carries our mark */
	bool adoptable; /* an ipip device that a tunnel can be made of in place */
	bool loopback;
	struct addr local, remote; /* of an ipip device; 0: any */
	bool forwarding;           /* net.ipv4.conf.DEVICE.forwarding */
	uint8_t rp_filter;         /* as set on the device, not what is in force */
};

/* An IPv4 address of this host, on any device, ours and loopback's included. */
struct fact_addr {
	struct addr addr;
	uint8_t len;
	char device[IFNAMSIZ];
};

/* How the kernel would send to a tunnel's remote: asked with our question mark. */
struct fact_remote {
	struct addr remote;
	char underlay[IFNAMSIZ]; /* asked with this oif; "": without */
	int error;               /* 0, or negative errno: ENETUNREACH …; EAGAIN: not known now */
	char device[IFNAMSIZ];
	struct addr source; /* that the kernel picks */
	uint32_t mtu;       /* min of the device's and the route's own metric, never learned */
};

struct facts {
	struct vec_links vec_of(struct fact_link) links;
	struct vec_addrs vec_of(struct fact_addr) addrs;
	struct vec_remotes vec_of(struct fact_remote) remotes;
	bool ip_forward;         /* net.ipv4.ip_forward */
	bool default_forwarding; /* net.ipv4.conf.default: what a new device begins with */
	uint8_t default_rp_filter;
	bool ipv6; /* /proc/sys/net/ipv6 exists */
};

/* NULL when there is none */
const struct fact_link *facts_link(const struct facts *facts, const char *device);
const struct fact_addr *facts_addr(const struct facts *facts, struct addr addr);
const struct fact_remote *facts_remote(const struct facts *facts, struct addr remote,
				       const char *underlay);
/* The same: looked for first where the last one was found, and behind it. *at begins with 0. */
const struct fact_link *facts_link_near(const struct facts *facts, const char *device, size_t *at);
const struct fact_remote *facts_remote_near(const struct facts *facts, struct addr remote,
					    const char *underlay, size_t *at);
void facts_sort(struct facts *facts);
/* Is a tunnel of ours on the way to a remote? */
bool facts_lead_over_ours(const struct facts *facts);
/* One device of sorted facts: put right or inserted; removed. */
void facts_put_link(struct facts *facts, const struct fact_link *link);
void facts_drop_link(struct facts *facts, const char *device);
/* Removes an address of a device, or (0) all; what is added then has to be sorted in. */
void facts_drop_addrs(struct facts *facts, const char *device, struct addr addr);
void facts_done(struct facts *facts);
