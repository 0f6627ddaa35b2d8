/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far probes came, by the counters of the trace; and the command that lets them pass the
 * chain that dropped them, in nftables or in iptables-legacy, which no trace sees.
 */
#include "daemon/why_hop.h"

#include "base/text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

const struct why_hop why_hops_sent[WHY_HOPS_SENT] = {
	{TRACE_INNER, TRACE_OUTPUT, TRACE_FIRST},
	{TRACE_INNER, TRACE_OUTPUT, TRACE_LAST},
	[WHY_HOP_POSTROUTING] = {TRACE_INNER, TRACE_POSTROUTING, TRACE_FIRST},
	{TRACE_INNER, TRACE_POSTROUTING, TRACE_LAST},
	[WHY_HOP_OUTER] = {TRACE_OUTER, TRACE_OUTPUT, TRACE_FIRST},
	{TRACE_OUTER, TRACE_OUTPUT, TRACE_LAST},
	{TRACE_OUTER, TRACE_POSTROUTING, TRACE_FIRST},
	{TRACE_OUTER, TRACE_POSTROUTING, TRACE_LAST},
};

static const char *const hook_names[TRACE_HOOKS] = {
	[TRACE_PREROUTING] = "prerouting",   [TRACE_INPUT] = "input",   [TRACE_FORWARD] = "forward",
	[TRACE_POSTROUTING] = "postrouting", [TRACE_OUTPUT] = "output",
};

/* What a rule must match, in the words of nft and of iptables. */
struct match {
	char nft[96], iptables[96];
};

/* Of a question about a port, no more than that: " tcp dport 80". Of echoes all that the device
 * carries: who asks by ping wants the path. */
static struct match match_port(const struct why_known *known, enum trace_way way)
{
	const char *name = known->question.protocol == IPPROTO_TCP ? "tcp" : "udp";
	const char *end = way == TRACE_OUT ? "dport" : "sport";
	struct match match = {0};

	if (known->question.protocol == IPPROTO_ICMP)
		return match;
	snprintf(match.nft, sizeof(match.nft), " %s %s %u", name, end, known->question.port);
	snprintf(match.iptables, sizeof(match.iptables), " -p %s --%s %u", name, end,
		 known->question.port);
	return match;
}

uint32_t why_hop_count(const struct why_known *known, enum trace_way way, enum trace_layer layer,
		       enum trace_hook hook, enum trace_edge edge)
{
	return known->probed.seen.counts.packets[way][layer][hook][edge];
}

const char *why_hop_on(const struct why_known *known, enum trace_way way, enum trace_door door,
		       const char *word, char text[static WHY_ON])
{
	const char *device = known->probed.seen.devices[way][TRACE_OUTER][door];

	snprintf(text, WHY_ON, "%s%.4s%s%s", *device ? " " : "", *device ? word : "",
		 *device ? " " : "", device);
	return text;
}

unsigned why_hop_probes(uint32_t count)
{
	return count < PROBE_COUNT ? count : PROBE_COUNT;
}

static bool comes_in(enum trace_hook hook)
{
	return hook == TRACE_PREROUTING || hook == TRACE_INPUT;
}

static void match_outer(const struct why_known *known, enum trace_hook hook, struct match *match)
{
	const char *end = comes_in(hook) ? "saddr" : "daddr";
	struct addr remote = known->question.exit ? known->question.peer : known->remote;
	char text[ADDR_TEXT];

	addr_text(remote, text);
	snprintf(match->nft, sizeof(match->nft), "ip protocol 4 ip %s %s", end, text);
	snprintf(match->iptables, sizeof(match->iptables), "-p 4 -%c %s", end[0], text);
}

/* On the exit the other side of the flow is not the tunnel. */
static bool is_beyond(const struct why_known *known, enum trace_way way, enum trace_hook hook)
{
	if (!known->question.exit || !*known->wan)
		return false;
	return way == TRACE_OUT ? hook == TRACE_POSTROUTING : hook == TRACE_PREROUTING;
}

static void match_inner(const struct why_known *known, enum trace_way way, enum trace_hook hook,
			struct match *match)
{
	bool beyond = is_beyond(known, way, hook), in = comes_in(hook);
	const char *device = beyond ? known->wan : known->device;
	struct match port = match_port(known, way);
	char text[ADDR_TEXT], nft[40] = "", iptables[32] = "";

	if (!shell_word(device))
		return;
	addr_text(known->question.to, text);
	if (beyond) {
		snprintf(nft, sizeof(nft), " ip %s %s", in ? "saddr" : "daddr", text);
		snprintf(iptables, sizeof(iptables), " -%c %s", in ? 's' : 'd', text);
	}
	snprintf(match->nft, sizeof(match->nft), "%s \"%s\"%.36s%.24s", in ? "iifname" : "oifname",
		 device, nft, port.nft);
	snprintf(match->iptables, sizeof(match->iptables), "-%c %s%.28s%.24s", in ? 'i' : 'o',
		 device, iptables, port.iptables);
}

