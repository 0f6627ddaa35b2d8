/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an event names is looked at alone, and is seen as the look at everything sees it. */
#include "kernel/ground.h"

#include <stdio.h>
#include <string.h>

/* A device of ours with an address and a route, our table with a set, and a device of others. */
static int host(void **state)
{
	if (ground_new(state))
		return -1;
	ground_sh("ip link add t0 type veth peer name p && ip link set p up && "
		  "ip link set t0 group %d up && ip addr add 192.168.1.1/24 dev t0 && "
		  "ip link add eth0 type veth peer name q && ip link set q up && "
		  "ip link set eth0 up && "
		  "ip addr add 192.0.2.1/24 dev eth0 && "
		  "ip route add 203.0.113.0/24 dev t0 table 7000 proto 105 && "
		  "ip rule add priority 7010 lookup 7000 protocol 105",
		  OUR_GROUP);
	ground_sh("nft 'table ip ipipd { set hosts { type ipv4_addr; elements = { 10.0.0.1 } }; "
		  "set nets { type ipv4_addr; flags interval; elements = { 10.1.0.0/16 } }; "
		  "set names { type ifname; elements = { \"t0\" } }; }'");
	ground_look(*state);
	ground_quiet(*state);
	return 0;
}

static void happens(struct ground *ground, const char *line)
{
	ground_quiet(ground);
	ground_sh("%s", line);
	if (!ground_events(ground, true).look)
		fail_msg("did not wake: %s", line);
	ground_events(ground, false); /* and what follows it */
}

/* The scope has exactly that one key. */
static void names(struct ground *ground, enum kind_id kind, const char *key, const char *line)
{
	happens(ground, line);
	assert_false(ground->scope.everything);
	assert_int_equal(ground->scope.whole, 0);
	objects_sort(&ground->scope.keys);
	assert_int_equal(objects_count(&ground->scope.keys), 1);
	assert_int_equal(ground->scope.keys.kind[kind].len, 1);
	struct object *object = ground->scope.keys.kind[kind].v[0];
	object->set = kind_all(kinds[kind]);
	assert_string_equal(kind_key_text(kinds[kind], object, &ground->arena), key);
}

static void names_whole(struct ground *ground, enum kind_id kind, const char *line)
{
	happens(ground, line);
	assert_false(ground->scope.everything);
	assert_true(scope_is_whole(&ground->scope, kind));
}

static void names_everything(struct ground *ground, const char *line)
{
	happens(ground, line);
	assert_true(ground->scope.everything);
	ground_look(ground); /* as a pass would, so that the next event has a ground */
}

static void events_name_what_they_are_about(void **state)
{
	struct ground *ground = *state;

	names(ground, KIND_ROUTE, "table 7000 203.0.113.0/24",
	      "ip route del 203.0.113.0/24 table 7000");
	names(ground, KIND_LINK, "t0", "ip link set t0 mtu 1400");
	names(ground, KIND_LINK, "t0", "ip link set t0 alias x");
	names(ground, KIND_LINK, "t0", "ip addr add 192.168.2.1/24 dev t0");
	names(ground, KIND_ADDRESS, "t0 192.168.2.1/24", "ip addr del 192.168.2.1/24 dev t0");
	names(ground, KIND_RULE, "7010 lookup 7000 protocol 105", "ip rule del priority 7010");
	names(ground, KIND_LINK, "t0", "ip link set t0 down");
	names(ground, KIND_SYSCTL, "t0 rp_filter", "echo 1 >/proc/sys/net/ipv4/conf/t0/rp_filter");
	names(ground, KIND_SYSCTL, "eth0 forwarding",
	      "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding");
	names(ground, KIND_NFT_ELEMENT, "hosts 10.0.0.1/32",
	      "nft delete element ip ipipd hosts '{ 10.0.0.1 }'");
	names(ground, KIND_NFT_ELEMENT, "names t0 0.0.0.0/0",
	      "nft delete element ip ipipd names '{ t0 }'");
}

static void some_events_name_a_whole_kind(void **state)
{
	struct ground *ground = *state;

	names_whole(ground, KIND_NFT_CHAIN, "nft add chain ip ipipd c");
	names_whole(ground, KIND_NFT_ELEMENT, "nft delete element ip ipipd nets '{ 10.1.0.0/16 }'");
	names_whole(ground, KIND_NFT_TABLE, "nft flush ruleset");
	names_whole(ground, KIND_ROUTE,
		    "for i in $(seq 80); do echo route add 203.0.$i.0/24 dev t0 table 7001; done |"
		    " ip -batch -");
}

static void facts_are_everybodys_business(void **state)
{
	struct ground *ground = *state;

	names_everything(ground, "ip addr add 192.0.2.9/32 dev eth0");
	names_everything(ground, "ip link set eth0 mtu 1400");
	names_everything(ground, "ip route add default via 192.0.2.254");
	names_everything(ground, "echo 1 >/proc/sys/net/ipv4/ip_forward");
	names_everything(ground, "ip link add x type veth peer name y");
	names_everything(ground, "ip link del x");
}

