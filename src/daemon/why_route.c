/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The near end's first question: which route picks the tunnel, and if none does, why. */
#include "daemon/why_route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/why_refusal.h"

enum { TABLE_MAIN = 254, FIRST_OF_MANY = 224 /* first octet: multicast and broadcast */ };

static bool is_ours(uint32_t table)
{
	return table >= OUR_TABLE_FIRST && table <= OUR_TABLE_LAST;
}

void why_route_say(struct why_check *check, enum why_verdict verdict, const struct why_route *route,
		   const char *more)
{
	char to[ADDR_TEXT], source[ADDR_TEXT], gateway[ADDR_TEXT];
	const struct route_answer *a = &route->answer;
	/* a source that was asked with is not told again */
	struct addr src = a->source.host ? a->source : route->question.from;

	why_say(check, verdict, "%s%s%s dev %s%s%s table %u%s", addr_text(route->question.to, to),
		a->gateway.host ? " via " : "",
		a->gateway.host ? addr_text(a->gateway, gateway) : "", a->device,
		src.host ? " src " : "", src.host ? addr_text(src, source) : "", a->table, more);
}

/* A tunnel that could take it: the one that has the source, else one that is ready. */
static const struct tunnel *any_tunnel(const struct why_known *known)
{
	const struct resources *list = &known->world.declaration->kind[KIND_TUNNEL];
	const struct tunnel *found = why_find_address(&known->world, known->from);

	for (size_t i = 0; i < list->len && !found; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)list->v[i];

		if (tunnel->addresses.len &&
		    why_status(known, KIND_TUNNEL, tunnel->head.name)->state == STATE_READY)
			found = tunnel;
	}
	return found;
}

/* One more exit route for this destination: its length is that of the longest route in main. */
static void fix_by_exit(const struct why_known *known, const char *tunnel, struct why_check *check)
{
	char name[RESOURCE_NAME], stem[RESOURCE_NAME], to[ADDR_TEXT];

	snprintf(stem, sizeof(stem), "to-%s", addr_text(known->question.to, to));
	why_fix(check, "ipipctl exit add %s --tunnel %s --destinations %s/32",
		why_fix_name(known, KIND_EXIT_ROUTE, stem, name), tunnel, to);
}

static void fix_uncovered(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = any_tunnel(known);

	if (tunnel)
		fix_by_exit(known, tunnel->head.name, check);
}

/* A rule before ours, or a route of main that refuses, is passed by for this destination. */
static void fix_by_rule(const struct why_known *known, const struct why_exit *exit,
			struct why_check *check)
{
	char to[ADDR_TEXT];

	addr_text(known->question.to, to);
	if (exit->from.len)
		why_fix(check, "ip rule add priority 1 to %s goto %d", to, OUR_RULE_FIRST);
	else
		why_fix(check, "ip rule add priority 1 to %s lookup %d", to, OUR_TABLE_FIRST);
}

/* Outer packets, and what this host's own addresses say, never enter a tunnel by our rules. */
static bool passes_tunnels(const struct why_known *known)
{
	const struct resources *list = &known->world.declaration->kind[KIND_TUNNEL];
	const struct fact_addr *own = facts_addr(known->world.facts, known->from);

	if (!known->question.from.host) /* the source came with the route, not the other way */
		return false;
	for (size_t i = 0; i < list->len; i++)
		if (why_find_local(&known->world, (const struct tunnel *)list->v[i]).host ==
		    known->from.host)
			return known->from.host;
	return own && !why_is_tunnel(known, own->device);
}

static void judge_passing(const struct why_known *known, const struct why_exit *exit,
			  struct why_check *check)
{
	const struct tunnel *tunnel = (const struct tunnel *)declaration_find(
		known->world.declaration, KIND_TUNNEL, exit->route->tunnel, NULL);
	struct addr source = exit->route->source;
	char from[ADDR_TEXT], better[ADDR_TEXT];

	if (!source.host && tunnel && tunnel->addresses.len)
		source = tunnel->addresses.v[0].addr;
	why_say(check, WHY_BROKEN,
		"from %s, an underlay address, packets go past the tunnels by design: dev %s%s%s",
		addr_text(known->from, from), known->path.answer.device,
		source.host ? "; the tunnel's are from " : "",
		source.host ? addr_text(source, better) : "");
	why_resource(check, KIND_EXIT_ROUTE, exit->route->head.name);
}

/* An exit route has the destination, but not from there. */
static void judge_other_from(const struct why_known *known, const struct why_exit *exit,
			     struct why_check *check)
{
	char from[ADDR_TEXT], dst[PREFIX_TEXT];

	why_say(check, WHY_BROKEN, "%s leaves by %s: exit route %s has %s, but not from %s",
		known->question.in[0] ? "it" : "the packet", known->path.answer.device,
		exit->route->head.name, prefix_text(exit->destination, dst),
		known->from.host ? addr_text(known->from, from) : "this host itself");
	why_resource(check, KIND_EXIT_ROUTE, exit->route->head.name);
	fix_by_exit(known, exit->route->tunnel, check);
}

/* It is in force, and still another route is taken. */
static void judge_overruled(const struct why_known *known, const struct why_exit *exit,
			    struct why_check *check)
{
	const struct route_answer *a = &known->path.answer;
	bool longer = a->table == TABLE_MAIN && exit->destination.len < 32;

	why_resource(check, KIND_EXIT_ROUTE, exit->route->head.name);
	if (longer) {
		why_route_say(check, WHY_BROKEN, &known->path,
			      ", a longer route of the host's own");
		why_object(check, "route of table main");
		fix_by_exit(known, exit->route->tunnel, check);
		return;
	}
	why_route_say(check, WHY_BROKEN, &known->path, ", by a rule before those of the tunnels");
	why_object(check, "rule that looks up table %u", a->table);
	fix_by_rule(known, exit, check);
}

