/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of the far end: out of the tunnel to the destination, and the reply back into it. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "daemon/why_device.h"
#include "daemon/why_end.h"
#include "daemon/why_mtu.h"
#include "daemon/why_refusal.h"

static bool is_local(const struct why_known *known)
{
	return known->path.asked && !known->path.answer.error && known->path.answer.local;
}

/* They are sent to somebody else; the fix is the other end's. */
static bool say_no_address(const struct why_known *known, struct why_check *check)
{
	struct addr asked = known->question.local;
	const struct tunnel *tunnel = why_find_tunnel(&known->world, (struct addr){0},
						      known->question.peer);
	char local[ADDR_TEXT], own[ADDR_TEXT];

	if (!asked.host || facts_addr(known->world.facts, asked))
		return false;
	addr_text(asked, local);
	if (tunnel)
		why_say(check, WHY_BROKEN,
			"nothing came, and %s is no address of this host: %s is at %s, which the "
			"other end's tunnel should lead to",
			local, tunnel->head.name,
			addr_text(why_find_local(&known->world, tunnel), own));
	else
		why_say(check, WHY_BROKEN, "nothing came, and %s is no address of this host",
			local);
	return true;
}

static void judge_arrival(const struct why_known *known, struct why_check *check)
{
	unsigned came = why_hop_probes(
		why_hop_count(known, TRACE_OUT, TRACE_OUTER, TRACE_PREROUTING, TRACE_FIRST));
	char peer[ADDR_TEXT], on[WHY_ON];

	addr_text(known->question.peer, peer);
	if (came) {
		why_say(check, came < PROBE_COUNT ? WHY_WARN : WHY_OK,
			"protocol 4 from %s%s: %u of %d probes", peer,
			why_hop_on(known, TRACE_OUT, TRACE_CAME, "on", on), came, PROBE_COUNT);
		return;
	}
	why_object(check, "the way from %s", peer);
	if (why_device_judge(known, WHY_DOOR_UNDERLAY, check) || say_no_address(known, check))
		return;
	why_say(check, WHY_BROKEN,
		"no protocol 4 from %s: blocked between the hosts (security group, firewall)",
		peer);
}

/* The one that is meant: of its other end, else of its own. */
static const struct tunnel *nearest(const struct why_known *known, bool *same_remote)
{
	const struct resources *list = &known->world.declaration->kind[KIND_TUNNEL];
	const struct tunnel *found = why_find_tunnel(&known->world, (struct addr){0},
						     known->question.peer);

	*same_remote = found;
	for (size_t i = 0; i < list->len && !found; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)list->v[i];
		struct prefix unused;

		if (why_find_subnet(tunnel, known->from, &unused))
			found = tunnel;
	}
	for (size_t i = 0; i < list->len && !found; i++) {
		const struct tunnel *tunnel = (const struct tunnel *)list->v[i];

		if (why_find_local(&known->world, tunnel).host == known->question.local.host)
			found = tunnel;
	}
	return found;
}

static void judge_no_tunnel(const struct why_known *known, struct why_check *check)
{
	bool same_remote;
	const struct tunnel *tunnel = nearest(known, &same_remote);
	char peer[ADDR_TEXT], local[ADDR_TEXT], other[ADDR_TEXT], given[ADDR_TEXT + 10] = "";
	char beside[PREFIX_TEXT], stem[ADDR_TEXT + 4], name[RESOURCE_NAME], device[IFNAMSIZ];

	addr_text(known->question.peer, peer);
	snprintf(stem, sizeof(stem), "to-%s", peer);
	if (known->question.local.host)
		snprintf(given, sizeof(given), " --local %s",
			 addr_text(known->question.local, local));
	if (!tunnel) {
		why_say(check, WHY_BROKEN, "no tunnel to %s is declared", peer);
		why_fix(check, "ipipctl tunnel add %s --device %s --remote %s%s --addresses %s",
			why_fix_name(known, KIND_TUNNEL, stem, name),
			why_fix_device(known, known->question.peer, device), peer, given,
			prefix_text(why_fix_beside(known), beside));
		return;
	}
	why_resource(check, KIND_TUNNEL, tunnel->head.name);
	if (same_remote) {
		why_say(check, WHY_BROKEN, "tunnel %s takes what is sent to %s, not to %s",
			tunnel->head.name, addr_text(why_find_local(&known->world, tunnel), other),
			local);
		why_fix(check, "ipipctl tunnel set %s%s", tunnel->head.name, given);
	} else {
		why_say(check, WHY_BROKEN, "tunnel %s has the remote %s, not %s", tunnel->head.name,
			addr_text(tunnel->remote, other), peer);
		why_fix(check, "ipipctl tunnel set %s --remote %s%s", tunnel->head.name, peer,
			given);
	}
}

