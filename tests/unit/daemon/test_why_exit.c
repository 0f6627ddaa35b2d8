/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judges of the far end: a situation, the check that is broken, and what repairs it. */
#include "unit/daemon/why_world.h"

#include <errno.h>

#define ADDR(a, b, c, d) ((struct addr){(uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)})

static struct addr from = {0xc0a80101}, to = {0xb4a31a27}, peer = {0xac101016},
		   local = {0xac10013e};

/* All is well, and three probes went out and came back. */
static void whole(struct world *w)
{
	struct why_known *k = &w->known;

	see(w, TRACE_OUT, TRACE_OUTER, TRACE_PREROUTING);
	see(w, TRACE_OUT, TRACE_OUTER, TRACE_INPUT);
	see(w, TRACE_OUT, TRACE_INNER, TRACE_PREROUTING);
	see(w, TRACE_OUT, TRACE_INNER, TRACE_FORWARD);
	see(w, TRACE_OUT, TRACE_INNER, TRACE_POSTROUTING);
	see(w, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING);
	see(w, TRACE_BACK, TRACE_INNER, TRACE_FORWARD);
	see(w, TRACE_BACK, TRACE_INNER, TRACE_POSTROUTING);
	see(w, TRACE_BACK, TRACE_OUTER, TRACE_OUTPUT);
	see(w, TRACE_BACK, TRACE_OUTER, TRACE_POSTROUTING);
	k->probed.done = true;
	k->probed.seen.flow = (struct trace_flow){true, local, to, true};
	k->probed.result.largest_passed = 1480;
	k->probed.result.n_passed = 11;
	strcpy(k->wan, "eth0");
	strcpy(k->device, "tun_b");
	k->from = from;
	k->local = local;
	k->remote = peer;
	set_route(&k->path, "tun_b", "eth0", 254);
	set_route(&k->back, "eth0", "tun_b", 254);
	set_route(&k->reverse, "", "tun_b", 254);
	set_route(&k->out, "", "eth0", 254);
	set_route(&k->outer, "", "eth0", 254);
	set_route(&k->underlay, "", "eth0", 254);
	k->path.question.from = k->back.question.to = from;
	k->path.question.to = k->back.question.from = to;
	k->outer.answer.mtu = k->underlay.answer.mtu = 1500;
	k->of_tunnel = k->of_back = (struct why_sysctls){1, 0};
	k->question = (struct why_question){.exit = true,
					    .to = to,
					    .from = from,
					    .peer = peer,
					    .local = local,
					    .protocol = IPPROTO_ICMP,
					    .id = 1,
					    .probe = true};
}

static void begin(struct world *w)
{
	*w = (struct world){.status = {.state = STATE_READY, .reason = REASON_IN_SYNC}};
	w->has_tunnel = w->has_nat = true;
	w->address = (struct prefix){ADDR(192, 168, 1, 2), 24};
	w->source = (struct prefix){ADDR(192, 168, 1, 0), 24};
	w->tunnel = (struct tunnel){.head = {.name = "tun_b", .enabled = true},
				    .local = local,
				    .remote = peer,
				    .addresses = {&w->address, 1},
				    .ttl = 64};
	w->nat = (struct nat_rule){.head = {.name = "exit", .enabled = true},
				   .sources = {&w->source, 1},
				   .out_interface = "eth0"};
	add_link(w, "eth0", "");
	add_link(w, "tun_b", "ipip");
	add_addr(w, local, 24, "eth0");
	add_addr(w, ADDR(192, 168, 1, 2), 24, "tun_b");
	whole(w);
	loaded = NULL;
}

/* Nothing of the path behind that hop. */
static void ends_in(struct world *w, enum trace_way way, enum trace_layer layer, enum trace_hook at)
{
	hop(w, way, layer, at)[TRACE_LAST] = 0;
}

