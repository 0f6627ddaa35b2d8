/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the kernel tells of a traced flow, parsed: no socket in here. */

#include "base/err.h"
#include "kernel/trace.h"

struct nlmsghdr;

enum { TRACE_PASSAGES = 64 };

/* A packet in a base chain: only the first message of it has the headers. */
struct trace_passage {
	uint32_t id; /* of the packet; 0: unused */
	bool ours;   /* one of the flow */
	enum trace_way way;
	enum trace_layer layer;
	uint8_t family;
	char table[TRACE_NAME], chain[TRACE_NAME]; /* the base chain */
	uint32_t iif, oif;
};

/* A drop, before its hook and its devices have names. */
struct trace_lost {
	struct trace_drop drop;
	uint8_t family;         /* NFPROTO_* */
	char began[TRACE_NAME]; /* the base chain */
	uint32_t iif, oif;
};

/* {0} is empty. */
struct trace_log {
	struct trace_passage passages[TRACE_PASSAGES];
	unsigned next; /* of the passages to be used */
	struct trace_lost lost[TRACE_DROPS_MAX];
	unsigned n_lost;
	uint32_t devices[TRACE_WAYS][TRACE_LAYERS][TRACE_DOORS]; /* 0: none came, none left */
	struct addr left_from, left_for; /* how an inner one out then read: after NAT */
};

/* Takes one message of NFNLGRP_NFTRACE. */
void trace_read_message(struct trace_log *log, const struct trace_question *question,
			const struct nlmsghdr *nlh);
/* The hook of a chain, by the number that its family has for it. */
enum trace_hook trace_read_hook(uint8_t family, uint32_t hooknum);
/* An answer of conntrack. False, and flow untouched: it is none. */
bool trace_read_flow(const struct nlmsghdr *nlh, struct trace_flow *flow);
/* The named counter of a text like /proc/net/netstat; 0 when it is not there. */
uint64_t trace_read_netstat(const char *text, const char *group, const char *name);
