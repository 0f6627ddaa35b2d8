/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends requests in chunks. The kernel takes the messages of a chunk one after the other and
 * answers a failure at once, so the last one's ack says that the silent ones went well.
 */
#include "kernel/batch.h"

#include "base/failpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* An answer takes about 1 KB of the receive buffer, whatever its length: 250 fit the default
 * one, where the kernel does not let us enlarge it. */
enum { CHUNK = 192 };

static void batch_put(struct batch *batch, struct nlmsghdr *msg, size_t tag, bool question)
{
	struct request *request = vec_add(&batch->requests);

	request->msg = msg;
	request->tag = tag;
	request->question = question;
	request->words = "";
	request->result = -EINPROGRESS;
}

void batch_add(struct batch *batch, struct nlmsghdr *msg, size_t tag)
{
	batch_put(batch, msg, tag, false);
}

void batch_ask(struct batch *batch, struct nlmsghdr *msg, size_t tag)
{
	batch_put(batch, msg, tag, true);
}

static int chunk_send(struct netlink *netlink, struct request *requests, size_t n, uint32_t seq)
{
	struct iovec iov[CHUNK];
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct msghdr msg = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = iov,
		.msg_iovlen = n,
	};

	for (size_t i = 0; i < n; i++) {
		struct nlmsghdr *h = requests[i].msg;

		h->nlmsg_seq = seq + (uint32_t)i;
		if (i + 1 == n && !requests[i].question)
			h->nlmsg_flags |= NLM_F_ACK;
		h->nlmsg_pid = netlink_port(netlink);
		iov[i] = (struct iovec){h, h->nlmsg_len};
	}
	int fault = failpoint_error("batch.send");
	if (fault)
		return fault;
	while (sendmsg(netlink_fd(netlink), &msg, 0) < 0)
		if (errno != EINTR)
			return -errno;
	failpoint("batch.sent");
	return 0;
}

static void request_answered(struct request *request, const struct nlmsghdr *h, struct arena *arena)
{
	char words[NETLINK_WORDS];

	if (h->nlmsg_type != NLMSG_ERROR) {
		request->result = 0;
		request->answer = arena_memdup(arena, h, h->nlmsg_len);
		return;
	}
	request->result = h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))
				  ? -EBADMSG
				  : ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
	if (!request->result)
		return;
	netlink_words(h, words);
	if (words[0])
		request->words = arena_strdup(arena, words);
}

static void chunk_fail(struct request *requests, size_t n, int error)
{
	for (size_t i = 0; i < n; i++)
		if (requests[i].result == -EINPROGRESS)
			requests[i].result = error;
}

static void chunk_collect(struct netlink *netlink, struct request *requests, size_t n, uint32_t seq,
			  struct arena *arena)
{
	while (requests[n - 1].result == -EINPROGRESS) {
		struct nlmsghdr *h = NULL;
		ssize_t len = netlink_receive(netlink, 0, &h);

		if (len < 0) {
			chunk_fail(requests, n, (int)len);
			return;
		}
		for (int left = (int)len; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			uint32_t i = h->nlmsg_seq - seq;

			if (i >= n || requests[i].result != -EINPROGRESS)
				continue;
			request_answered(&requests[i], h, arena);
		}
	}
	for (size_t i = 0; i < n; i++)
		if (requests[i].result == -EINPROGRESS)
			requests[i].result = requests[i].question ? -ENODATA : 0;
}

void batch_send(struct netlink *netlink, struct batch *batch)
{
	for (size_t from = 0; from < batch->requests.len; from += CHUNK) {
		struct request *requests = batch->requests.v + from;
		size_t n = batch->requests.len - from;

		if (n > CHUNK)
			n = CHUNK;
		uint32_t seq = netlink_take_seq(netlink, n);
		int error = chunk_send(netlink, requests, n, seq);
		if (error)
			chunk_fail(requests, n, error);
		else
			chunk_collect(netlink, requests, n, seq, batch->arena);
		failpoint("batch.answered");
	}
}

void batch_done(struct batch *batch)
{
	for (size_t i = 0; i < batch->requests.len; i++)
		free(batch->requests.v[i].msg);
	vec_done(&batch->requests);
}
