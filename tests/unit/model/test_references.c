/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What resources need of one another: a tunnel, a source. */
#include "model/references.h"

#include <errno.h>

#include "unit/model/declared.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_a_route_through_no_tunnel),
		TEST(refuses_a_route_without_a_source_on_a_tunnel),
		TEST(refuses_a_source_that_is_a_local),
		TEST(refuses_a_tunnel_update_that_breaks_a_route),
		TEST(accepts_a_tunnel_update_when_another_has_the_source),
		TEST(refuses_a_tunnel_whose_local_is_a_source),
		TEST(refuses_to_remove_a_tunnel_in_use),
		TEST(a_deleting_route_needs_no_tunnel),
		TEST(a_deleting_tunnel_carries_no_new_route),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