static void drops(struct world *w, enum trace_way way, enum trace_layer layer, enum trace_hook at,
		  const char *table)
{
	struct trace_drop *drop = &w->known.probed.seen.drops[w->known.probed.seen.n_drops++];

	*drop = (struct trace_drop){.way = way, .layer = layer, .hook = at, .family = "inet"};
	snprintf(drop->table, sizeof(drop->table), "%s", table);
	strcpy(drop->chain, "c");
	ends_in(w, way, layer, at);
}

static void nothing_arrives(struct world *w)
{
	hop(w, TRACE_OUT, TRACE_OUTER, TRACE_PREROUTING)[TRACE_FIRST] = 0;
}

static void other_remote(struct world *w)
{
	w->tunnel.remote = ADDR(172, 16, 9, 9);
}

static void other_local(struct world *w)
{
	w->tunnel.local = ADDR(172, 16, 1, 63);
}

static void no_tunnel(struct world *w)
{
	w->has_tunnel = false;
}

static void disabled(struct world *w)
{
	w->status = (struct status){.state = STATE_DISABLED, .reason = REASON_DISABLED};
}

static void module_missing(struct world *w)
{
	w->status = (struct status){.state = STATE_FAILED, .reason = REASON_KERNEL_MODULE_MISSING};
}

static void input_drops(struct world *w)
{
	drops(w, TRACE_OUT, TRACE_OUTER, TRACE_INPUT, "filter");
}

static void calico_drops(struct world *w)
{
	input_drops(w);
	strcpy(w->known.probed.seen.drops[0].chain, "cali-INPUT");
}

static void forwarding_off(struct world *w)
{
	w->has_nat = false;
	w->known.path.answer.error = -EHOSTUNREACH;
	w->known.of_tunnel.forwarding = 0;
}

static void forwarding_off_with_rule(struct world *w)
{
	forwarding_off(w);
	w->has_nat = true;
}

static void unreachable_route(struct world *w)
{
	w->known.path.answer.error = -EHOSTUNREACH;
}

static void blackhole(struct world *w)
{
	w->known.path.answer.error = -EINVAL;
}

static void own_source(struct world *w)
{
	w->known.path.answer.error = -EINVAL;
	add_addr(w, from, 32, "lo");
}

static void unnumbered(struct world *w, int rp_filter, int error)
{
	w->tunnel.addresses.len = 0;
	w->facts.addrs.len = 1;
	set_route(&w->known.reverse, "", "eth0", 254);
	w->known.path.answer.error = error;
	w->known.of_tunnel.rp_filter = rp_filter;
}

static void strict_unnumbered(struct world *w)
{
	unnumbered(w, 1, -EXDEV);
}

/* kernel.md: 6.18 says EINVAL, and 2 on a device without an address is strict. */
static void loose_unnumbered(struct world *w)
{
	unnumbered(w, 2, -EINVAL);
}

static void strict_elsewhere(struct world *w)
{
	set_route(&w->known.reverse, "", "eth0", 254);
	w->known.path.answer.error = -EXDEV;
	w->known.of_tunnel.rp_filter = 1;
}

static void forward_drops(struct world *w)
{
	drops(w, TRACE_OUT, TRACE_INNER, TRACE_FORWARD, "docker");
}

static void forward_drops_the_port(struct world *w)
{
	drops(w, TRACE_OUT, TRACE_INNER, TRACE_FORWARD, "docker");
	w->known.question.protocol = IPPROTO_TCP;
	w->known.question.port = 7777;
}

static void postrouting_drops_the_port(struct world *w)
{
	drops(w, TRACE_OUT, TRACE_INNER, TRACE_POSTROUTING, "mangle");
	w->known.question.protocol = IPPROTO_UDP;
	w->known.question.port = 53;
}

/* The destination has no such port, and says so. */
static void declined(struct world *w)
{
	w->known.question.protocol = IPPROTO_UDP;
	w->known.question.port = 53;
	memset(w->known.probed.seen.counts.packets[TRACE_BACK], 0,
	       sizeof(w->known.probed.seen.counts.packets[TRACE_BACK]));
	w->known.probed.seen.counts.beside[TRACE_TOLD_NO_PORT] = 1;
}

