/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is judged a hazard, from what was read. */
#include "daemon/hazards.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter.h>

#include "base/text.h"

struct scene {
	struct declaration declaration;
	struct facts facts;
	struct hazard_files files;
	struct ruleset ruleset;
	const char *unread, *unmanaged;
	struct hazards hazards;
};

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct scene));
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	declaration_done(&scene->declaration);
	facts_done(&scene->facts);
	hazard_files_done(&scene->files);
	ruleset_done(&scene->ruleset);
	hazards_done(&scene->hazards);
	free(scene);
	return 0;
}

static struct addr addr(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct tunnel *declare_tunnel(struct scene *scene, const char *name, const char *local,
				     const char *remote)
{
	struct tunnel tunnel = {.head.enabled = true, .local = addr(local), .remote = addr(remote)};

	name_copy(tunnel.head.name, name);
	struct resource *copy = kind_copy(&tunnel_kind, &tunnel, NULL);
	declaration_put(&scene->declaration, KIND_TUNNEL, copy);
	return (struct tunnel *)copy;
}

static struct fact_link *link_up(struct scene *scene, const char *device, const char *driver)
{
	struct fact_link link = {.up = true};

	name_copy(link.device, device);
	name_copy(link.driver, driver);
	facts_put_link(&scene->facts, &link);
	return (struct fact_link *)(uintptr_t)facts_link(&scene->facts, device);
}

/* Exactly these hazards, a line each: severity, name, object. */
static void judges(struct scene *scene, const char *expected)
{
	cleanup_text struct text text = {0};

	hazards_done(&scene->hazards);
	hazards_judge(
		&(struct hazard_view){
			.declaration = &scene->declaration,
			.facts = &scene->facts,
			.files = &scene->files,
			.ruleset = &scene->ruleset,
			.unread = scene->unread,
			.unmanaged = &scene->unmanaged,
			.n_unmanaged = scene->unmanaged != NULL,
		},
		&scene->hazards);
	for (size_t i = 0; i < scene->hazards.list.len; i++) {
		const struct hazard *hazard = &scene->hazards.list.v[i];

		text_addf(&text, "%s %s %s\n", hazard_severity_names[hazard->severity],
			  hazard_name(hazard->id), hazard->object);
	}
	assert_string_equal(text_str(&text), expected);
	assert_int_equal(scene->hazards.total, scene->hazards.list.len);
}

static void a_quiet_host_has_none(void **state)
{
	struct scene *scene = *state;

	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	link_up(scene, "eth0", "");
	link_up(scene, "tun_a", "ipip")->ours = true;
	judges(scene, "");
}

static void names_of_hazards_are_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HAZARDS; i++) {
		const char *name = hazard_name((enum hazard_id)i);

		assert_in_range(name[0], 'A', 'Z');
		assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					      "0123456789"),
				 strlen(name));
	}
}

static void fallback_device_only_while_it_is_up(void **state)
{
	struct scene *scene = *state;
	struct fact_link *link = link_up(scene, "tunl0", "ipip");

	judges(scene, "warning FallbackDeviceUp tunl0\n");
	assert_string_equal(scene->hazards.list.v[0].fix, "ip link set tunl0 down");
	link->up = false;
	judges(scene, "");
}

static void a_name_that_means_something_to_a_shell_is_in_no_fix(void **state)
{
	struct scene *scene = *state;
	struct fact_link *link;

	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	link_up(scene, "a;reboot", "ipip");
	link = link_up(scene, "$(reboot)", "ipip");
	link->local = addr("10.0.0.1");
	link->remote = addr("10.0.0.2");
	judges(scene, "critical DuplicateEndpoints $(reboot)\nwarning CatchAllTunnel a;reboot\n");
	assert_null(scene->hazards.list.v[0].fix);
	assert_null(scene->hazards.list.v[1].fix);
}

static void a_name_that_is_no_text_is_told_as_one(void **state)
{
	struct scene *scene = *state;

	link_up(scene, "a\x1b[2J\xff", "ipip");
	judges(scene, "warning CatchAllTunnel a?[2J?\n");
	assert_non_null(strstr(scene->hazards.list.v[0].message, "a?[2J? is somebody else's"));
}

