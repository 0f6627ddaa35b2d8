/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, routes, rules and sysctls on veth devices of the running kernel. */
#include "kernel/ground.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

static void veth(const char *device, const char *address)
{
	ground_sh("ip link add %s type veth peer name p%s && ip link set p%s up && "
		  "ip addr add %s dev %s && ip link set %s up",
		  device, device, device, address, device, device);
}

static struct address address_of(const char *device, const char *prefix)
{
	struct address address = {.head.set = kind_all(&address_kind)};

	snprintf(address.device, sizeof(address.device), "%s", device);
	address.prefix = ground_prefix(prefix);
	return address;
}

static struct route route_of(uint32_t table, const char *dst, const char *device)
{
	struct route route = {
		.head.set = kind_all(&route_kind),
		.table = table,
		.dst = ground_prefix(dst),
		.scope = RT_SCOPE_LINK,
		.protocol = OUR_PROTOCOL,
	};

	snprintf(route.device, sizeof(route.device), "%s", device);
	return route;
}

static struct rule rule_of(uint32_t priority, enum rule_action action)
{
	return (struct rule){
		.head.set = kind_all(&rule_kind),
		.priority = priority,
		.action = (uint8_t)action,
		.suppress_prefixlength = SUPPRESS_NONE,
		.protocol = OUR_PROTOCOL,
	};
}

static struct sysctl sysctl_of(const char *device, enum sysctl_name name, uint32_t value)
{
	struct sysctl sysctl = {
		.head.set = kind_all(&sysctl_kind),
		.name = (uint8_t)name,
		.value = value,
	};

	snprintf(sysctl.device, sizeof(sysctl.device), "%s", device);
	return sysctl;
}

static void sees_links_with_their_facts(void **state)
{
	struct ground *ground = *state;

	veth("e0", "192.0.2.1/24");
	ground_sh("ip link set e0 mtu 1400 alias 'an alias'");
	ground_look(ground);
	struct link *link = ground_find(ground, KIND_LINK, "e0");
	assert_non_null(link);
	assert_string_equal(link->driver, "veth");
	assert_string_equal(link->alias, "an alias");
	assert_int_equal(link->mtu, 1400);
	assert_true(link->up);
	assert_int_equal(link->head.marks, 0);
	const struct fact_link *fact = facts_link(&ground->facts, "e0");
	assert_non_null(fact);
	assert_int_equal(fact->mtu, 1400);
	assert_true(fact->up && !fact->ours && !fact->loopback && !fact->forwarding);
	assert_true(facts_link(&ground->facts, "lo")->loopback);
	assert_non_null(facts_addr(&ground->facts, ground_addr("192.0.2.1")));
	assert_non_null(facts_addr(&ground->facts, ground_addr("127.0.0.1")));
	assert_false(ground->facts.ip_forward);
	assert_int_equal(fact->ifindex, ground->kernel->vt->ifindex(ground->kernel, "e0"));
}

/* What a device made later begins with, and what is put back on it one day. */
static void sees_the_defaults_of_new_devices(void **state)
{
	struct ground *ground = *state;

	ground_sh("echo 2 >/proc/sys/net/ipv4/conf/default/rp_filter && "
		  "echo 1 >/proc/sys/net/ipv4/conf/default/forwarding");
	ground_look(ground);
	assert_int_equal(ground->facts.default_rp_filter, 2);
	assert_true(ground->facts.default_forwarding);
	ground_sh("echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter && "
		  "echo 0 >/proc/sys/net/ipv4/conf/default/forwarding");
	ground_look(ground);
	assert_int_equal(ground->facts.default_rp_filter, 0);
	assert_false(ground->facts.default_forwarding);
}

/* To the kernel it is another address than the one without a peer. */
static void address_with_a_peer_is_not_ours_to_compare(void **state)
{
	struct ground *ground = *state;
	struct address want = address_of("e0", "192.168.1.1/24");

	veth("e0", "192.0.2.1/24");
	ground_sh("ip addr add 192.168.1.1 peer 10.0.0.2/24 dev e0");
	ground_look(ground);
	assert_null(ground_find(ground, KIND_ADDRESS, "e0 192.168.1.1/24"));
	assert_non_null(facts_addr(&ground->facts, ground_addr("192.168.1.1")));
	assert_int_equal(ground_add(ground, KIND_ADDRESS, &want), 0);
}

