/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A handful of packets to a destination, all at once, and what comes back of them: plain ones
 * of ICMP, TCP or UDP, and echo requests of several sizes that may not be fragmented, by which
 * the way's MTU shows. ICMP errors are read by the packet that they quote.
 */

#include "base/ipaddr.h"
#include "daemon/loop.h"

enum {
	PROBE_COUNT = 3,
	PROBE_SIZES_MAX = 12,
	PROBE_SIZES_SEQUENCE = 100, /* of the first sized one; plain ones begin at 0 */
	PROBE_WHOLE_ID = 0x4000, /* that of the one which may be fragmented is without, or with */
};

struct probe;

struct probe_question {
	struct addr from, to; /* from 0: the kernel's choice */
	const char *device;   /* SO_BINDTODEVICE; NULL: by the routes, as any program's packets */
	uint8_t protocol;     /* IPPROTO_ICMP, TCP, UDP */
	uint16_t id, port;    /* id: of the echo requests, or the source port */
	uint16_t sizes[PROBE_SIZES_MAX]; /* bytes of whole packets, ascending; ICMP only */
	unsigned n_sizes;
	uint16_t whole; /* bytes of one more echo, which may be fragmented on its way; 0: none */
	unsigned count; /* of plain ones, at most PROBE_COUNT; 0: only sizes */
	unsigned timeout_ms;
};

struct probe_result {
	unsigned sent, received; /* plain ones; an answer of TCP or UDP may be a refusal */
	unsigned refused;        /* of received: by TCP's reset */
	int send_error;          /* negative errno of the last plain one that could not be sent */
	uint64_t min_us, avg_us, max_us;
	unsigned largest_passed; /* bytes; 0: none came back */
	unsigned n_passed;       /* of the sizes, up to that one */
	unsigned smallest_lost;  /* bytes; 0: all came back */
	bool whole_passed;       /* the one that may be fragmented; it is not waited for */
	unsigned told_mtu;       /* by ICMP fragmentation needed, or by this host; 0: nobody told */
	struct addr told_by;     /* 0: this host */
	/* the last ICMP error about a plain one; by 0: there was none */
	struct addr icmp_by;
	uint8_t icmp_type, icmp_code;
};

/*
 * Sends all. done is called once, from the loop, when all is answered or the time is over,
 * unless probe_free comes before; it must call probe_free. -EPERM: without CAP_NET_RAW;
 * -EADDRINUSE: the source port is taken; -EADDRNOTAVAIL: from is not an address of this host.
 */
int probe_start(struct probe **probe, struct loop *loop, const struct probe_question *question,
		void (*done)(void *user, const struct probe_result *result), void *user,
		struct err *err) must_check;
void probe_free(struct probe *probe);
