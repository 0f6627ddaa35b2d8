/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request and its answers. What is asked, and what to make of it, is the callers'. */
#include "kernel/nft_socket.h"

#include "base/failpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

enum { ERRNO_MAX = 4095 }; /* MAX_ERRNO of include/linux/err.h */

struct nlmsghdr *nft_socket_header(struct nft *nft, char *buf, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(buf, type, NFPROTO_IPV4, flags, ++nft->seq);
}

void nft_socket_error(const struct nlmsghdr *nlh, struct nft_error *error)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	size_t skip = sizeof(*answer);

	*error = (struct nft_error){.number = -EBADMSG};
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer) || answer->error > 0 ||
	    answer->error < -ERRNO_MAX)
		return;
	error->number = answer->error;
	snprintf(error->words, sizeof(error->words), "%s", strerror(-answer->error));
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += answer->msg.nlmsg_len - sizeof(answer->msg);
	if (skip > mnl_nlmsg_get_payload_len(nlh))
		return;
	mnl_attr_for_each(attr, nlh, skip)
	{
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			error->offset = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
			 mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			snprintf(error->words, sizeof(error->words), "%s", mnl_attr_get_str(attr));
	}
}

struct answers {
	uint32_t seq;
	bool interrupted, ended;
	int result;
	void (*each)(const struct nlmsghdr *nlh, void *data);
	void *data;
};

static void answer(struct answers *answers, const struct nlmsghdr *nlh)
{
	struct nft_error error;

	if (nlh->nlmsg_seq != answers->seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		answers->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_DONE) {
		answers->ended = true;
		/* a dump that failed on its way says so at its end */
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(int))
			answers->result = *(const int *)mnl_nlmsg_get_payload(nlh);
	} else if (nlh->nlmsg_type == NLMSG_ERROR) {
		nft_socket_error(nlh, &error);
		answers->ended = true;
		answers->result = error.number;
	} else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
		answers->each(nlh, answers->data);
	}
}

int nft_socket_request(struct nft *nft, const struct nlmsghdr *request,
		       void (*each)(const struct nlmsghdr *nlh, void *data), void *data)
{
	struct answers answers = {.seq = request->nlmsg_seq, .each = each, .data = data};

	int fault = failpoint_error("nft.send");
	if (fault)
		return fault;
	if (mnl_socket_sendto(nft->socket, request, request->nlmsg_len) < 0)
		return -errno;
	failpoint("nft.sent");
	answers.interrupted = failpoint_error("nft.interrupted");
	while (!answers.ended) {
		fault = failpoint_error("nft.receive");
		if (fault)
			return fault;
		ssize_t got = mnl_socket_recvfrom(nft->socket, nft->buffer, NFT_BUFFER);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		int left = (int)got;
		for (const struct nlmsghdr *nlh = (void *)nft->buffer; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			answer(&answers, nlh);
	}
	failpoint("nft.answered");
	return answers.result < 0 ? answers.result : answers.interrupted ? -EINTR : 0;
}

static void read_generation(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh,
			  sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
						       mnl_attr_get_payload_len(attr) ==
							       sizeof(uint32_t)) *
		(uint32_t *)data = ntohl(mnl_attr_get_u32(attr));
}

int nft_socket_generation(struct nft *nft, uint32_t *generation)
{
	char buf[MNL_NLMSG_HDRLEN + 64];

	return nft_socket_request(nft, nft_socket_header(nft, buf, NFT_MSG_GETGEN, NLM_F_ACK),
				  read_generation, generation);
}
