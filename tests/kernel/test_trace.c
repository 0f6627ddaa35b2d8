/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace of one flow on a real kernel, where it begins. Most inner packets are plain ones here,
 * outer ones are made by hand; one test needs the IPIP driver, and does not run without it: the
 * lab has it.
 */
#include "kernel/trace_ground.h"

static void counts_inner_packets_on_both_edges(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");
	struct trace_seen seen;
	pid_t peer = peer_new();

	connect_peer(peer, "v0", "192.0.2");
	open_trace(ground, &asked);
	send_echoes(0, "192.0.2.1", "192.0.2.2", 0);
	await(ground, &seen.counts.packets[TRACE_BACK][TRACE_INNER][TRACE_INPUT][TRACE_LAST],
	      PROBES, &seen);
	assert_edges(&seen, TRACE_OUT, TRACE_INNER, TRACE_OUTPUT, PROBES);
	assert_edges(&seen, TRACE_OUT, TRACE_INNER, TRACE_POSTROUTING, PROBES);
	assert_edges(&seen, TRACE_BACK, TRACE_INNER, TRACE_PREROUTING, PROBES);
	assert_edges(&seen, TRACE_BACK, TRACE_INNER, TRACE_INPUT, PROBES);
	assert_edges(&seen, TRACE_OUT, TRACE_INNER, TRACE_FORWARD, 0);
	assert_edges(&seen, TRACE_OUT, TRACE_OUTER, TRACE_OUTPUT, 0);
	assert_string_equal(seen.devices[TRACE_OUT][TRACE_INNER][TRACE_LEFT], "v0");
	assert_int_equal(seen.n_drops, 0);
	assert_false(seen.flow.known);
	peer_end(peer);
}

static void counts_outer_packets_by_what_is_in_them(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("10.0.0.1", "10.9.9.9");
	struct trace_seen seen;
	pid_t peer = peer_new();

	connect_peer(peer, "v0", "192.0.2");
	open_trace(ground, &asked);
	send_outer(0, (struct tunnel){"192.0.2.1", "192.0.2.2"},
		   echo(ICMP_ECHO, "10.0.0.1", "10.9.9.9", 0));
	send_outer(0, (struct tunnel){"192.0.2.1", "192.0.2.2"},
		   echo(ICMP_ECHO, "10.0.0.1", "10.9.9.8", 0));
	send_outer(0, (struct tunnel){"192.0.2.1", "192.0.2.2"},
		   echo(ICMP_ECHO, "10.0.0.1", "10.9.9.9", 100));
	send_outer(peer, (struct tunnel){"192.0.2.2", "192.0.2.1"},
		   echo(ICMP_ECHOREPLY, "10.9.9.9", "10.0.0.1", 0));
	await(ground, &seen.counts.packets[TRACE_BACK][TRACE_OUTER][TRACE_INPUT][TRACE_LAST], 1,
	      &seen);
	assert_edges(&seen, TRACE_OUT, TRACE_OUTER, TRACE_OUTPUT, 1);
	assert_edges(&seen, TRACE_OUT, TRACE_OUTER, TRACE_POSTROUTING, 1);
	assert_edges(&seen, TRACE_BACK, TRACE_OUTER, TRACE_PREROUTING, 1);
	assert_edges(&seen, TRACE_BACK, TRACE_OUTER, TRACE_INPUT, 1);
	assert_edges(&seen, TRACE_OUT, TRACE_INNER, TRACE_OUTPUT, 0);
	assert_string_equal(seen.devices[TRACE_OUT][TRACE_OUTER][TRACE_LEFT], "v0");
	assert_string_equal(seen.devices[TRACE_OUT][TRACE_OUTER][TRACE_CAME], "");
	assert_string_equal(seen.devices[TRACE_BACK][TRACE_OUTER][TRACE_CAME], "v0");
	peer_end(peer);
}

