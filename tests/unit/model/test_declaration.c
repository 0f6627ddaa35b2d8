/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules between resources. Each case is checked both ways: as one write against a
 * declaration, and as a whole config.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/declaration.h"

static struct declaration d;
static struct errs errs;
static struct arena arena;

static struct addr addr(const char *s)
{
	struct addr a = {0};

	if (s && addr_parse(s, &a) != 0)
		fail_msg("%s is no address", s);
	return a;
}

/* "10.0.0.0/8 10.1.0.0/16" */
static struct prefixes prefixes(const char *s)
{
	struct prefixes list = {arena_array(&arena, 8, sizeof(struct prefix)), 0};
	char *rest = arena_strdup(&arena, s ? s : ""), *word;

	while ((word = strsep(&rest, " ")) && *word)
		if (prefix_parse(word, &list.v[list.len++]) != 0)
			fail_msg("%s is no prefix", word);
	return list;
}

static void init(const struct kind *kind, void *resource, const char *name)
{
	struct resource *head = resource;

	strncpy(head->name, name, sizeof(head->name) - 1);
	head->set = kind_bit(kind, kind_field(kind, "name"));
	kind_defaults(kind, resource);
}

static struct tunnel tunnel(const char *name, const char *local, const char *remote,
			    const char *addresses)
{
	struct tunnel t = {0};

	init(&tunnel_kind, &t, name);
	t.local = addr(local);
	t.remote = addr(remote);
	t.addresses = prefixes(addresses);
	return t;
}

static struct exit_route route(const char *name, const char *through, const char *destinations,
			       const char *source)
{
	struct exit_route e = {0};

	init(&exit_route_kind, &e, name);
	strncpy(e.tunnel, through, sizeof(e.tunnel) - 1);
	e.destinations = prefixes(destinations);
	e.source = addr(source);
	return e;
}

