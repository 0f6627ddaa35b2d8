/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names by the rules of the API, and the rules within one resource. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "model/resource.h"

static const char sixty_three[] = "a23456789012345678901234567890123456789012345678901234567890123";

static void accepts_names_by_the_rule(void **state)
{
	static const char *const good[] = {"a", "0", "tun_a", "a.b-c_d", "A9", "a--b", sixty_three};
	static const char *const bad[] = {"",    "-a",  "a-",  ".a",       "a.", "_a",  "a_",
					  "a b", "a/b", "a\n", "\xc3\xa9", "..", "a:b", "a%00"};
	char sixty_four[65];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_null(resource_name_fault(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!resource_name_fault(bad[i]))
			fail_msg("\"%s\" was accepted", bad[i]);
	strcpy(sixty_four, sixty_three);
	strcat(sixty_four, "x");
	assert_non_null(resource_name_fault(sixty_four));
}

static void accepts_interface_names_by_the_rule(void **state)
{
	static const char *const good[] = {"eth0", "tun_a", "eth0.100",       "-",
					   "lo0",  "...",   "123456789012345"};
	static const char *const bad[] = {
		"",    "lo",  "all",    "default",          "tunl0",   ".", "..",
		"a b", "a/b", "eth0:1", "1234567890123456", "\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_null(ifname_fault(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!ifname_fault(bad[i]))
			fail_msg("\"%s\" was accepted", bad[i]);
}

static struct errs errs;

static void check(const struct kind *kind, const void *resource, const char *pointer)
{
	errs = (struct errs){0};
	kind->check(resource, &errs);
	if (!pointer) {
		if (errs.total)
			fail_msg("%s: %s", errs.v[0].pointer, errs.v[0].sentence);
		return;
	}
	assert_int_equal(errs.total, 1);
	assert_string_equal(errs.v[0].pointer, pointer);
	assert_string_equal(errs.v[0].code, "invalid-resource");
}

static struct tunnel good_tunnel(void)
{
	struct tunnel t = {.head = {.name = "tun_a"}, .remote = {0xc0000201}};

	kind_defaults(&tunnel_kind, &t);
	t.remote.host = 0xc0000201;
	strcpy(t.head.name, "tun_a");
	return t;
}

static void checks_tunnels(void **state)
{
	struct tunnel t = good_tunnel();
	struct prefix addresses[2] = {{{0xc0a80101}, 24}, {{0xc0a80101}, 24}};

	(void)state;
	check(&tunnel_kind, &t, NULL);
	t.remote.host = 0x7f000001;
	check(&tunnel_kind, &t, "/remote");
	t = good_tunnel();
	t.local = t.remote;
	check(&tunnel_kind, &t, "/remote");
	t = good_tunnel();
	t.local.host = 0xe0000001;
	check(&tunnel_kind, &t, "/local");
	t = good_tunnel();
	t.path_mtu_discovery = false;
	check(&tunnel_kind, &t, "/path_mtu_discovery");
	t.ttl = 0;
	check(&tunnel_kind, &t, NULL);
	t = good_tunnel();
	strcpy(t.underlay, "tun_a");
	check(&tunnel_kind, &t, "/underlay");
	t = good_tunnel();
	strcpy(t.head.name, "a-name-of-more-than-15");
	check(&tunnel_kind, &t, "/device");
	strcpy(t.device, "short");
	check(&tunnel_kind, &t, NULL);
	t = good_tunnel();
	t.addresses = (struct prefixes){addresses, 2};
	check(&tunnel_kind, &t, "/addresses/1");
	addresses[1].len = 32;
	check(&tunnel_kind, &t, NULL);
	addresses[1].len = 0;
	check(&tunnel_kind, &t, "/addresses/1");
}

static void checks_exit_routes(void **state)
{
	struct exit_route e = {.destinations = {.len = 1000}, .from = {.len = 100}};

	(void)state;
	check(&exit_route_kind, &e, NULL);
	e.from.len = 101;
	check(&exit_route_kind, &e, "/from");
	e.from.len = 0;
	e.destinations.len = 100000;
	check(&exit_route_kind, &e, NULL);
}

static void checks_nat_rules(void **state)
{
	struct nat_rule n = {.out_interface = "eth0"};

	(void)state;
	check(&nat_rule_kind, &n, NULL);
	n.action = NAT_SNAT;
	check(&nat_rule_kind, &n, "/to_address");
	n.to_address.host = 0xc0000201;
	check(&nat_rule_kind, &n, NULL);
	n.to_address.host = 0xe0000001;
	check(&nat_rule_kind, &n, "/to_address");
	n.to_address.host = 0xc0000201;
	n.action = NAT_NONE;
	check(&nat_rule_kind, &n, "/to_address");
	n.action = NAT_MASQUERADE;
	n.to_address.host = 0;
	strcpy(n.in_interface, "eth0");
	check(&nat_rule_kind, &n, "/in_interface");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_names_by_the_rule),
		cmocka_unit_test(accepts_interface_names_by_the_rule),
		cmocka_unit_test(checks_tunnels),
		cmocka_unit_test(checks_exit_routes),
		cmocka_unit_test(checks_nat_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