static void counts_the_sizes_of_the_other_end(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("10.0.0.1", "10.9.9.9");
	struct trace_seen seen;
	pid_t peer = peer_new();
	const struct tunnel tunnel = {"192.0.2.2", "192.0.2.1"};

	connect_peer(peer, "v0", "192.0.2");
	asked.sizes_id = ID;
	open_trace(ground, &asked);
	send_outer(peer, tunnel, echo(ICMP_ECHO, "10.0.0.9", "10.0.0.1", 100));
	send_outer(peer, tunnel, echo(ICMP_ECHO, "10.0.0.9", "10.0.0.1", 111));
	send_outer(peer, tunnel, echo(ICMP_ECHO, "10.0.0.9", "10.0.0.1", 1));
	send_outer(peer, tunnel, echo(ICMP_ECHO, "10.0.0.9", "10.0.0.2", 101));
	send_outer(peer, tunnel, echo(ICMP_ECHOREPLY, "10.9.9.9", "10.0.0.1", 0));
	await(ground, &seen.counts.packets[TRACE_BACK][TRACE_OUTER][TRACE_INPUT][TRACE_LAST], 1,
	      &seen);
	assert_int_equal(seen.counts.beside[TRACE_SIZES_CAME], 2);
	assert_int_equal(seen.counts.beside[TRACE_SIZES_ANSWERED], 0);
	peer_end(peer);
}

static void counts_the_answers_to_sizes_that_return(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("10.0.0.1", "10.9.9.9");
	struct trace_seen seen;
	pid_t peer = peer_new();
	const struct tunnel tunnel = {"192.0.2.1", "192.0.2.2"};

	connect_peer(peer, "v0", "192.0.2");
	asked.sizes_id = ID;
	asked.exit = true;
	open_trace(ground, &asked);
	send_outer(0, tunnel, echo(ICMP_ECHOREPLY, "10.9.9.9", "10.0.0.1", 100));
	send_outer(0, tunnel, echo(ICMP_ECHOREPLY, "10.9.9.9", "10.0.0.2", 101));
	send_outer(0, tunnel, echo(ICMP_ECHO, "10.9.9.9", "10.0.0.1", 102));
	send_outer(0, tunnel, echo(ICMP_ECHOREPLY, "10.9.9.9", "10.0.0.1", 1));
	await(ground, &seen.counts.packets[TRACE_BACK][TRACE_OUTER][TRACE_POSTROUTING][TRACE_LAST],
	      1, &seen);
	assert_int_equal(seen.counts.beside[TRACE_SIZES_RETURNED], 1);
	peer_end(peer);
}

static void names_the_rule_that_drops(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");
	struct trace_seen seen;
	pid_t peer = peer_new();

	connect_peer(peer, "v0", "192.0.2");
	ground_sh("nft -f - <<-'END'\n"
		  "table inet guard { chain deep { icmp type echo-request drop; }\n"
		  "chain wall { type filter hook output priority 0; oifname v0 jump deep; }; }\n"
		  "END");
	open_trace(ground, &asked);
	cleanup_fd int fd = socket_at(0, SOCK_RAW, IPPROTO_RAW);
	struct packet packet = echo(ICMP_ECHO, "192.0.2.1", "192.0.2.2", 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = packet.ip.daddr};
	sendto(fd, &packet.ip, sizeof(packet) - sizeof(packet.outer), 0, (struct sockaddr *)&to,
	       sizeof(to));
	read_trace(ground, &seen);
	assert_int_equal(seen.counts.packets[TRACE_OUT][TRACE_INNER][TRACE_OUTPUT][TRACE_FIRST], 1);
	assert_int_equal(seen.counts.packets[TRACE_OUT][TRACE_INNER][TRACE_OUTPUT][TRACE_LAST], 0);
	assert_int_equal(seen.n_drops, 1);
	assert_int_equal(seen.drops[0].way, TRACE_OUT);
	assert_int_equal(seen.drops[0].layer, TRACE_INNER);
	assert_int_equal(seen.drops[0].hook, TRACE_OUTPUT);
	assert_string_equal(seen.drops[0].family, "inet");
	assert_string_equal(seen.drops[0].table, "guard");
	assert_string_equal(seen.drops[0].chain, "deep");
	assert_string_equal(seen.drops[0].in, "");
	assert_string_equal(seen.drops[0].out, "v0");
	assert_string_equal(seen.devices[TRACE_OUT][TRACE_INNER][TRACE_LEFT], "");
	ground_sh("nft -a list chain inet guard deep | grep -q 'drop # handle %u$'",
		  (unsigned)seen.drops[0].handle);
	peer_end(peer);
}