static void match_hook(const struct why_known *known, enum trace_way way, const struct why_hop *hop,
		       struct match *match)
{
	*match = (struct match){0};
	if (hop->layer == TRACE_OUTER)
		match_outer(known, hop->hook, match);
	else
		match_inner(known, way, hop->hook, match);
}

static void list_prefixes(const struct prefixes *list, struct text *text)
{
	char one[PREFIX_TEXT];

	for (uint32_t i = 0; i < list->len; i++)
		text_addf(text, "%s,", prefix_text(list->v[i], one));
}

/* Our own drops: a source that the tunnel does not allow, or one that no NAT rule lets out. */
static void fix_ours(const struct why_known *known, struct why_check *check)
{
	const struct tunnel *tunnel = known->tunnel;
	cleanup_text struct text text = {0};
	struct addr source = known->question.exit ? known->from : known->question.to;
	bool allowed = !tunnel || !tunnel->allowed_sources.len;
	char one[ADDR_TEXT];

	for (uint32_t i = 0; !allowed && i < tunnel->allowed_sources.len; i++)
		allowed = prefix_covers(tunnel->allowed_sources.v[i], source);
	addr_text(source, one);
	if (allowed) {
		why_say(check, WHY_BROKEN, "no NAT rule of ours lets %s out by %s", one,
			known->wan);
		why_fix_nat(known, check);
		return;
	}
	why_say(check, WHY_BROKEN, "%s is none of the sources that %s allows", one,
		tunnel->head.name);
	list_prefixes(&tunnel->allowed_sources, &text);
	why_resource(check, KIND_TUNNEL, tunnel->head.name);
	why_fix(check, "ipipctl tunnel set %s --allowed-sources %s%s/32", tunnel->head.name,
		text_str(&text), one);
}

static bool has_ip_header(const char *family)
{
	return strcmp(family, "ip") == 0 || strcmp(family, "inet") == 0 ||
	       strcmp(family, "netdev") == 0;
}

static void fix_nft(const struct why_known *known, const struct trace_drop *drop,
		    const struct why_hop *hop, struct why_check *check)
{
	struct match match, there = match_port(known, TRACE_OUT),
			    back = match_port(known, TRACE_BACK);
	const char *device = known->device;

	if (strcmp(drop->family, "ip") == 0 && strcmp(drop->table, OUR_NFT_TABLE) == 0) {
		fix_ours(known, check);
		return;
	}
	if (!has_ip_header(drop->family) || !shell_word(drop->table) || !shell_word(drop->chain))
		return;
	match_hook(known, drop->way, hop, &match);
	if (hop->layer == TRACE_INNER && hop->hook == TRACE_FORWARD && shell_word(device))
		why_fix(check,
			"nft 'insert rule %s %s %s iifname \"%s\"%s accept; "
			"insert rule %s %s %s oifname \"%s\"%s accept'",
			drop->family, drop->table, drop->chain, device, there.nft, drop->family,
			drop->table, drop->chain, device, back.nft);
	else if (match.nft[0])
		why_fix(check, "nft 'insert rule %s %s %s %s accept'", drop->family, drop->table,
			drop->chain, match.nft);
}

/* It takes out of its chains what others put there, so that it alone can be told. */
static void say_calico(const struct trace_drop *drop, const struct why_hop *hop,
		       struct why_check *check)
{
	const char *where = hop->layer == TRACE_OUTER ? "externalNodesList of FelixConfiguration"
						      : "a network policy";

	why_say(check, WHY_BROKEN, "dropped in %s by Calico's %.40s: let it through by %s",
		hook_names[hop->hook], drop->chain, where);
}

static void say_dropped(const struct why_known *known, const struct trace_drop *drop,
			const struct why_hop *hop, struct why_check *check)
{
	why_say(check, WHY_BROKEN, "dropped in %s by %s %s %s, %s%llu", hook_names[hop->hook],
		drop->family, drop->table, drop->chain, drop->handle ? "rule handle " : "policy ",
		(unsigned long long)drop->handle);
	if (!drop->handle)
		why_say(check, WHY_BROKEN, "dropped in %s by %s %s %s, its policy",
			hook_names[hop->hook], drop->family, drop->table, drop->chain);
	why_object(check, "nft %s %s %s", drop->family, drop->table, drop->chain);
	if (strncmp(drop->chain, "cali-", strlen("cali-")) == 0)
		say_calico(drop, hop, check);
	else
		fix_nft(known, drop, hop, check);
}

/* The tables of iptables-legacy that have the hook, the likeliest first. */
static const struct legacy {
	enum trace_hook hook;
	const char *module, *table, *chain;
} legacies[] = {
	{TRACE_INPUT, "iptable_filter", "filter", "INPUT"},
	{TRACE_INPUT, "iptable_mangle", "mangle", "INPUT"},
	{TRACE_FORWARD, "iptable_filter", "filter", "FORWARD"},
	{TRACE_FORWARD, "iptable_mangle", "mangle", "FORWARD"},
	{TRACE_OUTPUT, "iptable_filter", "filter", "OUTPUT"},
	{TRACE_OUTPUT, "iptable_raw", "raw", "OUTPUT"},
	{TRACE_OUTPUT, "iptable_mangle", "mangle", "OUTPUT"},
	{TRACE_PREROUTING, "iptable_raw", "raw", "PREROUTING"},
	{TRACE_PREROUTING, "iptable_mangle", "mangle", "PREROUTING"},
	{TRACE_POSTROUTING, "iptable_mangle", "mangle", "POSTROUTING"},
};

