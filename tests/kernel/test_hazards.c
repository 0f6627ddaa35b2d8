/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that the nft program makes: which of them are hazards to a tunnel and a NAT rule. */
#include "kernel/ground.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/hazards.h"
#include "base/text.h"

struct scene {
	struct declaration declaration;
	struct facts facts;
};

static struct addr addr(const char *text)
{
	return ground_addr(text);
}

/* tun_a, from 10.0.0.1 by eth0 to 10.0.0.2, and a NAT rule for what comes out of it to wan0. */
static void declare(struct scene *scene)
{
	static struct prefix source;
	struct tunnel tunnel = {
		.head = {.name = "tun_a", .enabled = true},
		.local = addr("10.0.0.1"),
		.remote = addr("10.0.0.2"),
	};
	struct nat_rule rule = {
		.head = {.name = "exit", .enabled = true},
		.sources = {&source, 1},
		.out_interface = "wan0",
	};

	source = ground_prefix("192.168.1.0/24");
	declaration_put(&scene->declaration, KIND_TUNNEL, kind_copy(&tunnel_kind, &tunnel, NULL));
	declaration_put(&scene->declaration, KIND_NAT_RULE, kind_copy(&nat_rule_kind, &rule, NULL));
	vec_push(&scene->facts.remotes,
		 ((struct fact_remote){
			 .remote = tunnel.remote, .source = tunnel.local, .device = "eth0"}));
}

/* Reads the ruleset, and judges it: a line each, severity, name, object, and the fix behind. */
static void judge(struct ground *ground, const struct scene *scene, struct text *text)
{
	struct hazard_files files = {0};
	struct hazards hazards = {0};
	struct ruleset ruleset = {0};

	if (ground->kernel->vt->rulesets(ground->kernel, &ruleset, &ground->err))
		fail_msg("%s", ground->err.sentence);
	hazards_judge(&(struct hazard_view){.declaration = &scene->declaration,
					    .facts = &scene->facts,
					    .files = &files,
					    .ruleset = &ruleset},
		      &hazards);
	for (size_t i = 0; i < hazards.list.len; i++)
		text_addf(text, "%s %s %s | %s\n",
			  hazard_severity_names[hazards.list.v[i].severity],
			  hazard_name(hazards.list.v[i].id), hazards.list.v[i].object,
			  hazards.list.v[i].fix ? hazards.list.v[i].fix : "-");
	ruleset_done(&ruleset);
	hazards_done(&hazards);
}

/* clang-format off */
#define CHAIN(name, type, hook, priority, policy, rules)                                           \
	"chain " name " { type " type " hook " hook " priority " priority "; policy " policy "; "  \
	rules " }; "
#define TABLE(family, name, chains) "table " family " " name " { " chains "}"
#define FORWARD(policy, rules)                                                                     \
	TABLE("ip", "filter", CHAIN("FORWARD", "filter", "forward", "0", policy, rules))
#define INPUT(policy, rules)                                                                       \
	TABLE("inet", "fw", CHAIN("input", "filter", "input", "0", policy, rules))
#define NAT(priority, rules)                                                                       \
	TABLE("ip", "nat", CHAIN("post", "nat", "postrouting", priority, "accept", rules))
#define RAW(rules)                                                                                 \
	TABLE("inet", "fw", CHAIN("raw", "filter", "prerouting", "-300", "accept", rules))

#define OPEN_FORWARD                                                                               \
	"nft 'insert rule ip filter FORWARD iifname \"tun_a\" accept; "                            \
	"insert rule ip filter FORWARD oifname \"tun_a\" accept'\n"
#define OPEN_INPUT                                                                                 \
	"nft 'insert rule inet fw input ip protocol 4 ip saddr 10.0.0.2 accept'\n"
#define OPEN_NAT "nft 'insert rule ip nat post iifname \"tun_a\" accept'\n"