static void judge_tunnel(const struct why_known *known, struct why_check *check)
{
	if (!known->tunnel)
		judge_no_tunnel(known, check);
	else if (!why_end_tunnel(known, check))
		why_say(check, WHY_OK, "matches %s", known->tunnel->head.name);
}

static void judge_decapsulation(const struct why_known *known, struct why_check *check)
{
	why_end_decapsulation(known, TRACE_OUT, check);
}

static const struct nat_rule *nat_of(const struct why_known *known)
{
	return why_find_nat(known, known->from, known->device, known->wan);
}

/* Makes the NAT rule that the packet needs, or enables it; true: there is one in force, and the
 * fix is another. */
static bool fix_nat_in_force(const struct why_known *known, struct why_check *check)
{
	const struct nat_rule *nat = nat_of(known);

	if (!nat) {
		why_fix_nat(known, check);
		return false;
	}
	why_resource(check, KIND_NAT_RULE, nat->head.name);
	if (!nat->head.enabled)
		why_fix(check, "ipipctl nat set %s --enabled", nat->head.name);
	return nat->head.enabled;
}

/* What opens a device: a NAT rule, or, where there is one, what it stands for. */
static void fix_forwarding(const struct why_known *known, const char *device,
			   struct why_check *check)
{
	char sysctl[WHY_SYSCTL];

	if (fix_nat_in_force(known, check))
		why_fix(check, "sysctl -w %s=1 && ipipctl reconcile",
			why_refusal_sysctl(device, "forwarding", sysctl));
}

static void judge_way_out(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->path.answer;
	char to[ADDR_TEXT], from[ADDR_TEXT];
	struct why_exit exit;

	addr_text(known->question.to, to);
	addr_text(known->from, from);
	if (a->local) {
		why_say(check, WHY_OK, "%s is an address of this host: delivered here", to);
		return;
	}
	why_say(check, WHY_OK, "%s from %s in %s: dev %s table %u", to, from, known->device,
		a->device, a->table);
	if (strcmp(a->device, known->device) != 0)
		return;
	exit = why_find_exit(known, known->tunnel->head.name, known->question.to, known->from,
			     false);
	why_say(check, WHY_BROKEN, "%s from %s in %s goes back into it, by table %u", to, from,
		known->device, a->table);
	if (exit.route) {
		why_resource(check, KIND_EXIT_ROUTE, exit.route->head.name);
		why_fix(check, "ipipctl exit set %s --no-enabled", exit.route->head.name);
	}
}

static void judge_input(const struct why_known *known, struct why_check *check)
{
	if (!known->path.asked) {
		why_say(check, WHY_BROKEN, "%s is not there", known->device);
		why_fix(check, "ipipctl reconcile");
		return;
	}
	if (!known->path.answer.error) {
		judge_way_out(known, check);
		return;
	}
	switch (why_refusal_judge(known, &known->path, &known->reverse, known->of_tunnel, check)) {
	case WHY_REFUSED_FORWARDING:
		fix_forwarding(known, known->device, check);
		break;
	case WHY_REFUSED_RP_FILTER:
		why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
		why_fix_return(known, check);
		break;
	case WHY_REFUSED_SOURCE:
	case WHY_REFUSED_NO_ROUTE:
	case WHY_REFUSED_ROUTE:
	case WHY_REFUSED_UNKNOWN:
		break;
	}
}

