/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and prefixes: one way to write each, and no other is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/ipaddr.h"

static struct prefix prefix(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static void reads_back_what_it_writes(void **state)
{
	static const char *const addrs[] = {"0.0.0.0", "1.2.3.4", "10.0.200.99", "255.255.255.255"};
	static const char *const prefixes[] = {"0.0.0.0/0", "10.0.0.0/8", "192.168.1.1/24",
					       "255.255.255.255/32"};
	char text[PREFIX_TEXT];
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addrs); i++) {
		assert_int_equal(addr_parse(addrs[i], &addr), 0);
		assert_string_equal(addr_text(addr, text), addrs[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		assert_string_equal(prefix_text(prefix(prefixes[i]), text), prefixes[i]);
	assert_int_equal(addr_parse("1.2.3.4", &addr), 0);
	assert_int_equal(addr.host, 0x01020304);
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.4 ",
		" 1.2.3.4",
		"01.2.3.4",
		"1.2.3.04",
		"1.2.3.256",
		"1.2.3.-4",
		"1.2.3.+4",
		"0x1.2.3.4",
		"1..3.4",
		".1.2.3.4",
		"1.2.3.4.",
		"1.2.3.4/32",
		"4294967296.1.1.1",
		"99999999999999999999.1.1.1",
		"::1",
		"1.2.3.4\n",
		"00.0.0.0",
		"a.b.c.d",
		"1,2,3,4",
	};
	struct addr addr = {7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (addr_parse(bad[i], &addr) != -EINVAL)
			fail_msg("\"%s\" was read", bad[i]);
	assert_int_equal(addr.host, 7);
}

static void refuses_what_is_no_prefix(void **state)
{
	static const char *const bad[] = {
		"",           "/",          "1.2.3.4",           "1.2.3.4/",
		"1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/08",        "1.2.3.4/ 8",
		"1.2.3.4/8 ", "1.2.3/8",    "1.2.3.4/255.0.0.0", "1.2.3.4/4294967304",
		"1.2.3.4//8", "/8",
	};
	struct prefix p = {{7}, 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (prefix_parse(bad[i], &p) != -EINVAL)
			fail_msg("\"%s\" was read", bad[i]);
	assert_int_equal(p.addr.host, 7);
}

static void knows_host_bits(void **state)
{
	char text[PREFIX_TEXT];

	(void)state;
	assert_true(prefix_is_network(prefix("10.0.0.0/8")));
	assert_true(prefix_is_network(prefix("0.0.0.0/0")));
	assert_true(prefix_is_network(prefix("1.2.3.4/32")));
	assert_false(prefix_is_network(prefix("1.2.3.4/0")));
	assert_false(prefix_is_network(prefix("10.0.0.1/31")));
	assert_string_equal(prefix_text(prefix_network(prefix("10.1.2.3/8")), text), "10.0.0.0/8");
	assert_string_equal(prefix_text(prefix_network(prefix("10.1.2.3/0")), text), "0.0.0.0/0");
	assert_string_equal(addr_text(prefix_last(prefix("10.0.0.0/30")), text), "10.0.0.3");
	assert_string_equal(addr_text(prefix_last(prefix("0.0.0.0/0")), text), "255.255.255.255");
	assert_string_equal(addr_text(prefix_last(prefix("1.2.3.4/32")), text), "1.2.3.4");
}

static void knows_what_covers_and_overlaps(void **state)
{
	(void)state;
	assert_true(prefix_covers(prefix("0.0.0.0/0"), (struct addr){0xffffffff}));
	assert_true(prefix_covers(prefix("10.0.0.0/8"), prefix("10.255.0.1/32").addr));
	assert_false(prefix_covers(prefix("10.0.0.0/8"), prefix("11.0.0.0/32").addr));
	assert_false(prefix_covers(prefix("1.2.3.4/32"), prefix("1.2.3.5/32").addr));
	assert_true(prefix_overlaps(prefix("10.0.0.0/8"), prefix("10.1.0.0/16")));
	assert_true(prefix_overlaps(prefix("10.1.0.0/16"), prefix("10.0.0.0/8")));
	assert_false(prefix_overlaps(prefix("10.0.0.0/16"), prefix("10.1.0.0/16")));
}

static void orders_by_address_then_length(void **state)
{
	struct prefix a = prefix("10.0.0.0/8"), b = prefix("10.0.0.0/16"),
		      c = prefix("200.0.0.0/1");

	(void)state;
	assert_true(prefix_compare(&a, &b) < 0);
	assert_true(prefix_compare(&b, &c) < 0);
	assert_true(prefix_compare(&c, &a) > 0);
	assert_int_equal(prefix_compare(&a, &a), 0);
	assert_true(addr_compare(&a.addr, &c.addr) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_writes),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(refuses_what_is_no_prefix),
		cmocka_unit_test(knows_host_bits),
		cmocka_unit_test(knows_what_covers_and_overlaps),
		cmocka_unit_test(orders_by_address_then_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
