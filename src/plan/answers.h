/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Inside expand: all that it has to know of the host, the ledger and the table numbers, asked
 * before it begins. Of these it sees nothing else, so that a declaration and the same answers
 * make the same objects, whatever else changed.
 */

#include "plan/expand.h"

/* What one resource depends on. What does not concern its kind stays 0; without padding, since
 * the digest is made of its bytes. */
struct answer {
	bool usable;          /* the device of the tunnel, or of the route's: not another's */
	bool device_there[2]; /* tunnel: its underlay; NAT rule: out, in, now or by a tunnel */
	bool closed[2];       /* the same (tunnel: its own): forwards not at all, or by us */
	bool address_there;   /* tunnel: local; NAT rule: to_address */
	bool remote_is_own;   /* tunnel */
	bool asked;           /* tunnel: it is known how the kernel would send to the remote: */
	int32_t error;        /* as in struct fact_remote */
	struct addr source;
	uint32_t mtu;
	uint32_t tunnel;   /* exit route: 1 + its tunnel, of those declared; 0: there is none */
	uint32_t disabled; /* exit route: 1 + the tunnel, of those declared, that its source
				* stands on and that is disabled; 0: it is there, or will come */
};

struct answers {
	struct answer *v; /* of each resource, in order of kind and name */
	size_t len;
	struct addr *own; /* the host's addresses that are not on our tunnels */
	size_t own_len;
	bool ip_forward;
	const struct from_numbers *from_numbers; /* NULL: none */
};

/* Into the arena. Of from_numbers it keeps the pointer. */
struct answers answers_ask(const struct expand_input *input, struct arena *arena);
/* v is the answer to that resource alone, and own nothing. */
struct answers answers_ask_one(const struct expand_input *input, enum kind_id kind,
			       const struct resource *resource, struct arena *arena);
uint64_t answers_digest(const struct answers *answers);
