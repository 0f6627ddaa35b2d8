/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame of the judges. */
#include "daemon/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *fix_of(const char *device)
{
	static struct why_check check;

	why_fix(&check, "sysctl -w net.ipv4.conf.%s.rp_filter=2 && ipipctl reconcile", device);
	return check.fix;
}

static void commands_are_kept_as_they_are(void **state)
{
	static const char *const commands[] = {
		"ip address add 172.16.16.22/24 dev eth0.5 && ip link set eth0.5 up",
		"ipipctl tunnel set a --allowed-sources 10.0.0.0/8,10.1.2.3/32 --underlay ''",
		"nft 'add chain ip why nat { type nat hook postrouting priority -150; }; insert "
		"rule inet f FORWARD iifname \"tun_b\" accept'",
	};
	struct why_check check;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		why_fix(&check, "%s", commands[i]);
		assert_string_equal(check.fix, commands[i]);
	}
}

static void no_command_that_a_shell_would_take_otherwise(void **state)
{
	static const char *const devices[] = {
		"a;reboot",  "a&&reboot", "a|reboot", "$(reboot)", "`reboot`", "a>b",
		"a\nreboot", "a'b",       "a\"b",     "a\\b",      "a*",       "\xff",
	};

	(void)state;
	assert_string_not_equal(fix_of("eth0"), "");
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		assert_string_equal(fix_of(devices[i]), "");
}

static void no_half_command(void **state)
{
	char name[WHY_FIX + 1] = {0};
	struct why_check check;

	(void)state;
	memset(name, 'x', WHY_FIX);
	why_fix(&check, "%s", name);
	assert_string_equal(check.fix, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_kept_as_they_are),
		cmocka_unit_test(no_command_that_a_shell_would_take_otherwise),
		cmocka_unit_test(no_half_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