static void foreign_tunnel_of_any_sender(void **state)
{
	struct scene *scene = *state;
	struct fact_link *link = link_up(scene, "other", "ipip");

	judges(scene, "warning CatchAllTunnel other\n");
	link->remote = addr("10.0.0.2");
	judges(scene, "");
	link->remote.host = 0;
	link->ours = true;
	judges(scene, "");
	link->ours = false;
	memcpy(link->driver, "gre", 4);
	judges(scene, "");
}

static void foreign_tunnel_between_the_same_addresses(void **state)
{
	struct scene *scene = *state;
	struct tunnel *tunnel = declare_tunnel(scene, "a-b", "10.0.0.1", "10.0.0.2");
	struct fact_link *link = link_up(scene, "other", "ipip");

	link->local = addr("10.0.0.1");
	link->remote = addr("10.0.0.2");
	judges(scene, "critical DuplicateEndpoints other\n");
	assert_string_equal(scene->hazards.list.v[0].resources[0], "tunnel/a-b");
	assert_null(scene->hazards.list.v[0].resources[1]);
	/* found equal: it is the tunnel's own */
	name_copy(tunnel->device, "other");
	judges(scene, "");
	memset(tunnel->device, 0, sizeof(tunnel->device));
	tunnel->head.enabled = false;
	judges(scene, "");
}

static void the_source_that_the_kernel_picks_is_an_endpoint(void **state)
{
	struct scene *scene = *state;
	struct tunnel *tunnel = declare_tunnel(scene, "a-b", "10.0.0.1", "10.0.0.2");
	struct fact_link *link = link_up(scene, "other", "ipip");

	vec_push(&scene->facts.remotes,
		 ((struct fact_remote){.remote = addr("10.0.0.2"), .source = addr("10.0.0.7")}));
	tunnel->local.host = 0;
	link->remote = addr("10.0.0.2");
	link->local = addr("10.0.0.1");
	judges(scene, "");
	link->local = addr("10.0.0.7");
	judges(scene, "critical DuplicateEndpoints other\n");
}

static void module_is_missing_only_where_that_is_known(void **state)
{
	struct scene *scene = *state;

	scene->files.ipip = MODULE_UNKNOWN;
	judges(scene, "");
	scene->files.ipip = MODULE_MISSING;
	judges(scene, "warning ModuleMissing ipip\n");
	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	judges(scene, "critical ModuleMissing ipip\n");
}

static void legacy_tables_that_change_no_packet_are_less(void **state)
{
	struct scene *scene = *state;

	scene->files.legacy[LEGACY_RAW] = true;
	judges(scene, "info IptablesLegacy iptables-legacy\n");
	scene->files.legacy[LEGACY_FILTER] = true;
	judges(scene, "warning IptablesLegacy iptables-legacy\n");
	assert_non_null(strstr(scene->hazards.list.v[0].message, "(filter, raw)"));
}

/* A base chain of somebody else's table `ip other`, with no rule; it is named by its number. */
static struct ruleset_chain *add_chain(struct scene *scene, uint8_t hook, bool drops)
{
	struct ruleset_chain *chain = vec_add(&scene->ruleset.chains);

	*chain = (struct ruleset_chain){
		.family = "ip",
		.table = "other",
		.name = arena_printf(&scene->ruleset.arena, "c%zu", scene->ruleset.chains.len),
		.base = true,
		.hook = hook,
		.drops = drops,
		.read = true};
	return chain;
}

static void declare_rule(struct scene *scene, const char *name, const char *in)
{
	static struct prefix source = {{0xc0a80100}, 24};
	struct nat_rule rule = {
		.head.enabled = true,
		.sources = {&source, 1},
		.out_interface = "wan0",
	};

	name_copy(rule.head.name, name);
	name_copy(rule.in_interface, in);
	declaration_put(&scene->declaration, KIND_NAT_RULE, kind_copy(&nat_rule_kind, &rule, NULL));
}

