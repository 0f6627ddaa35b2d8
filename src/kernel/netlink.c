/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Request sockets and dumps. What a message means is the adapters' business; sending many
 * at once and matching their answers is batch.c's.
 */
#include "kernel/netlink.h"

#include <assert.h>
#include <errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/arena.h"
#include "base/failpoint.h"

struct netlink {
	struct nl_sock *sock;
	int fd;
	uint32_t port, seq;
	char buffer[NETLINK_BUFFER] __attribute__((aligned(8)));
};

enum { SOCKET_BUFFER = 4 << 20 }; /* bytes: acks of a whole batch fit */

static void set_option(int fd, int level, int option, int value)
{
	/* each is a help that an older kernel may lack, none is needed for being right */
	(void)!setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_options(int fd)
{
	struct timeval silence = {.tv_sec = NETLINK_SILENCE_S};

	set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
	/* nl_connect made them 32 KB, which is the room for about thirty acks */
	set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence));
}

int netlink_open(struct netlink **netlink, int protocol, struct err *err)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock)
		out_of_memory(sizeof(struct netlink));
	int error = nl_connect(sock, protocol);
	if (error) {
		nl_socket_free(sock);
		return err_set(err, -EIO, "netlink socket: %s", nl_geterror(error));
	}
	nl_socket_disable_msg_peek(sock);
	struct netlink *opened = xcalloc(1, sizeof(*opened));
	opened->sock = sock;
	opened->fd = nl_socket_get_fd(sock);
	opened->port = nl_socket_get_local_port(sock);
	opened->seq = 1;
	set_options(opened->fd);
	*netlink = opened;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	nl_socket_free(netlink->sock);
	free(netlink);
}

uint32_t netlink_port(const struct netlink *netlink)
{
	return netlink->port;
}

int netlink_fd(const struct netlink *netlink)
{
	return netlink->fd;
}

uint32_t netlink_take_seq(struct netlink *netlink, size_t n)
{
	uint32_t first = netlink->seq;

	netlink->seq += (uint32_t)n;
	return first;
}

ssize_t netlink_receive(struct netlink *netlink, int flags, struct nlmsghdr **first)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {netlink->buffer, sizeof(netlink->buffer)};
		struct msghdr msg = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
		int fault = failpoint_error("netlink.receive");

		if (fault)
			return fault;
		ssize_t len = recvmsg(netlink->fd, &msg, flags);

		failpoint("netlink.received");

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			return flags & MSG_DONTWAIT ? -EAGAIN : -ETIMEDOUT;
		if (len < 0)
			return -errno;
		if (from.nl_pid != 0) /* another process, not the kernel */
			continue;
		if (msg.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		*first = (struct nlmsghdr *)netlink->buffer;
		return len;
	}
}

static void messages_add(struct messages *messages, const struct nlmsghdr *h)
{
	size_t size = NLMSG_ALIGN(h->nlmsg_len);

	if (messages->len + size > messages->cap) {
		while (messages->len + size > messages->cap)
			messages->cap = messages->cap ? messages->cap * 2 : NETLINK_BUFFER;
		messages->bytes = xrealloc(messages->bytes, messages->cap);
	}
	assert(messages->bytes);
	memset(messages->bytes + messages->len, 0, size);
	memcpy(messages->bytes + messages->len, h, h->nlmsg_len);
	messages->len += size;
}

struct nlmsghdr *messages_next(const struct messages *messages, const struct nlmsghdr *after)
{
	size_t at = 0;

	if (after)
		at = (size_t)((const char *)after - messages->bytes) +
		     NLMSG_ALIGN(after->nlmsg_len);
	return at < messages->len ? (struct nlmsghdr *)(messages->bytes + at) : NULL;
}

void messages_done(struct messages *messages)
{
	free(messages->bytes);
	*messages = (struct messages){0};
}

static int send_dump(struct netlink *netlink, struct nlmsghdr *request, uint32_t seq)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	request->nlmsg_flags |= NLM_F_DUMP;
	request->nlmsg_seq = seq;
	request->nlmsg_pid = netlink->port;
	int fault = failpoint_error("dump.send");
	if (fault)
		return fault;
	if (sendto(netlink->fd, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	failpoint("dump.sent");
	return 0;
}

/* What a dump has brought so far. */
struct dump {
	struct messages messages;
	bool done, interrupted;
	int error;
	char words[NETLINK_WORDS];
};

static void dump_take(struct dump *dump, const struct nlmsghdr *h)
{
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		dump->interrupted = true;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)))
			dump->error = *(const int *)NLMSG_DATA(h);
		netlink_words(h, dump->words);
		dump->done = true;
		return;
	}
	messages_add(&dump->messages, h);
}

