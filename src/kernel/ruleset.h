/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Everybody else's rules of nftables (those of iptables-nft too), flattened to what decides about a
 * packet's way: the base chains that see IPv4, the chains that they jump to, and of each rule what
 * it asks and what it does. Read, not judged. Only so much is read: others may have any number.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/ipaddr.h"
#include "base/vec.h"

enum ruleset_verdict {
	RULESET_NONE, /* goes on with the next rule */
	RULESET_ACCEPT,
	RULESET_DROP, /* or reject */
	RULESET_RETURN,
	RULESET_JUMP,
	RULESET_GOTO,
	RULESET_OTHER, /* by a map, or a queue: it is not known here */
};

enum ruleset_flag {
	RULESET_CONDITION = 1 << 0,    /* it asks more than is told below */
	RULESET_NEVER = 1 << 1,        /* it is about no IPv4 packet */
	RULESET_SNAT = 1 << 2,         /* it translates the source; the verdict is accept */
	RULESET_REVERSE_PATH = 1 << 3, /* it asks the routing table where the source is */
};

/* Bits of rule->states, as nft and xtables number them (NF_CT_STATE_BIT). */
enum ruleset_state {
	RULESET_INVALID = 1 << 0,
	RULESET_ESTABLISHED = 1 << 1,
	RULESET_RELATED = 1 << 2,
	RULESET_NEW = 1 << 3,
};

struct ruleset_device {
	char name[IFNAMSIZ];
	bool given, other_than;
	bool begins; /* it is "name*" */
};

struct ruleset_addresses {
	struct prefix prefix;
	bool given, other_than;
};

struct ruleset_rule {
	uint8_t verdict; /* enum ruleset_verdict */
	uint8_t flags;   /* enum ruleset_flag */
	uint8_t states;  /* enum ruleset_state: one of these; 0: any */
	uint8_t protocol;
	bool protocol_given, protocol_other_than;
	struct ruleset_device in, out;
	struct ruleset_addresses source, destination;
	uint32_t target; /* of jump and goto: a chain, by number; RULESET_NO_CHAIN: unknown */
};

#define RULESET_NO_CHAIN UINT32_MAX

struct ruleset_chain {
	const char *family, *table, *name; /* "ip", "inet", "netdev" */
	bool base;
	/* of a base chain */
	bool nat;
	bool drops;   /* policy */
	uint8_t hook; /* NF_INET_PRE_ROUTING … NF_INET_POST_ROUTING; ingress is the first */
	const char *const *devices; /* that it sees alone, up to NULL; NULL: all */
	int32_t priority;
	bool read;     /* its rules are there */
	uint32_t uses; /* at least as many as it has rules */
	uint32_t first, len;
};

/* Base chains are not counted among the first. */
enum { RULESET_CHAINS_MAX = 4096, RULESET_BASE_CHAINS_MAX = 1024, RULESET_RULES_MAX = 4096 };

/* {0} is of a host without nftables. */
struct ruleset {
	struct arena arena;
	struct ruleset_chains vec_of(struct ruleset_chain) chains; /* by family, table and name */
	struct ruleset_rules vec_of(struct ruleset_rule) rules;
	bool partial; /* there were too many of some sort */
};

void ruleset_done(struct ruleset *ruleset);
/* By its full name; NULL: there is none. */
const struct ruleset_chain *ruleset_chain(const struct ruleset *ruleset, const char *family,
					  const char *table, const char *name);
/* In the order in which they are to be found. */
void ruleset_sort(struct ruleset *ruleset);

struct nlmsghdr;
enum { RULESET_NAME = 256 };
/*
 * What the message of one rule says; `target` is the chain that it jumps to. A rule with what is
 * not understood has RULESET_CONDITION.
 */
void ruleset_rule_parse(const struct nlmsghdr *nlh, struct ruleset_rule *rule,
			char target[static RULESET_NAME]);
/* Into an empty one, by a socket of its own. Tables of ours are left out. -EINTR: somebody changed
 * them all the while. */
int ruleset_read(struct ruleset *ruleset, struct err *err) must_check;