static void chains_that_drop_matter_to_who_forwards(void **state)
{
	struct scene *scene = *state;

	add_chain(scene, NF_INET_FORWARD, true);
	judges(scene, "");
	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	judges(scene, "");
	declare_rule(scene, "exit", "");
	judges(scene, "critical ForwardDrop nft ip other c1\n");
	assert_string_equal(scene->hazards.list.v[0].message,
			    "nft ip other c1 drops packets that NAT rules of ours forward for "
			    "tun_a: that we accept them does not count there");
	assert_string_equal(scene->hazards.list.v[0].resources[0], "nat-rule/exit");
	scene->ruleset.chains.v[0].read = false;
	judges(scene, "warning ForwardDrop nft ip other c1\n");
}

/* A hundred base chains enter one that multiplies, for each of many tunnels: the loop waits. */
static void what_takes_too_long_is_left_and_told(void **state)
{
	enum { MULTIPLYING = 18, ALL = 118 };
	struct scene *scene = *state;
	char name[16], remote[16];

	for (unsigned i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		snprintf(remote, sizeof(remote), "10.0.1.%u", i);
		declare_tunnel(scene, name, "10.0.0.1", remote);
	}
	declare_rule(scene, "exit", "");
	for (uint32_t i = 0; i < ALL; i++) {
		struct ruleset_rule rule = {.verdict = RULESET_JUMP,
					    .target = i < MULTIPLYING ? i + 1 : 0};
		struct ruleset_chain *chain = add_chain(scene, NF_INET_FORWARD, true);

		chain->base = i >= MULTIPLYING;
		chain->first = 2 * i;
		chain->len = i == MULTIPLYING - 1 ? 0 : 2;
		vec_push(&scene->ruleset.rules, rule);
		vec_push(&scene->ruleset.rules, rule);
	}
	judges(scene, "warning ForwardDrop nft ip other c19\ninfo RulesUnread nft\n");
}

static void a_rule_of_its_own_device_needs_no_tunnel(void **state)
{
	struct scene *scene = *state;

	add_chain(scene, NF_INET_FORWARD, true);
	declare_rule(scene, "lan", "lan0");
	judges(scene, "critical ForwardDrop nft ip other c1\n");
	assert_non_null(strstr(scene->hazards.list.v[0].fix, "iifname \"lan0\" accept"));
}

/* A chain of the tunnel's own device sees what is inside. */
static void a_chain_of_the_tunnel_drops_what_is_inside(void **state)
{
	static const char *const tunnel[] = {"tun_b", "tun_a", NULL}, *const other[] = {"lan0",
											NULL};
	static const uint8_t hooks[] = {NF_INET_PRE_ROUTING, NF_INET_POST_ROUTING};
	struct scene *scene = *state;

	for (size_t i = 0; i < 2; i++) {
		add_chain(scene, hooks[i], true)->devices = tunnel;
		add_chain(scene, hooks[i], true)->devices = other;
		add_chain(scene, hooks[i], false)->devices = tunnel;
	}
	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	judges(scene, "critical DeviceDrop nft ip other c1\ncritical DeviceDrop nft ip other c4\n");
	assert_non_null(strstr(scene->hazards.list.v[0].fix, "c1 iifname \"tun_a\" accept"));
	assert_non_null(strstr(scene->hazards.list.v[1].fix, "c4 oifname \"tun_a\" accept"));
}

static void the_worst_comes_first(void **state)
{
	struct scene *scene = *state;

	add_chain(scene, NF_INET_LOCAL_OUT, true);
	add_chain(scene, NF_INET_LOCAL_IN, true);
	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	scene->unread = "no answer";
	link_up(scene, "tunl0", "ipip");
	judges(scene, "critical InputDrop nft ip other c2\n"
		      "critical OutputDrop nft ip other c1\n"
		      "warning FallbackDeviceUp tunl0\n"
		      "info RulesUnread nft\n");
}