static void judge_rp_filter(const struct why_known *known, struct why_check *check)
{
	uint32_t drops = known->probed.seen.rp_filter_drops;
	bool came = why_hop_count(known, TRACE_OUT, TRACE_INNER, TRACE_PREROUTING, TRACE_LAST);
	bool is_in = why_hop_count(known, TRACE_OUT, TRACE_INNER, TRACE_INPUT, TRACE_FIRST) ||
		     why_hop_count(known, TRACE_OUT, TRACE_INNER, TRACE_FORWARD, TRACE_FIRST);

	why_say(check, WHY_OK, "%u dropped on this host meanwhile", drops);
	if (!drops || !came || is_in)
		return;
	why_say(check, WHY_BROKEN, "rp_filter dropped %u, and nothing of %s was let in", drops,
		known->device);
	why_object(check, "net.ipv4.conf.%s.rp_filter", known->device);
	why_fix_return(known, check);
}

/* Through forward, into this host, and out of it. */
static const struct why_hop forwarded[] = {
	{TRACE_INNER, TRACE_PREROUTING, TRACE_FIRST},
	{TRACE_INNER, TRACE_PREROUTING, TRACE_LAST},
	{TRACE_INNER, TRACE_FORWARD, TRACE_FIRST},
	{TRACE_INNER, TRACE_FORWARD, TRACE_LAST},
};
static const struct why_hop delivered[] = {
	{TRACE_INNER, TRACE_PREROUTING, TRACE_FIRST},
	{TRACE_INNER, TRACE_PREROUTING, TRACE_LAST},
	{TRACE_INNER, TRACE_INPUT, TRACE_FIRST},
	{TRACE_INNER, TRACE_INPUT, TRACE_LAST},
};

static void judge_forward(const struct why_known *known, struct why_check *check)
{
	if (why_hop_judge(known, TRACE_OUT, is_local(known) ? delivered : forwarded,
			  ARRAY_LEN(forwarded), check)
			    .end == WHY_HOP_PASSED &&
	    is_local(known))
		why_say(check, check->verdict, "delivered here");
}

/* Without a probe: which rule of ours there is. */
static void judge_nat_rule(const struct why_known *known, struct why_check *check)
{
	static const char *const actions[] = {"masquerade", "snat", "none"};
	const struct nat_rule *nat = nat_of(known);
	char from[ADDR_TEXT], to[ADDR_TEXT];

	addr_text(known->from, from);
	if (!nat) {
		why_say(check, WHY_WARN, "no NAT rule for %s out of %s", from, known->wan);
		why_fix_nat(known, check);
	} else if (why_status(known, KIND_NAT_RULE, nat->head.name)->state != STATE_READY) {
		why_fix_status(known, KIND_NAT_RULE, nat->head.name, check);
		check->verdict = WHY_WARN;
	} else if (nat->action == NAT_SNAT && !facts_addr(known->world.facts, nat->to_address)) {
		why_say(check, WHY_WARN, "%s becomes %s, which is no address of this host", from,
			addr_text(nat->to_address, to));
		why_resource(check, KIND_NAT_RULE, nat->head.name);
		why_fix(check, "ipipctl nat set %s --action masquerade --to-address ''",
			nat->head.name);
	} else {
		why_say(check, WHY_OK, "%s out of %s: %s", from, known->wan, actions[nat->action]);
		why_resource(check, KIND_NAT_RULE, nat->head.name);
	}
}

static void judge_untranslated(const struct why_known *known, struct why_check *check)
{
	const struct nat_rule *nat = nat_of(known);
	bool answered = known->probed.seen.flow.replied;
	char from[ADDR_TEXT];

	addr_text(known->from, from);
	if (nat && nat->action == NAT_NONE && nat->head.enabled) {
		why_say(check, WHY_OK, "%s stays as it is, as declared", from);
		why_resource(check, KIND_NAT_RULE, nat->head.name);
		return;
	}
	why_say(check, answered ? WHY_WARN : WHY_BROKEN, "%s leaves by %s untranslated%s", from,
		known->wan, answered ? ", and is answered" : "");
	if (fix_nat_in_force(known, check))
		why_fix(check, "ipipctl reconcile");
}