static void dump_once(struct netlink *netlink, struct nlmsghdr *request, struct dump *dump)
{
	uint32_t seq = netlink_take_seq(netlink, 1);

	dump->error = send_dump(netlink, request, seq);
	if (dump->error)
		return;
	dump->interrupted = failpoint_error("dump.interrupted");
	while (!dump->done) {
		struct nlmsghdr *h = NULL;
		ssize_t len = netlink_receive(netlink, 0, &h);

		if (len == -ENOBUFS) { /* the dump goes on with the next receive */
			dump->interrupted = true;
			continue;
		}
		if (len < 0) {
			dump->error = (int)len;
			return;
		}
		assert(h);
		for (int left = (int)len; nlmsg_ok(h, left) && !dump->done;
		     h = nlmsg_next(h, &left))
			if (h->nlmsg_seq == seq)
				dump_take(dump, h);
	}
}

int netlink_dump(struct netlink *netlink, struct nlmsghdr *request, struct messages *messages,
		 struct err *err)
{
	for (unsigned i = 0; i < NETLINK_DUMP_TRIES; i++) {
		struct dump dump = {0};

		dump_once(netlink, request, &dump);
		failpoint("dump.done");
		if (!dump.error && !dump.interrupted) {
			*messages = dump.messages;
			return 0;
		}
		messages_done(&dump.messages);
		if (dump.error)
			return err_set(err, dump.error, "%s",
				       dump.words[0] ? dump.words : strerror(-dump.error));
	}
	return err_set(err, -EINTR, "interrupted %u times by changes", NETLINK_DUMP_TRIES);
}

/* So many bytes more, of zeros; its length is always aligned. */
static void *add_room(struct nlmsghdr *msg, size_t size)
{
	size_t at = msg->nlmsg_len, end = at + NLMSG_ALIGN(size);

	if (end > NETLINK_MESSAGE)
		out_of_memory(end);
	msg->nlmsg_len = (uint32_t)end;
	return (char *)msg + at;
}

struct nlmsghdr *netlink_message(int type, int flags, const void *header, size_t size)
{
	struct nlmsghdr *msg = xcalloc(1, NETLINK_MESSAGE);

	msg->nlmsg_len = NLMSG_HDRLEN;
	msg->nlmsg_type = (uint16_t)type;
	msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	memcpy(add_room(msg, size), header, size);
	return msg;
}

void netlink_put(struct nlmsghdr *msg, int type, const void *value, size_t size)
{
	struct nlattr *attr = add_room(msg, NLA_HDRLEN + size);

	attr->nla_type = (uint16_t)type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + size);
	if (size)
		memcpy(attr + 1, value, size);
}

struct nlattr *netlink_nest(struct nlmsghdr *msg, int type)
{
	struct nlattr *nest = add_room(msg, NLA_HDRLEN);

	nest->nla_type = (uint16_t)(type | NLA_F_NESTED);
	return nest;
}

void netlink_nest_end(struct nlmsghdr *msg, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)msg + msg->nlmsg_len - (char *)nest);
}

/* Where the extended-ack attributes begin: behind the error, and the request if it is there. */
static size_t words_at(const struct nlmsghdr *h)
{
	const struct nlmsgerr *error = NLMSG_DATA(h);

	if (h->nlmsg_type == NLMSG_DONE)
		return NLMSG_LENGTH(sizeof(int));
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
		return h->nlmsg_len;
	if (h->nlmsg_flags & NLM_F_CAPPED || error->msg.nlmsg_len < NLMSG_HDRLEN)
		return NLMSG_LENGTH(sizeof(*error));
	return NLMSG_LENGTH(sizeof(*error)) + NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
}

void netlink_words(const struct nlmsghdr *h, char words[static NETLINK_WORDS])
{
	size_t at = words_at(h);

	words[0] = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || at >= h->nlmsg_len)
		return;
	const struct nlattr *text = nla_find((struct nlattr *)((uintptr_t)h + at),
					     (int)(h->nlmsg_len - at), NLMSGERR_ATTR_MSG);
	if (!text || nla_len(text) < 1)
		return;
	size_t len = strnlen(nla_data(text), (size_t)nla_len(text));
	if (len >= NETLINK_WORDS)
		len = NETLINK_WORDS - 1;
	memcpy(words, nla_data(text), len);
	words[len] = '\0';
}
