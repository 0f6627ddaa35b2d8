/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What wakes and what does not; questions about routes; counters. */
#include "kernel/ground.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* eth0 with 192.0.2.1/24, a default by .254, and a remote that is asked about. */
static void host(struct ground *ground)
{
	ground_sh("ip link add eth0 type veth peer name p && ip link set p up && "
		  "ip link set eth0 mtu 1400 up && ip addr add 192.0.2.1/24 dev eth0 && "
		  "ip route add default via 192.0.2.254");
	*vec_add(&ground->facts.remotes) = (struct fact_remote){
		.remote = ground_addr("198.51.100.7")};
	ground_look(ground);
	ground_quiet(ground);
}

static void wakes(struct ground *ground, const char *line)
{
	ground_sh("%s", line);
	if (!ground_events(ground, true).look)
		fail_msg("did not wake: %s", line);
	ground_look(ground);
	ground_quiet(ground);
}

static void sleeps(struct ground *ground, const char *line)
{
	ground_sh("%s", line);
	if (ground_events(ground, false).look)
		fail_msg("woke: %s", line);
	ground_look(ground);
	ground_quiet(ground);
}

static void wakes_on_what_concerns_us(void **state)
{
	struct ground *ground = *state;

	host(ground);
	wakes(ground, "ip addr add 192.0.2.77/32 dev lo");
	wakes(ground, "ip addr del 192.0.2.77/32 dev lo");
	wakes(ground, "ip link set eth0 mtu 1300");
	wakes(ground, "ip link add x type veth peer name y");
	wakes(ground, "ip link del x");
	wakes(ground, "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding");
	wakes(ground, "ip route add 198.51.100.0/24 via 192.0.2.253");
	wakes(ground, "ip route del 198.51.100.0/24");
	wakes(ground, "ip route replace default via 192.0.2.253");
	wakes(ground, "ip route add 203.0.113.0/24 dev eth0 table 7001");
	wakes(ground, "ip route del 203.0.113.0/24 dev eth0 table 7001");
	wakes(ground, "ip rule add priority 7100 from 10.0.0.0/8 lookup 7001");
	wakes(ground, "ip rule del priority 7100");
	wakes(ground, "nft add table ip ipipd");
	wakes(ground, "nft add chain ip ipipd c");
	wakes(ground, "nft flush ruleset");
}

static void sleeps_on_the_rest(void **state)
{
	struct ground *ground = *state;

	host(ground);
	sleeps(ground, "ip route add 203.0.113.0/24 via 192.0.2.253");
	sleeps(ground, "ip route add 198.51.101.0/24 via 192.0.2.253 table 100");
	sleeps(ground, "ip rule add priority 5000 from 10.0.0.0/8 lookup 100");
	sleeps(ground, "ip link set p promisc on");
	sleeps(ground, "nft add table ip others");
	sleeps(ground, "nft add table inet ipipd");
	sleeps(ground, "ip -6 route add 2001:db8::/32 dev lo");
}

/* By eth0, in our table. */
static struct route own_route(void)
{
	return (struct route){.head.set = kind_all(&route_kind),
			      .table = 7000,
			      .device = "eth0",
			      .dst = ground_prefix("203.0.113.1/32"),
			      .scope = RT_SCOPE_LINK,
			      .protocol = OUR_PROTOCOL};
}

static void own_changes_do_not_wake(void **state)
{
	struct ground *ground = *state;
	struct address address = {.head.set = kind_all(&address_kind),
				  .device = "eth0",
				  .prefix = ground_prefix("192.168.1.1/32")};
	struct rule rule = {.head.set = kind_all(&rule_kind),
			    .priority = 7000,
			    .action = RULE_NOP,
			    .suppress_prefixlength = SUPPRESS_NONE,
			    .protocol = OUR_PROTOCOL};
	struct route route = own_route();
	struct sysctl sysctl = {.head.set = kind_all(&sysctl_kind),
				.device = "eth0",
				.name = SYSCTL_FORWARDING,
				.value = 1};

	host(ground);
	assert_int_equal(ground_add(ground, KIND_ADDRESS, &address), 0);
	assert_int_equal(ground_add(ground, KIND_RULE, &rule), 0);
	assert_int_equal(ground_add(ground, KIND_ROUTE, &route), 0);
	assert_int_equal(ground_add(ground, KIND_SYSCTL, &sysctl), 0);
	assert_false(ground_events(ground, false).look);
	assert_int_equal(ground_delete(ground, KIND_SYSCTL, &sysctl), 0);
	assert_false(ground_events(ground, false).look);
}

