/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Packets that the agent itself sends and reads over raw sockets, for ping.c and probe.c: ICMP
 * (RFC 792) and TCP's SYN (RFC 9293). Reading takes any bytes.
 */

#include <netinet/in.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ipaddr.h"

enum { PACKET_MAX = 2048, PACKET_IP_HEADER = 20, PACKET_ICMP_HEADER = 8 };

/* What was read of an IPv4 packet. Numbers in host byte order. */
struct packet {
	struct addr source, destination;
	uint8_t protocol;
	uint8_t type, code;         /* ICMP */
	uint16_t id, sequence;      /* of echoes */
	uint16_t mtu;               /* of fragmentation needed (RFC 1191); 0: not told */
	uint16_t source_port, port; /* TCP, UDP; port: the destination's */
	bool syn, ack, reset;       /* TCP */
	const uint8_t *quoted;      /* of an ICMP error, protocol 4: the packet within */
	size_t quoted_len;
};

/* False: it is none, or cut off too early. Of a quoted one the first 28 bytes are enough. */
bool packet_read(const uint8_t *bytes, size_t len, struct packet *packet) must_check;
/*
 * What an ICMP error is about; of a tunnel's packet the one inside, if that much is quoted, and
 * error's mtu is then what is left for it. False: likewise.
 */
bool packet_read_quoted(struct packet *error, struct packet *sent) must_check;

struct sockaddr_in packet_sockaddr(struct addr addr, uint16_t port);
/* A raw socket of that protocol, bound to the device (NULL: to none) and the source (0: none). */
int packet_socket(int protocol, const char *device, struct addr source, int *fd,
		  struct err *err) must_check;
/* Sends an echo request with so many bytes behind its ICMP header. Negative errno. */
int packet_send_echo(int fd, struct addr to, uint16_t id, uint16_t sequence, size_t payload);

struct packet_syn {
	struct addr from, to;
	uint16_t source_port, port;
	uint32_t sequence;
};
int packet_send_syn(int fd, const struct packet_syn *syn);
