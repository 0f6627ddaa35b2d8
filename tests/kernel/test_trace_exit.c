/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace of one flow on a real kernel, at its exit: this host stands between two others. One
 * test needs the IPIP driver, and does not run without it: the lab has it.
 */
#include "kernel/trace_ground.h"

#include <errno.h>

/* The host between two peers: 10.0.0.2 behind "v0", 198.51.100.2 behind "w0". */
struct between {
	pid_t inside, outside;
};

static struct between between_new(void)
{
	struct between between = {peer_new(), peer_new()};

	connect_peer(between.inside, "v0", "10.0.0");
	connect_peer(between.outside, "w0", "198.51.100");
	ground_sh("sysctl -qw net.ipv4.conf.v0.forwarding=1 net.ipv4.conf.w0.forwarding=1");
	return between;
}

static void between_end(struct between between)
{
	peer_end(between.inside);
	peer_end(between.outside);
}

static void assert_passed_through(const struct trace_seen *seen)
{
	for (enum trace_way way = 0; way < TRACE_WAYS; way++) {
		assert_edges(seen, way, TRACE_INNER, TRACE_PREROUTING, PROBES);
		assert_edges(seen, way, TRACE_INNER, TRACE_FORWARD, PROBES);
		assert_edges(seen, way, TRACE_INNER, TRACE_POSTROUTING, PROBES);
		assert_edges(seen, way, TRACE_INNER, TRACE_INPUT, 0);
	}
	assert_string_equal(seen->devices[TRACE_OUT][TRACE_INNER][TRACE_LEFT], "w0");
	assert_int_equal(seen->n_drops, 0);
}

static void masquerade(void)
{
	ground_sh("nft 'table ip n { chain p { type nat hook postrouting priority 100; "
		  "oifname w0 masquerade; }; }'");
}

static struct sockaddr_in outside_at(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(ground_addr("198.51.100.2").host),
	};
}

static void follows_a_flow_through_nat(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();

	masquerade();
	open_trace(ground, &asked);
	send_echoes(between.inside, "10.0.0.2", "198.51.100.2", 0);
	await(ground, last_of(&seen, TRACE_POSTROUTING), PROBES, &seen);
	assert_passed_through(&seen);
	assert_true(seen.flow.known);
	assert_true(seen.flow.replied);
	assert_int_equal(seen.flow.source.host, ground_addr("198.51.100.1").host);
	assert_int_equal(seen.flow.destination.host, ground_addr("198.51.100.2").host);
	between_end(between);
}

/* The attempt, and the reset that answers it. */
static void follows_a_connection_through_nat(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(ID)};
	struct sockaddr_in to = outside_at(443);

	masquerade();
	asked.protocol = IPPROTO_TCP;
	asked.port = 443;
	open_trace(ground, &asked);
	cleanup_fd int fd = socket_at(between.inside, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	read_trace(ground, &seen);
	for (enum trace_way way = 0; way < TRACE_WAYS; way++) {
		assert_edges(&seen, way, TRACE_INNER, TRACE_PREROUTING, 1);
		assert_edges(&seen, way, TRACE_INNER, TRACE_FORWARD, 1);
		assert_edges(&seen, way, TRACE_INNER, TRACE_POSTROUTING, 1);
	}
	/* conntrack forgets it with the reset */
	assert_int_equal(seen.flow.source.host, ground_addr("198.51.100.1").host);
	assert_true(seen.flow.replied);
	between_end(between);
}

/* The destination's kernel says that nothing listens there; of a wall before it, which rejects,
 * the same word is none of its own. */
