/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet meets in other people's rules. A rule that asks more than we can tell is passed
 * by, and remembered: who reads the result says "may" then. So a firewall that lets us through
 * under conditions is not called one that drops, and one that drops something is not called a
 * hazard.
 */
#include "daemon/hazard_walk.h"

#include <netinet/in.h>
#include <string.h>

enum { DEPTH_MAX = 16, STEPS_MAX = 20000 };

enum end { END_ACCEPT, END_DROP, END_GOES_ON };

static enum hazard_match of(bool matches, bool other_than)
{
	return matches != other_than ? HAZARD_YES : HAZARD_NO;
}

static enum hazard_match match_device(const struct ruleset_device *device, const char *name)
{
	if (!device->given)
		return HAZARD_YES;
	if (!*name)
		return HAZARD_PERHAPS;
	size_t len = strlen(device->name);
	bool equal = device->begins ? strncmp(device->name, name, len) == 0
				    : strcmp(device->name, name) == 0;
	return of(equal, device->other_than);
}

static enum hazard_match match_addresses(const struct ruleset_addresses *asked, struct prefix has)
{
	if (!asked->given)
		return HAZARD_YES;
	if (asked->prefix.len <= has.len && prefix_covers(asked->prefix, has.addr))
		return of(true, asked->other_than);
	if (!prefix_overlaps(asked->prefix, has))
		return of(false, asked->other_than);
	return HAZARD_PERHAPS;
}

static enum hazard_match match_protocol(const struct ruleset_rule *rule, bool outer)
{
	if (!rule->protocol_given)
		return HAZARD_YES;
	if (outer || rule->protocol == IPPROTO_IPIP)
		return of(outer && rule->protocol == IPPROTO_IPIP, rule->protocol_other_than);
	return HAZARD_PERHAPS;
}

enum hazard_match hazard_walk_match(const struct ruleset_rule *rule,
				    const struct hazard_packet *packet)
{
	const enum hazard_match matches[] = {
		rule->flags & RULESET_NEVER ? HAZARD_NO : HAZARD_YES,
		rule->flags & RULESET_CONDITION ? HAZARD_PERHAPS : HAZARD_YES,
		rule->states && !(rule->states & packet->state) ? HAZARD_NO : HAZARD_YES,
		match_protocol(rule, packet->outer),
		match_device(&rule->in, packet->in),
		match_device(&rule->out, packet->out),
		match_addresses(&rule->source, packet->source),
		match_addresses(&rule->destination, packet->destination),
	};
	enum hazard_match least = HAZARD_YES;

	for (size_t i = 0; i < ARRAY_LEN(matches); i++)
		if (matches[i] < least)
			least = matches[i];
	return least;
}

static bool is_about_protocol(const struct ruleset_rule *rule)
{
	return rule->protocol_given && !rule->protocol_other_than && rule->protocol == IPPROTO_IPIP;
}

static enum end walk_chain(struct hazard_walk *walk, const struct ruleset_chain *chain,
			   unsigned depth);

/* What the chain says that a rule leads to; with `perhaps` it counts as remembered only. */
static enum end walk_target(struct hazard_walk *walk, const struct ruleset_rule *rule, bool perhaps,
			    unsigned depth)
{
	struct hazard_walk inside = *walk;

	if (rule->target == RULESET_NO_CHAIN || depth >= DEPTH_MAX) {
		walk->perhaps_accepted = true;
		return END_GOES_ON;
	}
	enum end end = walk_chain(&inside, &walk->ruleset->chains.v[rule->target], depth + 1);
	if (perhaps) {
		inside.perhaps_accepted |= end == END_ACCEPT;
		inside.perhaps_translated |= inside.translated;
		inside.translated = walk->translated;
		inside.by = walk->by;
		inside.by_chain = walk->by_chain;
		end = END_GOES_ON;
	}
	*walk = inside;
	return end;
}

static enum end walk_rule(struct hazard_walk *walk, const struct ruleset_chain *chain,
			  const struct ruleset_rule *rule, bool perhaps)
{
	bool snat = rule->flags & RULESET_SNAT;

	switch ((enum ruleset_verdict)rule->verdict) {
	case RULESET_ACCEPT:
		walk->translated |= snat && !perhaps;
		walk->perhaps_translated |= snat && perhaps;
		walk->perhaps_accepted |= perhaps;
		return perhaps ? END_GOES_ON : END_ACCEPT;
	case RULESET_DROP:
		if (walk->packet->outer && is_about_protocol(rule))
			walk->protocol_drop = chain;
		if (perhaps)
			return END_GOES_ON;
		walk->by = rule;
		walk->by_chain = chain;
		return END_DROP;
	case RULESET_OTHER:
		walk->perhaps_accepted = true;
		return END_GOES_ON;
	case RULESET_NONE:
	case RULESET_RETURN:
	case RULESET_JUMP:
	case RULESET_GOTO:
		break;
	}
	return END_GOES_ON;
}

static enum end walk_chain(struct hazard_walk *walk, const struct ruleset_chain *chain,
			   unsigned depth)
{
	walk->perhaps_accepted |= !chain->read;
	for (uint32_t i = 0; chain->read && i < chain->len; i++) {
		const struct ruleset_rule *rule = &walk->ruleset->rules.v[chain->first + i];
		enum hazard_match match = hazard_walk_match(rule, walk->packet);
		bool goes = rule->verdict == RULESET_JUMP || rule->verdict == RULESET_GOTO;

		if (++walk->steps > STEPS_MAX) {
			walk->perhaps_accepted = true;
			return END_GOES_ON;
		}
		if (match == HAZARD_NO)
			continue;
		bool perhaps = match == HAZARD_PERHAPS;
		enum end end = goes ? walk_target(walk, rule, perhaps, depth)
				    : walk_rule(walk, chain, rule, perhaps);
		if (end != END_GOES_ON)
			return end;
		if (!perhaps && (rule->verdict == RULESET_RETURN || rule->verdict == RULESET_GOTO))
			break;
	}
	return END_GOES_ON;
}

void hazard_walk(struct hazard_walk *walk, const struct ruleset_chain *chain)
{
	enum end end = walk_chain(walk, chain, 0);

	walk->dropped = end == END_DROP || (end == END_GOES_ON && chain->drops);
	if (walk->dropped && !walk->by)
		walk->by_chain = chain;
}