static bool is_readable(struct ground *ground)
{
	struct pollfd fd = {.fd = ground->kernel->vt->events_fd(ground->kernel), .events = POLLIN};

	return poll(&fd, 1, 50) == 1;
}

static void own_changes_are_not_even_delivered(void **state)
{
	struct ground *ground = *state;
	struct route route = own_route();
	struct nft_table table = {.head.set = kind_all(&nft_table_kind), .name = "ipipd"};

	host(ground);
	assert_false(is_readable(ground));
	assert_int_equal(ground_add(ground, KIND_ROUTE, &route), 0);
	assert_int_equal(ground_add(ground, KIND_NFT_TABLE, &table), 0);
	assert_false(is_readable(ground));
	ground_sh("ip route del 203.0.113.1/32 table 7000");
	assert_true(is_readable(ground));
	ground_quiet(ground);
	ground_sh("nft delete table ip ipipd");
	assert_true(is_readable(ground));
}

static void names_the_port_of_who_did_it(void **state)
{
	struct ground *ground = *state;

	host(ground);
	ground_sh("ip rule add priority 7100 from 10.0.0.0/8 lookup 7001");
	assert_true(ground_events(ground, true).culprit.port != 0);
}

static void names_the_process_that_changed_nftables(void **state)
{
	struct ground *ground = *state;

	host(ground);
	ground_sh("nft add table ip ipipd");
	struct culprit culprit = ground_events(ground, false).culprit;
	assert_true(culprit.changed && !culprit.several && culprit.nft_pid);
	assert_string_equal(culprit.nft_process, "nft");
	ground_sh("nft add chain ip ipipd c");
	ground_sh("nft delete table ip ipipd");
	assert_true(ground_events(ground, false).culprit.several);
}

static void tells_when_events_were_lost(void **state)
{
	struct ground *ground = *state;
	struct kernel_events events;

	host(ground);
	ground_sh("awk 'BEGIN { for (i = 0; i < 60000; i++) printf \"route add 10.%%d.%%d.%%d/32 "
		  "dev eth0\\n\", i / 65536, i / 256 %% 256, i %% 256 }' | ip -batch -");
	events = ground_events(ground, false);
	assert_true(events.overrun);
	assert_true(events.look);
	ground_look(ground);
	assert_false(ground_events(ground, false).look);
}

/* A turn of the loop is no longer for it: who makes them without a pause would have it all. */
static void reads_so_many_at_one_time(void **state)
{
	struct ground *ground = *state;
	struct kernel_events events = {0};
	unsigned times = 0;

	host(ground);
	ground_sh("awk 'BEGIN { for (i = 0; i < 4000; i++) printf \"route add 10.%%d.%%d.%%d/32 "
		  "dev eth0\\n\", i / 65536, i / 256 %% 256, i %% 256 }' | ip -batch -");
	for (; is_readable(ground) && times < 100; times++) {
		ground->kernel->vt->events_read(ground->kernel, &ground->scope, &events);
		assert_false(events.overrun);
		assert_true(events.more || times);
	}
	assert_false(events.more);
	assert_in_range(times, 3, 10);
}

static const struct fact_remote *asked(struct ground *ground)
{
	ground_look(ground);
	return facts_remote(&ground->facts, ground_addr("198.51.100.7"), "");
}

