/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel as the daemon sees it: one vtable, with the real one behind kernel_open() in
 * kernel.c and an in-memory one in tests/fake_kernel.c. Single-threaded; nothing here logs.
 */

#include "kernel/culprit.h"
#include "kernel/ruleset.h"
#include "kernel/trace.h"
#include "model/facts.h"
#include "model/op.h"
#include "model/scope.h"

struct kernel;

struct route_question {
	struct addr to, from;       /* from 0: none */
	char in[IFNAMSIZ];          /* "": output path, else as if it arrived there */
	bool underlay;              /* with our question mark, past our rules */
	uint8_t protocol;           /* IPPROTO_*; 0: not said */
	uint16_t source_port, port; /* port: the destination's; 0: not said */
};

struct route_answer {
	int error; /* 0, or negative errno of the kernel's answer */
	char device[IFNAMSIZ];
	struct addr source, gateway; /* 0: none */
	uint32_t mtu, table;
	bool local; /* RTN_LOCAL */
};

struct link_stats {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped, tx_carrier_errors, collisions;
};

struct element_stats {
	uint64_t packets, bytes;
};

/* A device and its counters. */
struct counted_link {
	char device[IFNAMSIZ];
	uint32_t ifindex, mtu;
	bool up, ours; /* ours by its mark */
	struct link_stats stats;
};

struct counted_element {
	struct prefix prefix;
	struct element_stats stats;
};

struct counted_set {
	char name[SET_NAME];
	size_t first, len; /* of the elements */
};

/* Everything that counts, in no order. {0} is empty. */
struct counted {
	struct counted_links vec_of(struct counted_link) links;
	struct counted_sets vec_of(struct counted_set) sets;
	struct counted_elements vec_of(struct counted_element) elements;
};

static inline void counted_done(struct counted *counted)
{
	vec_done(&counted->links);
	vec_done(&counted->sets);
	vec_done(&counted->elements);
}

enum { COUNT_LINKS = 1 << 0, COUNT_ELEMENTS = 1 << 1 };

/* What woke the event socket. */
struct kernel_events {
	bool look;    /* something that can matter changed: the scope says where */
	bool overrun; /* ENOBUFS: events were lost */
	bool more;    /* there may be, to be read in another turn */
	bool ruleset; /* somebody else committed a transaction of nftables, whatever it was about */
	/* added to whom it names already: who an nftables transaction was comes behind it */
	struct culprit culprit;
	/* devices that somebody else took away, with what they had counted in the end */
	struct counted_links gone;
};

struct kernel_vtable {
	/*
	 * Reads all: objects (marks: OURS by the kernel's mark; tunl0 left out) of which only
	 * those can matter that are ours, or in the way of a name that is wanted: links all;
	 * addresses all; routes of those of our tables that have some of ours, or had; rules
	 * of our priorities; our nft table.
	 * facts->remotes are those that are known: their routes are watched from now on.
	 * Sysctls are facts of links, not objects.
	 * -EINTR: a dump was interrupted five times; nothing may be deleted on it.
	 * In parts, from 0 on, so that nobody waits for ten thousand of everything; 1: there are
	 * more. What is changed between two of them is told by events.
	 */
	int (*observe)(struct kernel *kernel, unsigned part, struct arena *arena,
		       struct objects *observed, struct facts *facts, struct err *err);
	/*
	 * Reads only what the scope names, which is not everything; observed is sorted then.
	 * facts are those of the last look: of links and sysctls that are looked at they are
	 * put right, in place.
	 */
	int (*observe_some)(struct kernel *kernel, struct arena *arena, const struct scope *scope,
			    struct objects *observed, struct facts *facts, struct err *err);
	/* Remotes arrive with remote and underlay filled, the rest is filled here; their routes
	 * are watched beside those of the last look. */
	void (*ask_remotes)(struct kernel *kernel, struct arena *arena,
			    struct vec_remotes *remotes);
	/*
	 * Applies n consecutive ops of one stage (nft_* kinds together; else of one kind), in
	 * order, in as few messages as possible. Fills done, result and message of each;
	 * messages live in the arena. Never fails as a whole.
	 * Never called with FOUND, FORGET or CONFLICT. CHANGE of a link sends every
	 * attribute; REPLACE deletes, then adds; DELETE of a sysctl writes have->before.
	 */
	void (*apply)(struct kernel *kernel, struct arena *arena, struct op *ops, size_t n);
	/* As of the last observe and our own changes since; 0: no such device. */
	uint32_t (*ifindex)(struct kernel *kernel, const char *device);
	int (*events_fd)(struct kernel *kernel); /* for epoll; -1: none */
	/* Takes all that is there, and adds what it concerns to the scope; events->gone becomes
	 * the caller's. */
	void (*events_read)(struct kernel *kernel, struct scope *scope,
			    struct kernel_events *events);
	int (*route)(struct kernel *kernel, const struct route_question *question,
		     struct route_answer *answer, struct err *err);
	/* -ENODEV */
	int (*link_stats)(struct kernel *kernel, const char *device, struct link_stats *stats,
			  struct err *err);
	/* All counters of that sort (COUNT_*) at once, appended: of the devices by one dump, of
	 * our sets that count by one each. What was appended before a failure does not count. */
	int (*count)(struct kernel *kernel, unsigned what, struct counted *counted,
		     struct err *err);
	/* Everybody else's rules, into an empty one. */
	int (*rulesets)(struct kernel *kernel, struct ruleset *ruleset, struct err *err);
	/* Who answers for that address on that device. -ENODEV */
	int (*neighbour)(struct kernel *kernel, const char *device, struct addr addr,
			 struct neighbour *neighbour, struct err *err);
	/* net.ipv4.conf.DEVICE.NAME as it is now; device may be "all" or "default". -ENOENT */
	int (*sysctl)(struct kernel *kernel, const char *device, const char *name, int *value,
		      struct err *err);
	/* At most one at a time: -EBUSY. From then on packets are counted. */
	int (*trace_open)(struct kernel *kernel, const struct trace_question *question,
			  struct err *err);
	/* What was seen until now. */
	int (*trace_read)(struct kernel *kernel, struct trace_seen *seen, struct err *err);
	/* Takes away all that it needed. Done, when there is none; after a failure it is to be done
	 * again, though another may be opened meanwhile. */
	int (*trace_close)(struct kernel *kernel, struct err *err);
	void (*close)(struct kernel *kernel);
};

struct kernel {
	const struct kernel_vtable *vt;
};

/* All parts of the look. */
static inline int kernel_observe(struct kernel *kernel, struct arena *arena,
				 struct objects *observed, struct facts *facts, struct err *err)
{
	int more = 1;

	for (unsigned part = 0; more > 0; part++)
		more = kernel->vt->observe(kernel, part, arena, observed, facts, err);
	return more;
}

/* Opens sockets, with the event groups joined before anything is dumped.
 * -EPERM without CAP_NET_ADMIN. */
int kernel_open(struct kernel **kernel, struct err *err) must_check;

/* The network namespace's cookie (SO_NETNS_COOKIE) and this boot's id, for the ledger. */
int kernel_namespace_cookie(uint64_t *cookie);
int kernel_boot_id(char boot_id[static 37]);