static void with_many_tunnels_there_is_no_short_fix(void **state)
{
	struct scene *scene = *state;
	char name[16];

	add_chain(scene, NF_INET_LOCAL_IN, true);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "t%02u", i);
		declare_tunnel(scene, name, "10.0.0.1", "10.0.0.2");
		if (i == 4)
			judges(scene, "critical InputDrop nft ip other c1\n");
		if (i == 4)
			assert_non_null(scene->hazards.list.v[0].fix);
	}
	judges(scene, "critical InputDrop nft ip other c1\n");
	assert_null(scene->hazards.list.v[0].fix);
	assert_non_null(strstr(scene->hazards.list.v[0].message, "t00, t01, t02 and others"));
}

static void a_name_that_no_command_takes_has_no_fix(void **state)
{
	struct scene *scene = *state;

	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	add_chain(scene, NF_INET_LOCAL_IN, true)->name = "fwd";
	judges(scene, "critical InputDrop nft ip other fwd\n");
	assert_null(scene->hazards.list.v[0].fix);
	scene->ruleset.chains.v[0].name = "a'b";
	judges(scene, "critical InputDrop nft ip other a'b\n");
	assert_null(scene->hazards.list.v[0].fix);
}

static void declare_exit(struct scene *scene)
{
	struct exit_route route = {.head = {.name = "qq", .enabled = true}};

	declaration_put(&scene->declaration, KIND_EXIT_ROUTE,
			kind_copy(&exit_route_kind, &route, NULL));
}

static void networkd_removes_only_what_there_is(void **state)
{
	struct scene *scene = *state;

	scene->files.networkd = true;
	judges(scene, "");
	declare_exit(scene);
	judges(scene, "warning NetworkdRemoves systemd-networkd\n");
	assert_non_null(strstr(scene->hazards.list.v[0].message, " rules and routes "));
	scene->files.networkd_keeps_routes = true;
	judges(scene, "warning NetworkdRemoves systemd-networkd\n");
	assert_non_null(strstr(scene->hazards.list.v[0].message, " rules that "));
	scene->files.networkd_keeps_rules = true;
	judges(scene, "");
}

static void network_manager_is_told_by_name_driver_or_udev(void **state)
{
	struct scene *scene = *state;
	static const struct {
		const char *spec, *other;
		bool leaves;
	} cases[] = {
		{"interface-name:tun*", NULL, true}, {"interface-name:=tun_a", NULL, true},
		{"driver:ipip", NULL, true},         {"interface-name:eth*", NULL, false},
		{"*", "except:tun_a", false},        {"*", "except:eth0", true},
	};

	scene->files.network_manager = true;
	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	judges(scene, "");
	link_up(scene, "tun_a", "ipip")->ours = true;
	judges(scene, "warning NetworkManagerManages tun_a\n");
	scene->unmanaged = "tun_a";
	judges(scene, "");
	scene->unmanaged = NULL;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		vec_clear(&scene->files.unmanaged);
		vec_push(&scene->files.unmanaged, cases[i].spec);
		if (cases[i].other)
			vec_push(&scene->files.unmanaged, cases[i].other);
		judges(scene, cases[i].leaves ? "" : "warning NetworkManagerManages tun_a\n");
	}
}

static void add_line(struct scene *scene, const char *key, const char *value)
{
	vec_push(&scene->files.sysctls, ((struct hazard_sysctl){key, value, "/etc/x:1"}));
}

static void sysctl_lines_against_what_nat_rules_open(void **state)
{
	struct scene *scene = *state;

	add_line(scene, "net/ipv4/conf/wan0/forwarding", "0");
	add_line(scene, "net/ipv4/ip_forward", "0");
	judges(scene, "");
	declare_rule(scene, "exit", "");
	judges(scene, "warning SysctlUndoes /etc/x:1\n");
	assert_string_equal(scene->hazards.list.v[0].fix,
			    "echo 'net.ipv4.conf.wan0.forwarding = 1' "
			    ">>/etc/sysctl.d/zz-ipipd.conf");
	add_line(scene, "net/ipv4/conf/wan0/forwarding", "1");
	judges(scene, "");
	scene->facts.ip_forward = true;
	judges(scene, "warning SysctlUndoes /etc/x:1\n");
	assert_non_null(strstr(scene->hazards.list.v[0].message, "net.ipv4.ip_forward to 0"));
}