static struct nat_rule rule(const char *name, const char *sources, enum nat_action action,
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

static int begin(void **state)
{
	(void)state;
	declaration_done(&d);
	arena_reset(&arena);
	errs = (struct errs){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	declaration_done(&d);
	arena_done(&arena);
	return 0;
}

static void put(enum kind_id kind, const void *resource)
{
	declaration_put(&d, kind, kind_copy(kinds[kind], resource, NULL));
}

static int check_put(enum kind_id kind, const void *resource)
{
	errs = (struct errs){0};
	return declaration_check_put(&d, kind, resource, &errs);
}

static int check_all(void)
{
	errs = (struct errs){0};
	return declaration_check(&d, &errs);
}

static void assert_fault(const char *code, const char *pointer, const char *part)
{
	if (!errs.total)
		fail_msg("nothing was found, %s was expected", code);
	assert_string_equal(errs.v[0].code, code);
	assert_string_equal(errs.v[0].pointer, pointer);
	if (!strstr(errs.v[0].sentence, part))
		fail_msg("\"%s\" is not in \"%s\"", part, errs.v[0].sentence);
}

/* The declaration with it: accepted as a write, holds as a whole. Stays in. */
static void accepts(enum kind_id kind, const void *resource)
{
	if (check_put(kind, resource) != 0)
		fail_msg("%s %s", errs.v[0].pointer, errs.v[0].sentence);
	put(kind, resource);
	if (check_all() != 0)
		fail_msg("%s %s", errs.v[0].pointer, errs.v[0].sentence);
	assert_int_equal(errs.total, 0);
}

/* Refused as a write, and the whole would not hold either. Does not stay in. */
static void refuses(enum kind_id kind, const void *resource, int number, const char *code,
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

static void finds_puts_and_removes_in_order(void **state)
{
	static const char *const names[] = {"m", "a", "z", "b", "y"};
	size_t at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tunnel t = tunnel(names[i], NULL, "192.0.2.1", NULL);

		put(KIND_TUNNEL, &t);
	}
	for (size_t i = 1; i < d.kind[KIND_TUNNEL].len; i++)
		assert_true(strcmp(d.kind[KIND_TUNNEL].v[i - 1]->name,
				   d.kind[KIND_TUNNEL].v[i]->name) < 0);
	assert_non_null(declaration_find(&d, KIND_TUNNEL, "m", &at));
	assert_int_equal(at, 2);
	assert_null(declaration_find(&d, KIND_TUNNEL, "c", &at));
	assert_int_equal(at, 2);
	assert_null(declaration_find(&d, KIND_TUNNEL, "zz", &at));
	assert_int_equal(at, 5);
	assert_null(declaration_find(&d, KIND_EXIT_ROUTE, "m", NULL));

	struct tunnel again = tunnel("m", NULL, "192.0.2.9", NULL);
	put(KIND_TUNNEL, &again);
	assert_int_equal(d.kind[KIND_TUNNEL].len, 5);
	const struct resource *found = declaration_find(&d, KIND_TUNNEL, "m", NULL);
	assert_int_equal(((const struct tunnel *)found)->remote.host, again.remote.host);

	assert_true(declaration_remove(&d, KIND_TUNNEL, "m"));
	assert_false(declaration_remove(&d, KIND_TUNNEL, "m"));
	assert_true(declaration_remove(&d, KIND_TUNNEL, "a"));
	assert_true(declaration_remove(&d, KIND_TUNNEL, "z"));
	assert_int_equal(d.kind[KIND_TUNNEL].len, 2);
	assert_string_equal(d.kind[KIND_TUNNEL].v[1]->name, "y");
}

static void refuses_equal_endpoints(void **state)
{
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", NULL);
	struct tunnel b = tunnel("tun_b", "192.0.2.1", "192.0.2.2", NULL);
	struct tunnel c = tunnel("tun_c", NULL, "192.0.2.2", NULL);
	struct tunnel e = tunnel("tun_e", NULL, "192.0.2.2", NULL);

	(void)state;
	accepts(KIND_TUNNEL, &a);
	accepts(KIND_TUNNEL, &a); /* over itself */
	refuses(KIND_TUNNEL, &b, -EEXIST, "endpoints-in-use", "/remote",
		"tunnel/tun_a has the same local");
	strcpy(b.underlay, "eth1");
	accepts(KIND_TUNNEL, &b);
	accepts(KIND_TUNNEL, &c); /* auto is a value of its own */
	refuses(KIND_TUNNEL, &e, -EEXIST, "endpoints-in-use", "/remote", "tunnel/tun_c");
	/* the other way round is another tunnel */
	struct tunnel f = tunnel("tun_f", "192.0.2.2", "192.0.2.1", NULL);
	accepts(KIND_TUNNEL, &f);
}

static void disabled_and_deleting_keep_their_claims(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", NULL);
	struct tunnel b = tunnel("tun_b", NULL, "192.0.2.2", NULL);

	(void)state;
	a.head.enabled = false;
	accepts(KIND_TUNNEL, &a);
	refuses(KIND_TUNNEL, &b, -EEXIST, "endpoints-in-use", "/remote", "tunnel/tun_a");
	a.head.deleting = true;
	put(KIND_TUNNEL, &a);
	refuses(KIND_TUNNEL, &b, -EEXIST, "endpoints-in-use", "/remote", "tunnel/tun_a");
}

static void refuses_equal_devices(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.1", NULL);
	struct tunnel b = tunnel("tun_b", NULL, "192.0.2.2", NULL);
	struct tunnel c = tunnel("tun_c", NULL, "192.0.2.3", NULL);

	(void)state;
	accepts(KIND_TUNNEL, &a);
	strcpy(b.device, "tun_a");
	refuses(KIND_TUNNEL, &b, -EEXIST, "interface-name-taken", "/device",
		"tunnel/tun_a has the device tun_a");
	strcpy(b.device, "tun_c");
	accepts(KIND_TUNNEL, &b);
	refuses(KIND_TUNNEL, &c, -EEXIST, "interface-name-taken", "/device", "tunnel/tun_b");
	strcpy(c.device, "tun_b");
	accepts(KIND_TUNNEL, &c);
}

static void accepts_one_inner_address_on_two_tunnels(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.1", "10.9.0.1/32");
	struct tunnel b = tunnel("tun_b", NULL, "192.0.2.2", "10.9.0.1/32");

	(void)state;
	accepts(KIND_TUNNEL, &a);
	accepts(KIND_TUNNEL, &b);
}

static void put_tunnels(void)
{
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", "10.9.0.1/24 10.9.1.1/24");
	struct tunnel b = tunnel("tun_b", "192.0.2.1", "192.0.2.3", NULL);

	accepts(KIND_TUNNEL, &a);
	accepts(KIND_TUNNEL, &b);
}

static void refuses_a_route_through_no_tunnel(void **state)
{
	struct exit_route e = route("qq", "tun_x", "10.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "unresolved-reference", "/tunnel",
		"no tunnel \"tun_x\" is declared");
	strcpy(e.tunnel, "tun_a");
	accepts(KIND_EXIT_ROUTE, &e);
}

static void refuses_a_route_without_a_source_on_a_tunnel(void **state)
{
	struct exit_route e = route("qq", "tun_b", "10.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "source-required", "/source",
		"tunnel/tun_b has no addresses");
	e.source = addr("10.9.0.2");
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "source-required", "/source",
		"10.9.0.2 is not in the addresses of any tunnel");
	/* the second address of another tunnel will do */
	e.source = addr("10.9.1.1");
	accepts(KIND_EXIT_ROUTE, &e);
}

static void refuses_a_source_that_is_a_local(void **state)
{
	struct tunnel nested = tunnel("nested", "10.9.0.1", "10.9.0.9", "10.10.0.1/24");
	struct exit_route e = route("qq", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	accepts(KIND_TUNNEL, &nested);
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "source-required", "/source",
		"10.9.0.1 is the local address of a tunnel");
	e.source = addr("10.9.1.1");
	accepts(KIND_EXIT_ROUTE, &e);
}

static void refuses_a_tunnel_update_that_breaks_a_route(void **state)
{
	struct exit_route by_default = route("qq", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route given = route("rr", "tun_b", "11.0.0.0/8", "10.9.1.1");
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", NULL);

	(void)state;
	put_tunnels();
	accepts(KIND_EXIT_ROUTE, &by_default);
	accepts(KIND_EXIT_ROUTE, &given);
	refuses(KIND_TUNNEL, &a, -EBUSY, "resource-in-use", "/addresses", "exit-route/qq");
	assert_int_equal(check_put(KIND_TUNNEL, &a), -EBUSY);
	assert_int_equal(errs.total, 2); /* it names both */
	a.addresses = prefixes("10.9.0.1/24");
	refuses(KIND_TUNNEL, &a, -EBUSY, "resource-in-use", "/addresses",
		"exit-route/rr has 10.9.1.1");
	a.addresses = prefixes("10.9.7.1/24 10.9.1.1/32");
	accepts(KIND_TUNNEL, &a);
}

static void accepts_a_tunnel_update_when_another_has_the_source(void **state)
{
	struct exit_route given = route("rr", "tun_b", "11.0.0.0/8", "10.9.1.1");
	struct tunnel other = tunnel("other", NULL, "192.0.2.9", "10.9.1.1/32");
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", NULL);

	(void)state;
	put_tunnels();
	accepts(KIND_TUNNEL, &other);
	accepts(KIND_EXIT_ROUTE, &given);
	accepts(KIND_TUNNEL, &a);
	assert_int_equal(declaration_check_remove(&d, KIND_TUNNEL, "tun_a", &errs), 0);
}

static void refuses_a_tunnel_whose_local_is_a_source(void **state)
{
	struct exit_route by_default = route("qq", "tun_a", "10.0.0.0/8", NULL);
	struct tunnel nested = tunnel("nested", "10.9.0.1", "10.9.0.9", "10.10.0.1/24");

	(void)state;
	put_tunnels();
	accepts(KIND_EXIT_ROUTE, &by_default);
	refuses(KIND_TUNNEL, &nested, -EBUSY, "resource-in-use", "/local",
		"exit-route/qq would have its source 10.9.0.1");
	nested.local = addr("10.9.1.1");
	accepts(KIND_TUNNEL, &nested);
	nested.local = addr("10.9.0.1");
	refuses(KIND_TUNNEL, &nested, -EBUSY, "resource-in-use", "/local", "exit-route/qq");
	/* also when the first address moves onto a local */
	nested.local = addr("10.9.1.1");
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", "10.9.1.1/24 10.9.0.1/24");
	refuses(KIND_TUNNEL, &a, -EBUSY, "resource-in-use", "/local", "exit-route/qq");
}

static void refuses_to_remove_a_tunnel_in_use(void **state)
{
	struct exit_route through = route("qq", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route from = route("rr", "tun_b", "11.0.0.0/8", "10.9.1.1");

	(void)state;
	put_tunnels();
	accepts(KIND_EXIT_ROUTE, &through);
	accepts(KIND_EXIT_ROUTE, &from);
	errs = (struct errs){0};
	assert_int_equal(declaration_check_remove(&d, KIND_TUNNEL, "tun_a", &errs), -EBUSY);
	assert_int_equal(errs.total, 2);
	assert_fault("resource-in-use", "", "exit-route/qq uses it");
	assert_non_null(strstr(errs.v[1].sentence, "exit-route/rr has 10.9.1.1"));
	assert_int_equal(declaration_check_remove(&d, KIND_EXIT_ROUTE, "qq", &errs), 0);
	assert_int_equal(declaration_check_remove(&d, KIND_TUNNEL, "nobody", &errs), 0);
	declaration_remove(&d, KIND_EXIT_ROUTE, "qq");
	declaration_remove(&d, KIND_EXIT_ROUTE, "rr");
	assert_int_equal(declaration_check_remove(&d, KIND_TUNNEL, "tun_a", &errs), 0);
}

static void a_deleting_route_needs_no_tunnel(void **state)
{
	struct exit_route e = route("qq", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	accepts(KIND_EXIT_ROUTE, &e);
	e.head.deleting = true;
	put(KIND_EXIT_ROUTE, &e);
	assert_int_equal(declaration_check_remove(&d, KIND_TUNNEL, "tun_a", &errs), 0);
	declaration_remove(&d, KIND_TUNNEL, "tun_a");
	assert_int_equal(check_all(), 0);
}

static void a_deleting_tunnel_carries_no_new_route(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", "10.9.0.1/24");
	struct exit_route e = route("qq", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	a.head.deleting = true;
	put(KIND_TUNNEL, &a);
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "unresolved-reference", "/tunnel", "tun_a");
}

static void refuses_equal_destinations(void **state)
{
	struct exit_route a = route("a", "tun_a", "10.0.0.0/8 11.0.0.0/8", NULL);
	struct exit_route b = route("b", "tun_a", "12.0.0.0/8 11.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	accepts(KIND_EXIT_ROUTE, &a);
	accepts(KIND_EXIT_ROUTE, &a);
	refuses(KIND_EXIT_ROUTE, &b, -EEXIST, "destination-in-use", "/destinations/1",
		"exit-route/a has 11.0.0.0/8");
	b.metric = 1;
	accepts(KIND_EXIT_ROUTE, &b);
	b.metric = 0;
	b.from = prefixes("10.1.0.0/16");
	accepts(KIND_EXIT_ROUTE, &b);
	/* another length is another destination */
	struct exit_route c = route("c", "tun_a", "10.0.0.0/9 0.0.0.0/0", NULL);
	accepts(KIND_EXIT_ROUTE, &c);
}

static void compares_each_from_by_itself(void **state)
{
	struct exit_route a = route("a", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route b = route("b", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	a.from = prefixes("10.1.0.0/16 10.2.0.0/16");
	b.from = prefixes("10.3.0.0/16 10.2.0.0/16");
	accepts(KIND_EXIT_ROUTE, &a);
	refuses(KIND_EXIT_ROUTE, &b, -EEXIST, "destination-in-use", "/destinations/0",
		"exit-route/a");
	b.from = prefixes("10.3.0.0/16");
	accepts(KIND_EXIT_ROUTE, &b);
	/* everywhere is no from at all */
	struct exit_route c = route("c", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route e = route("e", "tun_a", "10.0.0.0/8", NULL);
	accepts(KIND_EXIT_ROUTE, &c);
	e.from = prefixes("0.0.0.0/0");
	refuses(KIND_EXIT_ROUTE, &e, -EEXIST, "destination-in-use", "/destinations/0",
		"exit-route/c");
}

static void put_froms(unsigned first, unsigned count, const char *name)
{
	struct exit_route e = route(name, "tun_a", "10.0.0.0/8", NULL);

	e.from = (struct prefixes){arena_array(&arena, count, sizeof(struct prefix)), count};
	for (unsigned i = 0; i < count; i++)
		e.from.v[i] = (struct prefix){{0x0a000000 + ((first + i) << 8)}, 24};
	accepts(KIND_EXIT_ROUTE, &e);
}

static void bounds_the_distinct_froms(void **state)
{
	struct exit_route e = route("z", "tun_a", "11.0.0.0/8", NULL);

	(void)state;
	put_tunnels();
	put_froms(0, 250, "a");
	put_froms(250, 250, "b");
	put_froms(500, 250, "c");
	put_froms(750, 248, "d"); /* 998 */
	e.from = prefixes("99.0.0.0/8 98.0.0.0/8");
	refuses(KIND_EXIT_ROUTE, &e, -EINVAL, "invalid-resource", "/from", "999 distinct");
	e.from = prefixes("99.0.0.0/8 10.0.7.0/24 0.0.0.0/0");
	accepts(KIND_EXIT_ROUTE, &e);
	e.from = prefixes("98.0.0.0/8"); /* in place of the other */
	accepts(KIND_EXIT_ROUTE, &e);
}

/* So many addresses, from the nth on. */
static struct prefixes hosts(unsigned first, unsigned count)
{
	struct prefixes list = {arena_array(&arena, count, sizeof(struct prefix)), count};

	for (unsigned i = 0; i < count; i++)
		list.v[i] = (struct prefix){{0x0a000000 + first + i}, 32};
	return list;
}

static void put_many_routes(void)
{
	struct exit_route e = route("e0", "tun_a", "", NULL);

	e.from = prefixes("99.0.0.0/8 98.0.0.0/8");
	for (unsigned i = 0; i < 5; i++) {
		e.head.name[1] = (char)('0' + i);
		e.destinations = hosts(i * 50000, 50000);
		put(KIND_EXIT_ROUTE, &e);
	}
}

static void put_many_sources(void)
{
	struct nat_rule n = rule("n0", "", NAT_MASQUERADE, NULL);

	for (unsigned i = 0; i < 5; i++) {
		n.head.name[1] = (char)('0' + i);
		n.sources = hosts(i * 100000, 100000);
		put(KIND_NAT_RULE, &n);
	}
}

static void bounds_the_routes_of_all_exits(void **state)
{
	struct exit_route one = route("z", "tun_a", "11.0.0.0/8", NULL);
	struct exit_route two = route("z", "tun_a", "11.0.0.0/8", NULL);
	struct exit_route less = route("e4", "tun_a", "", NULL);

	(void)state;
	put_tunnels();
	put_many_routes();
	refuses(KIND_EXIT_ROUTE, &one, -EINVAL, "invalid-resource", "/destinations", "500000");
	two.from = prefixes("99.0.0.0/8 98.0.0.0/8");
	refuses(KIND_EXIT_ROUTE, &two, -EINVAL, "invalid-resource", "/from", "500000");
	less.destinations = hosts(200000, 50000);
	less.from = prefixes("99.0.0.0/8");
	accepts(KIND_EXIT_ROUTE, &less); /* in place of the other */
	accepts(KIND_EXIT_ROUTE, &two);
}

static void bounds_the_sources_of_all_rules(void **state)
{
	struct nat_rule one = rule("z", "11.0.0.0/8", NAT_MASQUERADE, NULL);
	struct nat_rule less = rule("n4", "10.6.26.128/32", NAT_MASQUERADE, NULL);

	(void)state;
	put_many_sources();
	refuses(KIND_NAT_RULE, &one, -EINVAL, "invalid-resource", "/sources", "500000");
	accepts(KIND_NAT_RULE, &less);
	accepts(KIND_NAT_RULE, &one);
}

static void refuses_sources_that_overlap_with_another_effect(void **state)
{
	struct nat_rule a = rule("a", "10.0.0.0/16 10.1.0.0/16", NAT_MASQUERADE, NULL);
	struct nat_rule b = rule("b", "10.9.0.0/16 10.1.7.0/24", NAT_SNAT, "192.0.2.1");

	(void)state;
	accepts(KIND_NAT_RULE, &a);
	accepts(KIND_NAT_RULE, &a);
	refuses(KIND_NAT_RULE, &b, -EEXIST, "sources-overlap", "/sources", "nat-rule/a does");
	b.priority = 99;
	accepts(KIND_NAT_RULE, &b);
	b.priority = 100;
	strcpy(b.in_interface, "tun_b");
	accepts(KIND_NAT_RULE, &b);
	b.in_interface[0] = '\0';
	strcpy(b.out_interface, "eth1");
	accepts(KIND_NAT_RULE, &b);
	strcpy(b.out_interface, "eth0");
	b.destinations = prefixes("10.0.0.0/8");
	accepts(KIND_NAT_RULE, &b);
	b.destinations.len = 0;
	b.sources = prefixes("10.2.0.0/16 9.255.0.0/16");
	accepts(KIND_NAT_RULE, &b);
}

static void accepts_sources_that_overlap_with_the_same_effect(void **state)
{
	struct nat_rule a = rule("a", "10.0.0.0/16", NAT_SNAT, "192.0.2.1");
	struct nat_rule b = rule("b", "10.0.7.0/24", NAT_SNAT, "192.0.2.1");

	(void)state;
	accepts(KIND_NAT_RULE, &a);
	accepts(KIND_NAT_RULE, &b);
	b.to_address = addr("192.0.2.2");
	refuses(KIND_NAT_RULE, &b, -EEXIST, "sources-overlap", "/sources", "nat-rule/a");
}

static void compares_destinations_as_sets(void **state)
{
	struct nat_rule a = rule("a", "10.0.0.0/16", NAT_MASQUERADE, NULL);
	struct nat_rule b = rule("b", "10.0.0.0/16", NAT_NONE, NULL);

	(void)state;
	a.destinations = prefixes("20.0.0.0/8 30.0.0.0/9 30.128.0.0/9 20.1.0.0/16");
	accepts(KIND_NAT_RULE, &a);
	b.destinations = prefixes("30.0.0.0/8 20.0.0.0/8");
	refuses(KIND_NAT_RULE, &b, -EEXIST, "sources-overlap", "/sources", "nat-rule/a");
	b.destinations = prefixes("30.0.0.0/8");
	accepts(KIND_NAT_RULE, &b);
	b.destinations = prefixes("0.0.0.0/0");
	accepts(KIND_NAT_RULE, &b);
	struct nat_rule c = rule("c", "10.0.0.0/16", NAT_MASQUERADE, NULL);
	refuses(KIND_NAT_RULE, &c, -EEXIST, "sources-overlap", "/sources", "nat-rule/b");
}

/* Whole lists against the plain definition, over many small random rules. */
static void finds_overlaps_like_the_definition(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		bool overlap = false;
		struct nat_rule rules[4];
		char name[2] = "a";

		begin(NULL);
		for (unsigned i = 0; i < 4; i++, name[0]++) {
			seed = seed * 1664525 + 1013904223;
			uint8_t len = (uint8_t)(24 + (seed >> 28) % 9);
			struct prefix p = {{0x0a000000 + (seed >> 8) % 512}, len};

			rules[i] = rule(name, "10.0.0.0/8", seed >> 30 & 1 ? NAT_NONE : 0, NULL);
			rules[i].sources.v[0] = prefix_network(p);
			for (unsigned j = 0; j < i; j++)
				overlap |= rules[i].action != rules[j].action &&
					   prefix_overlaps(rules[i].sources.v[0],
							   rules[j].sources.v[0]);
			put(KIND_NAT_RULE, &rules[i]);
		}
		assert_int_equal(check_all() != 0, overlap);
	}
}

static void points_at_the_later_one_of_a_config(void **state)
{
	struct tunnel a = tunnel("a", NULL, "192.0.2.1", NULL);
	struct tunnel b = tunnel("b", NULL, "192.0.2.2", NULL);
	struct tunnel c = tunnel("c", NULL, "192.0.2.1", NULL);
	struct exit_route e = route("e", "nowhere", "10.0.0.0/8", NULL);
	struct nat_rule m = rule("m", "10.0.0.0/8", NAT_MASQUERADE, NULL);
	struct nat_rule n = rule("n", "10.0.0.0/8", NAT_NONE, NULL);

	(void)state;
	put(KIND_TUNNEL, &c);
	put(KIND_TUNNEL, &b);
	put(KIND_TUNNEL, &a);
	put(KIND_EXIT_ROUTE, &e);
	put(KIND_NAT_RULE, &n);
	put(KIND_NAT_RULE, &m);
	assert_int_equal(check_all(), -EEXIST);
	assert_int_equal(errs.total, 3);
	assert_string_equal(errs.v[0].pointer, "/tunnels/2/remote");
	assert_non_null(strstr(errs.v[0].sentence, "tunnel/a "));
	assert_string_equal(errs.v[1].pointer, "/exit_routes/0/tunnel");
	assert_string_equal(errs.v[2].pointer, "/nat_rules/1/sources");
	assert_non_null(strstr(errs.v[2].sentence, "nat-rule/m "));
}

/* A document over what is in d: checks the two merged, and expects that one fault. */
static void merge_refuses(enum kind_id kind, const void *resource, const char *code,
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

static void blames_the_one_that_the_document_names(void **state)
{
	static const char *const names[] = {"a", "z"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tunnel m = tunnel("m", "192.0.2.1", "192.0.2.2", "10.9.0.1/24");
		struct tunnel t = tunnel(names[i], "192.0.2.1", "192.0.2.2", NULL);
		struct nat_rule n = rule("m", "10.0.0.0/8", NAT_MASQUERADE, NULL);
		struct nat_rule r = rule(names[i], "10.1.0.0/16", NAT_NONE, NULL);
		struct exit_route e = route("m", "m", "10.0.0.0/8", NULL);
		struct exit_route f = route(names[i], "m", "11.0.0.0/8 10.0.0.0/8", NULL);
		char at[64];

		begin(NULL);
		put(KIND_TUNNEL, &m);
		put(KIND_NAT_RULE, &n);
		put(KIND_EXIT_ROUTE, &e);
		snprintf(at, sizeof(at), "/tunnels/%zu/remote", i);
		merge_refuses(KIND_TUNNEL, &t, "endpoints-in-use", at, "tunnel/m ");
		snprintf(at, sizeof(at), "/nat_rules/%zu/sources", i);
		merge_refuses(KIND_NAT_RULE, &r, "sources-overlap", at, "nat-rule/m ");
		snprintf(at, sizeof(at), "/exit_routes/%zu/destinations/1", i);
		merge_refuses(KIND_EXIT_ROUTE, &f, "destination-in-use", at, "exit-route/m ");
	}
}

static void blames_the_route_of_the_document_for_its_froms(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", "10.9.0.1/24");
	struct exit_route one = route("a", "tun_a", "10.0.0.0/8", NULL);

	(void)state;
	put(KIND_TUNNEL, &a);
	put_froms(0, 999, "m");
	one.from = prefixes("10.10.10.0/24");
	merge_refuses(KIND_EXIT_ROUTE, &one, "invalid-resource", "/exit_routes/0/from", "999");
}

static void blames_what_the_document_names_for_going_past_a_bound(void **state)
{
	struct tunnel a = tunnel("tun_a", NULL, "192.0.2.2", "10.9.0.1/24");
	struct exit_route e = route("a", "tun_a", "11.0.0.0/8", NULL);
	struct nat_rule n = rule("a", "11.0.0.0/8", NAT_MASQUERADE, NULL);

	(void)state;
	put(KIND_TUNNEL, &a);
	put_many_routes();
	put_many_sources();
	merge_refuses(KIND_EXIT_ROUTE, &e, "invalid-resource", "/exit_routes/0/destinations",
		      "500000");
	merge_refuses(KIND_NAT_RULE, &n, "invalid-resource", "/nat_rules/0/sources", "500000");
}

static void a_merge_cannot_take_a_source_in_use(void **state)
{
	struct exit_route by_default = route("qq", "tun_a", "10.0.0.0/8", NULL);
	struct exit_route given = route("rr", "tun_b", "11.0.0.0/8", "10.9.1.1");
	struct tunnel a = tunnel("tun_a", "192.0.2.1", "192.0.2.2", NULL);
	struct tunnel nested = tunnel("nested", "10.9.0.1", "10.9.0.9", NULL);

	(void)state;
	put_tunnels();
	put(KIND_EXIT_ROUTE, &by_default);
	a.addresses = prefixes("10.9.1.1/24");
	merge_refuses(KIND_TUNNEL, &nested, "resource-in-use", "/tunnels/0/local", "exit-route/qq");
	a.addresses = prefixes(NULL);
	merge_refuses(KIND_TUNNEL, &a, "resource-in-use", "/tunnels/0/addresses", "exit-route/qq");
	declaration_remove(&d, KIND_EXIT_ROUTE, "qq");
	put(KIND_EXIT_ROUTE, &given);
	merge_refuses(KIND_TUNNEL, &a, "resource-in-use", "/tunnels/0/addresses",
		      "exit-route/rr has 10.9.1.1");
}

static unsigned elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (unsigned)((now.tv_sec - since->tv_sec) * 1000 +
			  (now.tv_nsec - since->tv_nsec) / 1000000);
}

static bool clashes(const struct resource *resource)
{
	const struct tunnel *t = (const struct tunnel *)resource;

	for (size_t i = 0; i < d.kind[KIND_TUNNEL].len; i++) {
		const struct tunnel *other = (const struct tunnel *)d.kind[KIND_TUNNEL].v[i];

		if (strcmp(other->head.name, t->head.name) == 0)
			continue;
		if (strcmp(tunnel_device(other), tunnel_device(t)) == 0)
			return true;
		if (other->remote.host == t->remote.host && other->local.host == t->local.host)
			return true;
	}
	return false;
}

/* What is being deleted keeps its claims beside a new holder's, so clashes are put, too. */
static void knows_the_claims_of_what_was_put_and_removed(void **state)
{
	uint32_t random = 1;
	unsigned clashed = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char name[16], device[16];

		random = random * 1664525 + 1013904223;
		snprintf(name, sizeof(name), "t%u", random >> 8 & 31);
		snprintf(device, sizeof(device), "d%u", random >> 13 & 63);
		struct tunnel t = tunnel(name, NULL, NULL, NULL);
		strcpy(t.device, device);
		t.remote.host = 0x0b000000 + (random >> 19 & 63);
		bool clash = clashes(&t.head);
		assert_int_equal(check_put(KIND_TUNNEL, &t), clash ? -EEXIST : 0);
		clashed += clash;
		if (random >> 25 & 3)
			put(KIND_TUNNEL, &t);
		else
			declaration_remove(&d, KIND_TUNNEL, name);
		arena_reset(&arena);
	}
	assert_in_range(clashed, 1000, 19000);
}

/* Bounds ten times what it takes, for sanitizers and slow machines: quadratic would not pass. */
static void is_quick_with_ten_thousand(void **state)
{
	struct exit_route big = route("big", "t00001", NULL, NULL);
	struct timespec start;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "t%05u", i);
		struct tunnel t = tunnel(name, NULL, NULL, "10.9.0.1/24");
		t.remote.host = 0x0b000000 + i;
		put(KIND_TUNNEL, &t);
		snprintf(name, sizeof(name), "e%05u", i);
		struct exit_route e = route(name, "t00001", "10.0.0.0/8", NULL);
		e.destinations.v[0] = (struct prefix){{0xc0000000 + i}, 32};
		put(KIND_EXIT_ROUTE, &e);
		arena_reset(&arena);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(check_all(), 0);
	unsigned whole_ms = elapsed_ms(&start);

	big.destinations = (struct prefixes){arena_array(&arena, 100000, sizeof(struct prefix)),
					     100000};
	for (uint32_t i = 0; i < 100000; i++)
		big.destinations.v[i] = (struct prefix){{0x0c000000 + i}, 32};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(check_put(KIND_EXIT_ROUTE, &big), 0);
	unsigned put_ms = elapsed_ms(&start);

	print_message("whole %u ms, put %u ms\n", whole_ms, put_ms);
	assert_true(whole_ms < 1000);
	assert_true(put_ms < 500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(finds_puts_and_removes_in_order),
		TEST(refuses_equal_endpoints),
		TEST(disabled_and_deleting_keep_their_claims),
		TEST(refuses_equal_devices),
		TEST(accepts_one_inner_address_on_two_tunnels),
		TEST(refuses_a_route_through_no_tunnel),
		TEST(refuses_a_route_without_a_source_on_a_tunnel),
		TEST(refuses_a_source_that_is_a_local),
		TEST(refuses_a_tunnel_update_that_breaks_a_route),
		TEST(accepts_a_tunnel_update_when_another_has_the_source),
		TEST(refuses_a_tunnel_whose_local_is_a_source),
		TEST(refuses_to_remove_a_tunnel_in_use),
		TEST(a_deleting_route_needs_no_tunnel),
		TEST(a_deleting_tunnel_carries_no_new_route),
		TEST(refuses_equal_destinations),
		TEST(compares_each_from_by_itself),
		TEST(bounds_the_distinct_froms),
		TEST(bounds_the_routes_of_all_exits),
		TEST(bounds_the_sources_of_all_rules),
		TEST(refuses_sources_that_overlap_with_another_effect),
		TEST(accepts_sources_that_overlap_with_the_same_effect),
		TEST(compares_destinations_as_sets),
		TEST(finds_overlaps_like_the_definition),
		TEST(points_at_the_later_one_of_a_config),
		TEST(blames_the_one_that_the_document_names),
		TEST(blames_the_route_of_the_document_for_its_froms),
		TEST(blames_what_the_document_names_for_going_past_a_bound),
		TEST(a_merge_cannot_take_a_source_in_use),
		TEST(knows_the_claims_of_what_was_put_and_removed),
		TEST(is_quick_with_ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
