/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A kernel in memory, for tests without root: `struct kernel` with its own kernel_open,
 * kernel_namespace_cookie and kernel_boot_id, linked in place of src/kernel. It keeps objects
 * and applies ops to them with those of the kernel's manners that matter to the reconciler:
 *
 *   - a device that goes down loses its routes, one that is deleted its addresses and sysctls
 *     too; one that comes up gets the routes of its addresses, in table 254
 *   - an address that goes, also with its device, takes the routes with that prefsrc; the last
 *     one of a device all
 *   - a sysctl is put back only where it is still what we wrote, and no forwarding to 0 while
 *     the host forwards at large
 *   - EEXIST for a name, and for (local, remote, underlay) of another ipip device
 *   - ENODEV on a missing device, ENETDOWN for a route on one that is down, EINVAL for a
 *     prefsrc that is no own address, EOPNOTSUPP and EINVAL where a link cannot be changed
 *   - nft ops are one batch: all of them, or none; elements and rules need their sets
 *   - route questions follow the rules, with goto, suppress_prefixlength and our mark
 *
 * Every element of a set has counted 1 packet of 84 bytes when it is made; every link has
 * received 10 packets, 840 bytes, and sent 20 packets, 1680 bytes. The script adds to that.
 *
 * In the directory that the environment variable IPIPD_FAKE_KERNEL names (without: a host that
 * has only `lo`):
 *
 * script   Read at each observe and each look at the events; whenever the file is another
 *          one (inode, time or size), all its lines are executed once, and the fail and
 *          refuse lines of the one before end. Replace it by rename. The agent
 *          is woken by that. Empty lines and `# comments` are skipped; a line that is
 *          not understood aborts the program.
 *   link NAME [up|down] [mtu N] [driver WORD] [group N] [alias TEXT] [ttl N]
 *            [tos N] [local ADDR] [remote ADDR]
 *                                            made when it is missing (up, mtu 1500), or changed
 *   foreign-link NAME ipip LOCAL REMOTE      a tunnel of somebody else's
 *   addr DEVICE ADDR/LEN
 *   route PREFIX|default dev DEVICE [via ADDR] [src ADDR] [table N] [metric N] [protocol N]
 *            main table and protocol 4 when not given; replaces one of that key
 *   rule PRIORITY [from PREFIX] lookup TABLE [suppress N] [protocol N]
 *   element SET PREFIX                       into our nft table, by somebody else
 *   delete link NAME | addr DEVICE ADDR/LEN | route PREFIX [table N] [metric N]
 *            | rule PRIORITY (all of that priority) | set NAME | chain NAME | element SET PREFIX
 *   traffic link NAME COUNTER N …            rx_bytes, tx_errors and so on: so many more
 *   traffic element SET PREFIX packets|bytes N …
 *   flush nft                                our table and all in it
 *   sysctl ip_forward 0|1                    rewrites forwarding of every device, if it changes
 *   sysctl DEVICE|default forwarding|rp_filter N
 *   fail KIND|* VERB|* KEYGLOB ERRNO [TEXT]  such ops fail, with that text ("link", "add",
 *                                            "tun_*", "EPERM"); an nft one fails its batch
 *   refuse-observe ERRNO                     observe fails: EINTR is an interrupted dump
 *   by PORT [NAME [PID]]                     who does what this script does; with a name by
 *                                            nftables, which tells it and the PID (else PORT).
 *                                            Two lines: two of them
 *   refuse-count ERRNO                       so do the counters, all at once
 *   slow-count MS                            those of elements take so long to read
 *   slow-apply MS                            each change takes so long, of nft's none
 *   overrun                                  events were lost
 *   flap DEVICE                              goes down and comes up, as one event of the link
 *   quiet                                    no event tells of what this script does
 *   foreign-chain FAMILY TABLE NAME [nat] HOOK PRIORITY accept|drop
 *            a base chain in somebody else's table of nftables
 *   foreign-rule FAMILY TABLE NAME accept|drop|snat [in DEVICE] [out DEVICE]
 *   flush foreign                            all of these
 *   neighbour DEVICE ADDR none|incomplete|reachable|stale|delay|probe|failed|permanent|needless
 *   seen out|back inner|outer prerouting|input|forward|output|postrouting first|last COUNT
 *   drop out|back inner|outer HOOK FAMILY TABLE CHAIN [HANDLE]
 *   flow SOURCE DESTINATION [replied]        what conntrack has: the addresses of replies
 *   left DEVICE                              by which the packets left
 *   rp-filter COUNT                          so many were dropped by it
 *                                            these five: what every trace sees, until the next
 *                                            script
 *   next                                     the lines behind it wait until a trace has looked
 *   refuse-trace ERRNO                       no trace can be opened
 * state    Written (by rename) after each apply and script: all objects in the order of kinds
 *          and keys, one a line: noun, key, then field=value for the other fields;
 *          `sysctl ip_forward value=…` stands last, and `trace` while one is open.
 * memory   The same for the fake itself, so that an agent that starts again finds what it left.
 *          Remove it, while no agent runs, for a reboot.
 * boot_id, cookie   What kernel_boot_id and kernel_namespace_cookie return; fixed without them.
 */

