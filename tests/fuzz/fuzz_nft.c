/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as messages of nftables, in a dump and as events. What comes out of them is of our
 * forms, and its names end. Where an attribute has another size than it always had libnftnl ends
 * the process (__abi_breakage in its utils.c); here that ends the message, and leaks it. An
 * expression without a name makes it crash, and so does a jump without a chain: such a rule is not
 * given to it. And it takes for granted that strings end.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>

#include "kernel/nft_element.h"
#include "kernel/nft_read.h"
#include "kernel/nft_socket.h"
#include "kernel/ruleset.h"

enum { STRING_END = 8, NESTS_MAX = 12 };

static jmp_buf broken;
static bool in_library;

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* In place of libc's, for the library as well. */
void exit(int status)
{
	if (in_library)
		longjmp(broken, 1);
	void (*end)(int) __attribute__((noreturn));

	*(void **)&end = dlsym(RTLD_NEXT, "exit");
	end(status);
}

/* In an attribute, if it holds attributes: does a jump lack its chain? */
static bool lacks_chain(const struct nlattr *nest, unsigned depth)
{
	const struct nlattr *attr;
	bool jumps = false, has_chain = false;

	if (!depth)
		return true; /* deeper than anything is */
	mnl_attr_for_each_nested(attr, nest)
	{
		uint32_t code = 0;

		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE &&
		    mnl_attr_get_payload_len(attr) == sizeof(code)) {
			memcpy(&code, mnl_attr_get_payload(attr), sizeof(code));
			jumps |= ntohl(code) == (uint32_t)NFT_JUMP ||
				 ntohl(code) == (uint32_t)NFT_GOTO;
		}
		has_chain |= mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN;
		if (lacks_chain(attr, depth - 1))
			return true;
	}
	return jumps && !has_chain;
}

static bool is_named(const struct nlattr *expression)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(
		attr,
		expression) if (mnl_attr_get_type(attr) ==
				NFTA_EXPR_NAME) return mnl_attr_validate(attr,
									 MNL_TYPE_NUL_STRING) == 0;
	return false;
}

/* An attribute that holds expressions, or is one. */
static bool are_named(uint8_t type, const struct nlattr *attr)
{
	bool rules = type == NFT_MSG_NEWRULE && mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS;
	bool sets = type == NFT_MSG_NEWSET && mnl_attr_get_type(attr) == NFTA_SET_EXPRESSIONS;
	const struct nlattr *expression;

	if (type == NFT_MSG_NEWSET && mnl_attr_get_type(attr) == NFTA_SET_EXPR)
		return is_named(attr);
	if (!rules && !sets)
		return true;
	if (lacks_chain(attr, NESTS_MAX))
		return false;
	mnl_attr_for_each_nested(expression, attr) if (!is_named(expression)) return false;
	return true;
}

static bool is_safe(const struct nlmsghdr *h)
{
	const struct nlattr *attr;

	if (!nlmsg_valid_hdr(h, sizeof(struct nfgenmsg)))
		return false;
	mnl_attr_for_each(attr, h,
			  sizeof(struct nfgenmsg)) if (!are_named(NFNL_MSG_TYPE(h->nlmsg_type),
								  attr)) return false;
	return true;
}

__attribute__((noinline)) static void read_message(const struct nlmsghdr *h, void *reading)
{
	in_library = true;
	if (is_safe(h) && setjmp(broken) == 0)
		nft_read(h, reading);
	in_library = false;
}

static void is_a_name(const char *name, size_t size)
{
	assert(memchr(name, '\0', size));
}

static void check_rules(const struct rows *rows)
{
	const struct nft_rule *rules = rows->v;

	for (uint32_t i = 0; i < rows->len; i++) {
		is_a_name(rules[i].iif, sizeof(rules[i].iif));
		is_a_name(rules[i].saddr_set, sizeof(rules[i].saddr_set));
		assert(rules[i].verdict <= NFT_VERDICT_OTHER);
	}
}

static void check(const struct objects *observed)
{
	const struct object_list *sets = &observed->kind[KIND_NFT_SET];
	const struct object_list *chains = &observed->kind[KIND_NFT_CHAIN];

	for (size_t i = 0; i < sets->len; i++) {
		const struct nft_set *set = (const struct nft_set *)sets->v[i];

		is_a_name(set->name, sizeof(set->name));
		assert(set->type <= NFT_SET_OTHER);
	}
	for (size_t i = 0; i < chains->len; i++) {
		const struct nft_chain *chain = (const struct nft_chain *)chains->v[i];

		is_a_name(chain->name, sizeof(chain->name));
		assert(chain->type <= NFT_CHAIN_OTHER);
		check_rules(&chain->rules);
	}
}

__attribute__((noinline)) static void read_foreign(const struct nlmsghdr *h, unused_ void *user)
{
	char target[RULESET_NAME];
	struct ruleset_rule rule = {0};

	in_library = true;
	if (NFNL_MSG_TYPE(h->nlmsg_type) == NFT_MSG_NEWRULE && is_safe(h) && setjmp(broken) == 0) {
		ruleset_rule_parse(h, &rule, target);
		is_a_name(target, sizeof(target));
		is_a_name(rule.in.name, sizeof(rule.in.name));
		is_a_name(rule.out.name, sizeof(rule.out.name));
		assert(rule.verdict <= RULESET_OTHER && rule.source.prefix.len <= 32);
	}
	in_library = false;
}

static void check_elements(struct nft_counteds *elements)
{
	nft_element_join(elements);
	for (size_t i = 0; i < elements->len; i++)
		assert(elements->v[i].element.prefix.len <= 32 || elements->other);
	vec_done(elements);
}

static void read_event(const struct nlmsghdr *h, void *scope)
{
	const struct nft nft = {0};
	struct nft_error error = {0};
	uint32_t pid = 0;
	char name[16] = "";

	nft_note_event(&nft, h, scope);
	if (nft_event_culprit(h, &pid, name))
		is_a_name(name, sizeof(name));
	nft_socket_error(h, &error);
	is_a_name(error.words, sizeof(error.words));
}

static void each(const uint8_t *bytes, size_t size, size_t padding,
		 void (*take)(const struct nlmsghdr *h, void *user), void *user)
{
	uint8_t *copy = calloc(1, size + padding);
	int left = (int)size;

	if (!copy)
		return;
	memcpy(copy, bytes, size);
	for (struct nlmsghdr *h = (struct nlmsghdr *)copy; nlmsg_ok(h, left);
	     h = nlmsg_next(h, &left))
		take(h, user);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	cleanup_arena struct arena arena = {0};
	struct objects observed = {.arena = &arena};
	struct nft_reading reading = {.observed = &observed};
	struct nft_counteds elements = {0};
	struct scope scope = {0};

	if (!size)
		return 0;
	each(bytes, size, STRING_END, read_message, &reading);
	nft_reading_keep_rules(&reading);
	check(&observed);
	each(bytes, size, STRING_END, read_foreign, NULL);
	each(bytes, size, 0, nft_element_parse, &elements);
	check_elements(&elements);
	each(bytes, size, 0, read_event, &scope);
	nft_reading_done(&reading);
	objects_done(&observed);
	scope_done(&scope);
	return 0;
}