static void sysctl_lines_against_a_declared_rp_filter(void **state)
{
	struct scene *scene = *state;
	struct tunnel *tunnel = declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");

	add_line(scene, "net/ipv4/conf/*/rp_filter", "2");
	judges(scene, "");
	tunnel->rp_filter = RP_FILTER_LOOSE;
	judges(scene, "");
	/* all is a name, too, and in force is the larger one */
	tunnel->rp_filter = RP_FILTER_STRICT;
	judges(scene, "warning SysctlUndoes /etc/x:1\nwarning SysctlUndoes /etc/x:1\n");
	add_line(scene, "net/ipv4/conf/all/rp_filter", NULL);
	judges(scene, "warning SysctlUndoes /etc/x:1\n");
	add_line(scene, "net/ipv4/conf/tun_a/rp_filter", "1");
	judges(scene, "");
}

static void a_module_that_is_kept_away(void **state)
{
	struct scene *scene = *state;

	scene->files.blacklisted = "/etc/modprobe.d/x.conf:1";
	judges(scene, "warning ModuleBlacklisted /etc/modprobe.d/x.conf:1\n");
	declare_tunnel(scene, "tun_a", "10.0.0.1", "10.0.0.2");
	judges(scene, "critical ModuleBlacklisted /etc/modprobe.d/x.conf:1\n");
	scene->files.ipip_loaded = true;
	judges(scene, "warning ModuleBlacklisted /etc/modprobe.d/x.conf:1\n");
	assert_non_null(strstr(scene->hazards.list.v[0].message, "after the next boot"));
}

static void rpfilter_of_legacy_only(void **state)
{
	struct scene *scene = *state;

	scene->files.rpfilter = true;
	judges(scene, "");
	scene->files.legacy[LEGACY_RAW] = true;
	judges(scene, "warning XtRpfilterLoaded iptables-legacy\n"
		      "info IptablesLegacy iptables-legacy\n");
}

static void only_so_many_are_kept_but_all_counted(void **state)
{
	struct scene *scene = *state;
	char device[IFNAMSIZ];

	for (unsigned i = 0; i < HAZARDS_KEPT + 5; i++) {
		snprintf(device, sizeof(device), "other%u", i);
		link_up(scene, device, "ipip");
	}
	hazards_judge(
		&(struct hazard_view){
			.declaration = &scene->declaration,
			.facts = &scene->facts,
			.files = &scene->files,
			.ruleset = &scene->ruleset,
			.unread = scene->unread,
			.unmanaged = &scene->unmanaged,
			.n_unmanaged = scene->unmanaged != NULL,
		},
		&scene->hazards);
	assert_int_equal(scene->hazards.list.len, HAZARDS_KEPT);
	assert_int_equal(scene->hazards.total, HAZARDS_KEPT + 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_quiet_host_has_none),
		TEST(names_of_hazards_are_words),
		TEST(fallback_device_only_while_it_is_up),
		TEST(a_name_that_means_something_to_a_shell_is_in_no_fix),
		TEST(a_name_that_is_no_text_is_told_as_one),
		TEST(foreign_tunnel_of_any_sender),
		TEST(what_takes_too_long_is_left_and_told),
		TEST(foreign_tunnel_between_the_same_addresses),
		TEST(the_source_that_the_kernel_picks_is_an_endpoint),
		TEST(module_is_missing_only_where_that_is_known),
		TEST(legacy_tables_that_change_no_packet_are_less),
		TEST(chains_that_drop_matter_to_who_forwards),
		TEST(a_rule_of_its_own_device_needs_no_tunnel),
		TEST(a_chain_of_the_tunnel_drops_what_is_inside),
		TEST(the_worst_comes_first),
		TEST(with_many_tunnels_there_is_no_short_fix),
		TEST(a_name_that_no_command_takes_has_no_fix),
		TEST(networkd_removes_only_what_there_is),
		TEST(network_manager_is_told_by_name_driver_or_udev),
		TEST(sysctl_lines_against_what_nat_rules_open),
		TEST(sysctl_lines_against_a_declared_rp_filter),
		TEST(a_module_that_is_kept_away),
		TEST(rpfilter_of_legacy_only),
		TEST(only_so_many_are_kept_but_all_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
