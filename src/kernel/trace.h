/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One flow's packets on their way through this host, for a short time: counted where each
 * netfilter hook begins and ends, and traced, so that who drops one is known by name. It stands
 * in a table of its own, `ip ipipd_trace`, which goes with it; what a killed agent left of it
 * goes when the next one opens the kernel.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ipaddr.h"

/* Out: from `from` to `to`. Back: the replies. */
enum trace_way { TRACE_OUT, TRACE_BACK, TRACE_WAYS };
/* Outer: the packet of protocol 4 around it. */
enum trace_layer { TRACE_INNER, TRACE_OUTER, TRACE_LAYERS };
/* By the numbers of NF_INET_PRE_ROUTING and so on (linux/netfilter.h). */
enum trace_hook {
	TRACE_PREROUTING,
	TRACE_INPUT,
	TRACE_FORWARD,
	TRACE_OUTPUT,
	TRACE_POSTROUTING,
	TRACE_HOOKS
};
/* Before all other chains of the hook, and behind all of them. */
enum trace_edge { TRACE_FIRST, TRACE_LAST, TRACE_EDGES };
/* Into prerouting, out of postrouting. */
enum trace_door { TRACE_CAME, TRACE_LEFT, TRACE_DOORS };
/* What is none of the flow's counts. Sizes: echo requests of several sizes. */
enum trace_beside {
	TRACE_SIZES_CAME,     /* the other end's, out of the underlay */
	TRACE_SIZES_LEFT,     /* exit: likewise, to the destination */
	TRACE_SIZES_ANSWERED, /* exit: its answers to them */
	TRACE_SIZES_RETURNED, /* exit: likewise, into the underlay */
	TRACE_TOLD_TOO_LARGE, /* exit: ICMP saying so of one to the destination */
	TRACE_TOLD_NO_PORT,   /* exit: ICMP saying that nothing listens there */
	TRACE_BESIDES,
};

struct trace_question {
	struct addr from, to;      /* inner */
	struct addr local, remote; /* of the tunnel: outer, as this host sees it */
	char device[IFNAMSIZ];     /* of the tunnel; "": none matches */
	uint8_t protocol;          /* IPPROTO_ICMP, TCP, UDP */
	uint16_t id;               /* of the echo requests, or the source port */
	uint16_t port;             /* destination port; 0 with ICMP */
	uint16_t sizes_id;         /* of the echo requests that the other end sends; 0: none */
	bool exit;                 /* NAT may change the flow here: followed by conntrack */
};

/* How often packets were seen. */
struct trace_counts {
	uint32_t packets[TRACE_WAYS][TRACE_LAYERS][TRACE_HOOKS][TRACE_EDGES];
	uint32_t beside[TRACE_BESIDES];
};

enum { TRACE_DROPS_MAX = 8, TRACE_NAME = 64 };

/* A chain that dropped one. Each chain stands once for each way, layer and hook. */
struct trace_drop {
	enum trace_way way;
	enum trace_layer layer;
	enum trace_hook hook;
	char family[8]; /* "ip", "inet" */
	char table[TRACE_NAME], chain[TRACE_NAME];
	uint64_t handle; /* of the rule; 0: the chain's policy */
	char in[IFNAMSIZ], out[IFNAMSIZ];
	uint32_t packets; /* as far as the trace told */
};

/* What conntrack has of the flow (out), or, when it has forgotten it, how its packets left. */
struct trace_flow {
	bool known;
	struct addr source;      /* that the other side sees: the destination of replies */
	struct addr destination; /* likewise: the source of replies */
	bool replied;            /* IPS_SEEN_REPLY */
};

struct trace_seen {
	struct trace_counts counts;
	struct trace_drop drops[TRACE_DROPS_MAX];
	unsigned n_drops;
	struct trace_flow flow;
	/* /proc/net/netstat IPReversePathFilter since the trace was opened: the whole host's */
	uint32_t rp_filter_drops;
	/* by which the packets came in and left, the last of them, by the trace; "": none did */
	char devices[TRACE_WAYS][TRACE_LAYERS][TRACE_DOORS][IFNAMSIZ];
};

/* As rtnetlink tells: NUD_* of linux/neighbour.h; 0: no such neighbour. */
struct neighbour {
	uint16_t state;
	bool needless;   /* NOARP device: there is none to be asked for */
	bool no_carrier; /* of the device, though it is up */
};