static void judge_error(const struct why_known *known, const struct why_exit *exit,
			struct why_check *check)
{
	const struct tunnel *holder = why_find_address(&known->world, known->from);
	bool is_own = facts_addr(known->world.facts, known->from);
	char to[ADDR_TEXT], from[ADDR_TEXT];

	addr_text(known->question.to, to);
	addr_text(known->from, from);
	if (known->from.host && !is_own) {
		why_say(check, WHY_BROKEN,
			"%s is no address of this host; another's come in by a device, which must "
			"be named (--in)",
			from);
		if (holder &&
		    why_status(known, KIND_TUNNEL, holder->head.name)->state != STATE_READY)
			why_fix_status(known, KIND_TUNNEL, holder->head.name, check);
		return;
	}
	switch (-known->path.answer.error) {
	case EINVAL:
		why_say(check, WHY_BROKEN, "%s is refused by a route or rule: blackhole", to);
		break;
	case EACCES:
		why_say(check, WHY_BROKEN, "%s is refused by a route or rule: prohibit", to);
		break;
	case EHOSTUNREACH:
		why_say(check, WHY_BROKEN, "%s is refused by a route or rule: unreachable", to);
		break;
	default:
		why_say(check, WHY_BROKEN, "no route to %s: %s", to,
			strerror(-known->path.answer.error));
	}
	if (exit->route && known->path.answer.error != -ENETUNREACH)
		fix_by_rule(known, exit, check);
	else
		fix_uncovered(known, check);
}

static void judge_refusal(const struct why_known *known, const struct why_exit *exit,
			  struct why_check *check)
{
	char sysctl[WHY_SYSCTL], back[WHY_SYSCTL];

	switch (why_refusal_judge(known, &known->path, &known->reverse, known->of_in, check)) {
	case WHY_REFUSED_FORWARDING:
		/* replies are forwarded, too */
		why_refusal_sysctl(known->question.in, "forwarding", sysctl);
		if (*known->device)
			why_fix(check, "sysctl -w %s=1 %s=1", sysctl,
				why_refusal_sysctl(known->device, "forwarding", back));
		else
			why_fix(check, "sysctl -w %s=1", sysctl);
		break;
	case WHY_REFUSED_RP_FILTER:
		why_refusal_loosen(known, known->question.in, &known->reverse, check);
		break;
	case WHY_REFUSED_NO_ROUTE:
		fix_uncovered(known, check);
		break;
	case WHY_REFUSED_ROUTE:
		if (exit->route)
			fix_by_rule(known, exit, check);
		break;
	case WHY_REFUSED_SOURCE:
	case WHY_REFUSED_UNKNOWN:
		break;
	}
}

static bool is_ready(const struct why_known *known, const struct exit_route *route)
{
	return why_status(known, KIND_EXIT_ROUTE, route->head.name)->state == STATE_READY;
}

/* An exit route for it would be none: outer packets enter no tunnel, and those to many go by none.
 */
static bool is_beside_exits(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = why_find_tunnel(&known->world, (struct addr){0},
						      known->question.to);
	uint32_t top = known->question.to.host >> 24;
	char to[ADDR_TEXT];

	addr_text(known->question.to, to);
	if (top == 0 || top >= FIRST_OF_MANY) {
		why_say(check, WHY_BROKEN,
			"%s is no host's address: broadcast and multicast go by no exit route", to);
		return true;
	}
	if (!tunnel || !tunnel->head.enabled)
		return false;
	why_say(check, WHY_BROKEN,
		"%s is the remote of %s, whose own packets enter no tunnel: ask for an address "
		"behind it",
		to, tunnel->head.name);
	why_resource(check, KIND_TUNNEL, tunnel->head.name);
	return true;
}

/* It goes elsewhere, though there is a way. */
static void judge_elsewhere(const struct why_known *known, const struct why_exit *exit,
			    struct why_check *check)
{
	struct why_exit other = why_find_exit(known, NULL, known->question.to, known->from, true);

	if (exit->route && !is_ready(known, exit->route)) {
		why_fix_status(known, KIND_EXIT_ROUTE, exit->route->head.name, check);
	} else if (exit->route && passes_tunnels(known)) {
		judge_passing(known, exit, check);
	} else if (exit->route) {
		judge_overruled(known, exit, check);
	} else if (other.route) {
		judge_other_from(known, &other, check);
	} else {
		why_route_say(check, WHY_BROKEN, &known->path, ": no exit route has it");
		fix_uncovered(known, check);
	}
}

void why_route_judge(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->path.answer;
	struct why_exit exit = why_find_exit(known, known->enters ? known->tunnel->head.name : NULL,
					     known->question.to, known->from, false);
	char to[ADDR_TEXT];

	if (!known->enters && !a->local && is_beside_exits(known, check))
		return;
	if (a->error && exit.route && !is_ready(known, exit.route)) {
		why_fix_status(known, KIND_EXIT_ROUTE, exit.route->head.name, check);
	} else if (a->error && known->question.in[0]) {
		judge_refusal(known, &exit, check);
	} else if (a->error) {
		judge_error(known, &exit, check);
	} else if (a->local) {
		why_say(check, WHY_BROKEN, "%s is an address of this host",
			addr_text(known->question.to, to));
	} else if (!known->enters) {
		judge_elsewhere(known, &exit, check);
	} else {
		why_route_say(check, WHY_OK, &known->path, "");
		if (is_ours(a->table) && exit.route)
			why_resource(check, KIND_EXIT_ROUTE, exit.route->head.name);
		else
			why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	}
}
