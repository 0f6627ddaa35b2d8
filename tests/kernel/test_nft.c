/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our table on a real kernel: every form of its objects made, read back, changed and removed. */
#include "kernel/nft_ground.h"

static void no_table_is_nothing(void **state)
{
	struct fixture *f = *state;

	nft_script("table ip other { set s { type ipv4_addr; }; chain c { accept; }; }\n"
		   "table inet ipipd { chain c { accept; }; }\n");
	observe(f);
	assert_int_equal(objects_count(&f->observed), 0);
}

static void every_form_reads_back_as_it_was_applied(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply_result(f, 0);
	assert_observed(f, &f->ops);
}

static void listing_loads_again_into_the_same_objects(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply_result(f, 0);
	cleanup_free char *before = listing();
	assert_non_null(strstr(before, "11.128.0.0 counter"));
	assert_non_null(strstr(before, "240.0.0.0/4 counter"));
	assert_non_null(strstr(before, "tcp option maxseg size set rt mtu"));
	assert_non_null(strstr(before, "snat to ip saddr map @many"));
	nft_script("flush ruleset\n");
	observe(f);
	assert_int_equal(objects_count(&f->observed), 0);
	nft_script(before);
	cleanup_free char *after = listing();
	assert_string_equal(after, before);
	assert_observed(f, &f->ops);
}

static void everything_goes_again_and_foreign_tables_stay(void **state)
{
	struct fixture *f = *state;

	nft_script("table ip other { set s { type ipv4_addr; elements = { 1.2.3.4 }; };\n"
		   "chain c { type filter hook forward priority 0; ip saddr @s accept; }; }\n");
	cleanup_free char *before = listing();
	observe(f);
	want_everything(f);
	apply(f);
	want_everything(f);
	for (size_t i = 0; i < f->ops.len / 2; i++) {
		struct op op = f->ops.v[i];

		f->ops.v[i] = f->ops.v[f->ops.len - 1 - i];
		f->ops.v[f->ops.len - 1 - i] = op;
	}
	for (size_t i = 0; i < f->ops.len; i++) {
		f->ops.v[i].verb = OP_DELETE;
		f->ops.v[i].have = f->ops.v[i].want;
		f->ops.v[i].want = NULL;
	}
	/* all but the table, one by one, and then the table */
	f->ops.len--;
	apply_result(f, 0);
	observe(f);
	assert_int_equal(objects_count(&f->observed), 1);
	vec_clear(&f->ops);
	want_table(f, OP_DELETE);
	apply(f);
	cleanup_free char *after = listing();
	assert_string_equal(after, before);
}

static void flushed_ruleset_is_put_back(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply(f);
	nft_script("flush ruleset\n");
	observe(f);
	want_everything(f);
	apply_result(f, 0);
	assert_observed(f, &f->ops);
}

static void one_element_moves_within_a_set(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply(f);
	want_element(f, OP_DELETE, "nets", "11.0.0.0/9");
	want_element(f, OP_DELETE, "nets", "240.0.0.0/4");
	/* one that overlaps what goes in the same batch, wherever in it that is said */
	want_element(f, OP_ADD, "nets", "224.0.0.0/3");
	struct nft_element *change = want_element(f, OP_CHANGE, "many", "0.0.0.0/0");
	change->to.host = 0x09090909;
	apply(f);
	cleanup_free char *after = listing();
	assert_non_null(strstr(after, "224.0.0.0/3"));
	assert_null(strstr(after, "11.0.0.0/9"));
	assert_non_null(strstr(after, "11.128.0.0"));
	assert_non_null(strstr(after, ": 9.9.9.9"));
}

/* The counter of an element, of all sets that count at once. */
static uint64_t packets_of(struct fixture *f, const char *set, const char *prefix)
{
	struct counted counted = {0};
	struct prefix wanted = {0};
	struct err err = {0};
	uint64_t packets = UINT64_MAX;

	assert_int_equal(prefix_parse(prefix, &wanted), 0);
	assert_int_equal(nft_count(f->nft, &counted, &err), 0);
	for (size_t i = 0; i < counted.sets.len; i++)
		for (size_t j = 0; j < counted.sets.v[i].len; j++) {
			const struct counted_element *element =
				&counted.elements.v[counted.sets.v[i].first + j];

			assert_int_equal(element->stats.bytes, 100 * element->stats.packets);
			if (strcmp(counted.sets.v[i].name, set) == 0 &&
			    prefix_compare(&element->prefix, &wanted) == 0)
				packets = element->stats.packets;
		}
	counted_done(&counted);
	return packets;
}

