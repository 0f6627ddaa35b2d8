/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside kernel/: one adapter per kind of object. An adapter reads what is there, builds
 * the messages of a step, and says which multicast groups report its changes.
 */

#include "kernel/attr.h"
#include "kernel/batch.h"
#include "kernel/kernel.h"
#include "kernel/nft.h"
#include "kernel/sysctl.h"

struct events;
struct trace;

/* The routing tables of OUR_TABLE_FIRST … OUR_TABLE_LAST that may hold something. */
struct tables {
	bool scanned; /* all were looked at once, since then events tell */
	uint8_t used[OUR_TABLE_LAST - OUR_TABLE_FIRST + 1];
};

struct remotes vec_of(struct addr);

/* The real kernel. */
struct kern {
	struct kernel kernel;
	struct netlink *netlink; /* NETLINK_ROUTE requests */
	struct nft *nft;
	struct events *events;
	struct trace *trace; /* NULL: none is open */
	bool trace_left;     /* the table of one that is not open any more */
	struct names names;  /* as of the last observe, and our changes since */
	struct tables tables;
	struct sysctls sysctls;
	struct remotes remotes; /* sorted: whose routes the events watch */
	uint32_t next_index;    /* for the next link that we make */
	uint32_t delete_chunk;  /* links deleted at once */
};

/* Notes that the table may hold something, if it is one of ours. */
void tables_use(struct tables *tables, uint32_t table);

/* What one observe fills. */
struct look {
	struct objects *observed;
	struct facts *facts;
};

enum { ADAPTER_GROUPS = 2 };

struct kern_adapter {
	enum kind_id kind;
	uint32_t groups[ADAPTER_GROUPS]; /* RTNLGRP_*, 0: none */
	int (*dump)(struct kern *kern, struct look *look, struct err *err);
	/* Only those keys, and the facts that hang on them. NULL: dump, and take out of it. */
	int (*look_at)(struct kern *kern, const struct object_list *keys, struct look *look,
		       struct err *err);
	/*
	 * The message of one step, for kinds whose steps do not depend on each other. Of the
	 * op it reads verb, want and have. NULL with err when it cannot be said.
	 */
	struct nlmsghdr *(*build)(struct kern *kern, const struct op *op, struct err *err);
	/* an answer to a delete that says that it is gone already */
	int gone;
	/* or all of it, where they do */
	void (*apply)(struct kern *kern, struct arena *arena, struct op *ops, size_t n);
};

/* Of the devices that the keys (of links or sysctls) name: their facts. */
int sysctl_look_at(struct kern *kern, const struct object_list *keys, struct look *look,
		   struct err *err);
/* Creates, changes, deletes links: link_apply.c. */
void link_apply(struct kern *kern, struct arena *arena, struct op *ops, size_t n);

extern const struct kern_adapter link_adapter, address_adapter, sysctl_adapter, route_adapter,
	rule_adapter;

/* The step failed: what was attempted on what, then the words, or those of errno. */
void adapter_fail(struct op *op, struct arena *arena, int result, const char *step,
		  const char *words);
void adapter_succeed(struct op *op);
/* By one message each, through adapter->build. */
void adapter_apply(const struct kern_adapter *adapter, struct kern *kern, struct arena *arena,
		   struct op *ops, size_t n);
/* Sends a dump request for that kind, with the noun in front of what failed. */
int adapter_dump(struct kern *kern, struct nlmsghdr *request, struct messages *messages,
		 const char *noun, struct err *err) must_check;
