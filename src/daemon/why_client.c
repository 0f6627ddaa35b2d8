/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of the near end: out through the tunnel, and back out of it. */
#include <errno.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

#include "daemon/why_device.h"
#include "daemon/why_end.h"
#include "daemon/why_mtu.h"
#include "daemon/why_refusal.h"
#include "daemon/why_route.h"

static void judge_source(const struct why_known *known, struct why_check *check)
{
	const struct fact_addr *own = facts_addr(known->world.facts, known->from);
	const struct tunnel *holder = why_find_address(&known->world, known->from);
	char from[ADDR_TEXT];

	addr_text(known->from, from);
	if (own) {
		why_say(check, WHY_OK, "%s is an address of %s", from, own->device);
	} else if (known->question.in[0]) {
		why_say(check, WHY_OK, "%s comes in by %s", known->from.host ? from : "it",
			known->question.in);
	} else {
		bool is_bare = known->tunnel && !known->tunnel->addresses.len;

		/* which one goes with the other end's is its owner's to know */
		why_say(check, WHY_BROKEN, "%s is no address of this host%s%s",
			known->from.host ? from : "the source",
			is_bare ? ": give one (--addresses) to tunnel " : "",
			is_bare ? known->tunnel->head.name : "");
	}
	if (holder)
		why_resource(check, KIND_TUNNEL, holder->head.name);
}

static void judge_tunnel(const struct why_known *known, struct why_check *check)
{
	char local[ADDR_TEXT], remote[ADDR_TEXT];

	if (!why_end_tunnel(known, check))
		why_say(check, WHY_OK, "%s: outer %s > %s ttl %u", known->device,
			addr_text(known->local, local), addr_text(known->remote, remote),
			known->tunnel->ttl);
}

static void judge_loop(const struct why_known *known, struct why_check *check)
{
	char remote[ADDR_TEXT];

	if (!why_end_loop(known, check))
		why_say(check, WHY_OK, "what goes to %s enters no tunnel",
			addr_text(known->remote, remote));
}