static void counts_the_word_that_a_port_is_closed(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(ID)};
	struct sockaddr_in to = outside_at(53);
	struct {
		struct packet error;
		struct iphdr quoted;
		uint16_t ports[4];
	} told = {
		.error = echo(ICMP_DEST_UNREACH, "198.51.100.9", "198.51.100.1", 0),
		.quoted = header("198.51.100.1", "198.51.100.2", IPPROTO_UDP, 28),
		.ports = {htons(ID), htons(53)},
	};

	masquerade();
	asked.protocol = IPPROTO_UDP;
	asked.port = 53;
	open_trace(ground, &asked);
	told.error.icmp.code = ICMP_PORT_UNREACH;
	cleanup_fd int wall = socket_at(between.outside, SOCK_RAW, IPPROTO_RAW);
	send_bytes(wall, &told.error.ip, sizeof(told) - sizeof(told.error.outer),
		   told.error.ip.daddr);
	cleanup_fd int fd = socket_at(between.inside, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	await(ground, &seen.counts.beside[TRACE_TOLD_NO_PORT], 1, &seen);
	to.sin_port = htons(54);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	await(ground, &seen.counts.beside[TRACE_TOLD_NO_PORT], 1, &seen);
	between_end(between);
}

/* Each size is answered, and one router says that it takes none. */
static void counts_the_answers_to_sizes_through_nat(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();
	struct packet packet = echo(ICMP_DEST_UNREACH, "198.51.100.2", "198.51.100.1", 0);
	struct {
		struct packet error;
		struct iphdr quoted;
		uint8_t more[8];
	} told = {.error = packet, .quoted = header("198.51.100.1", "198.51.100.2", 1, 28)};

	masquerade();
	asked.sizes_id = ID;
	open_trace(ground, &asked);
	send_echoes(between.inside, "10.0.0.2", "198.51.100.2", 100);
	await(ground, &seen.counts.beside[TRACE_SIZES_ANSWERED], PROBES, &seen);
	assert_int_equal(seen.counts.beside[TRACE_SIZES_LEFT], PROBES);
	assert_int_equal(*last_of(&seen, TRACE_POSTROUTING), 0);
	told.error.icmp.code = ICMP_FRAG_NEEDED;
	cleanup_fd int fd = socket_at(between.outside, SOCK_RAW, IPPROTO_RAW);
	send_bytes(fd, &told.error.ip, sizeof(told) - sizeof(told.error.outer),
		   told.error.ip.daddr);
	await(ground, &seen.counts.beside[TRACE_TOLD_TOO_LARGE], 1, &seen);
	between_end(between);
}

static void follows_a_flow_that_nobody_translates(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();

	open_trace(ground, &asked);
	send_echoes(between.inside, "10.0.0.2", "198.51.100.2", 0);
	await(ground, last_of(&seen, TRACE_POSTROUTING), PROBES, &seen);
	assert_passed_through(&seen);
	assert_true(seen.flow.known);
	assert_int_equal(seen.flow.source.host, ground_addr("10.0.0.2").host);
	between_end(between);
}

static void follows_a_flow_that_conntrack_does_not(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();

	ground_sh("nft 'table ip n { chain p { type filter hook prerouting priority -300; "
		  "notrack; }; }'");
	open_trace(ground, &asked);
	send_echoes(between.inside, "10.0.0.2", "198.51.100.2", 0);
	await(ground, last_of(&seen, TRACE_POSTROUTING), PROBES, &seen);
	assert_passed_through(&seen);
	assert_int_equal(seen.flow.source.host, ground_addr("10.0.0.2").host);
	assert_true(seen.flow.replied);
	between_end(between);
}

static void names_who_drops_the_reply_before_nat_is_undone(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();
	struct timespec moment = {.tv_nsec = 1000000};

	ground_sh("nft 'table ip n { chain p { type nat hook postrouting priority 100; "
		  "oifname w0 masquerade; }; chain r { type filter hook prerouting priority -300; "
		  "iifname w0 drop; }; }'");
	open_trace(ground, &asked);
	send_echoes(between.inside, "10.0.0.2", "198.51.100.2", 0);
	read_trace(ground, &seen);
	for (int i = 0; i < 2000 && !seen.n_drops; i++) {
		nanosleep(&moment, NULL);
		read_trace(ground, &seen);
	}
	assert_int_equal(seen.n_drops, 1);
	assert_int_equal(seen.drops[0].way, TRACE_BACK);
	assert_int_equal(seen.drops[0].layer, TRACE_INNER);
	assert_int_equal(seen.drops[0].hook, TRACE_PREROUTING);
	assert_string_equal(seen.drops[0].chain, "r");
	assert_int_equal(*last_of(&seen, TRACE_PREROUTING), 0);
	between_end(between);
}