/* What is seen of the scope alone is what the look at everything sees of it. */
static void assert_seen_alike(struct ground *ground)
{
	struct objects some = {0};
	struct facts facts = {0};

	objects_sort(&ground->scope.keys);
	for (size_t i = 0; i < ground->facts.links.len; i++)
		vec_push(&facts.links, ground->facts.links.v[i]);
	assert_int_equal(ground->kernel->vt->observe_some(ground->kernel, &ground->arena,
							  &ground->scope, &some, &facts,
							  &ground->err),
			 0);
	ground_look(ground);
	for (unsigned kind = OBJECT_KIND_FIRST; kind < OBJECT_KIND_END; kind++) {
		const struct object_list *keys = scope_is_whole(&ground->scope, kind)
							 ? &ground->observed.kind[kind]
							 : &ground->scope.keys.kind[kind];

		for (size_t i = 0; i < keys->len && kind != KIND_SYSCTL; i++) {
			struct object *all = objects_find(&ground->observed, kind, keys->v[i]);
			struct object *one = objects_find(&some, kind, keys->v[i]);

			assert_int_equal(!all, !one);
			if (all)
				assert_true(kind_same(kinds[kind], all, one) &&
					    all->marks == one->marks);
		}
	}
	for (unsigned kind = KIND_LINK; kind <= KIND_SYSCTL; kind++)
		for (size_t i = 0; i < ground->scope.keys.kind[kind].len; i++) {
			const char *device = object_device(kind,
							   ground->scope.keys.kind[kind].v[i]);
			const struct fact_link *all = facts_link(&ground->facts, device);
			const struct fact_link *one = facts_link(&facts, device);

			assert_int_equal(!all, !one);
			if (all)
				assert_memory_equal(all, one, sizeof(*all));
		}
	objects_done(&some);
	facts_done(&facts);
	scope_done(&ground->scope);
}

static void a_look_at_some_sees_what_a_look_at_all_sees(void **state)
{
	static const char *const lines[] = {
		"ip link set t0 mtu 1400",
		"ip addr add 192.168.2.1/24 dev t0",
		"echo 1 >/proc/sys/net/ipv4/conf/t0/forwarding",
		"echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter",
		"ip route replace 203.0.113.0/24 dev t0 table 7000 proto 4",
		"ip route del 203.0.113.0/24 table 7000",
		"ip rule add priority 7010 lookup 7000 protocol 4",
		"ip rule del priority 7010 protocol 105",
		"ip addr del 192.168.2.1/24 dev t0",
		"nft add element ip ipipd hosts '{ 10.0.0.2, 10.0.0.3 }'",
		"nft delete element ip ipipd hosts '{ 10.0.0.2 }'",
		"nft add element ip ipipd nets '{ 10.2.0.0/16 }'",
		"ip link set t0 down",
		"nft flush ruleset",
	};
	struct ground *ground = *state;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		happens(ground, lines[i]);
		assert_false(ground->scope.everything);
		assert_seen_alike(ground);
	}
}

/* Until somebody looks: what came since is not ours to overlook. */
static void what_was_told_to_be_gone_is_believed_once(void **state)
{
	struct ground *ground = *state;
	struct objects seen = {0};
	struct facts facts = {0};

	happens(ground, "ip rule del priority 7010 && ip addr del 192.168.1.1/24 dev t0");
	ground_sh("ip rule add priority 7010 lookup 7000 protocol 105 && "
		  "ip addr add 192.168.1.1/24 dev t0");
	vec_push(&facts.addrs, *facts_addr(&ground->facts, ground_prefix("192.168.1.1/24").addr));
	objects_sort(&ground->scope.keys);
	for (size_t look = 0; look < 2; look++) {
		assert_int_equal(ground->kernel->vt->observe_some(ground->kernel, &ground->arena,
								  &ground->scope, &seen, &facts,
								  &ground->err),
				 0);
		assert_int_equal(seen.kind[KIND_RULE].len, look);
		assert_int_equal(seen.kind[KIND_ADDRESS].len, look);
		assert_int_equal(facts.addrs.len, look);
		scope_forget_told(&ground->scope);
	}
	objects_done(&seen);
	facts_done(&facts);
}

/* Nothing told what is there: by the route that packets take, or by a dump. */
static void a_route_is_seen_also_when_no_event_told_of_it(void **state)
{
	static const char *const keys[] = {"203.0.113.0/24", "203.0.113.0/25", "0.0.0.0/0",
					   "203.0.113.128/25", "198.51.100.0/24"};
	struct ground *ground = *state;

	ground_sh("ip route add 203.0.113.0/25 dev t0 table 7000 proto 105 src 192.168.1.1 && "
		  "ip route add default dev t0 table 7000 proto 105 && "
		  "ip route add 198.51.100.0/24 dev eth0"); /* of main */
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct route key = {.table = 7000, .dst = ground_prefix(keys[i])};

		ground_quiet(ground);
		scope_add(&ground->scope, KIND_ROUTE, &key);
		assert_seen_alike(ground);
	}
}

static void a_device_made_anew_has_its_own_index_and_switches(void **state)
{
	struct ground *ground = *state;
	struct link key = {.device = "t0"};

	ground_sh("echo 1 >/proc/sys/net/ipv4/conf/t0/forwarding");
	ground_look(ground);
	ground_quiet(ground);
	ground_sh(
		"ip link del t0 && ip link add t0 type veth peer name p && ip link set t0 group %d",
		OUR_GROUP);
	scope_add(&ground->scope, KIND_LINK, &key);
	assert_seen_alike(ground);
	assert_false(facts_link(&ground->facts, "t0")->forwarding);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host, ground_free)
	static const struct CMUnitTest tests[] = {
		TEST(events_name_what_they_are_about),
		TEST(some_events_name_a_whole_kind),
		TEST(facts_are_everybodys_business),
		TEST(a_look_at_some_sees_what_a_look_at_all_sees),
		TEST(what_was_told_to_be_gone_is_believed_once),
		TEST(a_route_is_seen_also_when_no_event_told_of_it),
		TEST(a_device_made_anew_has_its_own_index_and_switches),
	};

	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
