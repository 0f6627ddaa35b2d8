/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about one flow, one neighbour, one switch, on the running kernel. */
#include "kernel/ground.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <string.h>

static void veth(void)
{
	ground_sh("ip link add v0 type veth peer name p0 && ip link set p0 up && "
		  "ip addr add 192.0.2.1/24 dev v0 && ip link set v0 up");
}

static struct route_answer ask_route(struct ground *ground, uint8_t protocol, uint16_t port)
{
	struct route_question question = {
		.to = ground_addr("198.51.100.7"),
		.protocol = protocol,
		.port = port,
	};
	struct route_answer answer = {0};

	assert_int_equal(ground->kernel->vt->route(ground->kernel, &question, &answer, NULL), 0);
	return answer;
}

static void a_route_is_asked_for_with_protocol_and_port(void **state)
{
	struct ground *ground = *state;

	veth();
	ground_sh("ip route add default via 192.0.2.2 && "
		  "ip route add default via 192.0.2.3 table 77 && "
		  "ip rule add pref 100 ipproto tcp dport 443 lookup 77 && "
		  "ip route add default via 192.0.2.4 table 78 && "
		  "ip rule add pref 101 ipproto icmp lookup 78");
	ground_look(ground);
	assert_int_equal(ask_route(ground, 0, 0).table, 254);
	assert_int_equal(ask_route(ground, IPPROTO_TCP, 443).table, 77);
	assert_int_equal(ask_route(ground, IPPROTO_TCP, 80).table, 254);
	assert_int_equal(ask_route(ground, IPPROTO_UDP, 443).table, 254);
	assert_int_equal(ask_route(ground, IPPROTO_ICMP, 0).table, 78);
	/* the kernel refuses to be asked about these: they go by the rest of the question */
	assert_int_equal(ask_route(ground, IPPROTO_GRE, 0).table, 254);
}

/* What comes in is looked for in reverse with its ports the other way round. */
static void a_reply_is_asked_about_with_the_ports_of_both_ends(void **state)
{
	struct ground *ground = *state;
	struct route_question reply = {
		.to = ground_addr("192.0.2.1"),
		.from = ground_addr("198.51.100.7"),
		.in = "v0",
		.protocol = IPPROTO_TCP,
		.source_port = 443,
		.port = 4711,
	};
	struct route_answer answer = {0};

	veth();
	ground_sh("ip route add default via 192.0.2.2 table 77 && "
		  "ip rule add pref 100 ipproto tcp sport 4711 dport 443 lookup 77 && "
		  "sysctl -qw net.ipv4.conf.v0.rp_filter=1");
	ground_look(ground);
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &reply, &answer, NULL), 0);
	assert_int_equal(answer.error, 0);
	reply.port = 4712;
	assert_int_equal(ground->kernel->vt->route(ground->kernel, &reply, &answer, NULL), 0);
	assert_true(answer.error);
}

static struct neighbour ask_neighbour(struct ground *ground, const char *device, const char *addr)
{
	struct neighbour neighbour = {.state = UINT16_MAX};

	assert_int_equal(ground->kernel->vt->neighbour(ground->kernel, device, ground_addr(addr),
						       &neighbour, &ground->err),
			 0);
	return neighbour;
}

static void tells_the_state_of_a_neighbour(void **state)
{
	struct ground *ground = *state;

	veth();
	ground_sh("ip neigh add 192.0.2.2 dev v0 lladdr 02:00:00:00:00:02 nud permanent && "
		  "ip neigh add 192.0.2.3 dev v0 lladdr 02:00:00:00:00:03 nud stale && "
		  "ip neigh add 192.0.2.4 dev v0 nud failed");
	assert_int_equal(ask_neighbour(ground, "v0", "192.0.2.2").state, NUD_PERMANENT);
	assert_int_equal(ask_neighbour(ground, "v0", "192.0.2.3").state, NUD_STALE);
	assert_int_equal(ask_neighbour(ground, "v0", "192.0.2.4").state, NUD_FAILED);
	struct neighbour none = ask_neighbour(ground, "v0", "192.0.2.5");
	assert_int_equal(none.state, 0);
	assert_false(none.no_carrier);
	ground_sh("ip link set p0 down");
	assert_true(ask_neighbour(ground, "v0", "192.0.2.5").no_carrier);
	assert_false(none.needless);
}

static void a_device_without_arp_needs_no_neighbour(void **state)
{
	struct ground *ground = *state;

	veth();
	assert_true(ask_neighbour(ground, "lo", "127.0.0.2").needless);
	ground_sh("ip link set v0 arp off");
	assert_true(ask_neighbour(ground, "v0", "192.0.2.5").needless);
}

static void a_neighbour_on_an_absent_device_is_none(void **state)
{
	struct ground *ground = *state;
	struct neighbour neighbour = {.state = NUD_STALE};

	assert_int_equal(ground->kernel->vt->neighbour(ground->kernel, "absent",
						       ground_addr("192.0.2.2"), &neighbour,
						       &ground->err),
			 -ENODEV);
	assert_int_equal(neighbour.state, NUD_STALE);
}

static int ask_sysctl(struct ground *ground, const char *device, const char *name, int *value)
{
	return ground->kernel->vt->sysctl(ground->kernel, device, name, value, &ground->err);
}

static void reads_a_sysctl_of_a_device_and_of_all(void **state)
{
	struct ground *ground = *state;
	int value = -1;

	veth();
	ground_sh("echo 2 >/proc/sys/net/ipv4/conf/v0/rp_filter && "
		  "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter");
	assert_int_equal(ask_sysctl(ground, "v0", "rp_filter", &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(ask_sysctl(ground, "all", "rp_filter", &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(ask_sysctl(ground, "default", "forwarding", &value), 0);
}

static void a_sysctl_that_is_none_is_refused(void **state)
{
	struct ground *ground = *state;
	int value = 7;

	assert_int_equal(ask_sysctl(ground, "absent", "rp_filter", &value), -ENOENT);
	assert_int_equal(ask_sysctl(ground, "lo", "absent", &value), -ENOENT);
	assert_int_equal(ask_sysctl(ground, "..", "ip_forward", &value), -EINVAL);
	assert_int_equal(ask_sysctl(ground, "lo", "../../ip_forward", &value), -EINVAL);
	assert_int_equal(ask_sysctl(ground, "", "rp_filter", &value), -EINVAL);
	assert_int_equal(value, 7);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)
	TEST(a_route_is_asked_for_with_protocol_and_port),
	TEST(a_reply_is_asked_about_with_the_ports_of_both_ends),
	TEST(tells_the_state_of_a_neighbour),
	TEST(a_device_without_arp_needs_no_neighbour),
	TEST(a_neighbour_on_an_absent_device_is_none),
	TEST(reads_a_sysctl_of_a_device_and_of_all),
	TEST(a_sysctl_that_is_none_is_refused),
};

int main(void)
{
	return cmocka_run_group_tests_name("question", tests, NULL, NULL);
}