static void link_with_our_group_or_alias_is_ours(void **state)
{
	struct ground *ground = *state;

	ground_sh("ip link add a0 type veth peer name a1 && ip link set a0 group %d && "
		  "ip link set a1 alias ipipd:0badcafe:x",
		  OUR_GROUP);
	ground_sh("ip link add b0 type veth peer name b1 && ip link set b0 group %d",
		  OUR_DOOMED_GROUP);
	ground_look(ground);
	assert_int_equal(((struct link *)ground_find(ground, KIND_LINK, "a0"))->head.marks,
			 OBJECT_OURS);
	assert_int_equal(((struct link *)ground_find(ground, KIND_LINK, "a1"))->head.marks,
			 OBJECT_OURS);
	assert_int_equal(((struct link *)ground_find(ground, KIND_LINK, "b0"))->head.marks,
			 OBJECT_OURS | OBJECT_DOOMED);
	assert_int_equal(((struct link *)ground_find(ground, KIND_LINK, "b1"))->head.marks, 0);
}

static void adds_and_deletes_address(void **state)
{
	struct ground *ground = *state;
	struct address want = address_of("e0", "192.168.1.1/24");

	veth("e0", "192.0.2.1/24");
	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_ADDRESS, &want), 0);
	/* what came since the look is not ours to take over */
	assert_int_equal(ground_add(ground, KIND_ADDRESS, &want), -EEXIST);
	ground_prints("192.168.1.1/24\n",
		      "ip -4 -o addr show e0 to 192.168.1.1 | awk '{print $4}'");
	ground_look(ground);
	struct address *seen = ground_find(ground, KIND_ADDRESS, "e0 192.168.1.1/24");
	assert_non_null(seen);
	assert_int_equal(kind_differences(&address_kind, &want, seen), 0);
	assert_int_equal(ground_delete(ground, KIND_ADDRESS, seen), 0);
	assert_int_equal(ground_delete(ground, KIND_ADDRESS, seen), 0); /* gone is deleted */
	ground_look(ground);
	assert_null(ground_find(ground, KIND_ADDRESS, "e0 192.168.1.1/24"));
	assert_non_null(ground_find(ground, KIND_ADDRESS, "e0 192.0.2.1/24"));
}

static void address_on_absent_device_fails_and_says_so(void **state)
{
	struct ground *ground = *state;
	struct address want = address_of("nowhere", "192.168.1.1/24");
	struct op op = {.verb = OP_ADD, .kind = KIND_ADDRESS, .want = &want.head};

	ground_look(ground);
	assert_int_equal(ground_apply(ground, &op), -ENODEV);
	assert_string_equal(op.message, "address nowhere 192.168.1.1/24: add: no device nowhere");
	assert_int_equal(ground_delete(ground, KIND_ADDRESS, &want), 0);
}

static void adds_replaces_and_deletes_route(void **state)
{
	struct ground *ground = *state;
	struct route want = route_of(7000, "203.0.113.0/24", "e0");
	struct op change = {.verb = OP_CHANGE, .kind = KIND_ROUTE, .want = &want.head};

	veth("e0", "192.0.2.1/24");
	ground_look(ground);
	want.prefsrc = ground_addr("192.0.2.1");
	assert_int_equal(ground_add(ground, KIND_ROUTE, &want), 0);
	ground_prints("203.0.113.0/24 dev e0 proto 105 scope link src 192.0.2.1 \n",
		      "ip route show table 7000");
	want.gateway = ground_addr("192.0.2.9");
	want.scope = RT_SCOPE_UNIVERSE;
	assert_int_equal(ground_apply(ground, &change), 0);
	ground_look(ground);
	struct route *seen = ground_find(ground, KIND_ROUTE, "table 7000 203.0.113.0/24");
	assert_non_null(seen);
	assert_true(kind_same(&route_kind, &want, seen));
	assert_int_equal(seen->head.marks, OBJECT_OURS);
	assert_int_equal(ground->observed.kind[KIND_ROUTE].len, 1);
	assert_int_equal(ground_delete(ground, KIND_ROUTE, seen), 0);
	assert_int_equal(ground_delete(ground, KIND_ROUTE, seen), 0);
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_ROUTE].len, 0);
}

