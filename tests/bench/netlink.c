/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building, sending and receiving. What the messages mean is each program's business. */
#include "netlink.h"

#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { RECEIVE = 1 << 17, ROOM = 64 << 20 };

void netlink_open(struct netlink *netlink, int protocol)
{
	static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
	int on = 1, room = ROOM;

	*netlink = (struct netlink){
		.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol),
		.buffer = must_alloc(NULL, RECEIVE),
	};
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	if (netlink->fd < 0 || bind(netlink->fd, (struct sockaddr *)&address, sizeof(address)))
		die("netlink: %s", strerror(errno));
	for (size_t i = 0; i < BENCH_LEN(options); i++)
		setsockopt(netlink->fd, SOL_NETLINK, options[i], &on, sizeof(on));
	setsockopt(netlink->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(netlink->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
}

void netlink_join(struct netlink *netlink, unsigned group)
{
	if (setsockopt(netlink->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		die("netlink group %u: %s", group, strerror(errno));
}

static void *grow(struct batch *batch, size_t size)
{
	size_t padded = NLMSG_ALIGN(size);

	if (batch->len + padded > batch->cap) {
		batch->cap = (batch->len + padded) * 2 + 65536;
		batch->bytes = must_alloc(batch->bytes, batch->cap);
	}
	void *at = batch->bytes + batch->len;
	memset(at, 0, padded);
	batch->len += padded;
	return at;
}

static struct nlmsghdr *last(const struct batch *batch)
{
	return (struct nlmsghdr *)(batch->bytes + batch->last);
}

static void append(struct batch *batch, const void *bytes, size_t size)
{
	if (size)
		memcpy(grow(batch, size), bytes, size);
	last(batch)->nlmsg_len = (uint32_t)(batch->len - batch->last);
}

void batch_message(struct batch *batch, int type, int flags, const void *header, size_t size)
{
	struct nlmsghdr h = {
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};

	batch->last = batch->len;
	batch->messages++;
	memcpy(grow(batch, sizeof(h)), &h, sizeof(h));
	append(batch, header, size);
}

void batch_attr(struct batch *batch, int type, const void *value, size_t size)
{
	struct nlattr attr = {
		.nla_len = (uint16_t)(NLA_HDRLEN + size),
		.nla_type = (uint16_t)type,
	};
	char *at = grow(batch, sizeof(attr) + size);

	memcpy(at, &attr, sizeof(attr));
	if (size)
		memcpy(at + sizeof(attr), value, size);
	append(batch, NULL, 0);
}

void batch_u32(struct batch *batch, int type, uint32_t value)
{
	batch_attr(batch, type, &value, sizeof(value));
}

void batch_text(struct batch *batch, int type, const char *text)
{
	batch_attr(batch, type, text, strlen(text) + 1);
}

size_t batch_nest(struct batch *batch, int type)
{
	size_t nest = batch->len;

	batch_attr(batch, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void batch_nest_end(struct batch *batch, size_t nest)
{
	((struct nlattr *)(batch->bytes + nest))->nla_len = (uint16_t)(batch->len - nest);
}

void batch_ack(struct batch *batch)
{
	last(batch)->nlmsg_flags |= NLM_F_ACK;
}

void batch_clear(struct batch *batch)
{
	batch->len = batch->last = batch->messages = 0;
}

void batch_nft(struct batch *batch, int type, int flags)
{
	struct nfgenmsg header = {.nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0};

	batch_message(batch, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &header, sizeof(header));
}

static void edge(struct batch *batch, int type)
{
	struct nfgenmsg header = {.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	batch_message(batch, type, 0, &header, sizeof(header));
}

void batch_nft_begin(struct batch *batch)
{
	edge(batch, NFNL_MSG_BATCH_BEGIN);
}

void batch_nft_end(struct batch *batch)
{
	edge(batch, NFNL_MSG_BATCH_END);
}

static uint32_t number_messages(struct netlink *netlink, struct batch *batch)
{
	uint32_t first = netlink->seq + 1;
	size_t left = batch->len;

	for (struct nlmsghdr *h = (void *)batch->bytes; message_ok(h, left);
	     h = message_next(h, &left))
		h->nlmsg_seq = ++netlink->seq;
	return first;
}

static ssize_t receive(struct netlink *netlink, int flags)
{
	for (;;) {
		ssize_t len = recv(netlink->fd, netlink->buffer, RECEIVE, flags);

		if (len >= 0 || errno == EAGAIN)
			return len;
		if (errno != EINTR || stopped)
			die("netlink: %s", strerror(errno));
	}
}

/* The answer to one of ours: whether it was an ack, and whether it had the error `pass`. */
static unsigned answered(const struct nlmsghdr *h, int pass, unsigned *passed)
{
	const struct nlmsgerr *answer = NLMSG_DATA(h);

	if (h->nlmsg_type != NLMSG_ERROR)
		return 0;
	if (answer->error && answer->error != -pass)
		die("netlink: message of type %u: %s", answer->msg.nlmsg_type,
		    strerror(-answer->error));
	*passed += answer->error != 0;
	return 1;
}

unsigned netlink_send(struct netlink *netlink, struct batch *batch, unsigned acks, int pass)
{
	uint32_t first = number_messages(netlink, batch);
	unsigned passed = 0;

	if (send(netlink->fd, batch->bytes, batch->len, 0) != (ssize_t)batch->len)
		die("netlink send of %zu bytes: %s", batch->len, strerror(errno));
	for (int more = 1; more;) {
		ssize_t len = receive(netlink, acks ? 0 : MSG_DONTWAIT);
		size_t left = len > 0 ? (size_t)len : 0;

		for (struct nlmsghdr *h = (void *)netlink->buffer; message_ok(h, left);
		     h = message_next(h, &left)) {
			unsigned one = h->nlmsg_seq >= first ? answered(h, pass, &passed) : 0;

			acks -= one && acks ? 1 : 0;
		}
		more = acks || len >= 0;
	}
	return passed;
}

/* A routing table without routes does not exist: nothing is there, which is no fault. */
static void dump_failed(const struct nlmsgerr *answer)
{
	if (answer->error != -ENOENT)
		die("netlink dump: %s", strerror(-answer->error));
}

void netlink_dump(struct netlink *netlink, struct batch *request,
		  void (*each)(const struct nlmsghdr *h, void *user), void *user)
{
	uint32_t seq = number_messages(netlink, request);

	if (send(netlink->fd, request->bytes, request->len, 0) < 0)
		die("netlink dump: %s", strerror(errno));
	for (;;) {
		size_t left = (size_t)receive(netlink, 0);

		for (struct nlmsghdr *h = (void *)netlink->buffer; message_ok(h, left);
		     h = message_next(h, &left)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return;
			if (h->nlmsg_type == NLMSG_ERROR) {
				dump_failed(NLMSG_DATA(h));
				return;
			}
			each(h, user);
		}
	}
}

static int wait_readable(int fd, uint64_t until_ns)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	uint64_t now = now_ns();
	int left_ms = now < until_ns ? (int)((until_ns - now) / 1000000 + 1) : 0;

	return poll(&readable, 1, left_ms) > 0;
}

int netlink_listen(struct netlink *netlink, uint64_t until_ns,
		   int (*each)(const struct nlmsghdr *h, void *user), void *user)
{
	while (!stopped && wait_readable(netlink->fd, until_ns)) {
		ssize_t len = recv(netlink->fd, netlink->buffer, RECEIVE, MSG_DONTWAIT);
		size_t left = len > 0 ? (size_t)len : 0;

		if (len < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			die("netlink events: %s", strerror(errno));
		for (struct nlmsghdr *h = (void *)netlink->buffer; message_ok(h, left);
		     h = message_next(h, &left)) {
			int result = each(h, user);

			if (result)
				return result;
		}
	}
	return 0;
}

const void *attr_value(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

size_t attr_size(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

uint32_t attr_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (attr && attr_size(attr) >= sizeof(value))
		memcpy(&value, attr_value(attr), sizeof(value));
	return value;
}

const struct nlattr *attr_next(const struct nlattr *at, const char *end)
{
	const char *next = (const char *)at + NLA_ALIGN(at->nla_len);

	return next + NLA_HDRLEN <= end ? (const struct nlattr *)next : NULL;
}

static const struct nlattr *find(const char *from, const char *end, int type)
{
	const struct nlattr *at = from + NLA_HDRLEN <= end ? (const void *)from : NULL;

	while (at && at->nla_len >= NLA_HDRLEN && (at->nla_type & NLA_TYPE_MASK) != type)
		at = attr_next(at, end);
	return at && at->nla_len >= NLA_HDRLEN ? at : NULL;
}

const struct nlattr *attr_find(const struct nlmsghdr *h, size_t size, int type)
{
	return find((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(size), (const char *)h + h->nlmsg_len,
		    type);
}

const struct nlattr *attr_in(const struct nlattr *nest, int type)
{
	const char *from = nest ? attr_value(nest) : NULL;

	return from ? find(from, from + attr_size(nest), type) : NULL;
}