enum { FIRST_NAT_PRIORITY = -150 }; /* behind conntrack, before whatever has no reason to be so */

/* The first nat chain that binds a flow wins. */
static void fix_foreign_nat(const struct why_known *known, struct why_check *check)
{
	struct prefix source = {known->from, 32};
	char text[PREFIX_TEXT];

	why_object(check, "another's nat chain, of a priority before %d", OUR_NAT_PRIORITY);
	why_find_subnet(known->tunnel, known->from, &source);
	if (shell_word(known->wan))
		why_fix(check,
			"nft 'add table ip why; add chain ip why nat { type nat hook postrouting "
			"priority %d; }; add rule ip why nat oifname \"%s\" ip saddr %s "
			"masquerade'",
			FIRST_NAT_PRIORITY, known->wan, prefix_text(source, text));
}

/* Past a chain of others that comes first: to ours. */
static void fix_translator(const struct why_known *known, struct why_check *check)
{
	const struct why_chain *chain = &known->translator;
	char from[ADDR_TEXT];

	why_object(check, "nft %s %s %s", chain->family, chain->table, chain->name);
	if (shell_word(chain->table) && shell_word(chain->name))
		why_fix(check, "nft 'insert rule %s %s %s ip saddr %s accept'", chain->family,
			chain->table, chain->name, addr_text(known->from, from));
}

/* Who could have done it: our rule, or another's chain. */
static void blame_nat(const struct why_known *known, struct why_check *check)
{
	const struct nat_rule *nat = nat_of(known);
	bool is_named = *known->translator.table;

	if (nat && nat->action == NAT_SNAT &&
	    nat->to_address.host == known->probed.seen.flow.source.host) {
		why_resource(check, KIND_NAT_RULE, nat->head.name);
		why_fix(check, "ipipctl nat set %s --action masquerade --to-address ''",
			nat->head.name);
	} else if (is_named && (nat || known->translator.priority < OUR_NAT_PRIORITY)) {
		fix_translator(known, check);
	} else if (nat) {
		fix_foreign_nat(known, check);
	} else {
		why_object(check, "another's nat chain");
		why_fix_nat(known, check);
	}
}

static void judge_nat(const struct why_known *known, struct why_check *check)
{
	const struct trace_flow *flow = &known->probed.seen.flow;
	const struct fact_addr *own = facts_addr(known->world.facts, flow->source);
	char from[ADDR_TEXT], source[ADDR_TEXT];

	addr_text(known->from, from);
	addr_text(flow->source, source);
	if (is_local(known)) {
		why_say(check, WHY_OK, "delivered here");
	} else if (!known->probed.done || !flow->known) {
		judge_nat_rule(known, check);
	} else if (flow->source.host == known->from.host) {
		judge_untranslated(known, check);
	} else if (own && strcmp(own->device, known->wan) == 0) {
		const struct nat_rule *nat = nat_of(known);

		why_say(check, WHY_OK, "%s becomes %s of %s", from, source, known->wan);
		if (nat)
			why_resource(check, KIND_NAT_RULE, nat->head.name);
	} else {
		why_say(check, flow->replied ? WHY_WARN : WHY_BROKEN,
			"%s becomes %s, which %s has not%s", from, source, known->wan,
			flow->replied ? "; still it is answered" : "");
		blame_nat(known, check);
	}
}

