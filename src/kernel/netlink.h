/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A netlink request socket: whole dumps, and the pieces that batch.c and events.c share.
 * Of libnl are the socket and the walks over what comes; its caches and its receive path are
 * not used, because they lose errno and the kernel's own words, nor are its messages, which
 * take three times as long to build.
 */

#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

enum {
	NETLINK_BUFFER = 32768, /* bytes: the kernel fills no datagram above that */
	NETLINK_MESSAGE = 1024, /* bytes: no request of ours is longer */
	NETLINK_DUMP_TRIES = 5,
	NETLINK_SILENCE_S = 10, /* a kernel that answers nothing for so long is given up */
	NETLINK_WORDS = 160,    /* bytes of an extended-ack text that are kept */
};

struct netlink;

/* protocol: NETLINK_ROUTE, NETLINK_NETFILTER */
int netlink_open(struct netlink **netlink, int protocol, struct err *err) must_check;
void netlink_close(struct netlink *netlink);
/* our port id: nlmsg_pid of what the kernel reports of our own changes */
uint32_t netlink_port(const struct netlink *netlink);
int netlink_fd(const struct netlink *netlink);
/* Takes n sequence numbers and returns the first. */
uint32_t netlink_take_seq(struct netlink *netlink, size_t n);
/*
 * One datagram of the kernel: *first points into the socket's buffer until the next call.
 * Its length, or -ETIMEDOUT, -ENOBUFS (answers were lost), -EMSGSIZE. With MSG_DONTWAIT
 * -EAGAIN when there is none.
 */
ssize_t netlink_receive(struct netlink *netlink, int flags, struct nlmsghdr **first);

/* Messages one after the other, as they came. */
struct messages {
	char *bytes;
	size_t len, cap;
};

/*
 * Sends a dump request and takes all of the answer. A dump that the kernel calls
 * interrupted is taken again; -EINTR when that happened five times. messages is filled
 * only on success. The request stays the caller's.
 */
int netlink_dump(struct netlink *netlink, struct nlmsghdr *request, struct messages *messages,
		 struct err *err) must_check;
/* The message after that one, the first after NULL; NULL at the end. */
struct nlmsghdr *messages_next(const struct messages *messages, const struct nlmsghdr *after);
#define messages_each(h, messages)                                                                 \
	for (struct nlmsghdr *h = messages_next((messages), NULL); h;                              \
	     h = messages_next((messages), h))
void messages_done(struct messages *messages);

/*
 * An empty message with its family header copied in; never NULL. It is the caller's, to be
 * freed, and has room for NETLINK_MESSAGE bytes.
 */
struct nlmsghdr *netlink_message(int type, int flags, const void *header, size_t size)
	__attribute__((returns_nonnull));
/* Adds an attribute. */
void netlink_put(struct nlmsghdr *msg, int type, const void *value, size_t size);
/* What is added until its end is in the nest. */
struct nlattr *netlink_nest(struct nlmsghdr *msg, int type) __attribute__((returns_nonnull));
void netlink_nest_end(struct nlmsghdr *msg, struct nlattr *nest);

/* The kernel's text in an NLMSG_ERROR or NLMSG_DONE, copied to words; "" when it gave none. */
void netlink_words(const struct nlmsghdr *h, char words[static NETLINK_WORDS]);

static inline void messages_done_(struct messages *messages)
{
	messages_done(messages);
}

#define cleanup_messages cleanup_(messages_done_)
