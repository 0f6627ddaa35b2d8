/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of rtnetlink without a kernel: what is built is what is parsed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "kernel/address.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "kernel/rule.h"

enum { ROUNDS = 5000 };

static uint32_t seed = 1;

/* xorshift: the same values in every run */
static uint32_t dice(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return sides ? seed % sides : seed;
}

static struct addr dice_addr(void)
{
	return (struct addr){dice(4) ? dice(0) : 0};
}

static void dice_device(char device[static IFNAMSIZ])
{
	static const char *const devices[] = {"", "eth0", "fifteen-letters", "if17"};

	snprintf(device, IFNAMSIZ, "%s", devices[dice(ARRAY_LEN(devices))]);
}

static struct names some_names(void)
{
	struct names names = {0};

	names_put(&names, 2, "eth0");
	names_put(&names, 0x20000001, "fifteen-letters");
	return names;
}

static struct link dice_link(void)
{
	struct link link = {
		.head.set = kind_all(&link_kind),
		.driver = "ipip",
		.local = dice_addr(),
		.remote = dice_addr(),
		.ttl = (uint8_t)dice(256),
		.tos = (uint8_t)dice(256),
		.pmtudisc = dice(2),
		.proto = 4,
		.fwmark = dice(0),
		.encap = (uint16_t)dice(3),
		.external = dice(2),
		.mtu = 68 + dice(65000),
		.up = dice(2),
		.group = dice(2) ? 0 : dice(0),
	};

	snprintf(link.device, sizeof(link.device), "t%u", dice(100000));
	dice_device(link.underlay);
	if (dice(2))
		snprintf(link.alias, sizeof(link.alias), "ipipd:%08x:%s", dice(0), link.device);
	return link;
}

static void link_is_what_was_built(void **state)
{
	struct names names = some_names();
	(void)state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct link link = dice_link(), parsed = {0};
		cleanup_free struct nlmsghdr *msg = link_build(
			&link, LINK_NAME | LINK_TUNNEL | LINK_REST, 7, 0, &names, NULL);

		assert_non_null(msg);
		assert_true(link_parse(msg, &names, &parsed));
		assert_true(kind_same(&link_kind, &link, &parsed));
	}
	names_done(&names);
}

static void address_is_what_was_built(void **state)
{
	struct names names = some_names();
	(void)state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct address address = {
			.head.set = kind_compared(&address_kind),
			.device = "eth0",
			.prefix = {dice_addr(), (uint8_t)dice(33)},
		};
		struct address parsed = {0};
		cleanup_free struct nlmsghdr *msg = address_build(RTM_NEWADDR, 0, &address, &names,
								  NULL);

		assert_non_null(msg);
		assert_true(address_parse(msg, &names, &parsed));
		assert_true(kind_same(&address_kind, &address, &parsed));
		assert_int_equal(parsed.head.marks, OBJECT_OURS);
	}
	names_done(&names);
}

static void route_is_what_was_built(void **state)
{
	struct names names = some_names();
	(void)state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct prefix dst = {dice_addr(), (uint8_t)dice(33)};
		struct route route = {
			.head.set = kind_all(&route_kind),
			.table = dice(2) ? 254 : OUR_TABLE_FIRST + dice(1000),
			.dst = prefix_network(dst),
			.metric = dice(3),
			.tos = (uint8_t)dice(256),
			.gateway = dice_addr(),
			.prefsrc = dice_addr(),
			.scope = (uint8_t)dice(256),
			.protocol = OUR_PROTOCOL,
		};
		struct route parsed = {0};

		dice_device(route.device);
		cleanup_free struct nlmsghdr *msg = route_build(RTM_NEWROUTE, 0, &route, &names,
								NULL);
		assert_non_null(msg);
		assert_true(route_parse(msg, &names, &parsed));
		assert_true(kind_same(&route_kind, &route, &parsed));
		assert_int_equal(parsed.head.marks, route.table == 254 ? 0 : OBJECT_OURS);
	}
	names_done(&names);
}

static void rule_is_what_was_built(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct prefix from = {dice_addr(), (uint8_t)dice(33)};
		struct rule rule = {
			.head.set = kind_all(&rule_kind),
			.priority = dice(10000),
			.from = prefix_network(from),
			.fwmark = dice(2) ? dice(0) : 0,
			.action = (uint8_t)dice(RULE_OTHER),
			.table = dice(2) ? 0 : dice(8000),
			.suppress_prefixlength = (int32_t)dice(34) - 1,
			.target = dice(2) ? 0 : dice(10000),
			.protocol = (uint8_t)dice(256),
		};
		struct rule parsed = {0};

		rule.fwmask = rule.fwmark ? UINT32_MAX : 0;
		cleanup_free struct nlmsghdr *msg = rule_build(RTM_NEWRULE, &rule);
		assert_true(rule_parse(msg, &parsed));
		assert_true(kind_same(&rule_kind, &rule, &parsed));
	}
}