static void judge_leave(const struct why_known *known, struct why_check *check)
{
	static const struct why_hop hops[] = {
		{TRACE_INNER, TRACE_POSTROUTING, TRACE_FIRST},
		{TRACE_INNER, TRACE_POSTROUTING, TRACE_LAST},
	};
	const char *by = known->probed.seen.devices[TRACE_OUT][TRACE_INNER][TRACE_LEFT];

	if (is_local(known)) {
		why_say(check, WHY_OK, "delivered here");
		return;
	}
	if (why_hop_judge(known, TRACE_OUT, hops, ARRAY_LEN(hops), check).end != WHY_HOP_PASSED)
		return;
	if (!why_hop_beyond(known, TRACE_OUT, TRACE_INNER, check))
		why_say(check, check->verdict, "%u of %u left by %s",
			why_hop_probes(why_hop_count(known, TRACE_OUT, TRACE_INNER,
						     TRACE_POSTROUTING, TRACE_LAST)),
			why_hop_probes(why_hop_count(known, TRACE_OUT, TRACE_INNER,
						     TRACE_POSTROUTING, TRACE_FIRST)),
			*by ? by : known->wan);
}

/* The destination says itself that nothing listens there: an answer, though none of the flow. */
static bool say_declined(const struct why_known *known, struct why_check *check)
{
	bool declined = known->question.protocol == IPPROTO_UDP &&
			known->probed.seen.counts.beside[TRACE_TOLD_NO_PORT];
	char to[ADDR_TEXT];

	if (declined)
		why_say(check, WHY_OK, "%s answers by ICMP: nothing listens on port %u",
			addr_text(known->question.to, to), known->question.port);
	return declined;
}

static void judge_reply(const struct why_known *known, struct why_check *check)
{
	enum trace_hook hook = is_local(known) ? TRACE_OUTPUT : TRACE_PREROUTING;
	uint32_t came = why_hop_count(known, TRACE_BACK, TRACE_INNER, hook, TRACE_FIRST);
	char to[ADDR_TEXT];

	addr_text(known->question.to, to);
	if (came)
		why_say(check, WHY_OK, "%u of %d %s", why_hop_probes(came), PROBE_COUNT,
			is_local(known) ? "answered here" : "came back");
	else if (why_device_judge(known, WHY_DOOR_WAN, check) || say_declined(known, check))
		return;
	else if (known->question.protocol == IPPROTO_UDP)
		why_say(check, WHY_UNKNOWN, "%s does not answer, which UDP need not", to);
	else
		why_say(check, WHY_BROKEN, "%s does not answer, or its answer does not find back",
			to);
}

static void fix_return(const struct why_known *known, enum why_refusal refusal,
		       struct why_check *check)
{
	const char *in = known->back.question.in;

	switch (refusal) {
	case WHY_REFUSED_FORWARDING:
		fix_forwarding(known, in, check);
		break;
	case WHY_REFUSED_RP_FILTER:
		why_refusal_loosen(known, in, &known->out, check);
		break;
	case WHY_REFUSED_ROUTE:
	case WHY_REFUSED_NO_ROUTE:
		why_fix_return(known, check);
		break;
	case WHY_REFUSED_SOURCE:
	case WHY_REFUSED_UNKNOWN:
		break;
	}
}

static void judge_return(const struct why_known *known, struct why_check *check)
{
	const struct route_answer *a = &known->back.answer;
	const char *in = known->back.question.in;
	char from[ADDR_TEXT];

	addr_text(known->from, from);
	/* seen to be let in counts more: what the kernel says depends on more than it is asked */
	if (a->error && why_hop_count(known, TRACE_BACK, TRACE_INNER, TRACE_FORWARD, TRACE_FIRST)) {
		why_say(check, WHY_OK, "replies to %s are let in by %s", from, in);
	} else if (a->error && *in) {
		fix_return(
			known,
			why_refusal_judge(known, &known->back, &known->out, known->of_back, check),
			check);
	} else if (a->error) {
		why_say(check, WHY_BROKEN, "no way back to %s: %s", from, strerror(-a->error));
		why_fix_return(known, check);
	} else if (strcmp(a->device, known->device) != 0) {
		why_say(check, WHY_BROKEN, "replies to %s leave by %s, table %u, not by %s", from,
			a->device, a->table, known->device);
		why_object(check, "route of table %u", a->table);
		why_fix_return(known, check);
	} else {
		why_say(check, WHY_OK, "%s dev %s table %u", from, a->device, a->table);
		why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	}
}

