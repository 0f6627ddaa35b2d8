/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A batch of changes to our table, built message by message and committed by one sendmsg:
 * all of it, or nothing. Each message, and each element within one, knows its op.
 */

#include "base/vec.h"
#include "kernel/nft_socket.h"

/* nft's numbers of the types of keys and data */
enum { NFT_TYPE_IPV4_ADDR = 7, NFT_TYPE_IFNAME = 41 };
/* by enum nft_chain_type, up to NFT_CHAIN_OTHER */
extern const char *const nft_batch_chain_types[];

/* From this offset on, the batch is about that op. */
struct nft_mark {
	size_t offset, op;
};

#define NFT_NO_OP SIZE_MAX /* the batch as a whole */

struct nft_batch {
	struct nft *nft;
	char *buf;
	size_t len, cap; /* bytes */
	uint32_t seq;    /* of the first message */
	struct nft_marks vec_of(struct nft_mark) marks;
	struct nft_offsets vec_of(size_t) messages; /* offset of each */
	size_t op;                                  /* that what is added now is for */
	uint32_t set_id;                            /* last one given */
	struct {                                    /* the message that takes elements */
		struct nlmsghdr *nlh;               /* NULL: none is open */
		struct nlattr *nest;
		uint16_t type;
		char set[SET_NAME];
	} elements;
};

void nft_batch_begin(struct nft_batch *batch, struct nft *nft);
void nft_batch_done(struct nft_batch *batch);
/* Any change of family ip: the message goes in between them. */
struct nlmsghdr *nft_batch_open(struct nft_batch *batch, uint16_t type, uint16_t flags);
void nft_batch_close(struct nft_batch *batch, const struct nlmsghdr *nlh);

void nft_batch_add_table(struct nft_batch *batch, const struct nft_table *table);
void nft_batch_delete_table(struct nft_batch *batch);
void nft_batch_add_set(struct nft_batch *batch, const struct nft_set *set);
void nft_batch_delete_set(struct nft_batch *batch, const char *name);
/* `interval` says of what kind the element's set is. */
void nft_batch_add_element(struct nft_batch *batch, const struct nft_element *element,
			   bool interval);
void nft_batch_delete_element(struct nft_batch *batch, const struct nft_element *element,
			      bool interval);
/* A base chain, or the policy of one that is there. */
void nft_batch_add_chain(struct nft_batch *batch, const struct nft_chain *chain);
void nft_batch_set_policy(struct nft_batch *batch, const struct nft_chain *chain);
void nft_batch_delete_chain(struct nft_batch *batch, const char *name);
void nft_batch_flush_chain(struct nft_batch *batch, const char *name);
/* -EINVAL: no rule has that form */
int nft_batch_add_rule(struct nft_batch *batch, const char *chain,
		       const struct nft_rule *rule) must_check;

/* Why a batch was not done. */
struct nft_failure {
	size_t op;     /* the culprit; NFT_NO_OP: the batch as a whole */
	uint16_t type; /* NFT_MSG_* of its message */
	struct nft_error error;
};

/* Sends it. A negative errno, with `failure` filled: nothing was done. */
int nft_batch_commit(struct nft_batch *batch, struct nft_failure *failure) must_check;
