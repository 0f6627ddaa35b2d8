/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace of one flow on a real kernel. Inner packets are plain ones here, outer ones are made
 * by hand: tests/lab has the tunnels.
 */
#include "kernel/ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { ID = 4711, PROBES = 3 };

/* A process in a network namespace of its own, which stays as long as it does. */
static pid_t peer_new(void)
{
	int ready[2];
	char byte = 0;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void peer_end(pid_t peer)
{
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
}

/* A veth to the peer: DEVICE has ADDRESS.1/24 here, "e0" ADDRESS.2/24 there. */
static void connect_peer(pid_t peer, const char *device, const char *network)
{
	ground_sh("ip link add %s type veth peer name e0 netns %d && ip addr add %s.1/24 dev %s && "
		  "ip link set %s up && nsenter -t %d -n sh -c 'ip link set lo up; "
		  "ip addr add %s.2/24 dev e0; ip link set e0 up; ip route add default via %s.1'",
		  device, peer, network, device, device, peer, network, network);
}

/* A raw socket there; of the test's own namespace with peer 0. */
static int raw_socket(pid_t peer)
{
	char path[64];
	cleanup_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%d/ns/net", peer);
	cleanup_fd int there = peer ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (peer)
		assert_int_equal(setns(there, CLONE_NEWNET), 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (peer)
		assert_int_equal(setns(here, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	return fd;
}

struct packet {
	struct iphdr outer, ip;
	struct icmphdr icmp;
};

static struct iphdr header(const char *from, const char *to, uint8_t protocol, size_t len)
{
	return (struct iphdr){
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = protocol,
		.tot_len = htons((uint16_t)len),
		.saddr = htonl(ground_addr(from).host),
		.daddr = htonl(ground_addr(to).host),
	};
}

static void send_bytes(int fd, const void *bytes, size_t len, uint32_t to)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = to};

	assert_int_equal(sendto(fd, bytes, len, 0, (struct sockaddr *)&address, sizeof(address)),
			 len);
}

static uint16_t checksum(const void *bytes, size_t len)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, (const char *)bytes + i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static struct packet echo(uint8_t type, const char *from, const char *to, uint16_t sequence)
{
	struct packet packet = {0};

	packet.ip = header(from, to, IPPROTO_ICMP, sizeof(packet.ip) + sizeof(packet.icmp));
	packet.ip.check = checksum(&packet.ip, sizeof(packet.ip));
	packet.icmp.type = type;
	packet.icmp.un.echo.id = htons(ID);
	packet.icmp.un.echo.sequence = htons(sequence);
	packet.icmp.checksum = checksum(&packet.icmp, sizeof(packet.icmp));
	return packet;
}

static void send_echoes(pid_t peer, const char *from, const char *to, uint16_t first)
{
	cleanup_fd int fd = raw_socket(peer);

	for (uint16_t i = 0; i < PROBES; i++) {
		struct packet packet = echo(ICMP_ECHO, from, to, first + i);

		send_bytes(fd, &packet.ip, sizeof(packet) - sizeof(packet.outer), packet.ip.daddr);
	}
}

struct tunnel {
	const char *local, *remote;
};

static void send_outer(pid_t peer, struct tunnel tunnel, struct packet packet)
{
	cleanup_fd int fd = raw_socket(peer);

	packet.outer = header(tunnel.local, tunnel.remote, IPPROTO_IPIP, sizeof(packet));
	send_bytes(fd, &packet, sizeof(packet), packet.outer.daddr);
}

static struct trace_question question(const char *from, const char *to)
{
	return (struct trace_question){
		.from = ground_addr(from),
		.to = ground_addr(to),
		.local = ground_addr("192.0.2.1"),
		.remote = ground_addr("192.0.2.2"),
		.protocol = IPPROTO_ICMP,
		.id = ID,
	};
}

static void open_trace(struct ground *ground, const struct trace_question *asked)
{
	int error = ground->kernel->vt->trace_open(ground->kernel, asked, &ground->err);

	if (error)
		print_error("%s\n", ground->err.sentence);
	assert_int_equal(error, 0);
}

static void read_trace(struct ground *ground, struct trace_seen *seen)
{
	assert_int_equal(ground->kernel->vt->trace_read(ground->kernel, seen, &ground->err), 0);
}

/* Packets of other namespaces may take a moment. */
static void await(struct ground *ground, const uint32_t *count, uint32_t want,
		  struct trace_seen *seen)
{
	struct timespec moment = {.tv_nsec = 1000000};

	for (int i = 0; i < 2000; i++) {
		read_trace(ground, seen);
		if (*count >= want)
			break;
		nanosleep(&moment, NULL);
	}
	assert_int_equal(*count, want);
}

static void assert_edges(const struct trace_seen *seen, enum trace_way way, enum trace_layer layer,
			 enum trace_hook hook, uint32_t n)
{
	for (enum trace_edge edge = 0; edge < TRACE_EDGES; edge++)
		if (seen->counts.packets[way][layer][hook][edge] != n)
			fail_msg("way %d layer %d hook %d edge %d: %u, not %u", way, layer, hook,
				 edge, seen->counts.packets[way][layer][hook][edge], n);
}

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
	assert_string_equal(seen.left_by, "v0");
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
	peer_end(peer);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)
	TEST(counts_inner_packets_on_both_edges),
	TEST(counts_outer_packets_by_what_is_in_them),
};

int main(void)
{
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
