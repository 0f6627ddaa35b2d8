/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking a table: copies, differences, keys, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "model/object.h"
#include "model/resource.h"

/* A tunnel with every list and text; the caller may write all over what it points to. */
struct filled {
	struct tunnel tunnel;
	char key[8], value[8], comment[16];
	struct label labels[2];
	struct prefix addresses[2], sources[1];
};

static void fill(struct filled *f)
{
	*f = (struct filled){
		.key = "site",
		.value = "a",
		.comment = "to B",
		.addresses = {{{0xc0a80101}, 24}, {{0x0a000001}, 32}},
		.sources = {{{0x0a000000}, 8}},
	};
	f->labels[0] = (struct label){f->key, f->value};
	f->labels[1] = (struct label){"x", ""};
	f->tunnel = (struct tunnel){
		.head = {.name = "tun_a",
			 .labels = {f->labels, 2},
			 .comment = f->comment,
			 .enabled = true},
		.remote = {0xc0000201},
		.addresses = {f->addresses, 2},
		.mtu = 1480,
		.ttl = 64,
		.allowed_sources = {f->sources, 1},
	};
	f->tunnel.head.set = kind_all(&tunnel_kind);
}

static void copies_equal_and_independent(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct filled one, two;

	(void)state;
	fill(&one);
	fill(&two);
	cleanup_free struct tunnel *heap = kind_copy(&tunnel_kind, &one.tunnel, NULL);
	struct tunnel *in_arena = kind_copy(&tunnel_kind, &one.tunnel, &arena);
	assert_true(kind_same(&tunnel_kind, heap, &one.tunnel));
	assert_true(kind_same(&tunnel_kind, in_arena, &one.tunnel));

	memset(one.key, 'k', sizeof(one.key) - 1);
	memset(one.value, 'v', sizeof(one.value) - 1);
	memset(one.comment, 'c', sizeof(one.comment) - 1);
	memset(one.labels, 0, sizeof(one.labels));
	memset(one.addresses, 0, sizeof(one.addresses));
	memset(one.sources, 0, sizeof(one.sources));
	assert_true(kind_same(&tunnel_kind, heap, &two.tunnel));
	assert_true(kind_same(&tunnel_kind, in_arena, &two.tunnel));
}

static void copies_empty_lists(void **state)
{
	struct tunnel t = {.head = {.name = "tun_a", .set = 1}};

	(void)state;
	cleanup_free struct tunnel *copy = kind_copy(&tunnel_kind, &t, NULL);
	assert_true(kind_same(&tunnel_kind, copy, &t));
	assert_null(copy->head.comment);
	assert_int_equal(copy->addresses.len, 0);
}

static void copies_rows(void **state)
{
	struct nft_rule rules[2] = {{.iif = "tun_b"}, {.verdict = NFT_VERDICT_DROP}};
	struct nft_chain chain = {.name = "forward", .rules = {rules, 2}};

	(void)state;
	chain.head.set = kind_all(&nft_chain_kind);
	cleanup_free struct nft_chain *copy = kind_copy(&nft_chain_kind, &chain, NULL);
	assert_true(kind_same(&nft_chain_kind, copy, &chain));
	rules[1].verdict = NFT_VERDICT_ACCEPT;
	assert_int_equal(kind_differences(&nft_chain_kind, copy, &chain),
			 object_bit(nft_chain_kind, "rules"));
}

static void sees_each_difference_alone(void **state)
{
	struct filled one, two;

	(void)state;
	fill(&one);
	fill(&two);
	two.tunnel.mtu = 1400;
	assert_int_equal(kind_differences(&tunnel_kind, &one.tunnel, &two.tunnel),
			 object_bit(tunnel_kind, "mtu"));
	fill(&two);
	two.value[0] = 'b';
	assert_int_equal(kind_differences(&tunnel_kind, &one.tunnel, &two.tunnel),
			 object_bit(tunnel_kind, "labels"));
	fill(&two);
	two.tunnel.addresses.len = 1;
	assert_int_equal(kind_differences(&tunnel_kind, &one.tunnel, &two.tunnel),
			 object_bit(tunnel_kind, "addresses"));
	fill(&two);
	two.comment[0] = 'x';
	assert_int_equal(kind_differences(&tunnel_kind, &one.tunnel, &two.tunnel),
			 object_bit(tunnel_kind, "comment"));
}