static void answers_how_a_remote_is_reached(void **state)
{
	struct ground *ground = *state;

	host(ground);
	const struct fact_remote *remote = asked(ground);
	assert_int_equal(remote->error, 0);
	assert_string_equal(remote->device, "eth0");
	assert_int_equal(remote->source.host, ground_addr("192.0.2.1").host);
	assert_int_equal(remote->mtu, 1400);
	ground_sh("ip route add 198.51.100.0/24 via 192.0.2.253 mtu 1280");
	assert_int_equal(asked(ground)->mtu, 1280);
	/* past our own rules */
	ground_sh("ip rule add priority 7000 fwmark %u goto 9999 && "
		  "ip rule add priority 7010 lookup 7000 && ip rule add priority 9999 nop && "
		  "ip route add 198.51.100.7 dev lo table 7000",
		  OUR_MARK);
	assert_string_equal(asked(ground)->device, "eth0");
	ground_sh("ip rule del priority 7000");
	assert_int_equal(asked(ground)->error, -EAGAIN);
	ground_sh("ip rule add priority 7000 fwmark %u goto 9999", OUR_MARK);
	ground_sh("ip route flush table main");
	assert_int_equal(asked(ground)->error, -ENETUNREACH);
}

static void answers_with_the_underlay_given(void **state)
{
	struct ground *ground = *state;
	struct fact_remote there = {.remote = ground_addr("198.51.100.7"), .underlay = "p"};
	struct fact_remote nowhere = {.remote = ground_addr("198.51.100.7"), .underlay = "q"};

	host(ground);
	ground_sh("ip addr add 203.0.113.1/24 dev p");
	*vec_add(&ground->facts.remotes) = there;
	*vec_add(&ground->facts.remotes) = nowhere;
	ground_look(ground);
	const struct fact_remote *remote = facts_remote(&ground->facts, there.remote,
							there.underlay);
	assert_int_equal(remote->error, 0);
	assert_string_equal(remote->device, "p");
	assert_int_equal(remote->source.host, ground_addr("203.0.113.1").host);
	assert_int_equal(facts_remote(&ground->facts, there.remote, "q")->error, -ENODEV);
	assert_string_equal(facts_remote(&ground->facts, there.remote, "")->device, "eth0");
}

static void answers_route_questions(void **state)
{
	struct ground *ground = *state;
	struct route_question question = {.to = ground_addr("198.51.100.7")};
	struct route_answer answer;

	host(ground);
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &question, &answer, NULL), 0);
	assert_int_equal(answer.error, 0);
	assert_string_equal(answer.device, "eth0");
	assert_int_equal(answer.gateway.host, ground_addr("192.0.2.254").host);
	assert_int_equal(answer.source.host, ground_addr("192.0.2.1").host);
	assert_int_equal(answer.table, RT_TABLE_MAIN);
	assert_int_equal(answer.mtu, 1400);
	assert_false(answer.local);
	question.to = ground_addr("192.0.2.1");
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &question, &answer, NULL), 0);
	assert_true(answer.local);
	/* as if it arrived: forwarding is off on the ingress device */
	question = (struct route_question){
		.to = ground_addr("198.51.100.7"), .from = ground_addr("192.0.2.9"), .in = "eth0"};
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &question, &answer, NULL), 0);
	assert_int_equal(answer.error, -EHOSTUNREACH);
	ground_sh("echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding");
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &question, &answer, NULL), 0);
	assert_int_equal(answer.error, 0);
	assert_string_equal(answer.device, "eth0");
	snprintf(question.in, sizeof(question.in), "absent");
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &question, &answer, NULL),
			 -ENODEV);
}

static void counts_what_a_device_carried(void **state)
{
	struct ground *ground = *state;
	struct link_stats before, after;
	struct kernel *kernel = ground->kernel;

	host(ground);
	assert_int_equal(kernel->vt->link_stats(kernel, "lo", &before, NULL), 0);
	ground_sh("ping -q -c 3 -i 0.01 127.0.0.1 >/dev/null");
	assert_int_equal(kernel->vt->link_stats(kernel, "lo", &after, NULL), 0);
	assert_int_equal(after.rx_packets - before.rx_packets, 6);
	assert_int_equal(after.tx_bytes - before.tx_bytes, 6 * 84);
	assert_int_equal(kernel->vt->link_stats(kernel, "absent", &after, NULL), -ENODEV);
}