static void foreign_route_in_our_table_is_seen_and_not_written_over(void **state)
{
	struct ground *ground = *state;
	struct route want = route_of(7123, "203.0.113.0/24", "e0");

	veth("e0", "192.0.2.1/24");
	ground_sh("ip route add 203.0.113.0/24 dev e0 table 7123 proto static");
	ground_look(ground);
	/* nobody wanted anything in that table yet */
	assert_null(ground_find(ground, KIND_ROUTE, "table 7123 203.0.113.0/24"));
	assert_int_equal(ground_add(ground, KIND_ROUTE, &want), -EEXIST);
	ground_look(ground);
	struct route *seen = ground_find(ground, KIND_ROUTE, "table 7123 203.0.113.0/24");
	assert_non_null(seen);
	assert_int_equal(seen->head.marks, 0);
	assert_int_equal(ground_delete(ground, KIND_ROUTE, &want), 0); /* none of ours there */
	ground_prints("203.0.113.0/24 dev e0 proto static scope link \n",
		      "ip route show table 7123");
	struct op adopt = {
		.verb = OP_ADOPT, .kind = KIND_ROUTE, .want = &want.head, .have = &seen->head};
	assert_int_equal(ground_apply(ground, &adopt), 0);
	ground_prints("203.0.113.0/24 dev e0 proto 105 scope link \n", "ip route show table 7123");
}

static void tables_with_routes_of_ours_are_found_at_start(void **state)
{
	struct ground *ground = *state;

	veth("e0", "192.0.2.1/24");
	ground_sh("ip route add 203.0.113.0/24 dev e0 table 7321 proto 105 && "
		  "ip route add 203.0.114.0/24 dev e0 table 7321 proto static && "
		  "ip route add 203.0.115.0/24 dev e0 table 8321 proto 105");
	ground_look(ground);
	assert_non_null(ground_find(ground, KIND_ROUTE, "table 7321 203.0.113.0/24"));
	assert_non_null(ground_find(ground, KIND_ROUTE, "table 7321 203.0.114.0/24"));
	assert_null(ground_find(ground, KIND_ROUTE, "table 8321 203.0.115.0/24"));
}

static void route_of_another_table_that_comes_later_is_seen(void **state)
{
	struct ground *ground = *state;

	veth("e0", "192.0.2.1/24");
	ground_look(ground);
	ground_quiet(ground);
	ground_sh("ip route add 203.0.113.0/24 dev e0 table 7555 proto static");
	assert_true(ground_events(ground, true).look);
	ground_look(ground);
	assert_non_null(ground_find(ground, KIND_ROUTE, "table 7555 203.0.113.0/24"));
}

static void route_with_more_than_we_can_say_is_another(void **state)
{
	struct ground *ground = *state;

	veth("e0", "192.0.2.1/24");
	ground_sh("ip route add 203.0.113.0/24 dev e0 table 7000 proto 105 mtu 500");
	ground_look(ground);
	struct route *route = (struct route *)ground_find(ground, KIND_ROUTE,
							  "table 7000 203.0.113.0/24");
	assert_non_null(route);
	assert_int_equal(route->type, ROUTE_OTHER);
}

static void routes_of_main_are_no_objects(void **state)
{
	struct ground *ground = *state;

	veth("e0", "192.0.2.1/24");
	ground_sh("ip route add 203.0.113.0/24 dev e0 proto 105");
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_ROUTE].len, 0);
}

static void a_driver_that_is_missing_is_told_with_what_loads_it(void **state)
{
	struct ground *ground = *state;
	struct link want = {.device = "t0", .driver = "nosuch"};
	struct op op = {.verb = OP_ADD, .kind = KIND_LINK, .want = &want.head};

	want.head.set = kind_compared(&link_kind);
	ground_look(ground);
	assert_int_equal(ground_apply(ground, &op), -EOPNOTSUPP);
	assert_string_equal(op.message, "link t0: create: the kernel has no driver nosuch (Unknown "
					"device type): `modprobe nosuch` loads it, or says why "
					"not");
}

static void route_failure_has_the_kernels_words(void **state)
{
	struct ground *ground = *state;
	struct route want = route_of(7000, "203.0.113.0/24", "e0");
	struct op op = {.verb = OP_ADD, .kind = KIND_ROUTE, .want = &want.head};

	veth("e0", "192.0.2.1/24");
	ground_sh("ip link set e0 down");
	ground_look(ground);
	assert_int_equal(ground_apply(ground, &op), -ENETDOWN);
	assert_string_equal(op.message, "route table 7000 203.0.113.0/24: add: "
					"Device for nexthop is not up");
}

