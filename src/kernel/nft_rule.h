/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A struct nft_rule as the expressions of libnftnl, both ways. */

#include "model/object.h"

struct nftnl_rule;

/* Appends the rule's expressions. -EINVAL: the kernel has no rule of that form. */
int nft_rule_build(const struct nft_rule *rule, struct nftnl_rule *to) must_check;
/* The rule of these expressions, every row set; NFT_VERDICT_OTHER when they are of no rule. */
void nft_rule_parse(struct nftnl_rule *from, struct nft_rule *rule);
