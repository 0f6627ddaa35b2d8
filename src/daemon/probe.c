/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes: what is sent, and which of what arrives answers it. The bytes are packet.c's. TCP is
 * probed with raw SYNs of one sequence number: three of the same source port, which no socket
 * of the kernel's would send; it answers the SYN-ACK with a reset, since nobody listens, so
 * that the other side is left with nothing.
 */
#include "daemon/probe.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/packet.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAYLOAD = 56, SLOWNESS = 4, SIZE_MIN = PACKET_IP_HEADER + PACKET_ICMP_HEADER };

enum fate { FATE_WAITING, FATE_PASSED, FATE_LOST };

struct probe {
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_watch *icmp_watch, *data_watch;
	/*
	 * icmp sends, from the source and by the device. heard is bound to neither: an error about
	 * a tunnel's packet comes to the tunnel's address. data: of TCP or UDP; -1: none.
	 */
	int icmp, heard, data;
	struct probe_question question;
	char device[IFNAMSIZ]; /* that the question names */
	struct addr source;
	uint64_t sent_us, sum_us;
	unsigned unsent; /* plain ones that could not be: no answer comes */
	enum fate sizes[PROBE_SIZES_MAX];
	struct probe_result result;
	bool is_done;
	void (*done)(void *user, const struct probe_result *result);
	void *user;
};

static bool all_answered(const struct probe *probe)
{
	if (probe->result.received + probe->unsent < probe->result.sent)
		return false;
	for (unsigned i = 0; i < probe->question.n_sizes; i++)
		if (probe->sizes[i] == FATE_WAITING)
			return false;
	return true;
}

static void judge_sizes(struct probe *probe)
{
	struct probe_result *result = &probe->result;

	for (unsigned i = 0; i < probe->question.n_sizes; i++)
		if (probe->sizes[i] == FATE_PASSED) {
			result->largest_passed = probe->question.sizes[i];
			result->n_passed = i + 1;
		} else if (!result->smallest_lost) {
			result->smallest_lost = probe->question.sizes[i];
		}
}

static void finish(struct probe *probe)
{
	struct probe_result *result = &probe->result;

	if (probe->is_done)
		return;
	probe->is_done = true;
	judge_sizes(probe);
	if (result->received)
		result->avg_us = probe->sum_us / result->received;
	probe->done(probe->user, result);
}

static void expire(void *user)
{
	finish(user);
}

static void note_answer(struct probe *probe)
{
	struct probe_result *result = &probe->result;
	uint64_t took_us = loop_now_us() - probe->sent_us;

	if (result->received == result->sent)
		return; /* said twice */
	if (!result->received || took_us < result->min_us)
		result->min_us = took_us;
	if (took_us > result->max_us)
		result->max_us = took_us;
	probe->sum_us += took_us;
	result->received++;
}

/* The place of a sequence number among the sizes; n_sizes: it is of none. */
static unsigned size_of(const struct probe *probe, uint16_t sequence)
{
	unsigned at = (unsigned)sequence - PROBE_SIZES_SEQUENCE;

	return sequence >= PROBE_SIZES_SEQUENCE && at < probe->question.n_sizes
		       ? at
		       : probe->question.n_sizes;
}

static void read_reply(struct probe *probe, const struct packet *packet)
{
	unsigned at = size_of(probe, packet->sequence);

	if (packet->source.host != probe->question.to.host)
		return;
	if (probe->question.whole && packet->id == (probe->question.id ^ PROBE_WHOLE_ID))
		probe->result.whole_passed = true;
	if (packet->id != probe->question.id)
		return;
	if (at < probe->question.n_sizes)
		probe->sizes[at] = FATE_PASSED;
	else if (packet->sequence < probe->result.sent)
		note_answer(probe);
}

static bool is_ours(const struct probe *probe, const struct packet *sent)
{
	const struct probe_question *question = &probe->question;

	if (sent->destination.host != question->to.host || sent->protocol != question->protocol)
		return false;
	if (sent->protocol == IPPROTO_ICMP)
		return sent->type == ICMP_ECHO && sent->id == question->id;
	return sent->source_port == question->id && sent->port == question->port;
}

