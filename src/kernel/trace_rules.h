/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The table of a trace: its chains, its rules, and what their counters say. */

#include "kernel/nft_batch.h"
#include "kernel/trace.h"

#define TRACE_TABLE      "ipipd_trace"
#define TRACE_CHAIN_IN   "prerouting-first"
#define TRACE_CHAIN_SENT "output-first"
#define TRACE_CHAIN_OUT  "postrouting-last" /* what passes here has left */

struct nftnl_rule;

/* Adds the table with all that is in it. */
void trace_rules_build(struct nft_batch *batch, const struct trace_question *question);
void trace_rules_delete(struct nft_batch *batch);
/* Adds what a rule of that table has counted. */
void trace_rules_count(const struct nftnl_rule *rule, struct trace_counts *counts);