static void rule_with_more_than_we_can_say_is_other(void **state)
{
	struct rule rule = {.head.set = kind_all(&rule_kind),
			    .priority = 7000,
			    .suppress_prefixlength = SUPPRESS_NONE,
			    .protocol = OUR_PROTOCOL};
	static const int attrs[] = {FRA_DST,       FRA_IIFNAME,     FRA_OIFNAME,     FRA_IP_PROTO,
				    FRA_UID_RANGE, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_TUN_ID};
	uint64_t value = 1;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
		cleanup_free struct nlmsghdr *msg = rule_build(RTM_NEWRULE, &rule);
		struct rule parsed = {0};

		netlink_put(msg, attrs[i], &value, sizeof(value));
		assert_true(rule_parse(msg, &parsed));
		assert_int_equal(parsed.action, RULE_OTHER);
	}
	cleanup_free struct nlmsghdr *msg = rule_build(RTM_NEWRULE, &rule);
	struct rule parsed = {0};
	((struct fib_rule_hdr *)nlmsg_data(msg))->flags = FIB_RULE_INVERT;
	assert_true(rule_parse(msg, &parsed));
	assert_int_equal(parsed.action, RULE_OTHER);
}

static void proto_0_reads_as_4(void **state)
{
	struct names names = some_names();
	struct link link = dice_link(), parsed = {0};
	(void)state;

	link.proto = 0;
	cleanup_free struct nlmsghdr *msg = link_build(&link, LINK_NAME | LINK_TUNNEL, 7, 0, &names,
						       NULL);
	assert_true(link_parse(msg, &names, &parsed));
	assert_int_equal(parsed.proto, 4);
	names_done(&names);
}

static void unknown_device_is_refused(void **state)
{
	struct names names = some_names();
	struct link link = dice_link();
	struct err err = {0};
	(void)state;

	snprintf(link.underlay, sizeof(link.underlay), "nowhere");
	assert_null(link_build(&link, LINK_TUNNEL, 7, 0, &names, &err));
	assert_int_equal(err.number, -ENODEV);
	assert_string_equal(err.sentence, "no underlay device nowhere");
	/* an index that a device has is not written as if it had none */
	snprintf(link.underlay, sizeof(link.underlay), "if2");
	assert_null(link_build(&link, LINK_TUNNEL, 7, 0, &names, &err));
	names_done(&names);
}

/* Bytes that no kernel would send: read within bounds, under the sanitizers. */
static void broken_messages_are_survived(void **state)
{
	struct names names = some_names();
	(void)state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct link link = dice_link(), parsed = {0};
		struct route route = {0};
		struct rule rule = {0};
		struct address address = {0};
		cleanup_free struct nlmsghdr *h = link_build(
			&link, LINK_NAME | LINK_TUNNEL | LINK_REST, 7, 0, &names, NULL);
		static const uint16_t types[] = {RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE,
						 RTM_NEWRULE};

		for (unsigned n = dice(8); n; n--)
			((unsigned char *)h)[NLMSG_HDRLEN + dice(h->nlmsg_len - NLMSG_HDRLEN)] =
				dice(2) ? (unsigned char)dice(256) : AF_INET;
		h->nlmsg_type = types[dice(ARRAY_LEN(types))];
		h->nlmsg_len = NLMSG_HDRLEN + dice(h->nlmsg_len - NLMSG_HDRLEN);
		char *exact = malloc(h->nlmsg_len);
		assert_non_null(exact);
		memcpy(exact, h, h->nlmsg_len);
		(void)link_parse((struct nlmsghdr *)exact, &names, &parsed);
		(void)address_parse((struct nlmsghdr *)exact, &names, &address);
		(void)route_parse((struct nlmsghdr *)exact, &names, &route);
		(void)rule_parse((struct nlmsghdr *)exact, &rule);
		assert_true(memchr(parsed.alias, 0, sizeof(parsed.alias)) != NULL);
		assert_true(memchr(parsed.driver, 0, sizeof(parsed.driver)) != NULL);
		assert_true(route.dst.len <= 32 && rule.from.len <= 32);
		free(exact);
	}
	names_done(&names);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(link_is_what_was_built),
	cmocka_unit_test(address_is_what_was_built),
	cmocka_unit_test(route_is_what_was_built),
	cmocka_unit_test(rule_is_what_was_built),
	cmocka_unit_test(rule_with_more_than_we_can_say_is_other),
	cmocka_unit_test(proto_0_reads_as_4),
	cmocka_unit_test(unknown_device_is_refused),
	cmocka_unit_test(broken_messages_are_survived),
};

int main(void)
{
	return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