static bool is_fragmentation_needed(const struct packet *packet)
{
	return packet->type == ICMP_DEST_UNREACH && packet->code == ICMP_FRAG_NEEDED;
}

static void note_mtu(struct probe *probe, const struct packet *packet)
{
	struct probe_result *result = &probe->result;

	if (!packet->mtu || (result->told_mtu && packet->mtu >= result->told_mtu))
		return;
	result->told_mtu = packet->mtu;
	/* the driver of a tunnel tells its own host, which answers itself */
	result->told_by = packet->source;
	if (packet->source.host == packet->destination.host)
		result->told_by = (struct addr){0};
}

static void read_error(struct probe *probe, struct packet *packet)
{
	struct probe_result *result = &probe->result;
	struct packet sent = {0};

	if (!packet_read_quoted(packet, &sent) || !is_ours(probe, &sent))
		return;
	unsigned at = sent.protocol == IPPROTO_ICMP ? size_of(probe, sent.sequence)
						    : probe->question.n_sizes;
	if (is_fragmentation_needed(packet))
		note_mtu(probe, packet);
	if (at < probe->question.n_sizes) {
		probe->sizes[at] = FATE_LOST;
		return;
	}
	result->icmp_by = packet->source;
	result->icmp_type = packet->type;
	result->icmp_code = packet->code;
	/* who has no such port is there, and answers */
	if (sent.protocol == IPPROTO_UDP && packet->type == ICMP_DEST_UNREACH &&
	    packet->code == ICMP_PORT_UNREACH && packet->source.host == probe->question.to.host)
		note_answer(probe);
}

static void read_icmp(struct probe *probe, struct packet *packet)
{
	if (packet->quoted)
		read_error(probe, packet);
	else if (packet->type == ICMP_ECHOREPLY && probe->question.protocol == IPPROTO_ICMP)
		read_reply(probe, packet);
}

static void read_segment(struct probe *probe, struct packet *packet)
{
	const struct probe_question *question = &probe->question;

	if (packet->source.host == question->to.host && packet->source_port == question->port &&
	    packet->port == question->id && (packet->reset || (packet->syn && packet->ack))) {
		probe->result.refused += packet->reset;
		note_answer(probe);
	}
}

/* Up to as many as were sent: others' packets come here too, and must not hold the loop up. */
static void read_socket(struct probe *probe, int fd,
			void (*read)(struct probe *probe, struct packet *packet))
{
	uint8_t bytes[PACKET_MAX];
	struct packet packet;
	ssize_t len;

	for (int i = 0; i <= PROBE_COUNT + PROBE_SIZES_MAX; i++) {
		len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (len < 0)
			break;
		if (packet_read(bytes, (size_t)len, &packet))
			read(probe, &packet);
	}
	if (all_answered(probe))
		finish(probe);
}

static void icmp_readable(void *user)
{
	struct probe *probe = user;

	read_socket(probe, probe->heard, read_icmp);
}

static void data_readable(void *user)
{
	struct probe *probe = user;
	struct sockaddr_in from = {0};
	socklen_t len = sizeof(from);
	uint8_t byte;

	if (probe->question.protocol == IPPROTO_TCP) {
		read_socket(probe, probe->data, read_segment);
		return;
	}
	if (recvfrom(probe->data, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC,
		     (struct sockaddr *)&from, &len) >= 0 &&
	    from.sin_addr.s_addr == htonl(probe->question.to.host) &&
	    from.sin_port == htons(probe->question.port))
		note_answer(probe);
	if (all_answered(probe))
		finish(probe);
}

static int bind_device(const struct probe *probe, int fd)
{
	const char *device = probe->question.device;

	return device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				    (socklen_t)strlen(device) + 1) < 0
		       ? -errno
		       : 0;
}

/* A socket of UDP from that port (0: any). Not connected, so that a refusal of one datagram
 * does not become the error of the next. */
