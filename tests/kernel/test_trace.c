/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace of one flow on a real kernel. Most inner packets are plain ones here, outer ones are
 * made by hand; two tests need the IPIP driver, and do not run without it: the lab has it.
 */
#include "kernel/ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

/* A socket there; of the test's own namespace with peer 0. */
static int socket_at(pid_t peer, int type, int protocol)
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
	cleanup_fd int fd = socket_at(peer, SOCK_RAW, IPPROTO_RAW);

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
	cleanup_fd int fd = socket_at(peer, SOCK_RAW, IPPROTO_RAW);

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

static void close_trace(struct ground *ground)
{
	assert_int_equal(ground->kernel->vt->trace_close(ground->kernel, &ground->err), 0);
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

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
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

static struct trace_question exit_question(void)
{
	struct trace_question asked = question("10.0.0.2", "198.51.100.2");

	asked.exit = true;
	memcpy(asked.device, "v0", sizeof("v0"));
	return asked;
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

static const uint32_t *last_of(const struct trace_seen *seen, enum trace_hook hook)
{
	return &seen->counts.packets[TRACE_BACK][TRACE_INNER][hook][TRACE_LAST];
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

/* A tunnel "t0" here and in the peer, over their veth; false where the driver is missing. */
static bool add_tunnel(pid_t peer, const char *network)
{
	ground_sh("ip link add t0 type ipip local %s.1 remote %s.2 2>/dev/null || exit 0; "
		  "ip link set t0 up && nsenter -t %d -n sh -c '"
		  "ip link add t0 type ipip local %s.2 remote %s.1 && ip link set t0 up'",
		  network, network, peer, network, network);
	return if_nametoindex("t0");
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

static void only_one_flow_is_traced(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");
	struct trace_seen seen;

	open_trace(ground, &asked);
	assert_int_equal(ground->kernel->vt->trace_open(ground->kernel, &asked, &ground->err),
			 -EBUSY);
	close_trace(ground);
	close_trace(ground);
	assert_int_equal(ground->kernel->vt->trace_read(ground->kernel, &seen, &ground->err),
			 -EINVAL);
	open_trace(ground, &asked);
}

/* Somebody may save and load the ruleset while it stands. */
static void the_nft_program_understands_it(void **state)
{
	struct ground *ground = *state;
	static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP};

	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct trace_question asked = exit_question();

		asked.protocol = protocols[i];
		asked.port = asked.protocol == IPPROTO_ICMP ? 0 : 53;
		asked.sizes_id = 1;
		open_trace(ground, &asked);
		ground_sh("nft list ruleset | grep -q 'comment \"back inner\"'");
		ground_sh("nft list ruleset | nft -c -f -");
		close_trace(ground);
	}
}

static void nothing_is_left_of_it(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();

	open_trace(ground, &asked);
	close_trace(ground);
	ground_prints("", "nft list ruleset");
	open_trace(ground, &asked);
	ground->kernel->vt->close(ground->kernel);
	ground->kernel = NULL;
	ground_prints("", "nft list ruleset");
}

/* In this thread's effective set, or not. */
static void have_net_admin(bool have)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint32_t bit = CAP_TO_MASK(CAP_NET_ADMIN);

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[0].effective = have ? data[0].effective | bit : data[0].effective & ~bit;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void what_could_not_be_closed_goes_when_it_can(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct kernel *kernel = ground->kernel;

	open_trace(ground, &asked);
	have_net_admin(false);
	int refused = kernel->vt->trace_close(kernel, &ground->err);
	have_net_admin(true);
	assert_int_equal(refused, -EPERM);
	ground_sh("nft list table ip ipipd_trace >/dev/null");
	assert_int_equal(kernel->vt->trace_close(kernel, &ground->err), 0);
	ground_prints("", "nft list ruleset");
	assert_int_equal(kernel->vt->trace_close(kernel, &ground->err), 0);
}

static void what_a_killed_agent_left_goes_at_the_next_start(void **state)
{
	struct ground *ground = *state;

	ground_sh("nft 'table ip ipipd_trace { chain a { type filter hook input priority 0; }; }; "
		  "table inet ipipd_trace { }; table ip other { }'");
	ground->kernel->vt->close(ground->kernel);
	assert_int_equal(kernel_open(&ground->kernel, &ground->err), 0);
	ground_prints("table inet ipipd_trace\ntable ip other\n", "nft list tables");
}

static int add_table(struct ground *ground)
{
	struct nft_table table = {.head.set = kind_all(&nft_table_kind)};

	return ground_add(ground, KIND_NFT_TABLE, &table);
}

/* A batch of the plan made on the last look still fits, for nothing of it has changed. */
static void the_reconciler_needs_no_new_look(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");

	ground_look(ground);
	ground_quiet(ground);
	open_trace(ground, &asked);
	close_trace(ground);
	assert_false(ground_events(ground, false).look);
	assert_int_equal(add_table(ground), 0);
}

static void the_reconciler_notices_what_others_did_meanwhile(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = question("192.0.2.1", "192.0.2.2");

	ground_look(ground);
	ground_sh("nft add table ip other");
	open_trace(ground, &asked);
	assert_int_equal(add_table(ground), -ERESTART);
	close_trace(ground);
	assert_int_equal(add_table(ground), -ERESTART);
}

/* the shortest of five times, whatever else the machine does */
static void shortest(uint64_t *best_us, uint64_t start_us)
{
	uint64_t took_us = now_us() - start_us;

	*best_us = took_us < *best_us ? took_us : *best_us;
}

/* Beside a shell with nft that makes and removes one table: on hardware 2 and 0.7 ms of 20. */
static void is_quick(void **state)
{
	struct ground *ground = *state;
	struct trace_question asked = exit_question();
	struct trace_seen seen;
	uint64_t open_us = UINT64_MAX, read_us = UINT64_MAX, close_us = UINT64_MAX;
	uint64_t nft_us = UINT64_MAX, start;

	for (int i = 0; i < 5; i++) {
		start = now_us();
		open_trace(ground, &asked);
		shortest(&open_us, start);
		start = now_us();
		read_trace(ground, &seen);
		shortest(&read_us, start);
		start = now_us();
		close_trace(ground);
		shortest(&close_us, start);
		start = now_us();
		ground_sh("nft 'add table ip other; delete table ip other'");
		shortest(&nft_us, start);
	}
	print_message("open %ju us, read %ju us, close %ju us, nft %ju us\n", (uintmax_t)open_us,
		      (uintmax_t)read_us, (uintmax_t)close_us, (uintmax_t)nft_us);
	assert_true(open_us < nft_us);
	assert_true(read_us < nft_us);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)
	TEST(counts_inner_packets_on_both_edges),
	TEST(counts_outer_packets_by_what_is_in_them),
	TEST(counts_the_sizes_of_the_other_end),
	TEST(counts_the_answers_to_sizes_that_return),
	TEST(names_the_rule_that_drops),
	TEST(names_the_policy_that_drops_each_layer),
	TEST(follows_a_flow_through_nat),
	TEST(follows_a_connection_through_nat),
	TEST(counts_the_answers_to_sizes_through_nat),
	TEST(counts_the_word_that_a_port_is_closed),
	TEST(follows_a_flow_that_nobody_translates),
	TEST(follows_a_flow_that_conntrack_does_not),
	TEST(names_who_drops_the_reply_before_nat_is_undone),
	TEST(counts_what_the_reverse_path_filter_drops),
	TEST(counts_both_layers_on_the_client),
	TEST(counts_both_layers_on_the_exit),
	TEST(only_one_flow_is_traced),
	TEST(the_nft_program_understands_it),
	TEST(nothing_is_left_of_it),
	TEST(what_could_not_be_closed_goes_when_it_can),
	TEST(what_a_killed_agent_left_goes_at_the_next_start),
	TEST(the_reconciler_needs_no_new_look),
	TEST(the_reconciler_notices_what_others_did_meanwhile),
	TEST(is_quick),
};

/*
 * All packets come from one processor: of a flow whose first ones are on two at the same time,
 * conntrack drops one when both are translated (nf_conntrack_core.c, the clash that it cannot
 * resolve).
 */
static void stay_on_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	(void)!sched_setaffinity(0, sizeof(one), &one);
}

int main(void)
{
	stay_on_one_processor();
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
