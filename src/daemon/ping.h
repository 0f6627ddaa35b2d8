/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ICMP echo through one device, driven by the loop: a raw socket bound to the device, a few
 * requests, and their replies until each had its second.
 */

#include "base/ipaddr.h"
#include "daemon/loop.h"

enum { PING_COUNT_MAX = 10, PING_INTERVAL_MS = 200, PING_TIMEOUT_MS = 1000 };

struct ping;

struct ping_question {
	const char *device;
	struct addr source; /* 0: the kernel's choice */
	struct addr target;
	unsigned count; /* 1 … PING_COUNT_MAX */
};

struct ping_result {
	unsigned sent, received;
	uint64_t min_us, avg_us, max_us; /* round trip; 0 when nothing was received */
};

/* Sends the first one at once. done is called once, from the loop, unless ping_free comes
 * before; it must call ping_free. -ENODEV, -EPERM: without CAP_NET_RAW. */
int ping_start(struct ping **ping, struct loop *loop, const struct ping_question *question,
	       void (*done)(void *user, const struct ping_result *result), void *user,
	       struct err *err) must_check;
void ping_free(struct ping *ping);
