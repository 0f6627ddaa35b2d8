/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The batches of our table on a real kernel: all or nothing, of one generation, and quick. */
#include "kernel/nft_ground.h"

#include <time.h>

static void one_bad_op_undoes_the_batch_and_is_named(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_table(f, OP_ADD);
	want_set(f, OP_ADD, "nets")->interval = true;
	for (int i = 0; i < 100; i++) {
		char text[PREFIX_TEXT];

		snprintf(text, sizeof(text), "10.%d.0.0/16", i);
		want_element(f, OP_ADD, "nets", text);
	}
	want_element(f, OP_ADD, "nets", "10.50.1.0/24");
	want_element(f, OP_ADD, "nets", "11.0.0.0/8");
	apply_result(f, -EEXIST);
	for (size_t i = 0; i < f->ops.len; i++)
		assert_int_equal(f->ops.v[i].result, i == 102 ? -EEXIST : -ECANCELED);
	assert_string_equal(f->ops.v[102].message,
			    "nft: batch: nft-element nets 10.50.1.0/24: File exists");
	cleanup_free char *after = listing();
	assert_string_equal(after, "");
}

static void rule_without_its_set_fails_with_the_chain(void **state)
{
	struct fixture *f = *state;
	static const struct nft_rule rule = {.saddr_set = "gone"};

	observe(f);
	want_table(f, OP_ADD);
	want_chain(f, OP_ADD, "forward", &rule, 1);
	apply_result(f, -ENOENT);
	assert_int_equal(f->ops.v[0].result, -ECANCELED);
	assert_non_null(strstr(f->ops.v[1].message, "nft-chain forward: No such file"));
	observe(f);
	assert_int_equal(objects_count(&f->observed), 0);
}

static void stale_generation_changes_nothing(void **state)
{
	struct fixture *f = *state;

	observe(f);
	nft_script("table ip other { }\n");
	want_table(f, OP_ADD);
	apply_result(f, -ERESTART);
	observe(f);
	assert_int_equal(objects_count(&f->observed), 0);
	apply(f);
	observe(f);
	assert_int_equal(objects_count(&f->observed), 1);
}

static void batches_follow_each_other_without_observing(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_everything(f);
	apply(f);
	/* one that changes nothing does not count the generation up */
	want_table(f, OP_ADD);
	apply(f);
	want_element(f, OP_ADD, "src", "10.0.0.9/32");
	apply(f);
	nft_script("add table ip other\n");
	want_element(f, OP_DELETE, "src", "10.0.0.9/32");
	apply_result(f, -ERESTART);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ten_thousand_elements_go_in_one_batch(void **state)
{
	struct fixture *f = *state;

	observe(f);
	want_table(f, OP_ADD);
	want_set(f, OP_ADD, "one")->map = true;
	want_set(f, OP_ADD, "nets")->interval = true;
	for (uint32_t i = 0; i < 10000; i++) {
		struct nft_element *element = want(f, OP_ADD, KIND_NFT_ELEMENT);

		strcpy(element->set_name, "one");
		element->prefix = (struct prefix){{0x0a000000 + i}, 32};
		element->to.host = 0x01020304;
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct nft_element *element = want(f, OP_ADD, KIND_NFT_ELEMENT);

		strcpy(element->set_name, "nets");
		element->prefix = (struct prefix){{0x0b000000 + i * 256}, 24};
	}
	double start = seconds();
	apply_result(f, 0);
	double applied = seconds();
	assert_observed(f, &f->ops);
	print_message("11,000 elements: applied in %.1f ms, observed in %.1f ms\n",
		      (applied - start) * 1e3, (seconds() - applied) * 1e3);
	/* quadratic would be minutes */
	assert_true(applied - start < 5);
	f->ops.v[0].verb = OP_DELETE;
	f->ops.v[0].have = f->ops.v[0].want;
	f->ops.len = 1;
	apply(f);
	observe(f);
	assert_int_equal(objects_count(&f->observed), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_bad_op_undoes_the_batch_and_is_named),
		TEST(rule_without_its_set_fails_with_the_chain),
		TEST(stale_generation_changes_nothing),
		TEST(batches_follow_each_other_without_observing),
		TEST(ten_thousand_elements_go_in_one_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