static void counters_survive_a_change_of_the_chain(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply(f);
	nft_script("delete element ip ipipd src { 0.0.0.0, 255.255.255.255 }\n"
		   "delete element ip ipipd nets { 10.0.0.0/8, 240.0.0.0/4 }\n"
		   "add element ip ipipd src { 0.0.0.0 counter packets 7 bytes 700,\n"
		   "  255.255.255.255 counter packets 8 bytes 800 }\n"
		   "add element ip ipipd nets { 10.0.0.0/8 counter packets 7 bytes 700,\n"
		   "  240.0.0.0/4 counter packets 8 bytes 800 }\n");
	observe(f);
	want_element(f, OP_ADD, "src", "10.0.0.3/32");
	want_element(f, OP_ADD, "nets", "20.0.0.0/8");
	want_chain(f, OP_CHANGE, "forward", forward_rules, 2);
	apply(f);
	assert_int_equal(packets_of(f, "src", "0.0.0.0/32"), 7);
	assert_int_equal(packets_of(f, "src", "255.255.255.255/32"), 8);
	assert_int_equal(packets_of(f, "src", "99.0.0.0/32"), UINT64_MAX);
	assert_int_equal(packets_of(f, "src", "10.0.0.3/32"), 0);
	assert_int_equal(packets_of(f, "nets", "10.0.0.0/8"), 7);
	assert_int_equal(packets_of(f, "nets", "240.0.0.0/4"), 8);
	assert_int_equal(packets_of(f, "none", "240.0.0.0/4"), UINT64_MAX);
	observe(f);
	struct nft_chain key = {.name = "forward"};
	const struct nft_chain *chain = (void *)objects_find(&f->observed, KIND_NFT_CHAIN, &key);
	assert_int_equal(chain->rules.len, 2);
	nft_script("flush ruleset");
	assert_int_equal(packets_of(f, "src", "255.255.255.255/32"), UINT64_MAX);
}

static struct ops copy_ops(const struct ops *ops)
{
	struct ops copy = {0};

	for (size_t i = 0; i < ops->len; i++)
		vec_push(&copy, ops->v[i]);
	return copy;
}

/* As the planner replaces a set: its elements count as gone, and are added again. */
static void want_replaced(struct fixture *f, const struct ops *all, const char *name)
{
	for (size_t i = 0; i < all->len; i++) {
		const struct op *op = &all->v[i];
		const struct nft_element *element = (const void *)op->want;
		const struct nft_set *set = (const void *)op->want;

		if (op->kind == KIND_NFT_SET && strcmp(set->name, name) == 0) {
			vec_push(&f->ops, *op);
			f->ops.v[f->ops.len - 1].verb = OP_REPLACE;
		} else if (op->kind == KIND_NFT_ELEMENT && !strcmp(element->set_name, name)) {
			vec_push(&f->ops, *op);
		}
	}
}

static void set_in_use_is_replaced_and_the_rules_stay(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	struct ops all = copy_ops(&f->ops);
	apply(f);
	for (size_t i = 0; i < all.len; i++)
		if (all.v[i].kind == KIND_NFT_SET &&
		    strcmp(((const struct nft_set *)all.v[i].want)->name, "nets") == 0)
			((struct nft_set *)all.v[i].want)->counter = false;
	want_replaced(f, &all, "nets");
	apply(f);
	assert_observed(f, &all);
	vec_done(&all);
}

static void replaced_chain_is_made_anew(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply(f);
	want_chain(f, OP_REPLACE, "input", forward_rules, 3)->hook = NFT_HOOK_OUTPUT;
	apply(f);
	observe(f);
	struct nft_chain key = {.name = "input"};
	const struct nft_chain *chain = (void *)objects_find(&f->observed, KIND_NFT_CHAIN, &key);
	assert_int_equal(chain->hook, NFT_HOOK_OUTPUT);
	assert_int_equal(chain->rules.len, 3);
}

