/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judges of the near end: a situation, the check that is broken, and what repairs it. */
#include "unit/daemon/why_world.h"

#include <errno.h>
#include <linux/neighbour.h>

static const struct addr from = {0xc0a80101}, to = {0xb4a31a27}, remote = {0xac10013e},
			 local = {0xac101016}, gateway = {0xac101001};

static void see_all(struct world *w)
{
	see(w, TRACE_OUT, TRACE_INNER, TRACE_OUTPUT);
	see(w, TRACE_OUT, TRACE_INNER, TRACE_POSTROUTING);
	see(w, TRACE_OUT, TRACE_OUTER, TRACE_OUTPUT);
	see(w, TRACE_OUT, TRACE_OUTER, TRACE_POSTROUTING);
	see(w, TRACE_BACK, TRACE_OUTER, TRACE_PREROUTING);
	see(w, TRACE_BACK, TRACE_OUTER, TRACE_INPUT);
	see(w, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING);
	see(w, TRACE_BACK, TRACE_INNER, TRACE_INPUT);
	w->known.probed.done = true;
	w->known.probed.result = (struct probe_result){
		.sent = 3, .received = 3, .avg_us = 400, .largest_passed = 1480, .n_passed = 11};
}

static void know(struct world *w)
{
	struct why_known *k = &w->known;

	set_route(&k->path, "", "tun_a", 7000);
	set_route(&k->back, "tun_a", "lo", 255);
	set_route(&k->out, "", "tun_a", 7000);
	set_route(&k->outer, "", "eth0", 254);
	set_route(&k->underlay, "", "eth0", 254);
	k->outer.answer.mtu = k->underlay.answer.mtu = 1500;
	k->path.question.to = k->back.question.from = to;
	k->path.question.from = k->back.question.to = from;
	k->outer.question.to = remote;
	k->enters = true;
	k->from = from;
	k->local = local;
	k->remote = remote;
	k->neighbour.state = NUD_REACHABLE;
	k->neighbour_addr = gateway;
	k->underlay.answer.gateway = gateway;
	strcpy(k->device, "tun_a");
	k->question = (struct why_question){
		.to = to, .protocol = IPPROTO_ICMP, .id = 1, .probe = true};
}

static void begin(struct world *w)
{
	*w = (struct world){.status = {.state = STATE_READY, .reason = REASON_IN_SYNC},
			    .exit_status = {.state = STATE_READY, .reason = REASON_IN_SYNC},
			    .has_tunnel = true,
			    .has_exit = true,
			    .address = {from, 24},
			    .destination = {to, 32},
			    .only = {{0x0a000000}, 8}};
	w->tunnel = (struct tunnel){.head = {.name = "tun_a", .enabled = true},
				    .local = local,
				    .remote = remote,
				    .addresses = {&w->address, 1},
				    .ttl = 64};
	w->exit = (struct exit_route){.head = {.name = "qq", .enabled = true},
				      .tunnel = "tun_a",
				      .destinations = {&w->destination, 1}};
	add_link(w, "eth0", "");
	add_link(w, "tun_a", "ipip");
	add_addr(w, local, 24, "eth0");
	add_addr(w, from, 24, "tun_a");
	know(w);
	see_all(w);
}

static void elsewhere(struct world *w, uint32_t table)
{
	w->known.enters = false;
	set_route(&w->known.path, "", "eth0", table);
}

static void uncovered(struct world *w)
{
	w->has_exit = false;
	elsewhere(w, 254);
}

static void exit_disabled(struct world *w)
{
	elsewhere(w, 254);
	w->exit.head.enabled = false;
	w->exit_status = (struct status){.state = STATE_DISABLED, .reason = REASON_DISABLED};
}

static void tunnel_disabled(struct world *w)
{
	elsewhere(w, 254);
	w->tunnel.head.enabled = false;
	w->exit_status = (struct status){.state = STATE_PENDING,
					 .reason = REASON_DEPENDENCY_DISABLED};
	w->status = (struct status){.state = STATE_DISABLED, .reason = REASON_DISABLED};
}

static void foreign_rule(struct world *w)
{
	elsewhere(w, 100);
}

static void longer_in_main(struct world *w)
{
	elsewhere(w, 254);
	w->destination.len = 24;
}

static void other_from(struct world *w)
{
	elsewhere(w, 254);
	w->exit.from = (struct prefixes){&w->only, 1};
}

static void from_underlay(struct world *w)
{
	elsewhere(w, 254);
	w->known.from = w->known.question.from = local;
}

/* As above, but nobody asked for that source: the rule brought it. */
static void foreign_rule_with_its_source(struct world *w)
{
	elsewhere(w, 254);
	w->known.from = local;
}

static void blackhole(struct world *w)
{
	w->known.enters = false;
	w->known.path.answer.error = -EINVAL;
}

static void to_itself(struct world *w)
{
	w->known.enters = false;
	w->known.path.answer.local = true;
}

static void from_nowhere(struct world *w)
{
	w->known.from = w->known.question.from = (struct addr){0x0a090909};
	w->tunnel.addresses.len = 0;
}

