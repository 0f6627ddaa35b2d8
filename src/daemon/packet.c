/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of ICMP and TCP, written and read. Who answers what is ping.c's and probe.c's. */
#include "daemon/packet.h"

#include "base/arena.h"
#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { PORTS = 4 }; /* bytes that TCP and UDP begin with */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static struct addr get_addr(const uint8_t *p)
{
	return (struct addr){(uint32_t)get16(p) << 16 | get16(p + 2)};
}

static bool is_error(uint8_t type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB || type == ICMP_REDIRECT;
}

static bool read_icmp(const uint8_t *p, size_t len, struct packet *packet)
{
	if (len < PACKET_ICMP_HEADER)
		return false;
	packet->type = p[0];
	packet->code = p[1];
	if (is_error(packet->type)) {
		packet->mtu = packet->type == ICMP_DEST_UNREACH && packet->code == ICMP_FRAG_NEEDED
				      ? get16(p + 6)
				      : 0;
		packet->quoted = p + PACKET_ICMP_HEADER;
		packet->quoted_len = len - PACKET_ICMP_HEADER;
	} else {
		packet->id = get16(p + 4);
		packet->sequence = get16(p + 6);
	}
	return true;
}

static bool read_ports(const uint8_t *p, size_t len, struct packet *packet)
{
	if (len < PORTS)
		return false;
	packet->source_port = get16(p);
	packet->port = get16(p + 2);
	if (packet->protocol == IPPROTO_TCP && len > 13) { /* a quoted one may end before */
		packet->syn = p[13] & TH_SYN;
		packet->ack = p[13] & TH_ACK;
		packet->reset = p[13] & TH_RST;
	}
	return true;
}

bool packet_read(const uint8_t *bytes, size_t len, struct packet *packet)
{
	struct packet read = {0};

	if (len < PACKET_IP_HEADER || bytes[0] >> 4 != IPVERSION)
		return false;
	size_t at = (bytes[0] & 15) * 4u;
	if (at < PACKET_IP_HEADER || len < at || get16(bytes + 6) & IP_OFFMASK)
		return false;
	read.protocol = bytes[9];
	read.source = get_addr(bytes + 12);
	read.destination = get_addr(bytes + 16);
	if (read.protocol == IPPROTO_IPIP) {
		read.quoted = bytes + at;
		read.quoted_len = len - at;
	}
	bool whole = read.protocol == IPPROTO_ICMP ? read_icmp(bytes + at, len - at, &read)
		     : read.protocol == IPPROTO_TCP || read.protocol == IPPROTO_UDP
			     ? read_ports(bytes + at, len - at, &read)
			     : true;
	if (whole)
		*packet = read;
	return whole;
}

bool packet_read_quoted(struct packet *error, struct packet *sent)
{
	if (!error->quoted || !packet_read(error->quoted, error->quoted_len, sent))
		return false;
	if (sent->protocol != IPPROTO_IPIP)
		return true;
	size_t outer = (size_t)(sent->quoted - error->quoted);

	error->mtu = error->mtu > outer ? (uint16_t)(error->mtu - outer) : 0;
	return packet_read(sent->quoted, sent->quoted_len, sent);
}

struct sockaddr_in packet_sockaddr(struct addr addr, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(addr.host)};
}

int packet_socket(int protocol, const char *device, struct addr source, int *fd, struct err *err)
{
	struct sockaddr_in from = packet_sockaddr(source, 0);
	cleanup_fd int s = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (s < 0)
		return err_set(err, -errno, "a raw socket: %s", strerror(errno));
	if (device &&
	    setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) < 0)
		return err_set(err, -errno, "binding to device %s: %s", device, strerror(errno));
	if (source.host && bind(s, (struct sockaddr *)&from, sizeof(from)) < 0)
		return err_set(err, -errno, "binding to the source address: %s", strerror(errno));
	*fd = take_fd(&s);
	return 0;
}

/* RFC 1071; an odd byte counts as if a zero followed */
static uint32_t sum(uint32_t so_far, const void *packet, size_t len)
{
	const uint8_t *p = packet;

	for (size_t i = 0; i < len; i++)
		so_far += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return so_far;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static int send_to(int fd, struct addr to, const void *packet, size_t len)
{
	struct sockaddr_in address = packet_sockaddr(to, 0);

	return sendto(fd, packet, len, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address)) <
			       0
		       ? -errno
		       : 0;
}

int packet_send_echo(int fd, struct addr to, uint16_t id, uint16_t sequence, size_t payload)
{
	size_t len = sizeof(struct icmphdr) + payload;
	cleanup_free struct icmphdr *packet = xcalloc(1, len);

	packet->type = ICMP_ECHO;
	packet->un.echo.id = htons(id);
	packet->un.echo.sequence = htons(sequence);
	packet->checksum = checksum(sum(0, packet, len));
	return send_to(fd, to, packet, len);
}

int packet_send_syn(int fd, const struct packet_syn *syn)
{
	struct tcphdr packet = {
		.source = htons(syn->source_port),
		.dest = htons(syn->port),
		.seq = htonl(syn->sequence),
		.doff = sizeof(packet) / 4,
		.syn = 1,
		.window = htons(1024),
	};
	/* RFC 9293, 3.1: the checksum is also of addresses, protocol and length */
	uint32_t pseudo = (syn->from.host >> 16) + (syn->from.host & 0xffff) +
			  (syn->to.host >> 16) + (syn->to.host & 0xffff) + IPPROTO_TCP +
			  (uint32_t)sizeof(packet);

	packet.check = checksum(sum(pseudo, &packet, sizeof(packet)));
	return send_to(fd, syn->to, &packet, sizeof(packet));
}
