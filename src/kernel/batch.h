/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Many requests in few sendmsg calls, their answers matched by sequence number. A batch
 * is not atomic: what comes after a failed message runs.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/vec.h"
#include "kernel/netlink.h"

struct request {
	struct nlmsghdr *msg;
	size_t tag;                    /* the caller's */
	int result;                    /* after batch_send: 0, or negative errno */
	const char *words;             /* the kernel's own, "" when it gave none */
	bool question;                 /* is answered by a message, not by an ack */
	const struct nlmsghdr *answer; /* of a question that succeeded */
};

struct requests vec_of(struct request);

/* {.arena = …} is an empty one; words and answers live in the arena. */
struct batch {
	struct arena *arena;
	struct requests requests;
};

/* Takes the message over. */
void batch_add(struct batch *batch, struct nlmsghdr *msg, size_t tag);
void batch_ask(struct batch *batch, struct nlmsghdr *msg, size_t tag);
/* Sends all and waits for all answers. Every request has a result afterwards. */
void batch_send(struct netlink *netlink, struct batch *batch);
void batch_done(struct batch *batch);

#define cleanup_batch cleanup_(batch_done)
