/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * For the tests of the rules between resources: a declaration, resources made of a few words, and
 * each case checked both ways, as one write against the declaration and as a whole config.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/declaration.h"

static struct declaration d;
static struct errs errs;
static struct arena arena;

static inline struct addr addr(const char *s)
{
	struct addr a = {0};

	if (s && addr_parse(s, &a) != 0)
		fail_msg("%s is no address", s);
	return a;
}

/* "10.0.0.0/8 10.1.0.0/16" */
static inline struct prefixes prefixes(const char *s)
{
	struct prefixes list = {arena_array(&arena, 8, sizeof(struct prefix)), 0};
	char *rest = arena_strdup(&arena, s ? s : ""), *word;

	while ((word = strsep(&rest, " ")) && *word)
		if (prefix_parse(word, &list.v[list.len++]) != 0)
			fail_msg("%s is no prefix", word);
	return list;
}

static inline void init(const struct kind *kind, void *resource, const char *name)
{
	struct resource *head = resource;

	strncpy(head->name, name, sizeof(head->name) - 1);
	head->set = kind_bit(kind, kind_field(kind, "name"));
	kind_defaults(kind, resource);
}

static inline struct tunnel tunnel(const char *name, const char *local, const char *remote,
				   const char *addresses)
{
	struct tunnel t = {0};

	init(&tunnel_kind, &t, name);
	t.local = addr(local);
	t.remote = addr(remote);
	t.addresses = prefixes(addresses);
	return t;
}

static inline struct exit_route route(const char *name, const char *through,
				      const char *destinations, const char *source)
{
	struct exit_route e = {0};

	init(&exit_route_kind, &e, name);
	strncpy(e.tunnel, through, sizeof(e.tunnel) - 1);
	e.destinations = prefixes(destinations);
	e.source = addr(source);
	return e;
}

static inline struct nat_rule rule(const char *name, const char *sources, enum nat_action action,
				   const char *to)
{
	struct nat_rule n = {0};

	init(&nat_rule_kind, &n, name);
	n.sources = prefixes(sources);
	strcpy(n.out_interface, "eth0");
	n.action = (uint8_t)action;
	n.to_address = addr(to);
	return n;
}

static inline int begin(void **state)
{
	(void)state;
	declaration_done(&d);
	arena_reset(&arena);
	errs = (struct errs){0};
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	declaration_done(&d);
	arena_done(&arena);
	return 0;
}

static inline void put(enum kind_id kind, const void *resource)
{
	declaration_put(&d, kind, kind_copy(kinds[kind], resource, NULL));
}

static inline int check_put(enum kind_id kind, const void *resource)
{
	errs = (struct errs){0};
	return declaration_check_put(&d, kind, resource, &errs);
}

static inline int check_all(void)
{
	errs = (struct errs){0};
	return declaration_check(&d, &errs);
}

static inline void assert_fault(const char *code, const char *pointer, const char *part)
{
	if (!errs.total)
		fail_msg("nothing was found, %s was expected", code);
	assert_string_equal(errs.v[0].code, code);
	assert_string_equal(errs.v[0].pointer, pointer);
	if (!strstr(errs.v[0].sentence, part))
		fail_msg("\"%s\" is not in \"%s\"", part, errs.v[0].sentence);
}

/* The declaration with it: accepted as a write, holds as a whole. Stays in. */
static inline void accepts(enum kind_id kind, const void *resource)
{
	if (check_put(kind, resource) != 0)
		fail_msg("%s %s", errs.v[0].pointer, errs.v[0].sentence);
	put(kind, resource);
	if (check_all() != 0)
		fail_msg("%s %s", errs.v[0].pointer, errs.v[0].sentence);
	assert_int_equal(errs.total, 0);
}

/* Refused as a write, and the whole would not hold either. Does not stay in. */
static inline void refuses(enum kind_id kind, const void *resource, int number, const char *code,
			   const char *pointer, const char *part)
{
	const char *name = ((const struct resource *)resource)->name;
	struct resource *old = declaration_find(&d, kind, name, NULL);

	assert_int_equal(check_put(kind, resource), number);
	assert_fault(code, pointer, part);
	old = old ? kind_copy(kinds[kind], old, NULL) : NULL;
	put(kind, resource);
	assert_int_not_equal(check_all(), 0);
	if (old)
		declaration_put(&d, kind, old);
	else
		declaration_remove(&d, kind, name);
	assert_int_equal(check_all(), 0);
}

static inline void put_tunnels(void)
{
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", "10.9.0.1/24 10.9.1.1/24");
	struct tunnel b = tunnel("tun_b", "192.0.2.1", "192.0.2.3", NULL);

	accepts(KIND_TUNNEL, &a);
	accepts(KIND_TUNNEL, &b);
}

static inline void put_froms(unsigned first, unsigned count, const char *name)
{
	struct exit_route e = route(name, "tun_a", "10.0.0.0/8", NULL);

	e.from = (struct prefixes){arena_array(&arena, count, sizeof(struct prefix)), count};
	for (unsigned i = 0; i < count; i++)
		e.from.v[i] = (struct prefix){{0x0a000000 + ((first + i) << 8)}, 24};
	accepts(KIND_EXIT_ROUTE, &e);
}

/* So many addresses, from the nth on. */
static inline struct prefixes hosts(unsigned first, unsigned count)
{
	struct prefixes list = {arena_array(&arena, count, sizeof(struct prefix)), count};

	for (unsigned i = 0; i < count; i++)
		list.v[i] = (struct prefix){{0x0a000000 + first + i}, 32};
	return list;
}

static inline void put_many_routes(void)
{
	struct exit_route e = route("e0", "tun_a", "", NULL);

	e.from = prefixes("99.0.0.0/8 98.0.0.0/8");
	for (unsigned i = 0; i < 5; i++) {
		e.head.name[1] = (char)('0' + i);
		e.destinations = hosts(i * 50000, 50000);
		put(KIND_EXIT_ROUTE, &e);
	}
}

static inline void put_many_sources(void)
{
	struct nat_rule n = rule("n0", "", NAT_MASQUERADE, NULL);

	for (unsigned i = 0; i < 5; i++) {
		n.head.name[1] = (char)('0' + i);
		n.sources = hosts(i * 100000, 100000);
		put(KIND_NAT_RULE, &n);
	}
}

/* A document over what is in d: checks the two merged, and expects that one fault. */
static inline void merge_refuses(enum kind_id kind, const void *resource, const char *code,
				 const char *pointer, const char *part)
{
	struct declaration document = {0}, before = {0};

	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t i = 0; i < d.kind[k].len; i++)
			declaration_put(&before, k, kind_copy(kinds[k], d.kind[k].v[i], NULL));
	declaration_put(&document, kind, kind_copy(kinds[kind], resource, NULL));
	put(kind, resource);
	errs = (struct errs){0};
	assert_int_not_equal(
		declaration_check_merge(&(struct declaration_merge){&before, &document, &d}, &errs),
		0);
	assert_int_equal(errs.total, 1);
	assert_fault(code, pointer, part);
	declaration_done(&document);
	declaration_done(&d);
	d = before;
}

#define TEST(name) cmocka_unit_test_setup(name, begin)