static void legacy_drops_the_port(struct world *w)
{
	loaded = "iptable_filter";
	ends_in(w, TRACE_OUT, TRACE_INNER, TRACE_FORWARD);
	w->known.question.protocol = IPPROTO_UDP;
	w->known.question.port = 53;
}

static void forward_drops_by_a_wild_name(struct world *w)
{
	drops(w, TRACE_OUT, TRACE_INNER, TRACE_FORWARD, "a; reboot");
}

static void legacy_drops(struct world *w)
{
	loaded = "iptable_filter";
	ends_in(w, TRACE_OUT, TRACE_INNER, TRACE_FORWARD);
}

static void our_drop(struct world *w)
{
	static struct prefix allowed = {{0x0a000000}, 8};

	drops(w, TRACE_OUT, TRACE_INNER, TRACE_PREROUTING, OUR_NFT_TABLE);
	strcpy(w->known.probed.seen.drops[0].family, "ip");
	w->tunnel.allowed_sources = (struct prefixes){&allowed, 1};
}

static void untranslated(struct world *w)
{
	w->has_nat = false;
	w->known.probed.seen.flow = (struct trace_flow){true, from, to, false};
}

static void wrong_snat(struct world *w)
{
	w->nat.action = NAT_SNAT;
	w->nat.to_address = w->known.probed.seen.flow.source = ADDR(10, 9, 9, 9);
	w->known.probed.seen.flow.replied = false;
}

static void foreign_snat(struct world *w)
{
	wrong_snat(w);
	w->nat.to_address = local;
}

static void translated_by_another(struct world *w)
{
	w->known.probed.seen.flow = (struct trace_flow){true, ADDR(10, 9, 9, 9), to, false};
	w->known.translator = (struct why_chain){"ip", "nat", "POSTROUTING", 50};
}

static void door_drops(struct world *w, enum why_door door)
{
	w->known.doors[door] = (struct why_chain){"netdev", "edge", "c", 0};
}

static void underlay_ingress_drops(struct world *w)
{
	nothing_arrives(w);
	door_drops(w, WHY_DOOR_UNDERLAY);
}

static void tunnel_ingress_drops(struct world *w)
{
	memset(hop(w, TRACE_OUT, TRACE_INNER, TRACE_PREROUTING), 0, 8);
	door_drops(w, WHY_DOOR_TUNNEL);
}

static void wan_ingress_drops(struct world *w)
{
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING)[TRACE_FIRST] = 0;
	door_drops(w, WHY_DOOR_WAN);
}

/* Behind postrouting, which it passed. */
static void beyond(struct world *w, enum trace_way way, enum trace_layer layer)
{
	uint32_t last = hop(w, way, layer, TRACE_POSTROUTING)[TRACE_LAST];

	drops(w, way, layer, TRACE_POSTROUTING, "edge");
	strcpy(w->known.probed.seen.drops[0].family, "netdev");
	w->known.probed.seen.drops[0].packets = last;
	hop(w, way, layer, TRACE_POSTROUTING)[TRACE_LAST] = last;
}

static void wan_egress_drops(struct world *w)
{
	beyond(w, TRACE_OUT, TRACE_INNER);
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING)[TRACE_FIRST] = 0;
}

static void tunnel_egress_drops(struct world *w)
{
	beyond(w, TRACE_BACK, TRACE_INNER);
	memset(hop(w, TRACE_BACK, TRACE_OUTER, TRACE_OUTPUT), 0, 8);
}

static void underlay_egress_drops(struct world *w)
{
	beyond(w, TRACE_BACK, TRACE_OUTER);
}

/* Some of them. */
static void egress_limits(struct world *w)
{
	beyond(w, TRACE_BACK, TRACE_OUTER);
	w->known.probed.seen.drops[0].packets--;
}

/* Some of them, in postrouting itself. */
static void postrouting_limits(struct world *w)
{
	underlay_egress_drops(w);
	strcpy(w->known.probed.seen.drops[0].family, "ip");
}

static void postrouting_drops(struct world *w)
{
	drops(w, TRACE_OUT, TRACE_INNER, TRACE_POSTROUTING, "mangle");
}