static const struct {
	const char *what, *script, *expected;
} cases[] = {
	{"nothing", "table ip x { }", ""},

	{"docker's policy",
	 TABLE("ip", "filter",
	       CHAIN("FORWARD", "filter", "forward", "0", "drop",
		     "jump DOCKER-USER; oifname \"docker0\" ct state related,established accept; "
		     "iifname \"docker0\" oifname != \"docker0\" accept;")
	       "chain DOCKER-USER { counter return; }; "),
	 "critical ForwardDrop nft ip filter FORWARD | nft 'insert rule ip filter DOCKER-USER "
	 "iifname \"tun_a\" accept; insert rule ip filter DOCKER-USER oifname \"tun_a\" "
	 "accept'\n"},
	{"docker's policy, opened in its chain for that",
	 TABLE("ip", "filter",
	       CHAIN("FORWARD", "filter", "forward", "0", "drop", "jump DOCKER-USER;")
	       "chain DOCKER-USER { iifname \"tun*\" accept; oifname \"tun_a\" accept; "
	       "return; }; "),
	 ""},
	{"policy drop alone", FORWARD("drop", ""),
	 "critical ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"policy drop, opened for us",
	 FORWARD("drop", "ct state established,related accept; "
			 "iifname \"tun_a\" oifname \"wan0\" accept;"),
	 ""},
	{"policy drop, opened for all but the invalid",
	 FORWARD("drop", "ct state != invalid accept;"), ""},
	{"policy drop, opened for our source",
	 FORWARD("drop", "ct state vmap { established : accept, related : accept }; "
			 "ip saddr 192.168.0.0/16 accept;"),
	 ""},
	{"policy drop, opened for another source",
	 FORWARD("drop", "ct state established accept; ip saddr 192.168.2.0/24 accept;"),
	 "critical ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"policy drop, opened there but not back", FORWARD("drop", "iifname \"tun_a\" accept;"),
	 "critical ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"policy drop, opened for some", FORWARD("drop", "meta mark 5 accept;"),
	 "warning ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"policy drop, opened by a set", FORWARD("drop", "iifname { \"tun_a\", \"x\" } accept;"),
	 "warning ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"a last rule that rejects", FORWARD("accept", "tcp dport 22 accept; reject;"),
	 "warning ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"an early drop of everything", FORWARD("accept", "counter drop;"),
	 "critical ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"a drop of some", FORWARD("accept", "tcp dport 25 drop; ct state invalid drop;"), ""},
	{"a drop of our device", FORWARD("accept", "oifname \"wan0\" drop;"),
	 "critical ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD},
	{"a drop of another device", FORWARD("accept", "iifname \"docker0\" drop;"), ""},
	{"a drop of IPv6",
	 TABLE("inet", "fw",
	       CHAIN("f", "filter", "forward", "0", "accept", "meta nfproto ipv6 drop;")), ""},
	{"a table that sleeps",
	 TABLE("ip", "filter",
	       "flags dormant; " CHAIN("FORWARD", "filter", "forward", "0", "drop", "")), ""},
	{"another family", TABLE("ip6", "filter", CHAIN("f", "filter", "forward", "0", "drop", "")),
	 ""},
	{"tables of ours",
	 TABLE("ip", "ipipd", CHAIN("f", "filter", "forward", "0", "drop", ""))
	 "; " TABLE("ip", "ipipd_trace", CHAIN("f", "filter", "forward", "0", "drop", "")), ""},
	{"a drop behind jumps",
	 TABLE("inet", "fw",
	       "chain a { goto b; }; chain b { drop; }; "
	       CHAIN("f", "filter", "forward", "5", "accept", "iifname != \"lo\" jump a;")),
	 "critical ForwardDrop nft inet fw f | nft 'insert rule inet fw f iifname \"tun_a\" "
	 "accept; insert rule inet fw f oifname \"tun_a\" accept'\n"},

	{"input closed", INPUT("drop", ""), "critical InputDrop nft inet fw input | " OPEN_INPUT},
	{"input for the established",
	 INPUT("drop", "ct state established,related accept; tcp dport 22 accept;"),
	 "warning InputDrop nft inet fw input | " OPEN_INPUT},
	{"input opened for the protocol", INPUT("drop", "meta l4proto 4 accept;"), ""},
	{"input opened for the peer", INPUT("drop", "ip protocol 4 ip saddr 10.0.0.2 accept;"), ""},
	{"input opened for another peer", INPUT("drop", "ip protocol 4 ip saddr 10.0.0.3 accept;"),
	 "critical InputDrop nft inet fw input | " OPEN_INPUT},
	{"input opened for the device", INPUT("drop", "iifname \"eth0\" accept;"), ""},
	{"output closed",
	 TABLE("inet", "fw", CHAIN("output", "filter", "output", "0", "drop", "")),
	 "critical OutputDrop nft inet fw output | nft 'insert rule inet fw output ip protocol 4 "
	 "ip daddr 10.0.0.2 accept'\n"},
	{"protocol 4 dropped", INPUT("accept", "ip protocol 4 drop;"),
	 "critical Protocol4Drop nft inet fw input | " OPEN_INPUT},
	{"protocol 4 dropped as Calico does",
	 TABLE("ip", "filter",
	       CHAIN("INPUT", "filter", "input", "0", "accept", "jump cali-INPUT;")
	       "set hosts { type ipv4_addr; }; chain cali-INPUT { "
	       "ip protocol 4 ip saddr @hosts accept; ip protocol 4 drop; }; "),
	 "warning Protocol4Drop nft ip filter cali-INPUT | -\n"},
	{"protocol 4 dropped before all hooks of ours",
	 "table netdev edge { chain in { type filter hook ingress device \"lo\" priority 0; "
	 "ip protocol 4 drop; }; chain wide { type filter hook ingress devices = { lo, eth0 } "
	 "priority 1; policy accept; ip saddr 10.0.0.2 ip protocol 4 drop; }; }",
	 "critical Protocol4Drop nft netdev edge wide | nft 'insert rule netdev edge wide "
	 "ip protocol 4 ip saddr 10.0.0.2 accept'\n"},
	{"all of IPv6 dropped before all hooks of ours",
	 "table netdev edge { chain in { type filter hook ingress device \"eth0\" priority 0; "
	 "meta protocol ip6 drop; }; }", ""},
	{"all dropped at the ingress of inet",
	 "table inet edge { chain in { type filter hook ingress device \"eth0\" priority 0; "
	 "policy drop; }; chain other { type filter hook ingress device \"lo\" priority 0; "
	 "policy drop; }; }",
	 "critical InputDrop nft inet edge in | nft 'insert rule inet edge in "
	 "ip protocol 4 ip saddr 10.0.0.2 accept'\n"},
	{"all but protocol 4 dropped", INPUT("accept", "meta l4proto != 4 drop;"), ""},

	{"NAT before ours", NAT("90", "oifname \"wan0\" masquerade;"),
	 "warning ForeignNat nft ip nat post | " OPEN_NAT},
	{"NAT before ours, of some", NAT("90", "meta mark 1 snat to 192.0.2.1;"),
	 "info ForeignNat nft ip nat post | " OPEN_NAT},
	{"NAT before ours, of others",
	 NAT("90", "ip saddr 172.17.0.0/16 oifname != \"docker0\" masquerade;"), ""},
	{"NAT behind ours", NAT("100", "masquerade;"), ""},

	{"a reverse path check", RAW("fib saddr . iif oif missing drop;"),
	 "warning ReversePathCheck nft inet fw raw | nft 'insert rule inet fw raw iifname "
	 "\"tun_a\" accept'\n"},
	{"a reverse path check of IPv6, as firewalld's",
	 RAW("meta nfproto ipv6 fib saddr . mark . iif oif missing drop;"), ""},
	{"a reverse path check of another device",
	 RAW("iifname \"lan0\" fib saddr . iif oif missing drop;"), ""},
	{"a question for local addresses", RAW("fib daddr type local counter;"), ""},
};
/* clang-format on */

static void rules_of_others_are_judged(void **state)
{
	struct ground *ground = *state;
	struct scene scene = {0};

	declare(&scene);
	ground_sh("ip link add eth0 type veth peer name e0"); /* for the chains of devices */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_text struct text found = {0}, left = {0};

		ground_sh("nft '%s'", cases[i].script);
		judge(ground, &scene, &found);
		if (strcmp(text_str(&found), cases[i].expected) != 0)
			fail_msg("%s: found\n%sexpected\n%s", cases[i].what, text_str(&found),
				 cases[i].expected);
		ground_sh("nft flush ruleset");
		judge(ground, &scene, &left);
		assert_string_equal(text_str(&left), "");
	}
	declaration_done(&scene.declaration);
	facts_done(&scene.facts);
}

