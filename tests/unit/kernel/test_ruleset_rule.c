/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreign rules as messages: those of iptables-nft, which carry matches and targets of xtables, and
 * what nobody here knows. Those of the nft program are kernel/test_hazards.c's. */
#include "kernel/ruleset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_conntrack.h>

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	assert_non_null(expr);
	nftnl_rule_add_expr(rule, expr);
	return expr;
}

/* The rule as a message, read. Frees it. */
static struct ruleset_rule parsed(struct nftnl_rule *rule)
{
	char buf[8192], target[RULESET_NAME];
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, NFPROTO_IPV4, 0, 1);
	struct ruleset_rule read;

	nftnl_rule_nlmsg_build_payload(nlh, rule);
	nftnl_rule_free(rule);
	ruleset_rule_parse(nlh, &read, target);
	return read;
}

static void add_match(struct nftnl_rule *rule, const char *name, uint32_t revision,
		      const void *bytes, uint32_t len)
{
	struct nftnl_expr *expr = add(rule, "match");
	void *copy = calloc(1, len); /* the expression's from then on */

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	nftnl_expr_set_str(expr, NFTNL_EXPR_MT_NAME, name);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_MT_REV, revision);
	nftnl_expr_set(expr, NFTNL_EXPR_MT_INFO, copy, len);
}

static struct ruleset_rule target(const char *name)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr *expr = add(rule, "target");

	nftnl_expr_set_str(expr, NFTNL_EXPR_TG_NAME, name);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_TG_REV, 0);
	nftnl_expr_set(expr, NFTNL_EXPR_TG_INFO, calloc(1, 8), 8);
	return parsed(rule);
}

static struct ruleset_rule conntrack(const struct xt_conntrack_mtinfo3 *match, uint32_t revision)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	add_match(rule, "conntrack", revision, match, sizeof(*match));
	return parsed(rule);
}

static void states_of_conntrack_are_read(void **state)
{
	struct xt_conntrack_mtinfo3 match = {
		.match_flags = XT_CONNTRACK_STATE,
		.state_mask = RULESET_ESTABLISHED | RULESET_RELATED,
	};
	struct ruleset_rule rule = conntrack(&match, 3);

	(void)state;
	assert_int_equal(rule.states, RULESET_ESTABLISHED | RULESET_RELATED);
	assert_int_equal(rule.flags, 0);
	/* as XT_CONNTRACK_STATE_BIT numbers them */
	assert_int_equal(XT_CONNTRACK_STATE_BIT(IP_CT_NEW), RULESET_NEW);
	assert_int_equal(XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED), RULESET_ESTABLISHED);
}

static void what_else_conntrack_asks_is_a_condition(void **state)
{
	struct xt_conntrack_mtinfo3 match = {
		.match_flags = XT_CONNTRACK_STATE | XT_CONNTRACK_PROTO,
		.state_mask = RULESET_NEW,
	};

	(void)state;
	assert_int_equal(conntrack(&match, 3).flags, RULESET_CONDITION);
	match.match_flags = XT_CONNTRACK_STATE;
	assert_int_equal(conntrack(&match, 3).flags, 0);
	match.invert_flags = XT_CONNTRACK_STATE;
	assert_int_equal(conntrack(&match, 3).flags, RULESET_CONDITION);
	match.invert_flags = 0;
	assert_int_equal(conntrack(&match, 2).flags, RULESET_CONDITION);
}

static void a_comment_asks_nothing(void **state)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	static const char comment[256] = "ours";

	(void)state;
	add_match(rule, "comment", 0, comment, sizeof(comment));
	add(rule, "counter");
	assert_int_equal(parsed(rule).flags, 0);
}

static void rpfilter_is_a_reverse_path_check(void **state)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	(void)state;
	add_match(rule, "rpfilter", 0, "\4\0\0", 4);
	assert_int_equal(parsed(rule).flags, RULESET_REVERSE_PATH | RULESET_CONDITION);
}

static void targets_are_verdicts(void **state)
{
	(void)state;
	assert_int_equal(target("REJECT").verdict, RULESET_DROP);
	assert_int_equal(target("MASQUERADE").verdict, RULESET_ACCEPT);
	assert_int_equal(target("MASQUERADE").flags, RULESET_SNAT);
	assert_int_equal(target("NFQUEUE").verdict, RULESET_OTHER);
	assert_int_equal(target("LOG").verdict, RULESET_NONE);
}

static void what_nobody_knows_is_a_condition(void **state)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	char buf[256], chain[RULESET_NAME];
	struct ruleset_rule read;

	(void)state;
	add_match(rule, "u32", 0, "\0\0\0", 4);
	assert_int_equal(parsed(rule).flags, RULESET_CONDITION);
	rule = nftnl_rule_alloc();
	add(rule, "socket");
	assert_int_equal(parsed(rule).flags, RULESET_CONDITION);

	/* an expression that libnftnl has never heard of */
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, NFPROTO_IPV4, 0, 1);
	struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "tomorrow");
	mnl_attr_nest_end(nlh, one);
	mnl_attr_nest_end(nlh, list);
	ruleset_rule_parse(nlh, &read, chain);
	assert_true(read.flags & RULESET_CONDITION);
}

static void jumps_name_their_chain(void **state)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr *expr = add(rule, "immediate");
	char buf[512], chain[RULESET_NAME];
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, NFPROTO_IPV4, 0, 1);
	struct ruleset_rule read;

	(void)state;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)NFT_JUMP);
	nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, "DOCKER-USER");
	nftnl_rule_nlmsg_build_payload(nlh, rule);
	nftnl_rule_free(rule);
	ruleset_rule_parse(nlh, &read, chain);
	assert_int_equal(read.verdict, RULESET_JUMP);
	assert_string_equal(chain, "DOCKER-USER");
	assert_int_equal(read.target, RULESET_NO_CHAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_of_conntrack_are_read),
		cmocka_unit_test(what_else_conntrack_asks_is_a_condition),
		cmocka_unit_test(a_comment_asks_nothing),
		cmocka_unit_test(rpfilter_is_a_reverse_path_check),
		cmocka_unit_test(targets_are_verdicts),
		cmocka_unit_test(what_nobody_knows_is_a_condition),
		cmocka_unit_test(jumps_name_their_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