static void no_answer(struct world *w)
{
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING)[TRACE_FIRST] = 0;
}

static void return_elsewhere(struct world *w)
{
	set_route(&w->known.back, "eth0", "eth1", 254);
}

static void wan_forwarding_off(struct world *w)
{
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_FORWARD)[TRACE_FIRST] = 0;
	w->known.back.answer.error = -EHOSTUNREACH;
	w->known.of_back.forwarding = 0;
}

/* By ports, of which the question knows nothing. */
static void wan_strict_but_passed(struct world *w)
{
	set_route(&w->known.out, "", "eth1", 254);
	w->known.back.answer.error = -EXDEV;
	w->known.of_back.rp_filter = 1;
}

/* By another device than the packets leave by. */
static void other_way_in_strict(struct world *w)
{
	add_link(w, "eth1", "");
	set_route(&w->known.back, "eth1", "", 254);
	w->known.back.answer.error = -EXDEV;
	w->known.of_back.rp_filter = 1;
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_FORWARD)[TRACE_FIRST] = 0;
}

static void reply_filtered(struct world *w)
{
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_FORWARD)[TRACE_FIRST] = 0;
	w->known.probed.seen.rp_filter_drops = 3;
}

static void wan_strict(struct world *w)
{
	wan_strict_but_passed(w);
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_FORWARD)[TRACE_FIRST] = 0;
}

static void reply_drops(struct world *w)
{
	drops(w, TRACE_BACK, TRACE_INNER, TRACE_FORWARD, "filter");
}

static void reply_output_drops(struct world *w)
{
	drops(w, TRACE_BACK, TRACE_OUTER, TRACE_OUTPUT, "filter");
}

static void reply_loops(struct world *w)
{
	memset(hop(w, TRACE_BACK, TRACE_OUTER, TRACE_OUTPUT), 0, 8);
	set_route(&w->known.outer, "", "tun_b", 254);
}

static void black_hole(struct world *w)
{
	w->known.probed.result.largest_passed = 1400;
	w->known.probed.result.n_passed = 5;
	w->known.probed.result.smallest_lost = 1420;
}

