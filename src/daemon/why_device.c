/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the chains of a path's devices among others' rules; what these do is hazard_walk.c's. */
#include "daemon/why_device.h"

#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "daemon/hazard_walk.h"
#include "daemon/shell_word.h"

/* Of the exit: as it was asked for, which its tunnel may not have. */
static struct addr local_of(const struct why_known *known)
{
	const struct why_question *q = &known->question;

	return q->exit && q->local.host ? q->local : known->local;
}

static struct addr peer_of(const struct why_known *known)
{
	return known->question.exit ? known->question.peer : known->remote;
}

/* What should come in there. */
static struct hazard_packet packet_of(const struct why_known *known, enum why_door door)
{
	struct prefix from = {known->from, 32}, to = {known->question.to, 32};
	const struct fact_addr *own = facts_addr(known->world.facts, local_of(known));
	bool exit = known->question.exit;
	struct hazard_packet packet = {.in = "", .out = "", .state = RULESET_NEW};

	switch (door) {
	case WHY_DOOR_UNDERLAY:
		packet.in = own ? own->device : "";
		packet.source = (struct prefix){peer_of(known), 32};
		packet.destination = (struct prefix){local_of(known), 32};
		packet.outer = true;
		break;
	case WHY_DOOR_TUNNEL:
		packet.in = known->device;
		packet.source = exit ? from : to;
		packet.destination = exit ? to : from;
		break;
	case WHY_DOOR_WAN:
		packet.in = exit ? known->wan : "";
		packet.source = to;
		break;
	case WHY_DOORS:
		break;
	}
	return packet;
}

static bool has_come(const struct why_known *known, enum why_door door)
{
	const struct trace_counts *counts = &known->probed.seen.counts;
	enum trace_way in = known->question.exit ? TRACE_OUT : TRACE_BACK;
	enum trace_way way = door == WHY_DOOR_WAN ? TRACE_BACK : in;
	enum trace_layer layer = door == WHY_DOOR_UNDERLAY ? TRACE_OUTER : TRACE_INNER;

	return counts->packets[way][layer][TRACE_PREROUTING][TRACE_FIRST];
}

static bool is_of(const struct ruleset_chain *chain, const char *device)
{
	if (!chain->base || chain->nat || chain->hook != NF_INET_PRE_ROUTING)
		return false;
	for (size_t i = 0; chain->devices && chain->devices[i]; i++)
		if (strcmp(chain->devices[i], device) == 0)
			return true;
	return false;
}

/* What may be let through by a rule that asks more than is known here is not said to be dropped. */
static bool drops(const struct ruleset *ruleset, const struct ruleset_chain *chain,
		  const struct hazard_packet *packet)
{
	struct hazard_walk walk = {.ruleset = ruleset, .packet = packet};

	hazard_walk(&walk, chain);
	return walk.dropped && !walk.perhaps_accepted;
}

static void find_chain(struct why_known *known, const struct ruleset *ruleset, enum why_door door)
{
	struct hazard_packet packet = packet_of(known, door);
	struct why_chain *found = &known->doors[door];

	for (size_t i = 0; *packet.in && i < ruleset->chains.len; i++) {
		const struct ruleset_chain *chain = &ruleset->chains.v[i];

		if (*found->table || !is_of(chain, packet.in) || !drops(ruleset, chain, &packet) ||
		    strlen(chain->table) >= TRACE_NAME || strlen(chain->name) >= TRACE_NAME)
			continue;
		snprintf(found->family, sizeof(found->family), "%s", chain->family);
		snprintf(found->table, sizeof(found->table), "%s", chain->table);
		snprintf(found->name, sizeof(found->name), "%s", chain->name);
	}
}

void why_device_ask(struct why_known *known)
{
	struct kernel *kernel = known->world.kernel;
	struct ruleset ruleset = {0};
	struct err err = {0};
	bool all_came = true;

	for (enum why_door door = 0; door < WHY_DOORS; door++)
		all_came &= has_come(known, door);
	if (!known->probed.done || all_came)
		return;
	if (kernel->vt->rulesets(kernel, &ruleset, &err) == 0)
		for (enum why_door door = 0; door < WHY_DOORS; door++)
			if (!has_come(known, door))
				find_chain(known, &ruleset, door);
	ruleset_done(&ruleset);
}

static void fix(const struct why_known *known, enum why_door door, struct why_check *check)
{
	const struct why_chain *chain = &known->doors[door];
	struct hazard_packet packet = packet_of(known, door);
	char addr[ADDR_TEXT];

	if (!shell_word(chain->table) || !shell_word(chain->name) || !shell_word(packet.in))
		return;
	why_fix(check, "nft 'insert rule %s %s %s iifname \"%s\" %sip saddr %s accept'",
		chain->family, chain->table, chain->name, packet.in,
		packet.outer ? "ip protocol 4 " : "", addr_text(packet.source.addr, addr));
}

bool why_device_judge(const struct why_known *known, enum why_door door, struct why_check *check)
{
	const struct why_chain *chain = &known->doors[door];

	if (!*chain->table)
		return false;
	why_say(check, WHY_BROKEN, "%s %s %s drops them as they come in by %s", chain->family,
		chain->table, chain->name, packet_of(known, door).in);
	why_object(check, "nft %s %s %s", chain->family, chain->table, chain->name);
	fix(known, door, check);
	return true;
}
