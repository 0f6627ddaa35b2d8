/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A packet on its way through the hooks, as probes were counted: how far it came, and who dropped
 * it. */

#include "daemon/why_fix.h"

struct why_hop {
	enum trace_layer layer;
	enum trace_hook hook;
	enum trace_edge edge;
};

/* Out of this host by a tunnel: the inner packet, then the one around it. */
enum { WHY_HOP_POSTROUTING = 2, WHY_HOP_OUTER = 4, WHY_HOPS_SENT = 8 };
extern const struct why_hop why_hops_sent[WHY_HOPS_SENT];

enum why_hop_end {
	WHY_HOP_NONE,    /* it did not even come to the first: the judge says so */
	WHY_HOP_PASSED,  /* all of it: said */
	WHY_HOP_DROPPED, /* within a hook: said, with what repairs it */
	WHY_HOP_LOST,    /* between two hooks, behind the one that is returned: said */
};

struct why_passage {
	enum why_hop_end end;
	unsigned at; /* of LOST: the first hop that it did not come to */
};

uint32_t why_hop_count(const struct why_known *known, enum trace_way way, enum trace_layer layer,
		       enum trace_hook hook, enum trace_edge edge);
/* " on eth0": word, and the device by which the outer packets came or left, as the trace saw; ""
 * when it saw none. */
enum { WHY_ON = IFNAMSIZ + 8 };
const char *why_hop_on(const struct why_known *known, enum trace_way way, enum trace_door door,
		       const char *word, char text[static WHY_ON]);
/* "3 of 3 probes": what came to a hop, as far as it is of plain ones. */
unsigned why_hop_probes(uint32_t count);
/* Behind postrouting, in a chain of the device itself: true, and said, when one dropped all. */
bool why_hop_beyond(const struct why_known *known, enum trace_way way, enum trace_layer layer,
		    struct why_check *check);
/* Judges a stretch of hops, in their order; what is the packet's name in its evidence. */
struct why_passage why_hop_judge(const struct why_known *known, enum trace_way way,
				 const struct why_hop *hops, unsigned n, struct why_check *check);