static const struct legacy *find_legacy(const struct why_known *known, enum trace_hook hook)
{
	for (size_t i = 0; i < ARRAY_LEN(legacies); i++)
		if (legacies[i].hook == hook && known->world.has_module(legacies[i].module))
			return &legacies[i];
	return NULL;
}

static void say_vanished(const struct why_known *known, enum trace_way way,
			 const struct why_hop *hop, struct why_check *check)
{
	const struct legacy *legacy = find_legacy(known, hop->hook);
	const char *device = known->device;
	struct match match, there = match_port(known, TRACE_OUT),
			    back = match_port(known, TRACE_BACK);

	why_say(check, WHY_BROKEN, "lost in %s, by no chain of nftables", hook_names[hop->hook]);
	if (!legacy)
		return;
	why_say(check, WHY_BROKEN, "lost in %s, by no chain of nftables: iptables-legacy is loaded",
		hook_names[hop->hook]);
	why_object(check, "iptables-legacy %s %s", legacy->table, legacy->chain);
	match_hook(known, way, hop, &match);
	if (hop->layer == TRACE_INNER && hop->hook == TRACE_FORWARD && shell_word(device))
		why_fix(check,
			"iptables-legacy -t %s -I FORWARD -i %s%s -j ACCEPT && "
			"iptables-legacy -t %s -I FORWARD -o %s%s -j ACCEPT",
			legacy->table, device, there.iptables, legacy->table, device,
			back.iptables);
	else if (match.iptables[0])
		why_fix(check, "iptables-legacy -t %s -I %s %s -j ACCEPT", legacy->table,
			legacy->chain, match.iptables);
}

static const struct trace_drop *find_drop(const struct why_known *known, enum trace_way way,
					  const struct why_hop *hop)
{
	const struct trace_seen *seen = &known->probed.seen;

	for (unsigned i = 0; i < seen->n_drops; i++)
		if (seen->drops[i].way == way && seen->drops[i].layer == hop->layer &&
		    seen->drops[i].hook == hop->hook)
			return &seen->drops[i];
	return NULL;
}

bool why_hop_beyond(const struct why_known *known, enum trace_way way, enum trace_layer layer,
		    struct why_check *check)
{
	const struct why_hop last = {layer, TRACE_POSTROUTING, TRACE_LAST};
	uint32_t came = why_hop_count(known, way, layer, last.hook, last.edge);
	const struct trace_seen *seen = &known->probed.seen;

	for (unsigned i = 0; i < seen->n_drops; i++) {
		const struct trace_drop *drop = &seen->drops[i];

		if (drop->way != way || drop->layer != layer || drop->hook != last.hook ||
		    strcmp(drop->family, "netdev") != 0 || drop->packets < came)
			continue;
		say_dropped(known, drop, &last, check);
		return true;
	}
	return false;
}

static bool is_within(const struct why_hop *before, const struct why_hop *hop)
{
	return before->layer == hop->layer && before->hook == hop->hook;
}

struct why_passage why_hop_judge(const struct why_known *known, enum trace_way way,
				 const struct why_hop *hops, unsigned n, struct why_check *check)
{
	uint32_t came = 0, first = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct why_hop *hop = &hops[i];

		came = why_hop_count(known, way, hop->layer, hop->hook, hop->edge);
		first = i ? first : came;
		if (came)
			continue;
		if (!i) {
			why_say(check, WHY_UNKNOWN, "no packet came to %s", hook_names[hop->hook]);
			return (struct why_passage){WHY_HOP_NONE, 0};
		}
		if (!is_within(&hops[i - 1], hop)) {
			if (hops[i - 1].hook == TRACE_POSTROUTING &&
			    why_hop_beyond(known, way, hops[i - 1].layer, check))
				return (struct why_passage){WHY_HOP_DROPPED, i};
			why_say(check, WHY_BROKEN, "lost between %s and %s",
				hook_names[hops[i - 1].hook], hook_names[hop->hook]);
			return (struct why_passage){WHY_HOP_LOST, i};
		}
		const struct trace_drop *drop = find_drop(known, way, hop);
		if (drop)
			say_dropped(known, drop, hop, check);
		else
			say_vanished(known, way, hop, check);
		return (struct why_passage){WHY_HOP_DROPPED, i};
	}
	why_say(check, came < first ? WHY_WARN : WHY_OK, "%u of %u passed %s", why_hop_probes(came),
		why_hop_probes(first), hook_names[hops[n - 1].hook]);
	return (struct why_passage){WHY_HOP_PASSED, n};
}
