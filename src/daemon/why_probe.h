/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Probes under way: the trace of their flow is open from the first to the last, and what was
 * seen is told once. The near end sends them; the far end waits for them, and tries the sizes
 * that its tunnel passes.
 */

#include "daemon/loop.h"
#include "daemon/why.h"

struct why_probe;

struct why_probe_call {
	struct kernel *kernel;
	struct loop *loop;
	/* Called once, from the loop, unless why_probe_free comes before; the trace is closed. */
	void (*done)(void *user, const struct why_probed *probed);
	void *user;
};

/* Negative errno: nothing is under way, and known says why not. */
int why_probe_start(struct why_probe **probe, const struct why_probe_call *call,
		    struct why_known *known) must_check;
/* Of the far end: no more comes, so that it need not wait for it; done is called soon. */
void why_probe_end(struct why_probe *probe);
/* Of the tunnel's device, and of the other end's, which tries no more; 0: not known. */
uint32_t why_own_mtu(const struct why_known *known);
uint32_t why_peer_mtu(const struct why_known *known);
/* How many sizes are tried by a device of that MTU, and the n-th of them, from 1 on; 0: none. */
unsigned why_probe_sizes(uint32_t mtu);
unsigned why_probe_size(uint32_t mtu, unsigned n);
/* Closes the trace when it is open; what a failure leaves is api_why.c's. NULL is none. */
void why_probe_free(struct why_probe *probe);