/* The kernel would let it in, if it is asked: what the packet carries besides, as a mark or a TOS,
 * leads elsewhere. */
static void say_reply_filtered(const struct why_known *known, struct why_check *check)
{
	const char *in = known->back.question.in;

	why_say(check, WHY_BROKEN, "rp_filter dropped %u, and no reply was let in by %s",
		known->probed.seen.rp_filter_drops, in);
	why_object(check, "net.ipv4.conf.%s.rp_filter", in);
	why_refusal_loosen(known, in, &known->out, check);
}

static void judge_reply_forward(const struct why_known *known, struct why_check *check)
{
	static const struct why_hop out[] = {
		{TRACE_INNER, TRACE_OUTPUT, TRACE_FIRST},
		{TRACE_INNER, TRACE_OUTPUT, TRACE_LAST},
	};
	bool local = is_local(known);
	struct why_passage passage = why_hop_judge(known, TRACE_BACK, local ? out : forwarded,
						   local ? ARRAY_LEN(out) : ARRAY_LEN(forwarded),
						   check);

	if (passage.end == WHY_HOP_NONE)
		say_declined(known, check);
	else if (passage.end == WHY_HOP_LOST && known->probed.seen.rp_filter_drops &&
		 !known->back.answer.error) /* which says why by itself */
		say_reply_filtered(known, check);
}

/* The tunnel took it, and sent nothing. */
static void judge_not_encapsulated(const struct why_known *known, struct why_check *check)
{
	if (why_end_loop(known, check))
		return;
	why_end_underlay(known, check);
	if (check->verdict == WHY_BROKEN)
		return;
	why_say(check, WHY_BROKEN, "%s took the reply, and sent none", known->device);
	why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
}

static void judge_reply_send(const struct why_known *known, struct why_check *check)
{
	/* that it was forwarded is told already */
	const unsigned first = WHY_HOP_POSTROUTING, n = WHY_HOPS_SENT - first;
	struct why_passage passage = why_hop_judge(known, TRACE_BACK, why_hops_sent + first, n,
						   check);
	char peer[ADDR_TEXT], by[WHY_ON];

	if (passage.end == WHY_HOP_NONE)
		say_declined(known, check);
	else if (passage.end == WHY_HOP_LOST && first + passage.at == WHY_HOP_OUTER)
		judge_not_encapsulated(known, check);
	else if (passage.end == WHY_HOP_PASSED &&
		 !why_hop_beyond(known, TRACE_BACK, TRACE_OUTER, check))
		why_say(check, check->verdict, "%u replies left%s as protocol 4 to %s",
			why_hop_probes(why_hop_count(known, TRACE_BACK, TRACE_OUTER,
						     TRACE_POSTROUTING, TRACE_LAST)),
			why_hop_on(known, TRACE_BACK, TRACE_LEFT, "by", by),
			addr_text(known->question.peer, peer));
}

const struct why_judge why_exit_judges[] = {
	{WHY_OUT, "arrival", true, judge_arrival},
	{WHY_OUT, "tunnel", false, judge_tunnel},
	{WHY_OUT, "decapsulation", true, judge_decapsulation},
	{WHY_OUT, "input", false, judge_input},
	{WHY_OUT, "rp_filter", true, judge_rp_filter},
	{WHY_OUT, "forward", true, judge_forward},
	{WHY_OUT, "nat", false, judge_nat},
	{WHY_OUT, "leave", true, judge_leave},
	{WHY_BACK, "reply", true, judge_reply},
	{WHY_BACK, "return", false, judge_return},
	{WHY_BACK, "reply-forward", true, judge_reply_forward},
	{WHY_BACK, "reply-send", true, judge_reply_send},
	{WHY_BACK, "mtu", true, why_mtu_judge},
};
const unsigned why_exit_judges_count = ARRAY_LEN(why_exit_judges);
