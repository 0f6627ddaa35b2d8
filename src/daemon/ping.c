/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP echo through one device. The socket is raw: who answers is told from the IP header. */
#include "daemon/ping.h"

#include "base/arena.h"
#include "daemon/packet.h"

#include <assert.h>
#include <netinet/ip_icmp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAYLOAD = 56 };

struct ping {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer *timer;
	int fd;
	uint16_t id; /* random */
	struct addr target;
	unsigned count, sent, received;
	uint64_t sent_us[PING_COUNT_MAX]; /* 0: not sent, or answered */
	uint64_t min_us, sum_us, max_us;
	void (*done)(void *user, const struct ping_result *result);
	void *user;
};

/* A send that fails is a packet lost: the result tells. */
static void send_one(struct ping *ping)
{
	ping->sent_us[ping->sent] = loop_now_us();
	(void)!packet_send_echo(ping->fd, ping->target, ping->id, (uint16_t)ping->sent, PAYLOAD);
	ping->sent++;
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
	uint64_t took_us = loop_now_us() - ping->sent_us[sequence];

	ping->sent_us[sequence] = 0;
	if (!ping->received || took_us < ping->min_us)
		ping->min_us = took_us;
	if (took_us > ping->max_us)
		ping->max_us = took_us;
	ping->sum_us += took_us;
	ping->received++;
}

static void readable(void *user)
{
	struct ping *ping = user;
	uint8_t bytes[PACKET_MAX];
	struct packet packet;
	ssize_t len = recv(ping->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (len > 0 && packet_read(bytes, (size_t)len, &packet) && packet.type == ICMP_ECHOREPLY &&
	    packet.id == ping->id && packet.source.host == ping->target.host)
		count_reply(ping, packet.sequence);
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

int ping_start(struct ping **ping, struct loop *loop, const struct ping_question *question,
	       void (*done)(void *user, const struct ping_result *result), void *user,
	       struct err *err)
{
	int fd = -1;
	int rc = packet_socket(IPPROTO_ICMP, question->device, question->source, &fd, err);

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
