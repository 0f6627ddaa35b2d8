/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pings a host until SIGTERM, each request a flow of its own (its identifier is new), so that
 * each of them asks for a route and for NAT anew. Then waits for the last answers.
 *
 *   races_traffic ADDRESS PERIOD-US
 *
 * A JSON object: sent, lost, and first, the numbers of the first that were lost.
 */
#include "bench/common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SENT_MAX = 8 << 20, LAST_ANSWERS_S = 5, TOLD = 20, ROOM = 16 << 20 };

struct echo {
	struct icmphdr header;
	uint32_t number;
};

struct traffic {
	int fd;
	struct sockaddr_in to;
	uint32_t sent, answered;
	unsigned char *is_answered;
};

static uint16_t checksum(const void *bytes, size_t len)
{
	const uint16_t *words = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void open_socket(struct traffic *traffic, const char *address)
{
	int room = ROOM;

	traffic->to.sin_family = AF_INET;
	if (inet_pton(AF_INET, address, &traffic->to.sin_addr) != 1)
		die("not an address: %s", address);
	traffic->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (traffic->fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(traffic->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

/* What cannot be sent is lost like what is dropped on its way. */
static void send_one(struct traffic *traffic)
{
	struct echo echo = {
		.header = {.type = ICMP_ECHO},
		.number = traffic->sent,
	};

	if (traffic->sent == SENT_MAX)
		die("more than %d", SENT_MAX);
	echo.header.un.echo.id = (uint16_t)traffic->sent;
	echo.header.un.echo.sequence = (uint16_t)(traffic->sent >> 16);
	echo.header.checksum = checksum(&echo, sizeof(echo));
	sendto(traffic->fd, &echo, sizeof(echo), 0, (struct sockaddr *)&traffic->to,
	       sizeof(traffic->to));
	traffic->sent++;
}

static void take(struct traffic *traffic, const char *packet, size_t len)
{
	struct echo echo;
	size_t skip = (size_t)(packet[0] & 15) * 4;

	if (len < skip + sizeof(echo))
		return;
	memcpy(&echo, packet + skip, sizeof(echo));
	if (echo.header.type != ICMP_ECHOREPLY || echo.number >= traffic->sent ||
	    traffic->is_answered[echo.number])
		return;
	traffic->is_answered[echo.number] = 1;
	traffic->answered++;
}

/* What comes until then. */
static void receive(struct traffic *traffic, uint64_t until_ns)
{
	struct pollfd readable = {.fd = traffic->fd, .events = POLLIN};
	char packet[2048];

	for (uint64_t now = now_ns(); now < until_ns; now = now_ns()) {
		struct timespec left = {0, (long)((until_ns - now) % 1000000000)};

		if (ppoll(&readable, 1, &left, NULL) <= 0)
			continue;
		ssize_t len = recv(traffic->fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (len > (ssize_t)sizeof(struct iphdr))
			take(traffic, packet, (size_t)len);
	}
}

static void print(const struct traffic *traffic)
{
	unsigned told = 0;

	printf("{\"sent\":%u,\"lost\":%u,\"first\":[", traffic->sent,
	       traffic->sent - traffic->answered);
	for (uint32_t i = 0; i < traffic->sent && told < TOLD; i++)
		if (!traffic->is_answered[i])
			printf("%s%u", told++ ? "," : "", i);
	puts("]}");
}

int main(int argc, char **argv)
{
	static struct traffic traffic;

	if (argc != 3)
		die("usage: races_traffic ADDRESS PERIOD-US");
	uint64_t period_ns = number(argv[2]) * 1000, next = now_ns();
	open_socket(&traffic, argv[1]);
	traffic.is_answered = calloc(SENT_MAX, 1);
	if (!traffic.is_answered)
		die("out of memory");
	stop_on_signals();
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		send_one(&traffic);
		next += period_ns;
		if (next < now_ns())
			next = now_ns();
		receive(&traffic, next);
	}
	for (uint64_t end = now_ns() + LAST_ANSWERS_S * UINT64_C(1000000000);
	     traffic.answered < traffic.sent && now_ns() < end;)
		receive(&traffic, now_ns() + 10000000);
	print(&traffic);
	return 0;
}
