/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A packet's way through the rules of one base chain, as far as they can be judged. Pure. */

#include "kernel/ruleset.h"

struct hazard_packet {
	const char *in, *out;              /* devices; "": not known */
	struct prefix source, destination; /* all of these; length 0: any */
	bool outer;                        /* of protocol 4; else of any other */
	uint8_t state;                     /* one of enum ruleset_state */
};

struct hazard_walk {
	const struct ruleset *ruleset;
	const struct hazard_packet *packet;
	unsigned steps; /* rules looked at: chains may be entered any number of times */

	/* what came out; of a rule that asks what is not known here: perhaps */
	bool dropped;                  /* when no rule of which that is said takes it before */
	bool perhaps_accepted;         /* by such a rule, before */
	const struct ruleset_rule *by; /* that dropped it; NULL: the policy */
	const struct ruleset_chain *by_chain;
	const struct ruleset_chain
		*protocol_drop;              /* it has a rule that drops protocol 4, perhaps */
	bool translated, perhaps_translated; /* its source */
};

enum hazard_match { HAZARD_NO, HAZARD_PERHAPS, HAZARD_YES };

/* Does that rule take this packet? */
enum hazard_match hazard_walk_match(const struct ruleset_rule *rule,
				    const struct hazard_packet *packet);
/* ruleset and packet are set, the rest is 0. */
void hazard_walk(struct hazard_walk *walk, const struct ruleset_chain *chain);
