/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that both ends have. */
#include "daemon/why_end.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/why_device.h"
#include "daemon/why_refusal.h"
#include "daemon/why_route.h"

bool why_end_tunnel(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = known->tunnel;
	const struct status *status = why_status(known, KIND_TUNNEL, tunnel->head.name);
	const struct fact_link *link = facts_link(known->world.facts, known->device);
	const char *device = known->device;

	why_resource(check, KIND_TUNNEL, tunnel->head.name);
	if (status->state != STATE_READY) {
		why_fix_status(known, KIND_TUNNEL, tunnel->head.name, check);
		/* the device stands: the check of the underlay says more of it */
		if (link && !known->question.exit &&
		    (status->reason == REASON_LOCAL_ADDRESS_MISSING ||
		     status->reason == REASON_UNDERLAY_UNROUTABLE))
			check->verdict = WHY_WARN;
		return true;
	}
	if (link && link->up)
		return false;
	why_say(check, WHY_BROKEN, "%s is %s", device, link ? "down" : "not there");
	why_object(check, "link %s", device);
	if (link)
		why_fix(check, "ip link set %s up && ipipctl reconcile", device);
	else
		why_fix(check, "ipipctl reconcile");
	return true;
}

bool why_end_loop(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->outer.answer;
	char remote[ADDR_TEXT];

	if (!known->outer.asked || a->error || a->local || !why_is_tunnel(known, a->device))
		return false;
	why_route_say(check, WHY_BROKEN, &known->outer, ": the outer packets enter a tunnel again");
	why_object(check, "route to %s of table %u", addr_text(known->remote, remote), a->table);
	if (shell_word(a->device))
		why_fix(check, "ip route flush table %u dev %s to match %s", a->table, a->device,
			remote);
	return true;
}

void why_end_underlay(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->underlay.answer;
	char local[ADDR_TEXT], remote[ADDR_TEXT], gateway[ADDR_TEXT], via[ADDR_TEXT + 8] = "";

	addr_text(known->remote, remote);
	addr_text(known->local, local);
	why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	if (!facts_addr(known->world.facts, known->local)) {
		why_fix_underlay(known, check);
		why_say(check, WHY_BROKEN, "this host has no address %s, the tunnel's local%s",
			local,
			*check->fix
				? ""
				: ": give it back to its device, with the length of its network");
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

/* What comes to the local address and is not let in: the kernel's own answer. */
static void judge_not_in(const struct why_known *known, struct why_check *check)
{
	const struct fact_addr *own = facts_addr(known->world.facts, known->local);
	char sysctl[WHY_SYSCTL];

	if (!own || !known->probed.seen.rp_filter_drops) {
		why_object(check, "%s", own ? own->device : "the underlay");
		return;
	}
	why_say(check, WHY_BROKEN, "rp_filter of %s drops the outer packets: %u", own->device,
		known->probed.seen.rp_filter_drops);
	why_object(check, "net.ipv4.conf.%s.rp_filter", own->device);
	if (shell_word(own->device))
		why_fix(check, "sysctl -w %s=2",
			why_refusal_sysctl(own->device, "rp_filter", sysctl));
}

static void judge_not_taken(const struct why_known *known, struct why_check *check)
{
	const struct fact_link *link = facts_link(known->world.facts, known->device);

	if (why_device_judge(known, WHY_DOOR_TUNNEL, check))
		return;
	if (known->tunnel)
		why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	if (link && !link->up) {
		why_say(check, WHY_BROKEN, "%s is down", known->device);
		why_fix(check, "ip link set %s up && ipipctl reconcile", known->device);
		return;
	}
	why_say(check, WHY_BROKEN, "protocol 4 came in, but no packet out of %s",
		*known->device ? known->device : "any tunnel");
	if (!link)
		why_fix(check, "ipipctl reconcile");
}

void why_end_decapsulation(const struct why_known *known, enum trace_way way,
			   struct why_check *check)
{
	static const struct why_hop hops[] = {
		{TRACE_OUTER, TRACE_PREROUTING, TRACE_FIRST},
		{TRACE_OUTER, TRACE_PREROUTING, TRACE_LAST},
		{TRACE_OUTER, TRACE_INPUT, TRACE_FIRST},
		{TRACE_OUTER, TRACE_INPUT, TRACE_LAST},
		{TRACE_INNER, TRACE_PREROUTING, TRACE_FIRST},
	};
	struct why_passage passage = why_hop_judge(known, way, hops, ARRAY_LEN(hops), check);

	if (passage.end == WHY_HOP_LOST && passage.at == 2)
		judge_not_in(known, check);
	else if (passage.end == WHY_HOP_LOST)
		judge_not_taken(known, check);
	else if (passage.end == WHY_HOP_PASSED)
		why_say(check, check->verdict, "%u of %u came out of %s",
			why_hop_probes(why_hop_count(known, way, TRACE_INNER, TRACE_PREROUTING,
						     TRACE_FIRST)),
			why_hop_probes(why_hop_count(known, way, TRACE_OUTER, TRACE_PREROUTING,
						     TRACE_FIRST)),
			known->device);
}
