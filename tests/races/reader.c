/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads our nftables table a thousand times a second until SIGTERM, and says which states of
 * it were seen. Chains, rules, sets and elements are separate dumps: one whose generation is
 * another one at the end than at the beginning is not a state of anything, and is thrown away.
 * A generation has one state, the one that most of its reads say: the kernel counts it up a
 * moment before or after it comes into force, and leaves elements out of a dump while it makes
 * a hash table larger or smaller, which it does on its own after a commit.
 *
 *   races_reader [READS]
 *
 * A JSON object: reads, torn, seconds, and states, each with a digest of all that the table
 * says (handles and counters aside), how many rules and elements, and of how many generations.
 */
#include "bench/common.h"
#include "bench/netlink.h"

#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TABLE "ipipd"

enum {
	PERIOD_NS = 1000000,
	ANSWER_NS = 1000000000,
	SETS_MAX = 256,
	ELEMENTS_MAX = 1 << 16,
	STATES_MAX = 4096,
	HEADER = sizeof(struct nfgenmsg),
};

struct state {
	uint64_t digest; /* the sum of what its parts hash to: hash sets have no order */
	unsigned rules, elements;
	unsigned long generations;
};

struct read {
	struct state state;
	uint64_t chain; /* the digest of the rules of the chain so far, which do have one */
	char chain_name[NFT_CHAIN_MAXNAMELEN];
	char sets[SETS_MAX][NFT_SET_MAXNAMELEN];
	unsigned n_sets;
	uint64_t elements[ELEMENTS_MAX];
	unsigned n_elements;
};

/* What the reads of a generation say: a majority, if there is one, has the votes. */
struct verdict {
	uint32_t generation; /* 0: none yet */
	struct state state;
	unsigned votes;
};

static struct state states[STATES_MAX];
static unsigned n_states;

static const uint64_t fnv_basis = UINT64_C(14695981039346656037);

static uint64_t hash_attr(uint64_t hash, const struct nlattr *attr)
{
	const unsigned char *bytes = (const unsigned char *)attr;

	/* its type is a part of it, and one that is not there is not an empty one */
	for (size_t i = 0; i < (attr ? attr->nla_len : 1); i++)
		hash = (hash ^ (attr ? bytes[i] : 0)) * UINT64_C(1099511628211);
	return hash;
}

/* Types end with 0, which names nothing. */
static uint64_t hash_attrs(uint64_t hash, const struct nlmsghdr *h, const int *types)
{
	for (; *types; types++)
		hash = hash_attr(hash, attr_find(h, HEADER, *types));
	return hash;
}

static int is_of_table(const struct nlmsghdr *h, int type)
{
	const struct nlattr *table = attr_find(h, HEADER, type);

	return table && strcmp(attr_value(table), TABLE) == 0;
}

static void take_chain(const struct nlmsghdr *h, void *user)
{
	static const int types[] = {NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY,
				    NFTA_CHAIN_TYPE, 0};
	struct read *read = user;

	if (is_of_table(h, NFTA_CHAIN_TABLE))
		read->state.digest += hash_attrs(fnv_basis, h, types);
}

static void take_rule(const struct nlmsghdr *h, void *user)
{
	static const int types[] = {NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, 0};
	const struct nlattr *chain = attr_find(h, HEADER, NFTA_RULE_CHAIN);
	struct read *read = user;

	if (!chain || !is_of_table(h, NFTA_RULE_TABLE))
		return;
	if (strcmp(read->chain_name, attr_value(chain)) != 0) {
		read->chain = fnv_basis;
		snprintf(read->chain_name, sizeof(read->chain_name), "%s",
			 (const char *)attr_value(chain));
	}
	read->chain = hash_attrs(read->chain, h, types);
	read->state.digest += read->chain;
	read->state.rules++;
}

static void take_set(const struct nlmsghdr *h, void *user)
{
	static const int types[] = {NFTA_SET_NAME,
				    NFTA_SET_FLAGS,
				    NFTA_SET_KEY_TYPE,
				    NFTA_SET_KEY_LEN,
				    NFTA_SET_DATA_TYPE,
				    NFTA_SET_DATA_LEN,
				    0};
	const struct nlattr *name = attr_find(h, HEADER, NFTA_SET_NAME);
	struct read *read = user;

	if (!name || !is_of_table(h, NFTA_SET_TABLE))
		return;
	if (read->n_sets == SETS_MAX)
		die("more sets than %d", SETS_MAX);
	read->state.digest += hash_attrs(fnv_basis, h, types);
	snprintf(read->sets[read->n_sets++], NFT_SET_MAXNAMELEN, "%s",
		 (const char *)attr_value(name));
}