#include <sys/stat.h>

#include "base/text.h"
#include "kernel/kernel.h"

struct fake_failure {
	char kind[16], verb[16], key[96]; /* key: a glob */
	int number;                       /* negative errno */
	char text[160];
};

struct fake_link_count {
	uint32_t ifindex; /* none is given twice */
	struct link_stats stats;
};

struct fake_element_count {
	struct nft_element key;
	struct element_stats stats;
};

struct fake_foreign_rule {
	size_t chain; /* by number */
	struct ruleset_rule rule;
};

/* Somebody else's rules; the names are malloc'ed. */
struct fake_ruleset {
	struct ruleset_chains chains;
	struct fake_foreign_rules vec_of(struct fake_foreign_rule) rules;
	bool changed; /* and nobody was told yet */
};

struct fake_neighbour {
	char device[IFNAMSIZ];
	struct addr addr;
	struct neighbour neighbour;
};

/* One sysctl of net.ipv4.conf is an object like the others: made and gone with its device. */
struct fake {
	struct kernel kernel;
	struct objects state; /* sorted; each object is malloc'ed by itself */
	bool ip_forward;
	uint32_t default_rp_filter;
	uint32_t last_ifindex; /* none is given twice */
	struct fake_failures vec_of(struct fake_failure) failures;
	int refuse_observe; /* negative errno, 0 */
	struct culprit by;  /* the script's changes */
	int refuse_count;
	unsigned slow_count_ms, slow_apply_ms;
	bool quiet; /* no event tells of the script */
	char flapped[IFNAMSIZ];
	bool overrun; /* events were lost, and nobody was told yet */
	struct fake_ruleset foreign;
	struct fake_neighbours vec_of(struct fake_neighbour) neighbours;
	bool tracing;
	bool trace_left; /* by a close that was refused */
	int refuse_trace, refuse_trace_close;
	struct text later; /* lines of the script behind a `next` */
	struct trace_seen seen;
	/* traffic since it was made, and devices that the script took away since the last events */
	struct fake_link_counts vec_of(struct fake_link_count) link_counts;
	struct fake_element_counts vec_of(struct fake_element_count) element_counts;
	struct counted_links gone;
	char *directory; /* NULL: none */
	int inotify_fd;
	struct stat script; /* of the one that was executed */
};

/* fake_kernel.c */
uint32_t fake_link_marks(const struct link *link);
struct fact_link fake_link_fact(const struct fake *fake, const struct link *link);
void fake_addr_facts(const struct fake *fake, struct facts *facts);
/* Adds it to what is observed, when the adapters would show it. */
void fake_show(enum kind_id kind, const struct object *object, struct arena *arena,
	       struct objects *observed);