static void loops(struct world *w)
{
	set_route(&w->known.outer, "", "tun_a", 254);
}

static void local_gone(struct world *w)
{
	w->status = (struct status){.state = STATE_PENDING, .reason = REASON_LOCAL_ADDRESS_MISSING};
	w->facts.addrs.v[0] = w->facts.addrs.v[1];
	w->facts.addrs.len = 1;
}

static void local_gone_with_its_way(struct world *w)
{
	local_gone(w);
	w->known.underlay.answer.error = -ENETUNREACH;
}

static void no_carrier(struct world *w)
{
	w->known.neighbour.no_carrier = true;
}

static void to_the_remote(struct world *w)
{
	uncovered(w);
	w->known.question.to = remote;
}

/* Which sends nothing to it. */
static void to_the_remote_of_a_disabled_tunnel(struct world *w)
{
	tunnel_disabled(w);
	w->known.question.to = w->destination.addr = remote;
}

static void to_everybody(struct world *w)
{
	uncovered(w);
	w->known.question.to = (struct addr){UINT32_MAX};
}

static void no_underlay_route(struct world *w)
{
	w->status = (struct status){.state = STATE_PENDING, .reason = REASON_UNDERLAY_UNROUTABLE};
	w->known.underlay.answer.error = -EHOSTUNREACH;
}

static void dead_gateway(struct world *w)
{
	w->known.neighbour.state = NUD_INCOMPLETE;
}

static void needless_gateway(struct world *w)
{
	dead_gateway(w);
	w->facts.addrs.v[0].len = 16;
}

static void output_drops(struct world *w)
{
	struct trace_drop *drop = &w->known.probed.seen.drops[w->known.probed.seen.n_drops++];

	*drop = (struct trace_drop){.layer = TRACE_OUTER,
				    .hook = TRACE_OUTPUT,
				    .family = "ip",
				    .table = "filter",
				    .chain = "OUTPUT"};
	hop(w, TRACE_OUT, TRACE_OUTER, TRACE_OUTPUT)[TRACE_LAST] = 0;
}

static void nothing_back(struct world *w)
{
	hop(w, TRACE_BACK, TRACE_OUTER, TRACE_PREROUTING)[TRACE_FIRST] = 0;
}

/* By ports, of which the question knows nothing. */
static void strict_but_passed(struct world *w)
{
	set_route(&w->known.out, "", "eth0", 254);
	w->known.back.answer.error = -EXDEV;
	w->known.of_tunnel.rp_filter = 1;
}

static void strict(struct world *w)
{
	strict_but_passed(w);
	hop(w, TRACE_BACK, TRACE_INNER, TRACE_INPUT)[TRACE_FIRST] = 0;
}

static void strict_unnumbered(struct world *w)
{
	strict(w);
	w->tunnel.addresses.len = 0;
}

static void not_to_the_socket(struct world *w)
{
	w->known.probed.result.received = 0;
}

static void lost_long(struct world *w)
{
	w->known.probed.result.largest_passed = 1400;
	w->known.probed.result.n_passed = 5;
}

static void black_hole(struct world *w)
{
	lost_long(w);
	w->known.probed.result.whole_passed = true;
}

/* clang-format off */
static const struct situation situations[] = {
	{is_whole, NULL, NULL},
	{uncovered, "route", "ipipctl exit add to-180.163.26.39 --tunnel tun_a "
	 "--destinations 180.163.26.39/32"},
	{exit_disabled, "route", "ipipctl exit set qq --enabled"},
	{tunnel_disabled, "route", "ipipctl tunnel set tun_a --enabled"},
	{foreign_rule, "route", "ip rule add priority 1 to 180.163.26.39 lookup 7000"},
	{foreign_rule_with_its_source, "route",
	 "ip rule add priority 1 to 180.163.26.39 lookup 7000"},
	{longer_in_main, "route", "ipipctl exit add to-180.163.26.39 --tunnel tun_a "
	 "--destinations 180.163.26.39/32"},
	{other_from, "route", "ipipctl exit add to-180.163.26.39 --tunnel tun_a "
	 "--destinations 180.163.26.39/32"},
	{from_underlay, "route", NULL},
	{blackhole, "route", "ip rule add priority 1 to 180.163.26.39 lookup 7000"},
	{to_itself, "route", NULL},
	{device_down, "tunnel", "ip link set tun_a up && ipipctl reconcile"},
	{from_nowhere, "source", NULL},
	{loops, "loop", "ip route flush table 254 dev tun_a to match 172.16.1.62"},
	{local_gone, "underlay", "ip address add 172.16.16.22/32 dev eth0"},
	{local_gone_with_its_way, "underlay", NULL},
	{no_carrier, "neighbour", NULL},
	{to_the_remote, "route", NULL},
	{to_the_remote_of_a_disabled_tunnel, "route", "ipipctl tunnel set tun_a --enabled"},
	{to_everybody, "route", NULL},
	{no_underlay_route, "underlay", "ip route flush type unreachable to match 172.16.1.62"},
	{dead_gateway, "neighbour", NULL},
	{needless_gateway, "neighbour", "ip route flush to match 172.16.1.62 via 172.16.16.1"},
	{output_drops, "send",
	 "nft 'insert rule ip filter OUTPUT ip protocol 4 ip daddr 172.16.1.62 accept'"},
	{nothing_back, "reply-arrival", NULL},
	{strict_but_passed, NULL, NULL},
	{strict, "rp_filter", "ipipctl tunnel set tun_a --rp-filter loose"},
	{strict_unnumbered, "rp_filter", "ipipctl tunnel set tun_a --rp-filter off && "
	 "sysctl -w net.ipv4.conf.all.rp_filter=0"},
	{not_to_the_socket, "reply", NULL},
	{lost_long, NULL, NULL},
	{black_hole, "mtu", "ipipctl tunnel set tun_a --mtu 1400"},
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
	}
}