static void take_elements(const struct nlmsghdr *h, void *user)
{
	static const int types[] = {NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_FLAGS};
	const struct nlattr *set = attr_find(h, HEADER, NFTA_SET_ELEM_LIST_SET);
	const struct nlattr *list = attr_find(h, HEADER, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct read *read = user;

	if (!list || !attr_size(list))
		return;
	const char *end = (const char *)attr_value(list) + attr_size(list);
	for (const struct nlattr *e = attr_value(list); e; e = attr_next(e, end)) {
		uint64_t hash = hash_attr(fnv_basis, set);

		for (size_t i = 0; i < BENCH_LEN(types); i++)
			hash = hash_attr(hash, attr_in(e, types[i]));
		if (read->n_elements == ELEMENTS_MAX)
			die("more elements than %d", ELEMENTS_MAX);
		read->elements[read->n_elements++] = hash;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The kernel dumps an element twice from a hash table that it makes larger or smaller, which
 * it does on its own, after a commit. */
static void count_elements(struct read *read)
{
	uint64_t *v = read->elements;

	qsort(v, read->n_elements, sizeof(*v), compare);
	for (unsigned i = 0; i < read->n_elements; i++) {
		if (i && v[i] == v[i - 1])
			continue;
		read->state.digest += v[i];
		read->state.elements++;
	}
}

static int take_generation(const struct nlmsghdr *h, void *user)
{
	const struct nlattr *id = attr_find(h, HEADER, NFTA_GEN_ID);

	*(uint32_t *)user = attr_u32(id);
	return id != NULL;
}

/* 0: it is not to be had, since we are to end. */
static uint32_t generation(struct netlink *netlink)
{
	static struct batch request;
	uint32_t now = 0;

	batch_clear(&request);
	batch_nft(&request, NFT_MSG_GETGEN, 0);
	if (send(netlink->fd, request.bytes, request.len, 0) < 0)
		die("netlink: %s", strerror(errno));
	netlink_listen(netlink, now_ns() + ANSWER_NS, take_generation, &now);
	return now;
}

static void dump(struct netlink *netlink, int what, const char *set, struct read *read,
		 void (*take)(const struct nlmsghdr *h, void *user))
{
	static struct batch request;

	batch_clear(&request);
	batch_nft(&request, what, NLM_F_DUMP);
	if (what != NFT_MSG_GETCHAIN) /* all of them have it as their first attribute */
		batch_text(&request, NFTA_RULE_TABLE, TABLE);
	if (set)
		batch_text(&request, NFTA_SET_ELEM_LIST_SET, set);
	netlink_dump(netlink, &request, take, read);
}

/* Returns the generation that it is of; 0: of more than one. */
static uint32_t read_table(struct netlink *netlink, struct read *read)
{
	uint32_t before = generation(netlink);

	read->state = (struct state){0};
	read->n_sets = read->n_elements = 0;
	read->chain_name[0] = '\0';
	dump(netlink, NFT_MSG_GETCHAIN, NULL, read, take_chain);
	dump(netlink, NFT_MSG_GETRULE, NULL, read, take_rule);
	dump(netlink, NFT_MSG_GETSET, NULL, read, take_set);
	for (unsigned i = 0; i < read->n_sets; i++)
		dump(netlink, NFT_MSG_GETSETELEM, read->sets[i], read, take_elements);
	count_elements(read);
	return generation(netlink) == before ? before : 0;
}

static void note(const struct state *state)
{
	unsigned i = 0;

	while (i < n_states && states[i].digest != state->digest)
		i++;
	if (i == STATES_MAX)
		die("more states than %d", STATES_MAX);
	if (i == n_states)
		states[n_states++] = *state;
	states[i].generations++;
}

static void vote(struct verdict *verdict, const struct state *state)
{
	if (!verdict->votes)
		verdict->state = *state;
	verdict->votes += verdict->state.digest == state->digest ? 1 : -1U;
}

static void judge(struct verdict *verdict, uint32_t next)
{
	if (verdict->votes)
		note(&verdict->state);
	*verdict = (struct verdict){.generation = next};
}

static void print(unsigned long reads, unsigned long torn, uint64_t ns)
{
	printf("{\"reads\":%lu,\"torn\":%lu,\"seconds\":%.3f,\"states\":[", reads, torn,
	       (double)ns / 1e9);
	for (unsigned i = 0; i < n_states; i++)
		printf("%s{\"digest\":\"%016llx\",\"rules\":%u,\"elements\":%u,"
		       "\"generations\":%lu}",
		       i ? "," : "", (unsigned long long)states[i].digest, states[i].rules,
		       states[i].elements, states[i].generations);
	puts("]}");
}

int main(int argc, char **argv)
{
	unsigned long reads = 0, torn = 0, wanted = argc > 1 ? number(argv[1]) : ULONG_MAX;
	struct verdict verdict = {0};
	static struct read read;
	static struct netlink netlink;

	stop_on_signals();
	netlink_open(&netlink, NETLINK_NETFILTER);
	puts("ready");
	fflush(stdout);
	uint64_t begin = now_ns(), next = begin;
	for (; reads < wanted && !stopped; reads++) {
		uint32_t of = read_table(&netlink, &read);

		torn += !of;
		if (of && of != verdict.generation)
			judge(&verdict, of);
		if (of)
			vote(&verdict, &read.state);
		next += PERIOD_NS;
		if (next < now_ns())
			next = now_ns(); /* what was missed is not made up for */
		struct timespec at = {(time_t)(next / 1000000000), (long)(next % 1000000000)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	judge(&verdict, 0);
	print(reads, torn, now_ns() - begin);
	return 0;
}