/* fake_look.c: what a script changed, and the look at what a scope names. */
struct fake_memory {
	struct arena arena;
	struct objects state;
	bool ip_forward;
	uint32_t default_rp_filter;
};
void fake_look_remember(const struct fake *fake, struct fake_memory *memory);
void fake_look_compare(const struct fake *fake, const struct fake_memory *memory,
		       struct scope *scope);
void fake_look_forget(struct fake_memory *memory);
int fake_look_at(struct kernel *kernel, struct arena *arena, const struct scope *scope,
		 struct objects *observed, struct facts *facts, struct err *err);

/* fake_state.c: the set of objects, with what follows from a change of one. */
void fake_state_done(struct fake *fake);
struct object *fake_state_find(const struct fake *fake, enum kind_id kind, const void *key);
struct link *fake_state_link(const struct fake *fake, const char *device);
bool fake_state_is_own(const struct fake *fake, struct addr addr);
/* Copies it in, with every row set, over the one of its key. */
struct object *fake_state_put(struct fake *fake, enum kind_id kind, const void *object);
void fake_state_remove(struct fake *fake, enum kind_id kind, const void *key);
/* Copies the rows that are set in from. */
void fake_state_merge(enum kind_id kind, void *to, const void *from);
void fake_state_clear_nft(struct fake *fake);
void fake_state_copy_nft(const struct objects *from, struct objects *to);
void fake_state_put_link(struct fake *fake, const struct link *link);
void fake_state_remove_link(struct fake *fake, const char *device);
void fake_state_put_address(struct fake *fake, const struct address *address);
void fake_state_remove_address(struct fake *fake, const struct address *address);
void fake_state_forward(struct fake *fake, bool on);
void fake_state_text(const struct fake *fake, struct text *text);
void fake_state_save(const struct fake *fake);
void fake_state_load(struct fake *fake);

/* fake_apply.c */
void fake_apply(struct kernel *kernel, struct arena *arena, struct op *ops, size_t n);

/* fake_route.c: the answer to a route question; oif "" is any. */
int fake_route_lookup(const struct fake *fake, const struct route_question *question,
		      const char *oif, struct route_answer *answer);

/* fake_trace.c */
int fake_neighbour(struct kernel *kernel, const char *device, struct addr addr,
		   struct neighbour *neighbour, struct err *err);
int fake_sysctl(struct kernel *kernel, const char *device, const char *name, int *value,
		struct err *err);
int fake_trace_open(struct kernel *kernel, const struct trace_question *question, struct err *err);
int fake_trace_read(struct kernel *kernel, struct trace_seen *seen, struct err *err);
int fake_trace_close(struct kernel *kernel, struct err *err);

/* fake_count.c */
struct link_stats fake_count_link(const struct fake *fake, const struct link *link);
struct element_stats fake_count_element(const struct fake *fake, const struct nft_element *element);
/* What is added to; it is made when it is missing. */
struct link_stats *fake_count_of_link(struct fake *fake, const struct link *link);
struct element_stats *fake_count_of_element(struct fake *fake, const struct nft_element *element);
/* The script is about to take the device away. */
void fake_count_gone(struct fake *fake, const struct link *link);
/* The element is made anew, or goes; NULL: all. */
void fake_count_forget(struct fake *fake, const struct nft_element *element);
int fake_count(struct kernel *kernel, unsigned what, struct counted *counted, struct err *err);

/* fake_ruleset.c */
void fake_ruleset_add_chain(struct fake *fake, const struct ruleset_chain *chain);
/* False: there is no such chain. */
bool fake_ruleset_add_rule(struct fake *fake, const char *family, const char *table,
			   const char *chain, const struct ruleset_rule *rule);
void fake_ruleset_clear(struct fake *fake);
int fake_rulesets(struct kernel *kernel, struct ruleset *ruleset, struct err *err);

/* fake_script.c: true when the script was another one, and was executed. */
bool fake_script_run(struct fake *fake);
/* Of one line, as it stands in a script. */
void fake_script_line(struct fake *fake, const char *text);
void fake_script_next(struct fake *fake); /* up to the next `next` */