static const struct counted_link *counted_of(const struct counted_links *links, const char *device)
{
	for (size_t i = 0; i < links->len; i++)
		if (strcmp(links->v[i].device, device) == 0)
			return &links->v[i];
	fail_msg("%s is not there", device);
	return NULL;
}

static void counts_all_devices_that_were_looked_at(void **state)
{
	struct ground *ground = *state;
	struct kernel *kernel = ground->kernel;
	struct counted counted = {0};
	struct link_stats one;

	host(ground);
	wakes(ground, "ip link set p down");
	ground_sh("ping -q -c 3 -i 0.01 127.0.0.1 >/dev/null && "
		  "ip link add later type veth peer name q");
	assert_int_equal(kernel->vt->count(kernel, COUNT_LINKS, &counted, NULL), 0);
	assert_int_equal(counted.links.len, 3);
	assert_int_equal(kernel->vt->link_stats(kernel, "lo", &one, NULL), 0);
	const struct counted_link *lo = counted_of(&counted.links, "lo");
	assert_int_equal(lo->stats.rx_packets, 6);
	assert_memory_equal(&lo->stats, &one, sizeof(one));
	const struct counted_link *eth0 = counted_of(&counted.links, "eth0");
	assert_int_equal(eth0->ifindex, kernel->vt->ifindex(kernel, "eth0"));
	assert_int_equal(eth0->mtu, 1400);
	assert_true(eth0->up && !counted_of(&counted.links, "p")->up);
	assert_false(eth0->ours);
	counted_done(&counted);
}

static void tells_what_a_device_had_counted_when_it_went(void **state)
{
	struct ground *ground = *state;
	struct kernel *kernel = ground->kernel;
	struct link_stats before;

	host(ground);
	ground_sh("ping -q -c 2 -i 0.01 -W 0.1 192.0.2.9 >/dev/null || true");
	assert_int_equal(kernel->vt->link_stats(kernel, "eth0", &before, NULL), 0);
	assert_true(before.tx_packets > 0);
	uint32_t index = kernel->vt->ifindex(kernel, "eth0");
	ground_sh("ip link del eth0");
	ground_events(ground, true);
	const struct counted_link *gone = counted_of(&ground->gone, "eth0");
	assert_int_equal(gone->ifindex, index);
	assert_true(gone->stats.tx_packets >= before.tx_packets);
	assert_true(gone->stats.tx_bytes >= before.tx_bytes);
}

static void knows_namespace_and_boot(void **state)
{
	uint64_t here = 0, there = 0;
	char boot_id[37];
	(void)state;

	assert_int_equal(kernel_namespace_cookie(&here), 0);
	void *other;
	assert_int_equal(ground_new(&other), 0);
	assert_int_equal(kernel_namespace_cookie(&there), 0);
	assert_true(here != there);
	ground_free(&other);
	assert_int_equal(kernel_boot_id(boot_id), 0);
	assert_int_equal(strlen(boot_id), 36);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)
	TEST(wakes_on_what_concerns_us),
	TEST(sleeps_on_the_rest),
	TEST(own_changes_do_not_wake),
	TEST(own_changes_are_not_even_delivered),
	TEST(names_the_port_of_who_did_it),
	TEST(names_the_process_that_changed_nftables),
	TEST(tells_when_events_were_lost),
	TEST(reads_so_many_at_one_time),
	TEST(answers_how_a_remote_is_reached),
	TEST(answers_with_the_underlay_given),
	TEST(answers_route_questions),
	TEST(counts_what_a_device_carried),
	TEST(counts_all_devices_that_were_looked_at),
	TEST(tells_what_a_device_had_counted_when_it_went),
	TEST(knows_namespace_and_boot),
};

int main(void)
{
	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