static void names_the_policy_that_drops_each_layer(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("10.0.0.1", "10.9.9.9");
	struct trace_seen seen;
	pid_t peer = peer_new();

	connect_peer(peer, "v0", "192.0.2");
	ground_sh("nft 'table ip guard { chain wall { "
		  "type filter hook input priority 0; policy drop; ip protocol icmp drop; }; }'");
	open_trace(ground, &asked);
	send_outer(peer, (struct tunnel){"192.0.2.2", "192.0.2.1"},
		   echo(ICMP_ECHOREPLY, "10.9.9.9", "10.0.0.1", 0));
	await(ground, &seen.counts.packets[TRACE_BACK][TRACE_OUTER][TRACE_INPUT][TRACE_FIRST], 1,
	      &seen);
	assert_int_equal(seen.counts.packets[TRACE_BACK][TRACE_OUTER][TRACE_INPUT][TRACE_LAST], 0);
	assert_int_equal(seen.n_drops, 1);
	assert_int_equal(seen.drops[0].way, TRACE_BACK);
	assert_int_equal(seen.drops[0].layer, TRACE_OUTER);
	assert_int_equal(seen.drops[0].hook, TRACE_INPUT);
	assert_string_equal(seen.drops[0].family, "ip");
	assert_string_equal(seen.drops[0].table, "guard");
	assert_string_equal(seen.drops[0].chain, "wall");
	assert_int_equal(seen.drops[0].handle, 0);
	assert_string_equal(seen.drops[0].in, "v0");
	peer_end(peer);
}

static void counts_both_layers_on_the_client(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("10.0.0.1", "10.9.9.9");
	struct trace_seen seen;
	pid_t peer = peer_new();

	connect_peer(peer, "v0", "192.0.2");
	if (!add_tunnel(peer, "192.0.2"))
		skip();
	ground_sh("ip addr add 10.0.0.1 dev t0 && ip route add 10.9.9.9 dev t0 && "
		  "nsenter -t %d -n sh -c 'ip addr add 10.9.9.9 dev t0; "
		  "ip route add 10.0.0.1 dev t0'",
		  peer);
	memcpy(asked.device, "t0", sizeof("t0"));
	open_trace(ground, &asked);
	send_echoes(0, "10.0.0.1", "10.9.9.9", 0);
	await(ground, last_of(&seen, TRACE_INPUT), PROBES, &seen);
	for (enum trace_layer layer = 0; layer < TRACE_LAYERS; layer++) {
		assert_edges(&seen, TRACE_OUT, layer, TRACE_OUTPUT, PROBES);
		assert_edges(&seen, TRACE_OUT, layer, TRACE_POSTROUTING, PROBES);
		assert_edges(&seen, TRACE_BACK, layer, TRACE_PREROUTING, PROBES);
		assert_edges(&seen, TRACE_BACK, layer, TRACE_INPUT, PROBES);
	}
	assert_string_equal(seen.devices[TRACE_OUT][TRACE_INNER][TRACE_LEFT], "t0");
	peer_end(peer);
}

static const struct CMUnitTest tests[] = {
	TEST(counts_inner_packets_on_both_edges), TEST(counts_outer_packets_by_what_is_in_them),
	TEST(counts_the_sizes_of_the_other_end),  TEST(counts_the_answers_to_sizes_that_return),
	TEST(names_the_rule_that_drops),          TEST(names_the_policy_that_drops_each_layer),
	TEST(counts_both_layers_on_the_client),
};

int main(void)
{
	stay_on_one_processor();
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