static int open_udp(const struct probe *probe, uint16_t source_port, int *fd, struct err *err)
{
	struct sockaddr_in from = packet_sockaddr(probe->question.from, source_port);
	cleanup_fd int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		return err_set(err, -errno, "a socket: %s", strerror(errno));
	int rc = bind_device(probe, s);
	if (!rc && bind(s, (struct sockaddr *)&from, sizeof(from)) < 0)
		rc = -errno;
	if (rc)
		return err_set(err, rc, "a socket of UDP: %s", strerror(-rc));
	*fd = take_fd(&s);
	return 0;
}

/* The source that the kernel picks. */
static int ask_source(const struct probe *probe, struct addr *source)
{
	struct sockaddr_in to = packet_sockaddr(probe->question.to, 1), own = {0};
	socklen_t len = sizeof(own);
	cleanup_fd int fd = -1;
	struct err err;

	int rc = open_udp(probe, 0, &fd, &err);
	if (rc)
		return rc;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return -errno;
	*source = (struct addr){ntohl(own.sin_addr.s_addr)};
	return 0;
}

static int send_plain(const struct probe *probe, unsigned number)
{
	const struct probe_question *question = &probe->question;

	if (question->protocol == IPPROTO_ICMP)
		return packet_send_echo(probe->icmp, question->to, question->id, (uint16_t)number,
					PAYLOAD);
	if (question->protocol == IPPROTO_TCP)
		return packet_send_syn(probe->data, &(struct packet_syn){
							    .from = probe->source,
							    .to = question->to,
							    .source_port = question->id,
							    .port = question->port,
							    .sequence = (uint32_t)probe->sent_us,
						    });
	struct sockaddr_in to = packet_sockaddr(question->to, question->port);
	return sendto(probe->data, "ipipd", 5, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}

static int send_size(const struct probe *probe, unsigned at)
{
	const struct probe_question *question = &probe->question;

	return packet_send_echo(probe->icmp, question->to, question->id,
				(uint16_t)(PROBE_SIZES_SEQUENCE + at),
				question->sizes[at] - SIZE_MIN);
}

/*
 * The MTU of the device that a size is too much for; 0: not told. The error is queued for who
 * wants it. It is wanted for this send alone, or an ICMP error would be one of the next send's;
 * and IP_MTU would tell what was once learned of the way.
 */
static unsigned ask_mtu(const struct probe *probe, unsigned at)
{
	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof(struct sock_extended_err) +
					 sizeof(struct sockaddr_in))];
	} control;
	struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof(control)};
	struct sock_extended_err told = {0};
	int on = 1, off = 0;

	if (setsockopt(probe->icmp, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) < 0)
		return 0;
	if (send_size(probe, at) == -EMSGSIZE &&
	    recvmsg(probe->icmp, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);

		if (head && head->cmsg_type == IP_RECVERR)
			memcpy(&told, CMSG_DATA(head), sizeof(told));
	}
	setsockopt(probe->icmp, IPPROTO_IP, IP_RECVERR, &off, sizeof(off));
	return told.ee_errno == EMSGSIZE ? told.ee_info : 0;
}

/* Of an id of its own: who counts the flow of the others does not count it. */
static void send_whole(const struct probe *probe)
{
	const struct probe_question *question = &probe->question;
	int allowed = IP_PMTUDISC_DONT;

	if (question->whole &&
	    setsockopt(probe->icmp, IPPROTO_IP, IP_MTU_DISCOVER, &allowed, sizeof(allowed)) == 0)
		(void)!packet_send_echo(probe->icmp, question->to, question->id ^ PROBE_WHOLE_ID,
					PROBE_SIZES_SEQUENCE, question->whole - SIZE_MIN);
}