static void looks_only_at_what_is_wanted(void **state)
{
	struct link want = {.device = "tun_a", .ttl = 64};
	struct link have = {.device = "tun_a", .ttl = 64, .mtu = 1480};

	(void)state;
	want.head.set = object_bit(link_kind, "ttl");
	have.head.set = kind_all(&link_kind);
	assert_int_equal(kind_differences(&link_kind, &want, &have), 0);
	assert_int_equal(kind_differences(&link_kind, &have, &want) & object_bit(link_kind, "mtu"),
			 object_bit(link_kind, "mtu"));
	assert_false(kind_same(&link_kind, &want, &have));
	/* wanted zero differs from not there */
	want.head.set |= object_bit(link_kind, "fwmark");
	have.head.set &= ~object_bit(link_kind, "fwmark");
	assert_int_equal(kind_differences(&link_kind, &want, &have),
			 object_bit(link_kind, "fwmark"));
}

static void does_not_compare_what_is_ignored(void **state)
{
	struct sysctl want = {.device = "eth0", .value = 1, .before = 0};
	struct sysctl have = {.device = "eth0", .value = 1, .before = 7};

	(void)state;
	want.head.set = have.head.set = kind_all(&sysctl_kind);
	assert_int_equal(kind_differences(&sysctl_kind, &want, &have), 0);
}

static void fills_only_what_is_not_set(void **state)
{
	struct tunnel t = {.ttl = 7, .mtu = 9};

	(void)state;
	t.head.set = object_bit(tunnel_kind, "ttl");
	kind_defaults(&tunnel_kind, &t);
	assert_int_equal(t.ttl, 7);
	assert_int_equal(t.mtu, 0);
	assert_true(t.head.enabled);
	assert_true(t.mss_clamp);
}

static void orders_by_the_key(void **state)
{
	struct address a = {.device = "a", .prefix = {{2}, 32}};
	struct address b = {.device = "b", .prefix = {{1}, 32}};

	(void)state;
	assert_true(kind_key_compare(&address_kind, &a, &b) < 0);
	b.device[0] = 'a';
	assert_true(kind_key_compare(&address_kind, &a, &b) > 0);
	b.prefix.addr.host = 2;
	assert_int_equal(kind_key_compare(&address_kind, &a, &b), 0);
}

static void writes_keys(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct address a = {.device = "tun_a", .prefix = {{0xc0a80101}, 24}};

	(void)state;
	a.head.set = kind_all(&address_kind);
	assert_string_equal(kind_key_text(&address_kind, &a, &arena), "tun_a 192.168.1.1/24");
}

static void a_key_is_written_as_iproute2_does_and_without_what_says_nothing(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct route route = {.table = 7000, .dst = {{0xcb007100}, 24}};
	struct rule rule = {.priority = 7005,
			    .action = RULE_GOTO,
			    .suppress_prefixlength = SUPPRESS_NONE,
			    .target = 9999,
			    .protocol = OUR_PROTOCOL};

	(void)state;
	route.head.set = kind_all(&route_kind);
	assert_string_equal(kind_key_text(&route_kind, &route, &arena),
			    "table 7000 203.0.113.0/24");
	route.metric = 5;
	route.tos = 0x10;
	assert_string_equal(kind_key_text(&route_kind, &route, &arena),
			    "table 7000 203.0.113.0/24 metric 5 tos 0x10");
	rule.head.set = kind_all(&rule_kind);
	assert_string_equal(kind_key_text(&rule_kind, &rule, &arena),
			    "7005 goto 9999 protocol 105");
	rule.fwmark = rule.fwmask = 0x2a;
	rule.suppress_prefixlength = 0;
	assert_string_equal(kind_key_text(&rule_kind, &rule, &arena),
			    "7005 fwmark 0x2a mask 0x2a goto suppress_prefixlength 0 9999 "
			    "protocol 105");
}

static void suggests_what_is_close(void **state)
{
	(void)state;
	assert_string_equal(kind_suggest(&tunnel_kind, "adresses"), "addresses");
	assert_string_equal(kind_suggest(&tunnel_kind, "remtoe"), "remote");
	assert_string_equal(kind_suggest(&exit_route_kind, "destination"), "destinations");
	assert_string_equal(kind_suggest(&nat_rule_kind, "out-interface"), "out_interface");
	assert_null(kind_suggest(&tunnel_kind, "quuxfrobnicate"));
	assert_null(kind_suggest(&tunnel_kind,
				 "a_name_that_is_much_longer_than_any_field_could_ever_be_made"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_equal_and_independent),
		cmocka_unit_test(copies_empty_lists),
		cmocka_unit_test(copies_rows),
		cmocka_unit_test(sees_each_difference_alone),
		cmocka_unit_test(looks_only_at_what_is_wanted),
		cmocka_unit_test(does_not_compare_what_is_ignored),
		cmocka_unit_test(fills_only_what_is_not_set),
		cmocka_unit_test(orders_by_the_key),
		cmocka_unit_test(writes_keys),
		cmocka_unit_test(a_key_is_written_as_iproute2_does_and_without_what_says_nothing),
		cmocka_unit_test(suggests_what_is_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
