/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The request socket of the nftables adapter, and what is known since the last observation.
 * Private to the nft files.
 */

#include "base/vec.h"
#include "kernel/nft.h"

struct nlmsghdr;
struct mnl_socket;

struct nft_known_sets vec_of(struct nft_set);

struct nft {
	struct mnl_socket *socket;
	uint32_t port, seq;
	uint32_t generation;        /* of the ruleset that was observed; 0: none was */
	struct nft_known_sets sets; /* as observed or made since: an element must know its set */
	char *buffer;               /* of received messages */
};

enum { NFT_BUFFER = 65536, NFT_WORDS = 256 };

/* A request with its header, of NFNL_SUBSYS_NFTABLES, into buf. */
struct nlmsghdr *nft_socket_header(struct nft *nft, char *buf, uint16_t type, uint16_t flags);
/*
 * Sends a request with NLM_F_DUMP or NLM_F_ACK, and calls `each` for each answer. The
 * kernel's negative errno; -EINTR: the dump was interrupted, and must be taken again.
 */
int nft_socket_request(struct nft *nft, const struct nlmsghdr *request,
		       void (*each)(const struct nlmsghdr *nlh, void *data), void *data);
/* The ruleset's present generation. */
int nft_socket_generation(struct nft *nft, uint32_t *generation);

/* An NLMSG_ERROR: its number, the kernel's words, and the offset of the attribute that it
 * complains about (0: none). */
struct nft_error {
	int number;
	uint32_t offset;
	char words[NFT_WORDS];
};
void nft_socket_error(const struct nlmsghdr *nlh, struct nft_error *error);