/* What the device counts meanwhile: collisions and carrier errors are breaks, packets that are
 * too large are none. */
static void the_device_tells_by_its_counters(void **state)
{
	static const struct {
		struct link_stats after;
		unsigned told_mtu;
		enum why_verdict verdict;
		const char *words;
	} cases[] = {
		{{.tx_packets = 3}, 0, WHY_OK, "no collisions"},
		{{.collisions = 2, .tx_errors = 2}, 0, WHY_BROKEN, "2 collisions"},
		{{.tx_carrier_errors = 1, .tx_errors = 1}, 0, WHY_BROKEN, "1 carrier errors"},
		{{.tx_errors = 4}, 1380, WHY_WARN, "ICMP told an MTU of 1380"},
		{{.tx_errors = 4}, 0, WHY_WARN, "could not send 4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct why_checks checks;
		unsigned at = 0;

		begin(&w);
		w.known.probed.after = cases[i].after;
		w.known.probed.result.told_mtu = cases[i].told_mtu;
		judge(&w, &checks);
		while (at < checks.len && strcmp(checks.v[at].name, "device") != 0)
			at++;
		assert_true(at < checks.len);
		assert_int_equal(checks.v[at].verdict, cases[i].verdict);
		assert_non_null(strstr(checks.v[at].evidence, cases[i].words));
	}
}

/* That a destination does not answer long ones is no break: the way is, where others see it. */
static void a_way_is_narrow_where_it_is_seen(void **state)
{
	static const char fix[] = "ipipctl tunnel set tun_a --mtu 1400";
	static const struct {
		uint32_t came;
		unsigned n_passed;
		bool whole_passed;
		enum why_verdict verdict;
		const char *words;
	} cases[] = {
		{0, 5, false, WHY_WARN, "or the destination does not answer such"},
		{11, 5, false, WHY_WARN, "or the destination does not answer such"},
		{4, 5, false, WHY_WARN, "or the destination does not answer such"},
		{5, 5, false, WHY_BROKEN, "longer ones vanish on the way here"},
		{5, 5, true, WHY_BROKEN, "longer ones vanish on the way here"},
		{10, 5, false, WHY_WARN, "or the destination does not answer such"},
		{0, 5, true, WHY_BROKEN, "only in fragments"},
		{11, 5, true, WHY_BROKEN, "only in fragments"},
		{11, 10, true, WHY_WARN, "only in fragments"}, /* it may be lost by chance */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct why_checks checks;

		begin(&w);
		lost_long(&w);
		w.known.probed.seen.counts.beside[TRACE_SIZES_CAME] = cases[i].came;
		w.known.probed.result.n_passed = cases[i].n_passed;
		w.known.probed.result.whole_passed = cases[i].whole_passed;
		judge(&w, &checks);
		const struct why_check *check = &checks.v[checks.len - 1];
		assert_int_equal(check->verdict, cases[i].verdict);
		assert_non_null(strstr(check->evidence, cases[i].words));
		assert_string_equal(check->fix, fix);
	}
}

static void a_way_that_loses_short_ones_is_not_called_narrow(void **state)
{
	struct world w;
	struct why_checks checks;

	(void)state;
	begin(&w);
	black_hole(&w);
	w.known.probed.result.sent = 3;
	w.known.probed.result.received = 2;
	judge(&w, &checks);
	const struct why_check *check = &checks.v[checks.len - 1];
	assert_string_equal(check->name, "mtu");
	assert_int_equal(check->verdict, WHY_WARN);
	assert_non_null(strstr(check->evidence, "nor did 1 of 3 short ones"));
	assert_string_equal(check->fix, "");
}

/* FAILED stays as long as nobody asks. */
static void a_neighbour_that_failed_is_not_known_without_a_probe(void **state)
{
	struct world w;
	struct why_checks checks;

	(void)state;
	begin(&w);
	w.known.question.probe = w.known.probed.done = false;
	w.known.neighbour.state = NUD_FAILED;
	judge(&w, &checks);
	assert_int_equal(why_worst(&checks), WHY_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_break_and_its_fix),
		cmocka_unit_test(the_device_tells_by_its_counters),
		cmocka_unit_test(a_way_is_narrow_where_it_is_seen),
		cmocka_unit_test(a_way_that_loses_short_ones_is_not_called_narrow),
		cmocka_unit_test(a_neighbour_that_failed_is_not_known_without_a_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