static void adds_rules_as_iproute2_reads_them(void **state)
{
	struct ground *ground = *state;
	struct rule rules[5] = {
		rule_of(9999, RULE_NOP),    rule_of(7000, RULE_GOTO),   rule_of(7005, RULE_GOTO),
		rule_of(7010, RULE_LOOKUP), rule_of(7011, RULE_LOOKUP),
	};

	rules[1].from = ground_prefix("192.0.2.1/32");
	rules[1].target = rules[2].target = 9999;
	rules[2].fwmark = OUR_MARK;
	rules[2].fwmask = UINT32_MAX;
	rules[3].table = RT_TABLE_MAIN;
	rules[3].suppress_prefixlength = 0;
	rules[4].from = ground_prefix("10.0.0.0/8");
	rules[4].table = 7001;
	ground_look(ground);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		assert_int_equal(ground_add(ground, KIND_RULE, &rules[i]), 0);
	ground_prints("0:\tfrom all lookup local\n"
		      "7000:\tfrom 192.0.2.1 goto 9999 proto 105\n"
		      "7005:\tfrom all fwmark 0x69706970 goto 9999 proto 105\n"
		      "7010:\tfrom all lookup main suppress_prefixlength 0 proto 105\n"
		      "7011:\tfrom 10.0.0.0/8 lookup 7001 proto 105\n"
		      "9999:\tfrom all nop proto 105\n"
		      "32766:\tfrom all lookup main\n"
		      "32767:\tfrom all lookup default\n",
		      "ip rule show");
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_RULE].len, 5);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct rule *seen = (struct rule *)objects_find(&ground->observed, KIND_RULE,
								&rules[i]);

		assert_non_null(seen);
		assert_true(kind_same(&rule_kind, &rules[i], seen));
		assert_int_equal(seen->head.marks, OBJECT_OURS);
		assert_int_equal(ground_delete(ground, KIND_RULE, seen), 0);
		assert_int_equal(ground_delete(ground, KIND_RULE, seen), 0);
	}
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_RULE].len, 0);
}

static void foreign_rule_in_our_priorities_is_foreign(void **state)
{
	struct ground *ground = *state;

	ground_sh("ip rule add priority 7100 iif lo lookup 7000 && "
		  "ip rule add priority 7200 from 10.0.0.0/8 lookup 7000 && "
		  "ip rule add priority 6999 from 10.0.0.0/8 lookup 7000");
	/* our protocol does not make it ours where we have no word for its form */
	ground_sh("ip rule add priority 7150 iif lo lookup 7000 protocol 105");
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_RULE].len, 3);
	assert_int_equal(ground->observed.kind[KIND_RULE].v[1]->marks, 0);
	ground_sh("ip rule del priority 7150");
	ground_look(ground);
	struct rule *other = (struct rule *)ground->observed.kind[KIND_RULE].v[0];
	assert_int_equal(other->action, RULE_OTHER);
	assert_int_equal(other->head.marks, 0);
	struct rule *plain = (struct rule *)ground->observed.kind[KIND_RULE].v[1];
	assert_int_equal(plain->action, RULE_LOOKUP);
	assert_int_equal(plain->head.marks, 0);
	/* ours of the same words is another rule, and takes nothing of his along */
	struct rule ours = *plain;
	ours.protocol = OUR_PROTOCOL;
	assert_int_equal(ground_add(ground, KIND_RULE, &ours), 0);
	assert_int_equal(ground_delete(ground, KIND_RULE, &ours), 0);
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_RULE].len, 2);
}

static void writes_sysctl_and_puts_it_back(void **state)
{
	struct ground *ground = *state;
	struct sysctl forwarding = sysctl_of("e0", SYSCTL_FORWARDING, 1);
	struct sysctl rp_filter = sysctl_of("e0", SYSCTL_RP_FILTER, 2);

	veth("e0", "192.0.2.1/24");
	ground_sh("echo 1 >/proc/sys/net/ipv4/conf/e0/rp_filter");
	ground_look(ground);
	assert_int_equal(facts_link(&ground->facts, "e0")->rp_filter, 1);
	rp_filter.before = 1;
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &forwarding), 0);
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &rp_filter), 0);
	ground_look(ground);
	assert_true(facts_link(&ground->facts, "e0")->forwarding);
	assert_int_equal(facts_link(&ground->facts, "e0")->rp_filter, 2);
	assert_false(facts_link(&ground->facts, "pe0")->forwarding);
	assert_false(ground->facts.ip_forward);
	assert_int_equal(ground_delete(ground, KIND_SYSCTL, &forwarding), 0);
	assert_int_equal(ground_delete(ground, KIND_SYSCTL, &rp_filter), 0);
	ground_prints("0\n1\n", "cat /proc/sys/net/ipv4/conf/e0/forwarding "
				"/proc/sys/net/ipv4/conf/e0/rp_filter");
}

