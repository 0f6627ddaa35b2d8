/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ground of test_trace*.c: other hosts, each a process in a network namespace of its own; the
 * packets that they and this one send; and a trace that is awaited.
 */

#include "kernel/ground.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { ID = 4711, PROBES = 3 };

/* A process in a network namespace of its own, which stays as long as it does. */
static inline pid_t peer_new(void)
{
	int ready[2];
	char byte = 0;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* also when a test fails */
		if (!prctl(PR_SET_PDEATHSIG, SIGKILL) && !unshare(CLONE_NEWNET) &&
		    write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static inline void peer_end(pid_t peer)
{
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
}

/* A veth to the peer: DEVICE has ADDRESS.1/24 here, "e0" ADDRESS.2/24 there. */
static inline void connect_peer(pid_t peer, const char *device, const char *network)
{
	ground_sh("ip link add %s type veth peer name e0 netns %d && ip addr add %s.1/24 dev %s && "
		  "ip link set %s up && nsenter -t %d -n sh -c 'ip link set lo up; "
		  "ip addr add %s.2/24 dev e0; ip link set e0 up; ip route add default via %s.1'",
		  device, peer, network, device, device, peer, network, network);
}

/* A socket there; of the test's own namespace with peer 0. */
static inline int socket_at(pid_t peer, int type, int protocol)
{
	char path[64];
	cleanup_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%d/ns/net", peer);
	cleanup_fd int there = peer ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (peer)
		assert_int_equal(setns(there, CLONE_NEWNET), 0);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, protocol);
	if (peer)
		assert_int_equal(setns(here, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	return fd;
}

struct packet {
	struct iphdr outer, ip;
	struct icmphdr icmp;
};

static inline struct iphdr header(const char *from, const char *to, uint8_t protocol, size_t len)
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

static inline void send_bytes(int fd, const void *bytes, size_t len, uint32_t to)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = to};

	assert_int_equal(sendto(fd, bytes, len, 0, (struct sockaddr *)&address, sizeof(address)),
			 len);
}

static inline uint16_t checksum(const void *bytes, size_t len)
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

static inline struct packet echo(uint8_t type, const char *from, const char *to, uint16_t sequence)
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

static inline void send_echoes(pid_t peer, const char *from, const char *to, uint16_t first)
{
	cleanup_fd int fd = socket_at(peer, SOCK_RAW, IPPROTO_RAW);

	for (uint16_t i = 0; i < PROBES; i++) {
		struct packet packet = echo(ICMP_ECHO, from, to, first + i);

		send_bytes(fd, &packet.ip, sizeof(packet) - sizeof(packet.outer), packet.ip.daddr);
	}
}

struct tunnel {
	const char *local, *remote;
};

static inline void send_outer(pid_t peer, struct tunnel tunnel, struct packet packet)
{
	cleanup_fd int fd = socket_at(peer, SOCK_RAW, IPPROTO_RAW);

	packet.outer = header(tunnel.local, tunnel.remote, IPPROTO_IPIP, sizeof(packet));
	send_bytes(fd, &packet, sizeof(packet), packet.outer.daddr);
}

static inline struct trace_question question(const char *from, const char *to)
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

static inline void open_trace(struct ground *ground, const struct trace_question *asked)
{
	int error = ground->kernel->vt->trace_open(ground->kernel, asked, &ground->err);

	if (error)
		print_error("%s\n", ground->err.sentence);
	assert_int_equal(error, 0);
}

static inline void close_trace(struct ground *ground)
{
	assert_int_equal(ground->kernel->vt->trace_close(ground->kernel, &ground->err), 0);
}

static inline void read_trace(struct ground *ground, struct trace_seen *seen)
{
	assert_int_equal(ground->kernel->vt->trace_read(ground->kernel, seen, &ground->err), 0);
}

/* Packets of other namespaces may take a moment. */
static inline void await(struct ground *ground, const uint32_t *count, uint32_t want,
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

static inline void assert_edges(const struct trace_seen *seen, enum trace_way way,
				enum trace_layer layer, enum trace_hook hook, uint32_t n)
{
	for (enum trace_edge edge = 0; edge < TRACE_EDGES; edge++)
		if (seen->counts.packets[way][layer][hook][edge] != n)
			fail_msg("way %d layer %d hook %d edge %d: %u, not %u", way, layer, hook,
				 edge, seen->counts.packets[way][layer][hook][edge], n);
}

static inline struct trace_question exit_question(void)
{
	struct trace_question asked = question("10.0.0.2", "198.51.100.2");

	asked.exit = true;
	memcpy(asked.device, "v0", sizeof("v0"));
	return asked;
}

static inline const uint32_t *last_of(const struct trace_seen *seen, enum trace_hook hook)
{
	return &seen->counts.packets[TRACE_BACK][TRACE_INNER][hook][TRACE_LAST];
}

/* A tunnel "t0" here and in the peer, over their veth; false where the driver is missing. */
static inline bool add_tunnel(pid_t peer, const char *network)
{
	ground_sh("ip link add t0 type ipip local %s.1 remote %s.2 2>/dev/null || exit 0; "
		  "ip link set t0 up && nsenter -t %d -n sh -c '"
		  "ip link add t0 type ipip local %s.2 remote %s.1 && ip link set t0 up'",
		  network, network, peer, network, network);
	return if_nametoindex("t0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)

/*
 * All packets come from one processor: of a flow whose first ones are on two at the same time,
 * conntrack drops one when both are translated (nf_conntrack_core.c, the clash that it cannot
 * resolve).
 */
static inline void stay_on_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	(void)!sched_setaffinity(0, sizeof(one), &one);
}
