/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The nftables adapter: our one table, read whole and changed by atomic batches. A batch
 * carries the generation of the last observation, so that it fails rather than act on what
 * somebody else changed since.
 */

#include "kernel/kernel.h"

struct nft;
struct nlmsghdr;

int nft_open(struct nft **nft, struct err *err) must_check;
void nft_close(struct nft *nft);
/* the port id under which events show our own changes */
uint32_t nft_port(const struct nft *nft);

/*
 * Adds our table, its sets, elements and chains to observed, all of them OBJECT_OURS. What
 * is not of our forms is NFT_SET_OTHER, NFT_CHAIN_OTHER or NFT_VERDICT_OTHER; a name that
 * does not fit is "#" and the handle, which nft_apply deletes by.
 * -EINTR: the ruleset changed under every one of five dumps.
 */
int nft_observe(struct nft *nft, struct arena *arena, struct objects *observed, struct err *err);

/*
 * Applies all the ops in one batch: all of them are done, or none. On failure the culprit
 * has the kernel's answer and the others -ECANCELED; -ERESTART on all of them when the
 * ruleset changed since it was observed.
 */
void nft_apply(struct nft *nft, struct arena *arena, struct op *ops, size_t n);

/* Only those elements, by their keys, of sets without intervals. Appends what is there. */
int nft_observe_elements(struct nft *nft, const struct object_list *keys, struct objects *observed,
			 struct err *err);
/* Adds what an event of nftables may concern of our table: elements, or all of it. */
void nft_note_event(const struct nft *nft, const struct nlmsghdr *nlh, struct scope *scope);
/* Of the event that ends a transaction: who made it. False: it is another event. */
bool nft_event_culprit(const struct nlmsghdr *nlh, uint32_t *pid, char name[static 16]);

/* Appends our sets that count, as observed or made since, with their elements. */
int nft_count(struct nft *nft, struct counted *counted, struct err *err);
