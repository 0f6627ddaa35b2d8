/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why is there no reply? Judges of one host's part of a path: what is known of it (why_ask.c)
 * goes through a table of checks (why_client.c, why_exit.c), each of which says a verdict, its
 * evidence, who is to blame, and a command that repairs it. Only why_ask.c asks the kernel.
 */

#include "daemon/probe.h"
#include "daemon/status.h"
#include "kernel/kernel.h"

enum why_verdict { WHY_OK, WHY_WARN, WHY_UNKNOWN, WHY_BROKEN, WHY_NOT_REACHED };
enum why_leg { WHY_OUT, WHY_BACK };

extern const char *const why_verdict_names[WHY_NOT_REACHED + 1];
extern const char *const why_leg_names[WHY_BACK + 1];
extern const char *const why_role_names[2]; /* by `exit` of the question */
extern const char *const why_protocol_names[3];

enum {
	WHY_EVIDENCE = 161, /* texts, NUL included */
	WHY_RESOURCE = RESOURCE_NAME + 16,
	WHY_OBJECT = 160,
	WHY_FIX = 512,
	WHY_CHECKS_MAX = 20,
};

struct why_question {
	bool exit;            /* the far end's part of the path; else the near end's */
	struct addr to, from; /* from 0: what the kernel picks */
	char in[IFNAMSIZ];    /* "": the packets are this host's own */
	uint8_t protocol;     /* IPPROTO_ICMP, TCP, UDP */
	uint16_t id, port;
	struct addr peer, local; /* of the exit: outer; local 0: any own */
	uint16_t peer_mtu;       /* of the exit: of the other end's device; 0: as the own one's */
	bool probe;
};

/* Whom judges and questions ask; valid for one turn of the loop. */
struct why_world {
	struct kernel *kernel;
	const struct declaration *declaration;
	const struct facts *facts;
	const struct status *(*status)(void *user, enum kind_id kind, const char *name);
	void *user;
	bool (*has_module)(const char *name); /* of the kernel: loaded */
};

/* A route question and its answer; asked false: there was nothing to ask about. */
struct why_route {
	bool asked;
	struct route_question question;
	struct route_answer answer;
};

/* net.ipv4.conf of a device, as they are now; -1: not known */
struct why_sysctls {
	int forwarding, rp_filter;
};

/* What was seen while probes were under way. */
struct why_probed {
	bool done;                /* else nothing here holds but the fault */
	char fault[WHY_EVIDENCE]; /* why not */
	struct trace_seen seen;
	struct probe_result result;      /* of the far end: of its sizes */
	struct link_stats before, after; /* of the tunnel's device */
	uint32_t path_mtu;               /* of the outer way when it began; bytes */
};

struct why_chain {
	char family[8], table[TRACE_NAME], name[TRACE_NAME];
	int32_t priority;
};

/* Devices by which packets of a path come in; WAN: of the exit. */
enum why_door { WHY_DOOR_UNDERLAY, WHY_DOOR_TUNNEL, WHY_DOOR_WAN, WHY_DOORS };

struct why_known {
	struct why_world world;
	struct why_question question;
	struct addr from;            /* asked for, or picked */
	const struct tunnel *tunnel; /* of the path; NULL */
	char device[IFNAMSIZ];       /* its own; "" */
	struct addr local, remote;   /* its own, resolved; 0 */
	bool enters; /* client: the path goes into the tunnel, which else only could take it */
	char wan[IFNAMSIZ]; /* exit: device that packets leave by; "": none, or delivered here */
	/*
	 * first: without a source, when none was given. path: as the packet goes. outer: the packet
	 * around it, as the tunnel sends it. underlay: the same past our rules. reverse: where FROM
	 * is. out: where TO is. back: the reply as it arrives; on the exit by the device that it
	 * was seen to come by, else by the WAN device.
	 */
	struct why_route first, path, outer, underlay, reverse, out, back;
	struct why_sysctls of_all, of_tunnel, of_in, of_back; /* back: of the device it comes by */
	/* exit: by which others translate sources first; table "": none, or not asked */
	struct why_chain translator;
	struct why_chain doors[WHY_DOORS]; /* that drop what should come in; likewise */
	struct neighbour neighbour;
	int neighbour_error; /* 0: there is one; negative errno */
	struct addr neighbour_addr;
	struct why_probed probed;
};

struct why_check {
	enum why_leg leg;
	const char *name;
	enum why_verdict verdict;
	char evidence[WHY_EVIDENCE];
	char resource[WHY_RESOURCE]; /* "tunnel/tun_a"; "" */
	char object[WHY_OBJECT];     /* what is to blame where it is no resource; "" */
	char fix[WHY_FIX];           /* one line for a root shell; "" */
};

struct why_checks {
	struct why_check v[WHY_CHECKS_MAX];
	unsigned len;
	bool broken; /* one is: what comes behind it is not reached */
};

/* A row of the table of checks. */
struct why_judge {
	enum why_leg leg;
	const char *name;
	bool probed; /* it says something only when probes were sent */
	void (*judge)(const struct why_known *known, struct why_check *check);
};

/* why_client.c, why_exit.c */
extern const struct why_judge why_client_judges[], why_exit_judges[];
extern const unsigned why_client_judges_count, why_exit_judges_count;

/* why_ask.c: all that can be known without sending anything. Its pointers hold for this turn. */
void why_ask(const struct why_world *world, const struct why_question *question,
	     struct why_known *known);

/* why.c: all rows that apply. */
void why_judge(const struct why_known *known, struct why_checks *checks);
enum why_verdict why_worst(const struct why_checks *checks);

/* For judges: what does not fit is cut, but a fix, which is then none. Nor is it one that a shell
 * would take otherwise than it reads. */
void why_say(struct why_check *check, enum why_verdict verdict, const char *fmt, ...) printf_(3, 4);
void why_fix(struct why_check *check, const char *fmt, ...) printf_(2, 3);
void why_object(struct why_check *check, const char *fmt, ...) printf_(2, 3);
void why_resource(struct why_check *check, enum kind_id kind, const char *name);
