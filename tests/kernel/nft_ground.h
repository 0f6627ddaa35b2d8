/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ground of test_nft*.c: the nftables adapter opened in a network namespace of its own, the
 * ops that a test wants of it, and what it then observes. The nft program is the second opinion:
 * it lists, loads and meddles.
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
static inline int run_nft(const char *const *argv, const char *script, struct text *out)
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

static inline void nft_script(const char *script)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	cleanup_text struct text out = {0};

	if (run_nft(argv, script, &out) != 0)
		fail_msg("nft: %s in:\n%s", text_str(&out), script);
}

static inline char *listing(void)
{
	static const char *const argv[] = {"nft", "list", "ruleset", NULL};
	struct text out = {0};

	assert_int_equal(run_nft(argv, NULL, &out), 0);
	return out.s ? out.s : xstrdup("");
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	nft_close(f->nft);
	objects_done(&f->observed);
	vec_done(&f->ops);
	arena_done(&f->arena);
	free(f);
	return 0;
}

static inline void *want(struct fixture *f, enum op_verb verb, enum kind_id kind)
{
	struct object *object = arena_alloc(&f->arena, kinds[kind]->size);

	object->set = kind_all(kinds[kind]);
	vec_push(&f->ops, ((struct op){.verb = verb,
				       .kind = kind,
				       .want = verb == OP_DELETE ? NULL : object,
				       .have = verb == OP_DELETE ? object : NULL}));
	return object;
}

static inline void want_table(struct fixture *f, enum op_verb verb)
{
	strcpy(((struct nft_table *)want(f, verb, KIND_NFT_TABLE))->name, OUR_NFT_TABLE);
}

static inline struct nft_set *want_set(struct fixture *f, enum op_verb verb, const char *name)
{
	struct nft_set *set = want(f, verb, KIND_NFT_SET);

	strcpy(set->name, name);
	return set;
}

static inline struct nft_element *want_element(struct fixture *f, enum op_verb verb,
					       const char *set, const char *prefix)
{
	struct nft_element *element = want(f, verb, KIND_NFT_ELEMENT);

	strcpy(element->set_name, set);
	if (prefix_parse(prefix, &element->prefix) != 0)
		strcpy(element->device, prefix);
	return element;
}

static inline struct nft_chain *want_chain(struct fixture *f, enum op_verb verb, const char *name,
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
static inline void apply_result(struct fixture *f, int result)
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

static inline void apply(struct fixture *f)
{
	apply_result(f, 0);
	vec_clear(&f->ops);
}

static inline void observe(struct fixture *f)
{
	struct err err = {0};

	objects_done(&f->observed);
	if (nft_observe(f->nft, &f->arena, &f->observed, &err) != 0)
		fail_msg("%s", err.sentence);
	objects_sort(&f->observed);
}

/* Every object of the ops is observed, equal in every row, and nothing else is. */
static inline void assert_observed(struct fixture *f, const struct ops *ops)
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

static inline void want_map_element(struct fixture *f, const char *set, const char *prefix,
				    const char *to)
{
	assert_int_equal(addr_parse(to, &want_element(f, OP_ADD, set, prefix)->to), 0);
}

/* A table with every form that there is, in the planner's order. */
static inline void want_everything(struct fixture *f)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