static void sysctl_of_somebody_else_is_left(void **state)
{
	struct ground *ground = *state;
	struct sysctl rp_filter = sysctl_of("e0", SYSCTL_RP_FILTER, 2);
	struct sysctl forwarding = sysctl_of("e0", SYSCTL_FORWARDING, 1);

	veth("e0", "192.0.2.1/24");
	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &rp_filter), 0);
	ground_sh("echo 1 >/proc/sys/net/ipv4/conf/e0/rp_filter");
	assert_int_equal(ground_delete(ground, KIND_SYSCTL, &rp_filter), 0);
	ground_prints("1\n", "cat /proc/sys/net/ipv4/conf/e0/rp_filter");
	/* the host forwards at large meanwhile, by its owner's wish */
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &forwarding), 0);
	ground_sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
	assert_int_equal(ground_delete(ground, KIND_SYSCTL, &forwarding), 0);
	ground_prints("1\n", "cat /proc/sys/net/ipv4/conf/e0/forwarding");
	ground_look(ground);
	assert_true(ground->facts.ip_forward);
}

static void sysctl_of_absent_device(void **state)
{
	struct ground *ground = *state;
	struct sysctl gone = sysctl_of("gone", SYSCTL_FORWARDING, 1);
	struct sysctl all = sysctl_of("all", SYSCTL_FORWARDING, 1);
	struct sysctl up = sysctl_of("../conf/lo", SYSCTL_FORWARDING, 1);

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &gone), -ENODEV);
	assert_int_equal(ground_delete(ground, KIND_SYSCTL, &gone), 0);
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &all), -EINVAL);
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &up), -EINVAL);
	ground_prints("0\n", "cat /proc/sys/net/ipv4/ip_forward");
}

static void a_batch_goes_on_after_a_failure(void **state)
{
	enum { N = 600 };
	struct ground *ground = *state;
	struct route *routes = arena_array(&ground->arena, N, sizeof(*routes));
	struct op *ops = arena_array(&ground->arena, N, sizeof(*ops));

	veth("e0", "192.0.2.1/24");
	ground_look(ground);
	for (size_t i = 0; i < N; i++) {
		routes[i] = route_of(7000, "10.0.0.0/32", i == 300 ? "absent" : "e0");
		routes[i].dst.addr.host += (uint32_t)i;
		if (i == 100) /* no address of this host */
			routes[i].prefsrc = ground_addr("198.51.100.1");
		ops[i] = (struct op){.verb = OP_ADD, .kind = KIND_ROUTE, .want = &routes[i].head};
	}
	ground->kernel->vt->apply(ground->kernel, &ground->arena, ops, N);
	for (size_t i = 0; i < N; i++) {
		assert_true(ops[i].done);
		assert_int_equal(ops[i].result, i == 100 ? -EINVAL : i == 300 ? -ENODEV : 0);
	}
	ground_look(ground);
	assert_int_equal(ground->observed.kind[KIND_ROUTE].len, N - 2);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)
	TEST(sees_links_with_their_facts),
	TEST(sees_the_defaults_of_new_devices),
	TEST(address_with_a_peer_is_not_ours_to_compare),
	TEST(link_with_our_group_or_alias_is_ours),
	TEST(adds_and_deletes_address),
	TEST(address_on_absent_device_fails_and_says_so),
	TEST(adds_replaces_and_deletes_route),
	TEST(foreign_route_in_our_table_is_seen_and_not_written_over),
	TEST(tables_with_routes_of_ours_are_found_at_start),
	TEST(route_of_another_table_that_comes_later_is_seen),
	TEST(route_with_more_than_we_can_say_is_another),
	TEST(routes_of_main_are_no_objects),
	TEST(a_driver_that_is_missing_is_told_with_what_loads_it),
	TEST(route_failure_has_the_kernels_words),
	TEST(adds_rules_as_iproute2_reads_them),
	TEST(foreign_rule_in_our_priorities_is_foreign),
	TEST(writes_sysctl_and_puts_it_back),
	TEST(sysctl_of_somebody_else_is_left),
	TEST(sysctl_of_absent_device),
	TEST(a_batch_goes_on_after_a_failure),
};

int main(void)
{
	return cmocka_run_group_tests_name("rtnetlink", tests, NULL, NULL);
}
