/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP echo through one device. The socket is raw: who answers is told from the IP header. */
#include "daemon/ping.h"

#include "base/arena.h"
#include "base/cleanup.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

enum { PAYLOAD = 56, PACKET_MAX = 2048 };

struct ping {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer *timer;
	int fd;
	uint16_t id; /* network byte order, random */
	struct addr target;
	unsigned count, sent, received;
	uint64_t sent_us[PING_COUNT_MAX]; /* 0: not sent, or answered */
	uint64_t min_us, sum_us, max_us;
	void (*done)(void *user, const struct ping_result *result);
	void *user;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* RFC 1071, over an even number of bytes */
static uint16_t checksum(const void *packet, size_t len)
{
	const uint8_t *p = packet;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static struct sockaddr_in sockaddr_of(struct addr addr)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr.host)};
}

/* A send that fails is a packet lost: the result tells. */
static void send_one(struct ping *ping)
{
	struct {
		struct icmphdr head;
		uint8_t payload[PAYLOAD];
	} packet;
	struct sockaddr_in to = sockaddr_of(ping->target);

	memset(&packet, 0, sizeof(packet));
	packet.head.type = ICMP_ECHO;
	packet.head.un.echo.id = ping->id;
	packet.head.un.echo.sequence = htons((uint16_t)ping->sent);
	packet.head.checksum = checksum(&packet, sizeof(packet));
	ping->sent_us[ping->sent++] = now_us();
	(void)!sendto(ping->fd, &packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&to,
		      sizeof(to));
}

static void finish(struct ping *ping)
{
	struct ping_result result = {
		.sent = ping->sent,
		.received = ping->received,
		.min_us = ping->min_us,
		.avg_us = ping->received ? ping->sum_us / ping->received : 0,
		.max_us = ping->max_us,
	};

	ping->done(ping->user, &result);
}

static void count_reply(struct ping *ping, unsigned sequence)
{
	if (sequence >= ping->sent || !ping->sent_us[sequence])
		return;
	uint64_t took_us = now_us() - ping->sent_us[sequence];

	ping->sent_us[sequence] = 0;
	if (!ping->received || took_us < ping->min_us)
		ping->min_us = took_us;
	if (took_us > ping->max_us)
		ping->max_us = took_us;
	ping->sum_us += took_us;
	ping->received++;
}

static void read_packet(struct ping *ping, const uint8_t *packet, size_t len)
{
	struct iphdr ip;
	struct icmphdr icmp;

	if (len < sizeof(ip))
		return;
	memcpy(&ip, packet, sizeof(ip));
	size_t at = ip.ihl * 4u;
	if (at < sizeof(ip) || len < at + sizeof(icmp))
		return;
	memcpy(&icmp, packet + at, sizeof(icmp));
	if (icmp.type == ICMP_ECHOREPLY && icmp.un.echo.id == ping->id &&
	    ntohl(ip.saddr) == ping->target.host)
		count_reply(ping, ntohs(icmp.un.echo.sequence));
}

static void readable(void *user)
{
	struct ping *ping = user;
	uint8_t packet[PACKET_MAX];
	ssize_t len = recv(ping->fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (len > 0)
		read_packet(ping, packet, (size_t)len);
	if (ping->received == ping->count)
		finish(ping);
}

/* After a packet: time for the next one, or the last one's second is over. */
static void tick(void *user)
{
	struct ping *ping = user;

	if (ping->sent == ping->count) {
		finish(ping);
		return;
	}
	send_one(ping);
	loop_timer_arm(ping->loop, ping->timer,
		       loop_now_ms() +
			       (ping->sent < ping->count ? PING_INTERVAL_MS : PING_TIMEOUT_MS));
}

static int open_socket(const struct ping_question *question, int *fd, struct err *err)
{
	struct sockaddr_in from = sockaddr_of(question->source);
	cleanup_fd int s = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);

	if (s < 0)
		return err_set(err, -errno, "a raw socket: %s", strerror(errno));
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, question->device,
		       (socklen_t)strlen(question->device) + 1) < 0)
		return err_set(err, -errno, "binding to device %s: %s", question->device,
			       strerror(errno));
	if (question->source.host && bind(s, (struct sockaddr *)&from, sizeof(from)) < 0)
		return err_set(err, -errno, "binding to the tunnel's address: %s", strerror(errno));
	*fd = take_fd(&s);
	return 0;
}

int ping_start(struct ping **ping, struct loop *loop, const struct ping_question *question,
	       void (*done)(void *user, const struct ping_result *result), void *user,
	       struct err *err)
{
	int fd = -1, rc = open_socket(question, &fd, err);

	assert(question->count >= 1 && question->count <= PING_COUNT_MAX);
	if (rc)
		return rc;
	struct ping *made = xcalloc(1, sizeof(*made));
	*made = (struct ping){.loop = loop,
			      .fd = fd,
			      .target = question->target,
			      .count = question->count,
			      .done = done,
			      .user = user};
	if (getrandom(&made->id, sizeof(made->id), 0) < 0)
		made->id = (uint16_t)fd;
	made->watch = loop_watch_fd(loop, fd, readable, made);
	made->timer = loop_timer_new(loop, tick, made);
	tick(made);
	*ping = made;
	return 0;
}

void ping_free(struct ping *ping)
{
	if (!ping)
		return;
	loop_unwatch(ping->loop, ping->watch);
	loop_timer_free(ping->loop, ping->timer);
	close(ping->fd);
	free(ping);
}