/* clang-format off */
static const struct situation situations[] = {
	{is_whole, NULL, NULL},
	{underlay_ingress_drops, "arrival", "nft 'insert rule netdev edge c iifname \"eth0\" "
	 "ip protocol 4 ip saddr 172.16.16.22 accept'"},
	{tunnel_ingress_drops, "decapsulation", "nft 'insert rule netdev edge c iifname \"tun_b\" "
	 "ip saddr 192.168.1.1 accept'"},
	{wan_ingress_drops, "reply", "nft 'insert rule netdev edge c iifname \"eth0\" "
	 "ip saddr 180.163.26.39 accept'"},
	{wan_egress_drops, "leave", "nft 'insert rule netdev edge c oifname \"eth0\" "
	 "ip daddr 180.163.26.39 accept'"},
	{tunnel_egress_drops, "reply-send",
	 "nft 'insert rule netdev edge c oifname \"tun_b\" accept'"},
	{underlay_egress_drops, "reply-send",
	 "nft 'insert rule netdev edge c ip protocol 4 ip daddr 172.16.16.22 accept'"},
	{egress_limits, NULL, NULL},
	{postrouting_limits, NULL, NULL},
	{declined, NULL, NULL},
	{wan_strict_but_passed, NULL, NULL},
	{nothing_arrives, "arrival", NULL},
	{other_remote, "tunnel",
	 "ipipctl tunnel set tun_b --remote 172.16.16.22 --local 172.16.1.62"},
	{other_local, "tunnel", "ipipctl tunnel set tun_b --local 172.16.1.62"},
	{no_tunnel, "tunnel", "ipipctl tunnel add to-172.16.16.22 --device tun_16_22 "
	 "--remote 172.16.16.22 --local 172.16.1.62 --addresses 192.168.1.2/24"},
	{disabled, "tunnel", "ipipctl tunnel set tun_b --enabled"},
	{module_missing, "tunnel", "modprobe ipip && ipipctl reconcile"},
	{device_down, "tunnel", "ip link set tun_b up && ipipctl reconcile"},
	{input_drops, "decapsulation",
	 "nft 'insert rule inet filter c ip protocol 4 ip saddr 172.16.16.22 accept'"},
	{calico_drops, "decapsulation", NULL},
	{forwarding_off, "input",
	 "ipipctl nat add exit-tun_b --sources 192.168.1.0/24 --out-interface eth0"},
	{forwarding_off_with_rule, "input",
	 "sysctl -w net.ipv4.conf.tun_b.forwarding=1 && ipipctl reconcile"},
	{unreachable_route, "input", "ip route flush type unreachable to match 180.163.26.39"},
	{blackhole, "input", "ip route flush type blackhole to match 180.163.26.39"},
	{own_source, "input", "ip address del 192.168.1.1/32 dev lo"},
	{strict_unnumbered, "input", "ipipctl tunnel set tun_b --addresses 192.168.1.2/24"},
	{loose_unnumbered, "input", "ipipctl tunnel set tun_b --addresses 192.168.1.2/24"},
	{strict_elsewhere, "input", "ipipctl exit add back-192.168.1.1 --tunnel tun_b "
	 "--destinations 192.168.1.1/32"},
	{forward_drops, "forward", "nft 'insert rule inet docker c iifname \"tun_b\" accept; "
	 "insert rule inet docker c oifname \"tun_b\" accept'"},
	{forward_drops_the_port, "forward",
	 "nft 'insert rule inet docker c iifname \"tun_b\" tcp dport 7777 accept; "
	 "insert rule inet docker c oifname \"tun_b\" tcp sport 7777 accept'"},
	{postrouting_drops_the_port, "leave", "nft 'insert rule inet mangle c "
	 "oifname \"eth0\" ip daddr 180.163.26.39 udp dport 53 accept'"},
	{legacy_drops_the_port, "forward",
	 "iptables-legacy -t filter -I FORWARD -i tun_b -p udp --dport 53 -j ACCEPT && "
	 "iptables-legacy -t filter -I FORWARD -o tun_b -p udp --sport 53 -j ACCEPT"},
	{forward_drops_by_a_wild_name, "forward", NULL},
	{legacy_drops, "forward", "iptables-legacy -t filter -I FORWARD -i tun_b -j ACCEPT && "
	 "iptables-legacy -t filter -I FORWARD -o tun_b -j ACCEPT"},
	{our_drop, "forward",
	 "ipipctl tunnel set tun_b --allowed-sources 10.0.0.0/8,192.168.1.1/32"},
	{untranslated, "nat",
	 "ipipctl nat add exit-tun_b --sources 192.168.1.0/24 --out-interface eth0"},
	{wrong_snat, "nat", "ipipctl nat set exit --action masquerade --to-address ''"},
	{foreign_snat, "nat", "nft 'add table ip why; add chain ip why nat { type nat hook "
	 "postrouting priority -150; }; add rule ip why nat oifname \"eth0\" "
	 "ip saddr 192.168.1.0/24 masquerade'"},
	{translated_by_another, "nat",
	 "nft 'insert rule ip nat POSTROUTING ip saddr 192.168.1.1 accept'"},
	{postrouting_drops, "leave",
	 "nft 'insert rule inet mangle c oifname \"eth0\" ip daddr 180.163.26.39 accept'"},
	{no_answer, "reply", NULL},
	{return_elsewhere, "return", "ipipctl exit add back-192.168.1.1 --tunnel tun_b "
	 "--destinations 192.168.1.1/32"},
	{wan_forwarding_off, "return",
	 "sysctl -w net.ipv4.conf.eth0.forwarding=1 && ipipctl reconcile"},
	{wan_strict, "return", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"},
	{other_way_in_strict, "return",
	 "sysctl -w net.ipv4.conf.eth1.rp_filter=0 net.ipv4.conf.all.rp_filter=0"},
	{reply_filtered, "reply-forward", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"},
	{reply_drops, "reply-forward", "nft 'insert rule inet filter c iifname \"tun_b\" accept; "
	 "insert rule inet filter c oifname \"tun_b\" accept'"},
	{reply_output_drops, "reply-send",
	 "nft 'insert rule inet filter c ip protocol 4 ip daddr 172.16.16.22 accept'"},
	{reply_loops, "reply-send", "ip route flush table 254 dev tun_b to match 172.16.16.22"},
};
/* clang-format on */

static void names_the_break_and_its_fix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
		struct world w;
		struct why_checks checks;

		begin(&w);
		assert_found(&situations[i], &w, &checks);
		assert_int_equal(why_worst(&checks), situations[i].broken ? WHY_BROKEN : WHY_OK);
	}
}

