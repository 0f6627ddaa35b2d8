/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Netlink without a library, so that the raw programs measure the kernel and nothing else:
 * a buffer of messages that goes out in one sendmsg, acks, dumps, attributes.
 */
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct netlink {
	int fd;
	uint32_t seq;
	char *buffer; /* of what was received last */
};

/* Messages, one behind the other. */
struct batch {
	char *bytes;
	size_t len, cap;
	size_t last; /* where the last message begins */
	unsigned messages;
};

void netlink_open(struct netlink *netlink, int protocol);
void netlink_join(struct netlink *netlink, unsigned group);

/* NLMSG_OK and NLMSG_NEXT, which compare an int with an unsigned number. */
static inline int message_ok(const struct nlmsghdr *h, size_t left)
{
	return left >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= left;
}

static inline struct nlmsghdr *message_next(const struct nlmsghdr *h, size_t *left)
{
	size_t size = NLMSG_ALIGN(h->nlmsg_len);

	*left -= size < *left ? size : *left;
	return (struct nlmsghdr *)((uintptr_t)h + size);
}

/* Appends a message, its header of the family behind it; attributes go to the last one. */
void batch_message(struct batch *batch, int type, int flags, const void *header, size_t size);
void batch_attr(struct batch *batch, int type, const void *value, size_t size);
void batch_u32(struct batch *batch, int type, uint32_t value);
void batch_text(struct batch *batch, int type, const char *text);
size_t batch_nest(struct batch *batch, int type); /* for batch_nest_end */
void batch_nest_end(struct batch *batch, size_t nest);
void batch_ack(struct batch *batch); /* the last message asks for one */
void batch_clear(struct batch *batch);

/* nftables: what stands around its messages. */
void batch_nft(struct batch *batch, int type, int flags);
void batch_nft_begin(struct batch *batch);
void batch_nft_end(struct batch *batch);

/* Sends it all at once, and receives the acks: as many as were asked for. Dies of an error
 * other than `pass`. Returns how many had that one. */
unsigned netlink_send(struct netlink *netlink, struct batch *batch, unsigned acks, int pass);

/* Each message of a dump. The batch is the request, alone. */
void netlink_dump(struct netlink *netlink, struct batch *request,
		  void (*each)(const struct nlmsghdr *h, void *user), void *user);

/* Each message that comes until the time (CLOCK_MONOTONIC ns; 0: what is there already).
 * Stops when `each` returns nonzero, and returns that. */
int netlink_listen(struct netlink *netlink, uint64_t until_ns,
		   int (*each)(const struct nlmsghdr *h, void *user), void *user);

/* The attribute of a type, or NULL. `size`: of the family's header. */
const struct nlattr *attr_find(const struct nlmsghdr *h, size_t size, int type);
const struct nlattr *attr_in(const struct nlattr *nest, int type);
const struct nlattr *attr_next(const struct nlattr *at, const char *end);
const void *attr_value(const struct nlattr *attr);
size_t attr_size(const struct nlattr *attr);
uint32_t attr_u32(const struct nlattr *attr); /* 0 for NULL */