#define LONG_NAME "a_name_of_a_set_that_is_longer_than_what_fits"

static void foreign_things_in_our_table_are_other_and_can_go(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	struct ops all = copy_ops(&f->ops);
	apply(f);
	nft_script("table ip ipipd {\n"
		   "set ports { type inet_service; elements = { 22 }; }\n"
		   "set timed { type ipv4_addr; flags timeout;\n"
		   "elements = { 1.1.1.1 timeout 1h }; }\n"
		   "set plain { type ipv4_addr; elements = { 1.1.1.1 }; }\n"
		   "set " LONG_NAME " { type ipv4_addr; }\n"
		   "chain side { tcp dport @ports accept; ip saddr @" LONG_NAME " drop; }\n"
		   "map jumps { type ipv4_addr : verdict;\n"
		   "elements = { 1.2.3.4 : jump c" LONG_NAME " }; }\n"
		   "chain c" LONG_NAME " { ip saddr { 1.1.1.1, 2.2.2.2 } accept; }\n"
		   "chain forward { ip saddr @timed jump side;\n"
		   "ip saddr { 1.1.1.1, 3.3.3.3 } drop; }\n"
		   "}\n");
	observe(f);
	size_t extra = objects_count(&f->observed) - all.len;
	assert_int_equal(extra, 8); /* five sets, an element, two chains */

	const struct nft_chain key = {.name = "forward"};
	const struct nft_chain *chain = (void *)objects_find(&f->observed, KIND_NFT_CHAIN, &key);
	const struct nft_rule *rules = chain->rules.v;
	assert_int_equal(chain->rules.len, ARRAY_LEN(forward_rules) + 2);
	assert_int_equal(rules[5].verdict, NFT_VERDICT_OTHER);
	assert_int_equal(rules[6].verdict, NFT_VERDICT_OTHER);

	/* ups: the chain that differs; downs: what nobody wants, chains first */
	want_chain(f, OP_CHANGE, "forward", forward_rules, ARRAY_LEN(forward_rules));
	apply(f);
	static const enum kind_id down[] = {KIND_NFT_CHAIN, KIND_NFT_ELEMENT, KIND_NFT_SET};
	for (size_t k = 0; k < ARRAY_LEN(down); k++)
		for (size_t i = 0; i < f->observed.kind[down[k]].len; i++) {
			const struct object *have = f->observed.kind[down[k]].v[i];
			bool wanted = false;

			for (size_t a = 0; a < all.len; a++)
				wanted |= all.v[a].kind == down[k] &&
					  !kind_key_compare(kinds[down[k]], all.v[a].want, have);
			if (!wanted)
				vec_push(&f->ops, ((struct op){.verb = OP_DELETE,
							       .kind = down[k],
							       .have = have}));
		}
	assert_int_equal(f->ops.len, extra);
	apply(f);
	assert_observed(f, &all);
	vec_done(&all);
}

static void set_with_a_range_that_is_no_prefix_is_made_anew(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	struct ops all = copy_ops(&f->ops);
	apply(f);
	nft_script("add element ip ipipd nets { 20.0.0.1-20.0.0.6 }\n");
	observe(f);
	struct nft_set key = {.name = "nets"};
	const struct nft_set *set = (void *)objects_find(&f->observed, KIND_NFT_SET, &key);
	assert_int_equal(set->type, NFT_SET_OTHER);
	want_replaced(f, &all, "nets");
	apply(f);
	assert_observed(f, &all);
	vec_done(&all);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_table_is_nothing),
		TEST(every_form_reads_back_as_it_was_applied),
		TEST(listing_loads_again_into_the_same_objects),
		TEST(everything_goes_again_and_foreign_tables_stay),
		TEST(flushed_ruleset_is_put_back),
		TEST(one_element_moves_within_a_set),
		TEST(counters_survive_a_change_of_the_chain),
		TEST(set_in_use_is_replaced_and_the_rules_stay),
		TEST(replaced_chain_is_made_anew),
		TEST(foreign_things_in_our_table_are_other_and_can_go),
		TEST(set_with_a_range_that_is_no_prefix_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
