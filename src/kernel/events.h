/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The event sockets: what the kernel reports of changes, reduced to "observe again".
 */

#include "kernel/adapter.h"

struct events;

/* Joins the groups of all adapters and of nftables; to be done before the first dump. */
int events_open(struct events **events, const struct kern_adapter *const *adapters, size_t n,
		struct err *err) must_check;
/* Events of changes that these ports made, our own, are not delivered from now on. */
void events_ignore(const struct events *events, uint32_t route_port, uint32_t nft_port);
void events_close(struct events *events);
/* one descriptor for all of it */
int events_fd(const struct events *events);
/* Takes all that is there, without waiting. */
void events_take(struct kern *kern, struct scope *scope, struct kernel_events *taken);
/* Adds to the scope what this message of rtnetlink may concern of ours: nothing, a key, a kind,
 * or everything where a fact may be another one now. */
void events_note(struct kern *kern, const struct nlmsghdr *h, struct scope *scope);