static void counts_what_the_reverse_path_filter_drops(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();

	ground_sh("sysctl -qw net.ipv4.conf.v0.rp_filter=1 && ip route add 10.7.7.7 dev w0");
	asked.from = ground_addr("10.7.7.7");
	open_trace(ground, &asked);
	send_echoes(between.inside, "10.7.7.7", "198.51.100.2", 0);
	await(ground, &seen.rp_filter_drops, PROBES, &seen);
	read_trace(ground, &seen); /* what was counted before the last drop was told */
	assert_edges(&seen, TRACE_OUT, TRACE_INNER, TRACE_PREROUTING, PROBES);
	assert_edges(&seen, TRACE_OUT, TRACE_INNER, TRACE_FORWARD, 0);
	between_end(between);
}

static void counts_both_layers_on_the_exit(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	struct between between = between_new();

	if (!add_tunnel(between.inside, "10.0.0"))
		skip();
	ground_sh("ip route add 10.7.7.7 dev t0 && sysctl -qw net.ipv4.conf.t0.forwarding=1 && "
		  "nft 'table ip n { chain p { type nat hook postrouting priority 100; "
		  "oifname w0 masquerade; }; }' && nsenter -t %d -n sh -c '"
		  "ip addr add 10.7.7.7 dev t0; ip route add 198.51.100.2 dev t0'",
		  between.inside);
	asked.from = ground_addr("10.7.7.7");
	asked.local = ground_addr("10.0.0.1");
	asked.remote = ground_addr("10.0.0.2");
	memcpy(asked.device, "t0", sizeof("t0"));
	open_trace(ground, &asked);
	send_echoes(between.inside, "10.7.7.7", "198.51.100.2", 0);
	await(ground, &seen.counts.packets[TRACE_BACK][TRACE_OUTER][TRACE_POSTROUTING][TRACE_LAST],
	      PROBES, &seen);
	assert_passed_through(&seen);
	assert_edges(&seen, TRACE_OUT, TRACE_OUTER, TRACE_PREROUTING, PROBES);
	assert_edges(&seen, TRACE_OUT, TRACE_OUTER, TRACE_INPUT, PROBES);
	assert_edges(&seen, TRACE_BACK, TRACE_OUTER, TRACE_OUTPUT, PROBES);
	assert_edges(&seen, TRACE_BACK, TRACE_OUTER, TRACE_POSTROUTING, PROBES);
	assert_string_equal(seen.devices[TRACE_OUT][TRACE_OUTER][TRACE_CAME], "v0");
	assert_string_equal(seen.devices[TRACE_BACK][TRACE_OUTER][TRACE_LEFT], "v0");
	assert_string_equal(seen.devices[TRACE_BACK][TRACE_INNER][TRACE_CAME], "w0");
	assert_int_equal(seen.flow.source.host, ground_addr("198.51.100.1").host);
	between_end(between);
}

static const struct CMUnitTest tests[] = {
	TEST(follows_a_flow_through_nat),
	TEST(follows_a_connection_through_nat),
	TEST(counts_the_answers_to_sizes_through_nat),
	TEST(counts_the_word_that_a_port_is_closed),
	TEST(follows_a_flow_that_nobody_translates),
	TEST(follows_a_flow_that_conntrack_does_not),
	TEST(names_who_drops_the_reply_before_nat_is_undone),
	TEST(counts_what_the_reverse_path_filter_drops),
	TEST(counts_both_layers_on_the_exit),
};

int main(void)
{
	stay_on_one_processor();
	return cmocka_run_group_tests_name("trace_exit", tests, NULL, NULL);
}
