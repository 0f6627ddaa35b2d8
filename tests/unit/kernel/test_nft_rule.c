/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules survive the way through netlink messages; what we would not write is "other". */
#include "kernel/nft_rule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/attributes.h"

/* The rule as a message, and what a parser makes of that. */
static void through_message(struct nftnl_rule *rule, struct nft_rule *parsed)
{
	char buf[8192];
	struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, NFPROTO_IPV4, 0, 1);
	struct nftnl_rule *received = nftnl_rule_alloc();

	nftnl_rule_nlmsg_build_payload(nlh, rule);
	assert_int_equal(nftnl_rule_nlmsg_parse(nlh, received), 0);
	nft_rule_parse(received, parsed);
	nftnl_rule_free(received);
}

static void assert_round_trip(const struct nft_rule *rule)
{
	struct nftnl_rule *built = nftnl_rule_alloc();
	struct nft_rule parsed;

	assert_int_equal(nft_rule_build(rule, built), 0);
	through_message(built, &parsed);
	nftnl_rule_free(built);
	for (unsigned i = 0; i < nft_rule_kind.n_fields; i++)
		if (field_compare(&nft_rule_kind.fields[i], rule, &parsed) != 0)
			fail_msg("%s differs", nft_rule_kind.fields[i].name);
	assert_true(parsed.head.set == kind_all(&nft_rule_kind));
}

static void random_name(char *name, size_t size)
{
	static const char letters[] = "abcxyz_0189.-";
	size_t len = 1 + (size_t)rand() % (size - 1);

	for (size_t i = 0; i < len; i++)
		name[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
	name[0] = 'x';
	name[len] = '\0';
}

#define MAYBE(name) (rand() % 2 ? random_name((name), sizeof(name)) : (void)0)

static void random_rules_survive_the_round_trip(void **state unused_)
{
	srand(1);
	for (int i = 0; i < 5000; i++) {
		struct nft_rule rule = {.established = rand() % 2, .clamp = rand() % 2};

		MAYBE(rule.iif);
		MAYBE(rule.iif_set);
		MAYBE(rule.oif);
		MAYBE(rule.oif_set);
		MAYBE(rule.saddr_set);
		MAYBE(rule.daddr_set);
		rule.verdict = (uint8_t)(rand() % NFT_VERDICT_OTHER);
		if (rule.verdict == NFT_VERDICT_SNAT)
			random_name(rule.snat_map, sizeof(rule.snat_map));
		assert_round_trip(&rule);
	}
}

static void impossible_rules_are_refused(void **state unused_)
{
	static const struct nft_rule impossible[] = {
		{.verdict = NFT_VERDICT_SNAT},
		{.verdict = NFT_VERDICT_ACCEPT, .snat_map = "m"},
		{.verdict = NFT_VERDICT_OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(impossible); i++) {
		struct nftnl_rule *built = nftnl_rule_alloc();

		assert_int_equal(nft_rule_build(&impossible[i], built), -EINVAL);
		nftnl_rule_free(built);
	}
}

/* What the kernel adds to the attributes that it was given. */
static int answer_like_a_kernel(struct nftnl_expr *expr, void *data unused_)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	if (strcmp(name, "lookup") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, 0);
	if (strcmp(name, "bitwise") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	if (strcmp(name, "nat") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MAX, NFT_REG_1);
	return 0;
}

static const struct nft_rule full = {
	.iif = "tun_a",
	.oif = "eth0",
	.saddr_set = "s",
	.daddr_set = "d",
	.established = true,
	.clamp = true,
	.snat_map = "m",
	.verdict = NFT_VERDICT_SNAT,
};

static void attributes_added_by_the_kernel_do_not_matter(void **state unused_)
{
	struct nftnl_rule *built = nftnl_rule_alloc();
	struct nft_rule parsed;

	assert_int_equal(nft_rule_build(&full, built), 0);
	nftnl_expr_foreach(built, answer_like_a_kernel, NULL);
	through_message(built, &parsed);
	nftnl_rule_free(built);
	assert_int_equal(parsed.verdict, NFT_VERDICT_SNAT);
	assert_string_equal(parsed.snat_map, "m");
	assert_true(parsed.clamp && parsed.established);
}

struct change {
	size_t at;
	void (*make)(struct nftnl_expr *expr);
};

static void invert(struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	if (strcmp(name, "lookup") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	else if (strcmp(name, "cmp") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, NFT_CMP_GT);
	else if (strcmp(name, "nat") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, 1 << 2);
	else if (strcmp(name, "meta") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	else if (strcmp(name, "payload") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, 8);
	else if (strcmp(name, "bitwise") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_XOR, 1);
	else if (strcmp(name, "ct") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
	else if (strcmp(name, "rt") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_RT_KEY, NFT_RT_CLASSID);
	else if (strcmp(name, "byteorder") == 0)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_NTOH);
	else if (strcmp(name, "exthdr") == 0)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE, 3);
	else
		fail_msg("no change for %s", name);
}

static int change_at(struct nftnl_expr *expr, void *data)
{
	struct change *change = data;

	if (change->at-- == 0)
		change->make(expr);
	return 0;
}

static int count(struct nftnl_expr *expr unused_, void *data)
{
	++*(size_t *)data;
	return 0;
}

static void a_change_in_any_expression_makes_it_other(void **state unused_)
{
	size_t expressions = 1;

	for (size_t at = 0; at < expressions; at++) {
		struct nftnl_rule *built = nftnl_rule_alloc();
		struct change change = {at, invert};
		struct nft_rule parsed;

		assert_int_equal(nft_rule_build(&full, built), 0);
		expressions = 0;
		nftnl_expr_foreach(built, count, &expressions);
		nftnl_expr_foreach(built, change_at, &change);
		through_message(built, &parsed);
		nftnl_rule_free(built);
		if (parsed.verdict != NFT_VERDICT_OTHER)
			fail_msg("expression %zu", at);
		assert_string_equal(parsed.iif, "");
	}
	assert_in_range(expressions, 20, 40);
}

static void a_wildcard_name_is_other(void **state unused_)
{
	struct nftnl_rule *built = nftnl_rule_alloc();
	struct nftnl_expr *meta = nftnl_expr_alloc("meta"), *cmp = nftnl_expr_alloc("cmp");
	struct nft_rule parsed;

	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_IIFNAME);
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, "tun", 3);
	nftnl_rule_add_expr(built, meta);
	nftnl_rule_add_expr(built, cmp);
	through_message(built, &parsed);
	nftnl_rule_free(built);
	assert_int_equal(parsed.verdict, NFT_VERDICT_OTHER);
}

static void an_expression_more_makes_it_other(void **state unused_)
{
	struct nftnl_rule *built = nftnl_rule_alloc();
	struct nft_rule parsed;

	assert_int_equal(nft_rule_build(&full, built), 0);
	nftnl_rule_add_expr(built, nftnl_expr_alloc("counter"));
	through_message(built, &parsed);
	nftnl_rule_free(built);
	assert_int_equal(parsed.verdict, NFT_VERDICT_OTHER);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_rules_survive_the_round_trip),
		cmocka_unit_test(impossible_rules_are_refused),
		cmocka_unit_test(attributes_added_by_the_kernel_do_not_matter),
		cmocka_unit_test(a_change_in_any_expression_makes_it_other),
		cmocka_unit_test(a_wildcard_name_is_other),
		cmocka_unit_test(an_expression_more_makes_it_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