/* What is counted of the other end's sizes tells where they end; that they end is a break only
 * where what nobody asked this host for ends, too. */
static void tells_where_long_ones_end(void **state)
{
	static const char fix[] = "ipipctl tunnel set tun_b --mtu 1400";
	static const struct {
		uint32_t sizes[TRACE_BESIDES]; /* came, left, answered, returned, told */
		uint16_t peer_mtu;
		bool hole;
		enum why_verdict verdict;
		const char *words, *fix;
	} cases[] = {
		{{0}, 0, true, WHY_WARN, "or the other end does not answer such", fix},
		{{11, 11, 11, 11}, 0, true, WHY_WARN, "or the other end does not answer", fix},
		{{5, 5, 5, 5}, 0, true, WHY_BROKEN, "longer ones vanish on the way here", fix},
		{{4, 4, 4, 4}, 0, true, WHY_WARN, "or the other end does not answer such", fix},
		{{5, 5, 5, 5}, 1400, true, WHY_WARN, "or the other end does not answer", fix},
		{{5, 5, 5, 5}, 1500, true, WHY_BROKEN, "1400 bytes pass, of 1480", NULL},
		{{6, 6, 6, 6}, 0, true, WHY_WARN, "or the other end does not answer such", fix},
		{{11, 11, 11, 11}, 0, false, WHY_OK, "1480 bytes pass", ""},
		{{11, 11, 2, 2}, 0, false, WHY_WARN, "1280 do: longer ones left", ""},
		{{11, 2, 2, 2}, 0, false, WHY_WARN, "1280 do: longer ones do not leave", ""},
		{{11, 11, 11, 2}, 0, false, WHY_WARN, "1280 do: longer answers do not", ""},
		{{12, 12, 11, 11}, 1500, false, WHY_WARN, "1480 do: longer ones left", ""},
		{{11, 11, 2, 2, 1}, 0, false, WHY_OK, "1480 bytes pass", ""},
		{{11, 11, 0, 0}, 0, false, WHY_OK, "1480 bytes pass", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct why_checks checks;

		begin(&w);
		if (cases[i].hole)
			black_hole(&w);
		w.known.question.peer_mtu = cases[i].peer_mtu;
		memcpy(w.known.probed.seen.counts.beside, cases[i].sizes, sizeof(cases[i].sizes));
		judge(&w, &checks);
		const struct why_check *check = &checks.v[checks.len - 1];
		assert_int_equal(check->verdict, cases[i].verdict);
		assert_non_null(strstr(check->evidence, cases[i].words));
		if (cases[i].fix)
			assert_string_equal(check->fix, cases[i].fix);
	}
}

static void reaches_nothing_behind_the_break(void **state)
{
	struct world w;
	struct why_checks checks;

	(void)state;
	begin(&w);
	forwarding_off(&w);
	judge(&w, &checks);
	for (unsigned i = 0, behind = 0; i < checks.len; i++) {
		assert_true(!behind || checks.v[i].verdict == WHY_NOT_REACHED);
		behind |= checks.v[i].verdict == WHY_BROKEN;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_break_and_its_fix),
		cmocka_unit_test(tells_where_long_ones_end),
		cmocka_unit_test(reaches_nothing_behind_the_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