/* Each fix, run as it is, leaves no hazard. */
static void a_fix_helps(void **state)
{
	struct ground *ground = *state;
	struct scene scene = {0};
	unsigned fixed = 0;

	declare(&scene);
	ground_sh("ip link add eth0 type veth peer name e0"); /* for the chains of devices */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_text struct text left = {0};
		const char *fix = strstr(cases[i].expected, "| ");

		if (!fix || fix[2] == '-')
			continue;
		ground_sh("nft '%s'", cases[i].script);
		ground_sh("%s", fix + 2);
		judge(ground, &scene, &left);
		/* what a rule would do to others is still there, but passed by */
		if (strstr(text_str(&left), "Drop") || strstr(text_str(&left), "ForeignNat"))
			fail_msg("%s: left\n%s", cases[i].what, text_str(&left));
		ground_sh("nft flush ruleset");
		fixed++;
	}
	assert_true(fixed > 10);
	declaration_done(&scene.declaration);
	facts_done(&scene.facts);
}

/* The base chain, which comes behind all others, and what it says itself are read even so. */
static void a_ruleset_without_end_is_read_in_part(void **state)
{
	struct ground *ground = *state;
	struct scene scene = {0};
	cleanup_text struct text found = {0};

	declare(&scene);
	ground_sh("{ echo 'table ip filter {'; for i in $(seq 5000); do "
		  "echo \"chain c$i { ip daddr 10.1.1.1 accept; }\"; done; echo 'chain every {'; "
		  "for i in $(seq 5000); do echo \"ip daddr 10.2.2.2 jump c$i\"; done; echo '}'; "
		  "echo 'chain FORWARD { type filter hook forward priority 0; policy drop; "
		  "jump every; }'; echo '}'; } | nft -f -");
	judge(ground, &scene, &found);
	assert_string_equal(text_str(&found),
			    "warning ForwardDrop nft ip filter FORWARD | " OPEN_FORWARD
			    "info RulesUnread nft | -\n");
	declaration_done(&scene.declaration);
	facts_done(&scene.facts);
}

static void any_change_of_others_is_told(void **state)
{
	struct ground *ground = *state;
	struct scope scope = {0};
	struct kernel_events events = {0};

	ground_quiet(ground);
	ground_sh("nft add table ip other");
	ground->kernel->vt->events_read(ground->kernel, &scope, &events);
	assert_true(events.ruleset && !events.look);
	vec_done(&events.gone);
	scope_done(&scope);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_of_others_are_judged, ground_new,
						ground_free),
		cmocka_unit_test_setup_teardown(a_fix_helps, ground_new, ground_free),
		cmocka_unit_test_setup_teardown(a_ruleset_without_end_is_read_in_part, ground_new,
						ground_free),
		cmocka_unit_test_setup_teardown(any_change_of_others_is_told, ground_new,
						ground_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
