/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nftables adapter on a real kernel, each test in a network namespace of its own. The
 * nft program is the second opinion: it lists, loads and meddles.
 */
#include "kernel/nft.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

struct fixture {
	struct nft *nft;
	struct arena arena;
	struct objects observed;
	struct ops ops;
};

extern char **environ;

/* Runs the nft program, with `script` as its input when not NULL; what it said in out. */
static int run_nft(const char *const *argv, const char *script, struct text *out)
{
	int in[2], from[2];
	posix_spawn_file_actions_t actions;
	char buf[4096];
	pid_t pid;
	int status;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	posix_spawn_file_actions_adddup2(&actions, from[1], 2);
	assert_int_equal(posix_spawnp(&pid, "nft", &actions, NULL, (char *const *)argv, environ),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(from[1]);
	if (script)
		assert_int_equal(write(in[1], script, strlen(script)), strlen(script));
	close(in[1]);
	for (ssize_t got; (got = read(from[0], buf, sizeof(buf))) > 0;)
		text_add_len(out, buf, (size_t)got);
	close(from[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void nft_script(const char *script)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	cleanup_text struct text out = {0};

	if (run_nft(argv, script, &out) != 0)
		fail_msg("nft: %s in:\n%s", text_str(&out), script);
}

static char *listing(void)
{
	static const char *const argv[] = {"nft", "list", "ruleset", NULL};
	struct text out = {0};

	assert_int_equal(run_nft(argv, NULL, &out), 0);
	return out.s ? out.s : xstrdup("");
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};

	if (unshare(CLONE_NEWNET) != 0)
		fail_msg("unshare: %s", strerror(errno));
	if (nft_open(&f->nft, &err) != 0)
		fail_msg("%s", err.sentence);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nft_close(f->nft);
	objects_done(&f->observed);
	vec_done(&f->ops);
	arena_done(&f->arena);
	free(f);
	return 0;
}

static void *want(struct fixture *f, enum op_verb verb, enum kind_id kind)
{
	struct object *object = arena_alloc(&f->arena, kinds[kind]->size);

	object->set = kind_all(kinds[kind]);
	vec_push(&f->ops, ((struct op){.verb = verb,
				       .kind = kind,
				       .want = verb == OP_DELETE ? NULL : object,
				       .have = verb == OP_DELETE ? object : NULL}));
	return object;
}

static void want_table(struct fixture *f, enum op_verb verb)
{
	strcpy(((struct nft_table *)want(f, verb, KIND_NFT_TABLE))->name, OUR_NFT_TABLE);
}

static struct nft_set *want_set(struct fixture *f, enum op_verb verb, const char *name)
{
	struct nft_set *set = want(f, verb, KIND_NFT_SET);

	strcpy(set->name, name);
	return set;
}

static struct nft_element *want_element(struct fixture *f, enum op_verb verb, const char *set,
					const char *prefix)
{
	struct nft_element *element = want(f, verb, KIND_NFT_ELEMENT);

	strcpy(element->set_name, set);
	if (prefix_parse(prefix, &element->prefix) != 0)
		strcpy(element->device, prefix);
	return element;
}

static struct nft_chain *want_chain(struct fixture *f, enum op_verb verb, const char *name,
				    const struct nft_rule *rules, uint32_t n)
{
	struct nft_chain *chain = want(f, verb, KIND_NFT_CHAIN);

	strcpy(chain->name, name);
	chain->accept = true;
	chain->hook = NFT_HOOK_FORWARD;
	chain->rules = (struct rows){n ? arena_memdup(&f->arena, rules, n * sizeof(*rules)) : NULL,
				     n};
	return chain;
}

/* All ops, which must succeed unless a result is expected. */
static void apply_result(struct fixture *f, int result)
{
	nft_apply(f->nft, &f->arena, f->ops.v, f->ops.len);
	bool seen = false;
	for (size_t i = 0; i < f->ops.len; i++) {
		const struct op *op = &f->ops.v[i];

		assert_true(op->done);
		if (op->result != result && op->result != (result ? -ECANCELED : 0))
			fail_msg("op %zu: %d %s", i, op->result, op->message);
		seen |= op->result == result;
		assert_true(!op->message == !op->result);
	}
	assert_true(seen);
}

static void apply(struct fixture *f)
{
	apply_result(f, 0);
	vec_clear(&f->ops);
}

static void observe(struct fixture *f)
{
	struct err err = {0};

	objects_done(&f->observed);
	if (nft_observe(f->nft, &f->arena, &f->observed, &err) != 0)
		fail_msg("%s", err.sentence);
	objects_sort(&f->observed);
}

/* Every object of the ops is observed, equal in every row, and nothing else is. */
static void assert_observed(struct fixture *f, const struct ops *ops)
{
	size_t wanted = 0;

	observe(f);
	for (size_t i = 0; i < ops->len; i++) {
		const struct op *op = &ops->v[i];
		const struct object *have;

		if (op->verb == OP_DELETE)
			continue;
		have = objects_find(&f->observed, op->kind, op->want);
		if (!have || !kind_same(kinds[op->kind], op->want, have))
			fail_msg("%s %s differs or is not there", kinds[op->kind]->noun,
				 kind_key_text(kinds[op->kind], op->want, &f->arena));
		assert_int_equal(have->marks, OBJECT_OURS);
		wanted++;
	}
	assert_int_equal(objects_count(&f->observed), wanted);
}

static const struct nft_rule forward_rules[] = {
	{.iif = "tun_a",
	 .oif = "eth0",
	 .saddr_set = "src",
	 .daddr_set = "nets",
	 .verdict = NFT_VERDICT_ACCEPT},
	{.iif_set = "devs", .oif_set = "devs", .established = true, .verdict = NFT_VERDICT_ACCEPT},
	{.iif = "tun_a", .clamp = true},
	{.saddr_set = "nets"},
	{.iif = "tun_a", .verdict = NFT_VERDICT_DROP},
};
static const struct nft_rule nat_rules[] = {
	{.iif = "tun_a", .oif = "eth0", .saddr_set = "src", .verdict = NFT_VERDICT_MASQUERADE},
	{.oif = "eth0", .saddr_set = "one", .snat_map = "one", .verdict = NFT_VERDICT_SNAT},
	{.oif = "eth0", .snat_map = "many", .verdict = NFT_VERDICT_SNAT},
};

static void want_map_element(struct fixture *f, const char *set, const char *prefix, const char *to)
{
	assert_int_equal(addr_parse(to, &want_element(f, OP_ADD, set, prefix)->to), 0);
}

/* A table with every form that there is, in the planner's order. */
static void want_everything(struct fixture *f)
{
	want_table(f, OP_ADD);
	want_set(f, OP_ADD, "devs")->type = NFT_SET_IFNAME;
	want_set(f, OP_ADD, "unused")->interval = true;
	want_set(f, OP_ADD, "one")->map = true;
	struct nft_set *set = want_set(f, OP_ADD, "many");
	set->map = set->interval = set->counter = true;
	set = want_set(f, OP_ADD, "nets");
	set->interval = set->counter = true;
	want_set(f, OP_ADD, "src")->counter = true;
	want_element(f, OP_ADD, "devs", "a234567890123.5");
	want_element(f, OP_ADD, "devs", "tun_a");
	want_map_element(f, "one", "10.0.0.1/32", "1.2.3.4");
	want_map_element(f, "one", "10.0.0.2/32", "1.2.3.5");
	want_map_element(f, "many", "0.0.0.0/0", "1.2.3.4");
	want_element(f, OP_ADD, "nets", "0.0.0.0/8");
	want_element(f, OP_ADD, "nets", "10.0.0.0/8");
	want_element(f, OP_ADD, "nets", "11.0.0.0/9");
	want_element(f, OP_ADD, "nets", "11.128.0.0/32");
	want_element(f, OP_ADD, "nets", "240.0.0.0/4");
	want_element(f, OP_ADD, "src", "0.0.0.0/32");
	want_element(f, OP_ADD, "src", "255.255.255.255/32");
	want_chain(f, OP_ADD, "forward", forward_rules, ARRAY_LEN(forward_rules));
	want_chain(f, OP_ADD, "input", NULL, 0)->hook = NFT_HOOK_INPUT;
	struct nft_chain *nat = want_chain(f, OP_ADD, "postrouting", nat_rules,
					   ARRAY_LEN(nat_rules));
	nat->type = NFT_CHAIN_NAT;
	nat->hook = NFT_HOOK_POSTROUTING;
	nat->priority = OUR_NAT_PRIORITY;
}

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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(no_table_is_nothing),
		TEST(every_form_reads_back_as_it_was_applied),
		TEST(listing_loads_again_into_the_same_objects),
		TEST(everything_goes_again_and_foreign_tables_stay),
		TEST(one_bad_op_undoes_the_batch_and_is_named),
		TEST(rule_without_its_set_fails_with_the_chain),
		TEST(stale_generation_changes_nothing),
		TEST(batches_follow_each_other_without_observing),
		TEST(flushed_ruleset_is_put_back),
		TEST(one_element_moves_within_a_set),
		TEST(counters_survive_a_change_of_the_chain),
		TEST(set_in_use_is_replaced_and_the_rules_stay),
		TEST(replaced_chain_is_made_anew),
		TEST(foreign_things_in_our_table_are_other_and_can_go),
		TEST(set_with_a_range_that_is_no_prefix_is_made_anew),
		TEST(ten_thousand_elements_go_in_one_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