static const char *neighbour_word(uint16_t state)
{
	static const struct {
		uint16_t bit;
		const char *word;
	} words[] = {
		{NUD_INCOMPLETE, "INCOMPLETE"}, {NUD_REACHABLE, "REACHABLE"},
		{NUD_STALE, "STALE"},           {NUD_DELAY, "DELAY"},
		{NUD_PROBE, "PROBE"},           {NUD_FAILED, "FAILED"},
		{NUD_NOARP, "NOARP"},           {NUD_PERMANENT, "PERMANENT"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (state & words[i].bit)
			return words[i].word;
	return "not known yet";
}

/* A gateway that is not needed, where the remote is on the link itself. Who does not answer is not
 * made to by anything here: the kernel asks again by itself. */
static void fix_neighbour(const struct why_known *known, struct why_check *check)
{
	const struct facts *facts = known->world.facts;
	char remote[ADDR_TEXT], addr[ADDR_TEXT];

	addr_text(known->remote, remote);
	addr_text(known->neighbour_addr, addr);
	for (size_t i = 0; known->underlay.answer.gateway.host && i < facts->addrs.len; i++) {
		const struct fact_addr *own = &facts->addrs.v[i];

		if (!prefix_covers((struct prefix){own->addr, own->len}, known->remote) ||
		    why_is_tunnel(known, own->device))
			continue;
		why_fix(check, "ip route flush to match %s via %s", remote, addr);
		return;
	}
}

/* FAILED stays as long as nobody asks again, so without a probe it says little. */
static void judge_neighbour(const struct why_known *known, struct why_check *check)
{
	uint16_t state = known->neighbour.state;
	const char *device = known->underlay.answer.device;
	char addr[ADDR_TEXT];

	addr_text(known->neighbour_addr, addr);
	if (known->neighbour_error) {
		why_say(check, WHY_UNKNOWN, "no neighbour to be asked about");
	} else if (known->neighbour.no_carrier) {
		why_say(check, WHY_BROKEN,
			"%s has no carrier: see to its cable, or to what is at the other end of it",
			device);
		why_object(check, "link %s", device);
	} else if (known->neighbour.needless || state & NUD_NOARP) {
		why_say(check, WHY_OK, "%s needs no neighbours", device);
	} else if (!state) {
		why_say(check, WHY_UNKNOWN, "%s dev %s: nobody asked for it yet", addr, device);
	} else if (!(state & (NUD_FAILED | NUD_INCOMPLETE))) {
		why_say(check, WHY_OK, "%s dev %s %s", addr, device, neighbour_word(state));
	} else {
		why_say(check, known->probed.done ? WHY_BROKEN : WHY_UNKNOWN,
			"%s dev %s %s: nobody answers for it: is that host up, and on that link?",
			addr, device, neighbour_word(state));
		why_object(check, "neighbour %s dev %s", addr, device);
		fix_neighbour(known, check);
	}
}

static void judge_device(const struct why_known *known, struct why_check *check)
{
	const struct link_stats *a = &known->probed.before, *b = &known->probed.after;
	unsigned sent = (unsigned)(b->tx_packets - a->tx_packets);
	unsigned collisions = (unsigned)(b->collisions - a->collisions);
	unsigned carrier = (unsigned)(b->tx_carrier_errors - a->tx_carrier_errors);
	unsigned errors = (unsigned)(b->tx_errors - a->tx_errors);
	unsigned mtu = known->probed.result.told_mtu;

	why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
	if (collisions) {
		if (!why_end_loop(known, check))
			why_say(check, WHY_BROKEN, "%u collisions: the outer packets came back",
				collisions);
	} else if (carrier) {
		why_say(check, WHY_BROKEN, "%u carrier errors: no way for the outer packets",
			carrier);
		why_fix_underlay(known, check);
	} else if (errors && mtu) { /* ip_tunnel.c counts one for each that it tells by ICMP */
		why_say(check, WHY_WARN,
			"%u of %s were too large for the outer way: ICMP told an MTU of %u", errors,
			known->device, mtu);
		why_fix(check, "ipipctl tunnel set %s --mtu %u", known->tunnel->head.name, mtu);
	} else if (errors) {
		why_say(check, WHY_WARN, "%s sent %u, and could not send %u", known->device, sent,
			errors);
	} else {
		why_say(check, WHY_OK, "%s sent %u, no collisions, no carrier errors",
			known->device, sent);
	}
}

static void judge_unsent(const struct why_known *known, struct why_check *check)
{
	int error = known->probed.result.send_error;

	why_say(check, error ? WHY_BROKEN : WHY_UNKNOWN, "the probes could not be sent: %s",
		error ? strerror(-error) : "none was seen");
}

static void judge_send(const struct why_known *known, struct why_check *check)
{
	struct why_passage passage = why_hop_judge(known, TRACE_OUT, why_hops_sent, WHY_HOPS_SENT,
						   check);
	const struct link_stats *a = &known->probed.before, *b = &known->probed.after;
	char by[WHY_ON];

	if (passage.end == WHY_HOP_NONE) {
		judge_unsent(known, check);
	} else if (passage.end == WHY_HOP_LOST && passage.at == WHY_HOP_OUTER) {
		why_say(check, WHY_BROKEN, "%s sent none: %u errors, %u dropped", known->device,
			(unsigned)(b->tx_errors - a->tx_errors),
			(unsigned)(b->tx_dropped - a->tx_dropped));
		why_resource(check, KIND_TUNNEL, known->tunnel->head.name);
		why_fix_underlay(known, check);
	} else if (passage.end == WHY_HOP_PASSED &&
		   !why_hop_beyond(known, TRACE_OUT, TRACE_OUTER, check)) {
		why_say(check, check->verdict, "%u of %u left%s as protocol 4",
			why_hop_probes(why_hop_count(known, TRACE_OUT, TRACE_OUTER,
						     TRACE_POSTROUTING, TRACE_LAST)),
			why_hop_probes(why_hop_count(known, TRACE_OUT, TRACE_INNER, TRACE_OUTPUT,
						     TRACE_FIRST)),
			why_hop_on(known, TRACE_OUT, TRACE_LEFT, "by", by));
	}
}

/* It says itself that nothing listens there: an answer, though none of the flow. */
static bool is_declined(const struct why_known *known)
{
	const struct probe_result *result = &known->probed.result;

	return known->probed.done && result->icmp_by.host == known->question.to.host &&
	       result->icmp_type == ICMP_DEST_UNREACH && result->icmp_code == ICMP_PORT_UNREACH;
}

static bool say_declined(const struct why_known *known, struct why_check *check)
{
	char to[ADDR_TEXT];

	if (is_declined(known))
		why_say(check, WHY_OK, "%s answers by ICMP: nothing listens on port %u",
			addr_text(known->question.to, to), known->question.port);
	return is_declined(known);
}

static void say_nothing_came(const struct why_known *known, struct why_check *check)
{
	const struct probe_result *result = &known->probed.result;
	char remote[ADDR_TEXT], by[ADDR_TEXT];

	addr_text(known->remote, remote);
	if (result->icmp_by.host)
		why_say(check, WHY_BROKEN,
			"no reply through the tunnel; %s says ICMP type %u code %u",
			addr_text(result->icmp_by, by), result->icmp_type, result->icmp_code);
	else if (why_hop_count(known, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING, TRACE_FIRST))
		why_say(check, WHY_BROKEN, "the replies came, but not through the tunnel");
	else if (known->question.protocol == IPPROTO_UDP)
		why_say(check, WHY_UNKNOWN, "no reply, which UDP need not have");
	else
		why_say(check, WHY_BROKEN,
			"no protocol 4 from %s: it sent none, which its agent would tell, or it is "
			"blocked on its way",
			remote);
	why_object(check, "the way from %s", remote);
}

static void judge_reply_arrival(const struct why_known *known, struct why_check *check)
{
	uint32_t came = why_hop_count(known, TRACE_BACK, TRACE_OUTER, TRACE_PREROUTING,
				      TRACE_FIRST);
	unsigned of = why_hop_probes(known->probed.result.sent);
	char remote[ADDR_TEXT], on[WHY_ON];

	if (!came &&
	    (say_declined(known, check) || why_device_judge(known, WHY_DOOR_UNDERLAY, check)))
		return;
	if (!came)
		say_nothing_came(known, check);
	else
		why_say(check, why_hop_probes(came) < of ? WHY_WARN : WHY_OK,
			"protocol 4 from %s%s: %u of %u replies", addr_text(known->remote, remote),
			why_hop_on(known, TRACE_BACK, TRACE_CAME, "on", on), why_hop_probes(came),
			of);
}

static void judge_reply_input(const struct why_known *known, struct why_check *check)
{
	if (!say_declined(known, check))
		why_end_decapsulation(known, TRACE_BACK, check);
}

static bool has_address(const struct why_known *known)
{
	return known->tunnel->addresses.len;
}

static void fix_rp_filter(const struct why_known *known, struct why_check *check)
{
	const char *name = known->tunnel->head.name;

	why_resource(check, KIND_TUNNEL, name);
	if (has_address(known))
		why_fix(check, "ipipctl tunnel set %s --rp-filter loose", name);
	else
		why_fix(check,
			"ipipctl tunnel set %s --rp-filter off && "
			"sysctl -w net.ipv4.conf.all.rp_filter=0",
			name);
}

/* By the kernel's answer; by its counter, when the packet came and was not let in. */
static void judge_rp_filter(const struct why_known *known, struct why_check *check)
{
	char sysctl[WHY_SYSCTL], to[ADDR_TEXT];
	uint32_t drops = known->probed.done ? known->probed.seen.rp_filter_drops : 0;
	bool came = why_hop_count(known, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING, TRACE_LAST);
	bool is_in = why_hop_count(known, TRACE_BACK, TRACE_INNER, TRACE_INPUT, TRACE_FIRST);

	addr_text(known->question.to, to);
	if (!known->back.asked) {
		why_say(check, WHY_UNKNOWN, "no source that a reply could go to");
		return;
	}
	if (!known->back.answer.error && drops && came && !is_in && !known->question.in[0]) {
		why_say(check, WHY_BROKEN, "rp_filter dropped %u, and no reply was let in by %s",
			drops, known->device);
		why_object(check, "net.ipv4.conf.%s.rp_filter", known->device);
		fix_rp_filter(known, check);
		return;
	}
	/* seen to be let in counts more: the kernel was asked without ports */
	if (!known->back.answer.error || is_in) {
		why_say(check, WHY_OK, "replies from %s are let in by %s", to, known->device);
		return;
	}
	switch (why_refusal_judge(known, &known->back, &known->out, known->of_tunnel, check)) {
	case WHY_REFUSED_FORWARDING:
		why_fix(check, "sysctl -w %s=1",
			why_refusal_sysctl(known->device, "forwarding", sysctl));
		break;
	case WHY_REFUSED_RP_FILTER:
		fix_rp_filter(known, check);
		break;
	case WHY_REFUSED_SOURCE:
	case WHY_REFUSED_NO_ROUTE:
	case WHY_REFUSED_ROUTE:
	case WHY_REFUSED_UNKNOWN:
		break;
	}
}

static void judge_reply(const struct why_known *known, struct why_check *check)
{
	static const struct why_hop hops[] = {
		{TRACE_INNER, TRACE_PREROUTING, TRACE_FIRST},
		{TRACE_INNER, TRACE_PREROUTING, TRACE_LAST},
		{TRACE_INNER, TRACE_INPUT, TRACE_FIRST},
		{TRACE_INNER, TRACE_INPUT, TRACE_LAST},
	};
	const struct probe_result *result = &known->probed.result;
	struct why_passage passage = why_hop_judge(known, TRACE_BACK, hops, ARRAY_LEN(hops), check);

	if (say_declined(known, check)) {
		check->object[0] = check->fix[0] = '\0';
	} else if (result->received) {
		check->object[0] = check->fix[0] = '\0';
		why_say(check, result->received < result->sent ? WHY_WARN : WHY_OK,
			"%u of %u answered%s, %llu.%llu ms", result->received, result->sent,
			result->refused ? ", refused (RST): nothing listens there" : "",
			(unsigned long long)result->avg_us / 1000,
			(unsigned long long)result->avg_us / 100 % 10);
	} else if (passage.end == WHY_HOP_PASSED) {
		why_say(check, WHY_BROKEN, "replies came, but not to the socket that asked");
	}
}

const struct why_judge why_client_judges[] = {
	{WHY_OUT, "route", false, why_route_judge},
	{WHY_OUT, "source", false, judge_source},
	{WHY_OUT, "tunnel", false, judge_tunnel},
	{WHY_OUT, "loop", false, judge_loop},
	{WHY_OUT, "underlay", false, why_end_underlay},
	{WHY_OUT, "neighbour", false, judge_neighbour},
	{WHY_OUT, "device", true, judge_device},
	{WHY_OUT, "send", true, judge_send},
	{WHY_BACK, "reply-arrival", true, judge_reply_arrival},
	{WHY_BACK, "reply-input", true, judge_reply_input},
	{WHY_BACK, "rp_filter", false, judge_rp_filter},
	{WHY_BACK, "reply", true, judge_reply},
	{WHY_BACK, "mtu", true, why_mtu_judge},
};
const unsigned why_client_judges_count = ARRAY_LEN(why_client_judges);
