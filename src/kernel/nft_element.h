/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Elements of sets as NFTA_SET_ELEM_LIST_ELEMENTS holds them. In an interval set the kernel
 * keeps the start and the exclusive end of each interval as two elements.
 */

#include "base/vec.h"
#include "kernel/kernel.h"

struct nlmsghdr;

struct nft_counted {
	struct nft_element element; /* without its set's name */
	struct element_stats stats;
	bool end; /* not joined yet: an exclusive end */
};

struct nft_counteds {
	struct nft_counted *v;
	size_t len, cap;
	bool other; /* one at least was of none of our forms */
};

/* Appends the element, in an interval set with its end, to the list nest that is open. */
void nft_element_put(struct nlmsghdr *nlh, const struct nft_element *element, bool interval);
/* Appends the elements of one message of a dump. counteds: struct nft_counteds. */
void nft_element_parse(const struct nlmsghdr *nlh, void *counteds);
/* Makes prefixes of starts and ends; `other` is set where an interval is no prefix. */
void nft_element_join(struct nft_counteds *counteds);
