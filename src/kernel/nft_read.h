/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the answers to dumps of tables, sets, chains and rules say of our table. */

#include "base/vec.h"
#include "model/object.h"

struct nlmsghdr;

struct nft_rule_rows vec_of(struct nft_rule);

struct nft_chain_reading {
	struct nft_chain *chain;
	struct nft_rule_rows rules;
};

/* An observation under way. */
struct nft_reading {
	struct objects *observed;
	bool table; /* ours is there */
	struct nft_chain_readings vec_of(struct nft_chain_reading) chains;
	size_t last_chain; /* of the last rule: they come chain by chain */
};

/* Takes one message of a dump; what is not of our table, or not well-formed, is left out.
 * A chain comes before its rules. reading: struct nft_reading. */
void nft_read(const struct nlmsghdr *nlh, void *reading);
/* After the last rule: gives the chains theirs. */
void nft_reading_keep_rules(struct nft_reading *reading);
/* An object of ours, appended to observed, with every row set. */
void *nft_reading_add(struct nft_reading *reading, enum kind_id kind)
	__attribute__((returns_nonnull));
void nft_reading_done(struct nft_reading *reading);
