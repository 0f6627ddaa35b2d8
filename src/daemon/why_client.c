/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of the near end: out through the tunnel, and back out of it. */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "daemon/why_fix.h"

enum { TABLE_MAIN = 254 };

static bool is_ours(uint32_t table)
{
	return table >= OUR_TABLE_FIRST && table <= OUR_TABLE_LAST;
}

/* "180.163.26.39 dev tun_a src 192.168.1.1 table 7000" */
static void say_route(struct why_check *check, enum why_verdict verdict,
		      const struct why_route *route, const char *more)
{
	char to[ADDR_TEXT], source[ADDR_TEXT], gateway[ADDR_TEXT];
	const struct route_answer *a = &route->answer;

	why_say(check, verdict, "%s%s%s dev %s%s%s table %u%s", addr_text(route->question.to, to),
		a->gateway.host ? " via " : "",
		a->gateway.host ? addr_text(a->gateway, gateway) : "", a->device,
		a->source.host ? " src " : "", a->source.host ? addr_text(a->source, source) : "",
		a->table, more);
}

/* A tunnel that could take it: one with the source first, then one that is ready. */
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

static void fix_by_exit(const struct why_known *known, const char *tunnel, struct why_check *check)
{
	char name[RESOURCE_NAME], stem[RESOURCE_NAME], to[ADDR_TEXT];

	snprintf(stem, sizeof(stem), "to-%s", addr_text(known->question.to, to));
	why_fix(check, "ipipctl exit add %s --tunnel %s --destinations %s/32",
		why_fix_name(known, KIND_EXIT_ROUTE, stem, name), tunnel, to);
}

static void judge_uncovered(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = any_tunnel(known);

	if (tunnel)
		fix_by_exit(known, tunnel->head.name, check);
}

static void judge_route(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->path.answer;
	struct why_exit exit = why_find_exit(known, known->enters ? known->tunnel->head.name : NULL,
					     known->question.to, known->from, false);
	char to[ADDR_TEXT];

	if (a->error) {
		why_say(check, WHY_BROKEN, "no route to %s: %s", addr_text(known->question.to, to),
			strerror(-a->error));
		judge_uncovered(known, check);
	} else if (a->local) {
		why_say(check, WHY_BROKEN, "%s is an address of this host",
			addr_text(known->question.to, to));
	} else if (known->enters) {
		say_route(check, WHY_OK, &known->path, "");
		if (is_ours(a->table) && exit.route)
			why_resource(check, KIND_EXIT_ROUTE, exit.route->head.name);
		else
			why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	} else if (exit.route && why_status(known, KIND_EXIT_ROUTE, exit.route->head.name)->state !=
					 STATE_READY) {
		why_fix_status(known, KIND_EXIT_ROUTE, exit.route->head.name, check);
	} else {
		say_route(check, WHY_BROKEN, &known->path, ", which is no tunnel");
		judge_uncovered(known, check);
	}
}

static void judge_tunnel(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = known->tunnel;
	const struct status *status = why_status(known, KIND_TUNNEL, tunnel->head.name);
	const struct fact_link *link = facts_link(known->world.facts, known->device);
	char local[ADDR_TEXT], remote[ADDR_TEXT];

	why_resource(check, KIND_TUNNEL, tunnel->head.name);
	if (status->state != STATE_READY) {
		why_fix_status(known, KIND_TUNNEL, tunnel->head.name, check);
		/* whose own check says more of it */
		if (status->reason == REASON_LOCAL_ADDRESS_MISSING ||
		    status->reason == REASON_UNDERLAY_UNROUTABLE)
			check->verdict = WHY_WARN;
	} else if (link && !link->up) {
		why_say(check, WHY_BROKEN, "%s is down", known->device);
		why_fix(check, "ip link set %s up && ipipctl reconcile", known->device);
	} else {
		why_say(check, WHY_OK, "%s: outer %s > %s ttl %u", known->device,
			addr_text(known->local, local), addr_text(known->remote, remote),
			tunnel->ttl);
	}
}

static void judge_loop(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->outer.answer;
	char remote[ADDR_TEXT];

	if (a->error || !why_is_tunnel(known, a->device)) {
		why_say(check, WHY_OK, "the outer packets enter no tunnel");
		return;
	}
	say_route(check, WHY_BROKEN, &known->outer, ": the outer packets enter a tunnel again");
	why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	why_object(check, "route of table %u to %s", a->table, addr_text(known->remote, remote));
	if (why_fix_is_word(a->device))
		why_fix(check, "ip route flush table %u dev %s to match %s", a->table, a->device,
			remote);
}

static void judge_underlay(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->underlay.answer;
	char local[ADDR_TEXT], remote[ADDR_TEXT], gateway[ADDR_TEXT], via[ADDR_TEXT + 8] = "";

	addr_text(known->remote, remote);
	addr_text(known->local, local);
	why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	if (!facts_addr(known->world.facts, known->local)) {
		why_say(check, WHY_BROKEN, "this host has no address %s", local);
		why_fix_underlay(known, check);
	} else if (a->error) {
		why_say(check, WHY_BROKEN, "no route to %s: %s", remote, strerror(-a->error));
		why_fix_underlay(known, check);
	} else if (a->local) {
		why_say(check, WHY_BROKEN, "%s is an address of this host", remote);
	} else {
		if (a->gateway.host)
			snprintf(via, sizeof(via), " via %s", addr_text(a->gateway, gateway));
		why_say(check, WHY_OK, "%s%s dev %s src %s, mtu %u", remote, via, a->device, local,
			a->mtu);
		check->resource[0] = '\0';
	}
}

const struct why_judge why_client_judges[] = {
	{WHY_OUT, "route", false, judge_route},
	{WHY_OUT, "tunnel", false, judge_tunnel},
	{WHY_OUT, "loop", false, judge_loop},
	{WHY_OUT, "underlay", false, judge_underlay},
};
const unsigned why_client_judges_count = ARRAY_LEN(why_client_judges);