/* What cannot be sent is lost: the result tells. */
static void send_all(struct probe *probe)
{
	const struct probe_question *question = &probe->question;
	struct probe_result *result = &probe->result;

	probe->sent_us = loop_now_us();
	for (unsigned i = 0; i < question->count; i++) {
		int rc = send_plain(probe, i);

		if (rc) {
			result->send_error = rc;
			probe->unsent++;
		}
		result->sent++;
	}
	for (unsigned i = 0; i < question->n_sizes; i++) {
		int rc = send_size(probe, i);

		if (rc)
			probe->sizes[i] = FATE_LOST;
		if (rc == -EMSGSIZE && !result->told_mtu)
			result->told_mtu = ask_mtu(probe, i);
	}
	send_whole(probe);
}

/* At once when none of them left. Where sending took long, the way is long, too: on a host that
 * is starved, which may be that of the answers as well. */
static uint64_t deadline_ms(const struct probe *probe)
{
	uint64_t now_ms = loop_now_ms();

	if (all_answered(probe))
		return now_ms;
	return now_ms + probe->question.timeout_ms + (now_ms - probe->sent_us / 1000) * SLOWNESS;
}

static int open_data(struct probe *probe, struct err *err)
{
	const struct probe_question *question = &probe->question;
	int rc;

	if (question->protocol == IPPROTO_UDP)
		return open_udp(probe, question->id, &probe->data, err);
	if (question->protocol != IPPROTO_TCP)
		return 0;
	probe->source = question->from;
	rc = probe->source.host ? 0 : ask_source(probe, &probe->source);
	if (rc)
		return err_set(err, rc, "no route: %s", strerror(-rc));
	return packet_socket(IPPROTO_TCP, question->device, question->from, &probe->data, err);
}

static int open_sockets(struct probe *probe, struct err *err)
{
	const struct probe_question *question = &probe->question;
	int probing = IP_PMTUDISC_PROBE; /* don't fragment, and no regard to what was learned */
	int rc = packet_socket(IPPROTO_ICMP, question->device, question->from, &probe->icmp, err);

	if (!rc && question->n_sizes &&
	    setsockopt(probe->icmp, IPPROTO_IP, IP_MTU_DISCOVER, &probing, sizeof(probing)) < 0)
		rc = err_set(err, -errno, "a raw socket: %s", strerror(errno));
	if (!rc)
		rc = packet_socket(IPPROTO_ICMP, NULL, (struct addr){0}, &probe->heard, err);
	return rc ? rc : open_data(probe, err);
}

int probe_start(struct probe **probe, struct loop *loop, const struct probe_question *question,
		void (*done)(void *user, const struct probe_result *result), void *user,
		struct err *err)
{
	assert(question->count <= PROBE_COUNT && question->n_sizes <= PROBE_SIZES_MAX);
	struct probe *made = xcalloc(1, sizeof(*made));

	*made = (struct probe){
		.loop = loop,
		.icmp = -1,
		.heard = -1,
		.data = -1,
		.question = *question,
		.done = done,
		.user = user,
	};
	if (question->device) {
		name_copy(made->device, question->device);
		made->question.device = made->device;
	}
	for (unsigned i = 0; i < question->n_sizes; i++)
		assert(question->sizes[i] >= SIZE_MIN);
	int rc = open_sockets(made, err);
	if (rc) {
		probe_free(made);
		return rc;
	}
	made->timer = loop_timer_new(loop, expire, made);
	made->icmp_watch = loop_watch_fd(loop, made->heard, icmp_readable, made);
	if (made->data >= 0)
		made->data_watch = loop_watch_fd(loop, made->data, data_readable, made);
	send_all(made);
	loop_timer_arm(loop, made->timer, deadline_ms(made));
	*probe = made;
	return 0;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	if (probe->icmp_watch)
		loop_unwatch(probe->loop, probe->icmp_watch);
	if (probe->data_watch)
		loop_unwatch(probe->loop, probe->data_watch);
	if (probe->timer)
		loop_timer_free(probe->loop, probe->timer);
	if (probe->icmp >= 0)
		close(probe->icmp);
	if (probe->heard >= 0)
		close(probe->heard);
	if (probe->data >= 0)
		close(probe->data);
	free(probe);
}
