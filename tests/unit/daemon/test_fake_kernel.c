/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel in memory keeps the manners that the API tests count on. */
#include "fake_kernel.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct scene {
	struct kernel *kernel;
	struct fake *fake;
	struct arena arena;
	char directory[40];
};

static void scene_open(struct scene *scene)
{
	struct err err = {0};

	if (kernel_open(&scene->kernel, &err) < 0)
		fail_msg("%s", err.sentence);
	scene->fake = (struct fake *)scene->kernel;
}

static void scene_reopen(struct scene *scene)
{
	scene->kernel->vt->close(scene->kernel);
	scene_open(scene);
}

static int setup(void **state)
{
	struct scene *scene = xcalloc(1, sizeof(*scene));

	strcpy(scene->directory, "/tmp/ipipd-fake-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	setenv("IPIPD_FAKE_KERNEL", scene->directory, 1);
	scene_open(scene);
	fake_script_line(scene->fake, "link eth0 mtu 1500");
	fake_script_line(scene->fake, "addr eth0 172.16.16.22/16");
	fake_script_line(scene->fake, "route default via 172.16.0.1 dev eth0");
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {"script", "state", "memory", "boot_id", "cookie"};
	struct scene *scene = *state;
	char path[80];

	scene->kernel->vt->close(scene->kernel);
	arena_done(&scene->arena);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", scene->directory, files[i]);
		unlink(path);
	}
	rmdir(scene->directory);
	free(scene);
	return 0;
}

static void put_file(const struct scene *scene, const char *name, const char *content)
{
	char path[80], scratch[80];

	snprintf(path, sizeof(path), "%s/%s", scene->directory, name);
	snprintf(scratch, sizeof(scratch), "%s/new", scene->directory);
	FILE *file = fopen(scratch, "we");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	fclose(file);
	assert_int_equal(rename(scratch, path), 0);
}

static bool holds(const struct scene *scene, const char *part)
{
	cleanup_text struct text text = {0};

	fake_state_text(scene->fake, &text);
	return strstr(text.s, part) != NULL;
}

static struct prefix prefix_of(const char *s)
{
	struct prefix parsed = {0};

	assert_int_equal(prefix_parse(s, &parsed), 0);
	return parsed;
}

static struct addr addr_of(const char *s)
{
	struct addr parsed = {0};

	assert_int_equal(addr_parse(s, &parsed), 0);
	return parsed;
}

/* Objects as the planner would want them; each is a compound literal's copy in the arena. */
#define object_of(scene, st, kind_table, ...)                                                      \
	((struct object *)arena_memdup(                                                            \
		&(scene)->arena, &(struct st){.head.set = kind_all(&(kind_table)), __VA_ARGS__},   \
		sizeof(struct st)))

static struct object *tunnel_link(struct scene *scene, const char *device, const char *remote)
{
	struct link *link = (struct link *)object_of(scene, link, link_kind, .driver = "ipip",
						     .ttl = 64, .mtu = 1480, .up = true,
						     .group = OUR_GROUP, .pmtudisc = true);

	snprintf(link->device, sizeof(link->device), "%s", device);
	link->local = addr_of("172.16.16.22");
	link->remote = addr_of(remote);
	return &link->head;
}

static struct object *device_address(struct scene *scene, const char *device, const char *prefix)
{
	struct address *made = (struct address *)object_of(scene, address, address_kind, 0);

	snprintf(made->device, sizeof(made->device), "%s", device);
	made->prefix = prefix_of(prefix);
	return &made->head;
}

static struct object *exit_route(struct scene *scene, const char *dst, const char *device,
				 const char *source)
{
	struct route *made = (struct route *)object_of(scene, route, route_kind,
						       .table = OUR_TABLE_FIRST,
						       .protocol = OUR_PROTOCOL, .scope = 253);

	snprintf(made->device, sizeof(made->device), "%s", device);
	made->dst = prefix_of(dst);
	made->prefsrc = addr_of(source);
	return &made->head;
}

static struct op op_of(enum op_verb verb, enum kind_id kind, struct object *object)
{
	return (struct op){
		.verb = verb,
		.kind = kind,
		.want = verb == OP_DELETE ? NULL : object,
		.have = verb == OP_DELETE || verb == OP_REPLACE ? object : NULL,
	};
}

static int apply(struct scene *scene, enum op_verb verb, enum kind_id kind, struct object *object)
{
	struct op op = op_of(verb, kind, object);

	scene->kernel->vt->apply(scene->kernel, &scene->arena, &op, 1);
	assert_true(op.done);
	assert_int_equal(op.message != NULL, op.result < 0);
	return op.result;
}

static void build_tunnel(struct scene *scene)
{
	assert_int_equal(
		apply(scene, OP_ADD, KIND_LINK, tunnel_link(scene, "tun_a", "172.16.1.62")), 0);
	assert_int_equal(apply(scene, OP_ADD, KIND_ADDRESS,
			       device_address(scene, "tun_a", "192.168.1.1/24")),
			 0);
	assert_int_equal(apply(scene, OP_ADD, KIND_ROUTE,
			       exit_route(scene, "180.163.26.39/32", "tun_a", "192.168.1.1")),
			 0);
}

static void observe_at(struct scene *scene, struct objects *observed, struct facts *facts)
{
	observed->arena = &scene->arena;
	assert_int_equal(kernel_observe(scene->kernel, &scene->arena, observed, facts, NULL), 0);
	scene->kernel->vt->ask_remotes(scene->kernel, &scene->arena, &facts->remotes);
}

static void observes_what_was_applied_as_ours(void **state)
{
	struct scene *scene = *state;
	struct objects observed = {0};
	struct facts facts = {0};

	build_tunnel(scene);
	fake_script_line(scene->fake, "foreign-link tun_x ipip 1.2.3.4 5.6.7.8");
	fake_script_line(scene->fake, "route 10.0.0.0/8 dev eth0 table 7000");
	*vec_add(&facts.remotes) = (struct fact_remote){.remote = addr_of("172.16.1.62")};
	observe_at(scene, &observed, &facts);
	const struct object *ours = tunnel_link(scene, "tun_a", "172.16.1.62");
	assert_int_equal(objects_find(&observed, KIND_LINK, ours)->marks, OBJECT_OURS);
	assert_int_equal(
		kind_differences(&link_kind, ours, objects_find(&observed, KIND_LINK, ours)),
		kind_bit(&link_kind, kind_field(&link_kind, "proto"))); /* 0 is read as 4 */
	assert_int_equal(observed.kind[KIND_LINK].len, 4);
	assert_int_equal(observed.kind[KIND_LINK].v[3]->marks, 0);
	assert_int_equal(observed.kind[KIND_ROUTE].len, 2); /* none of table 254 */
	assert_int_equal(observed.kind[KIND_ROUTE].v[0]->marks, 0);
	assert_int_equal(observed.kind[KIND_ROUTE].v[1]->marks, OBJECT_OURS);
	assert_int_equal(observed.kind[KIND_SYSCTL].len, 0);
	assert_int_equal(facts.links.len, 4);
	assert_true(facts_link(&facts, "tun_a")->ours);
	assert_true(facts_link(&facts, "lo")->loopback);
	assert_string_equal(facts_addr(&facts, addr_of("192.168.1.1"))->device, "tun_a");
	assert_string_equal(facts.remotes.v[0].device, "eth0");
	assert_int_equal(facts.remotes.v[0].source.host, addr_of("172.16.16.22").host);
	assert_int_equal(facts.remotes.v[0].mtu, 1500);
	objects_done(&observed);
	facts_done(&facts);
}

static void a_link_that_goes_down_or_away_takes_its_routes(void **state)
{
	struct scene *scene = *state;

	build_tunnel(scene);
	fake_script_line(scene->fake, "link tun_a down");
	assert_false(holds(scene, "route 7000 180.163.26.39/32"));
	assert_true(holds(scene, "address tun_a 192.168.1.1/24"));
	assert_false(holds(scene, "192.168.1.0/24"));
	assert_int_equal(apply(scene, OP_ADD, KIND_ROUTE,
			       exit_route(scene, "1.1.1.1/32", "tun_a", "192.168.1.1")),
			 -ENETDOWN);
	fake_script_line(scene->fake, "link tun_a up");
	assert_true(holds(scene, "route 254 192.168.1.0/24"));
	assert_false(holds(scene, "route 7000"));
	fake_script_line(scene->fake, "delete link tun_a");
	assert_false(holds(scene, "tun_a"));
}

static void an_address_that_goes_takes_the_routes_with_it_as_source(void **state)
{
	struct scene *scene = *state;

	build_tunnel(scene);
	apply(scene, OP_ADD, KIND_ADDRESS, device_address(scene, "tun_a", "192.168.2.1/24"));
	apply(scene, OP_ADD, KIND_ROUTE, exit_route(scene, "9.9.9.9/32", "tun_a", "192.168.2.1"));
	assert_int_equal(apply(scene, OP_DELETE, KIND_ADDRESS,
			       device_address(scene, "tun_a", "192.168.1.1/24")),
			 0);
	assert_false(holds(scene, "route 7000 180.163.26.39/32"));
	assert_true(holds(scene, "route 7000 9.9.9.9/32"));
	/* the last one of a device takes all of them */
	fake_script_line(scene->fake, "route 8.8.8.8/32 dev tun_a table 7000");
	fake_script_line(scene->fake, "delete addr tun_a 192.168.2.1/24");
	assert_false(holds(scene, "route 7000"));
}

static void refuses_what_the_kernel_refuses(void **state)
{
	struct scene *scene = *state;

	build_tunnel(scene);
	const struct {
		int result;
		enum op_verb verb;
		enum kind_id kind;
		struct object *object;
	} cases[] = {
		{-EEXIST, OP_ADD, KIND_LINK, tunnel_link(scene, "tun_a", "9.9.9.9")},
		{-EEXIST, OP_ADD, KIND_LINK, tunnel_link(scene, "tun_b", "172.16.1.62")},
		{-EEXIST, OP_ADD, KIND_LINK,
		 object_of(scene, link, link_kind, .device = "any", .driver = "ipip")},
		{-ENODEV, OP_CHANGE, KIND_LINK, tunnel_link(scene, "tun_c", "9.9.9.9")},
		{-EINVAL, OP_CHANGE, KIND_LINK, tunnel_link(scene, "tun_a", "0.0.0.0")},
		{-EOPNOTSUPP, OP_CHANGE, KIND_LINK, tunnel_link(scene, "eth0", "9.9.9.9")},
		{-ENODEV, OP_DELETE, KIND_LINK, tunnel_link(scene, "tun_c", "9.9.9.9")},
		{-ENODEV, OP_ADD, KIND_ADDRESS, device_address(scene, "tun_c", "10.0.0.1/24")},
		{-EEXIST, OP_ADD, KIND_ADDRESS, device_address(scene, "tun_a", "192.168.1.1/24")},
		{-EADDRNOTAVAIL, OP_DELETE, KIND_ADDRESS,
		 device_address(scene, "tun_a", "10.0.0.1/24")},
		{-ENODEV, OP_ADD, KIND_ROUTE,
		 exit_route(scene, "1.1.1.1/32", "tun_c", "192.168.1.1")},
		{-EEXIST, OP_ADD, KIND_ROUTE,
		 exit_route(scene, "180.163.26.39/32", "tun_a", "192.168.1.1")},
		{-EINVAL, OP_ADD, KIND_ROUTE,
		 exit_route(scene, "1.1.1.1/32", "tun_a", "192.168.1.99")},
		{-ESRCH, OP_DELETE, KIND_ROUTE,
		 exit_route(scene, "1.1.1.1/32", "tun_a", "192.168.1.1")},
		{-ENOENT, OP_ADD, KIND_SYSCTL,
		 object_of(scene, sysctl, sysctl_kind, .device = "tun_c")},
		{-ENOENT, OP_ADD, KIND_NFT_ELEMENT,
		 object_of(scene, nft_element, nft_element_kind, .set_name = "none")},
		{-ENOENT, OP_ADD, KIND_NFT_CHAIN,
		 object_of(scene, nft_chain, nft_chain_kind, .name = "forward")},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int result = apply(scene, cases[i].verb, cases[i].kind, cases[i].object);
		if (result != cases[i].result)
			fail_msg("case %zu: %s", i, strerrorname_np(-result));
	}
}

static void a_change_keeps_what_it_does_not_say(void **state)
{
	struct scene *scene = *state;

	build_tunnel(scene);
	struct link *want = (struct link *)tunnel_link(scene, "tun_a", "172.16.1.63");
	want->head.set &= ~object_bit(link_kind, "mtu");
	want->mtu = 0;
	assert_int_equal(apply(scene, OP_CHANGE, KIND_LINK, &want->head), 0);
	assert_true(holds(scene, "remote=172.16.1.63"));
	assert_true(holds(scene, "mtu=1480"));
	assert_true(holds(scene, "route 7000 180.163.26.39/32")); /* in place */
	assert_int_equal(
		apply(scene, OP_REPLACE, KIND_LINK, tunnel_link(scene, "tun_a", "172.16.1.63")), 0);
	assert_false(holds(scene, "route 7000"));
}

static void a_sysctl_goes_back_to_what_it_was(void **state)
{
	struct scene *scene = *state;
	struct object *forwarding = object_of(scene, sysctl, sysctl_kind, .device = "eth0",
					      .name = SYSCTL_FORWARDING, .value = 1, .before = 0);

	assert_int_equal(apply(scene, OP_CHANGE, KIND_SYSCTL, forwarding), 0);
	assert_true(holds(scene, "sysctl eth0 forwarding value=1"));
	assert_int_equal(apply(scene, OP_DELETE, KIND_SYSCTL, forwarding), 0);
	assert_true(holds(scene, "sysctl eth0 forwarding value=0"));
	fake_script_line(scene->fake, "sysctl ip_forward 1");
	assert_true(holds(scene, "sysctl eth0 forwarding value=1"));
	assert_true(holds(scene, "sysctl lo forwarding value=1"));
	assert_true(holds(scene, "sysctl ip_forward value=1"));
}

static struct object *source_element(struct scene *scene, const char *prefix)
{
	return object_of(scene, nft_element, nft_element_kind, .set_name = "s",
			 .prefix = prefix_of(prefix));
}

static void build_table(struct scene *scene)
{
	static struct nft_rule rule = {.saddr_set = "s", .verdict = NFT_VERDICT_MASQUERADE};
	struct op ops[] = {
		op_of(OP_ADD, KIND_NFT_TABLE,
		      object_of(scene, nft_table, nft_table_kind, .name = OUR_NFT_TABLE)),
		op_of(OP_ADD, KIND_NFT_SET,
		      object_of(scene, nft_set, nft_set_kind, .name = "s", .interval = true,
				.counter = true)),
		op_of(OP_ADD, KIND_NFT_ELEMENT, source_element(scene, "10.0.0.0/8")),
		op_of(OP_ADD, KIND_NFT_CHAIN,
		      object_of(scene, nft_chain, nft_chain_kind, .name = "nat",
				.rules = {&rule, 1})),
	};

	rule.head.set = kind_all(&nft_rule_kind);
	scene->kernel->vt->apply(scene->kernel, &scene->arena, ops, ARRAY_LEN(ops));
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		assert_int_equal(ops[i].result, 0);
}

static void a_batch_of_nft_is_done_whole_or_not_at_all(void **state)
{
	struct scene *scene = *state;

	build_table(scene);
	assert_true(holds(scene, "nft-element s 10.0.0.0/8"));
	struct op ops[] = {
		op_of(OP_ADD, KIND_NFT_ELEMENT, source_element(scene, "172.16.0.0/12")),
		op_of(OP_ADD, KIND_NFT_ELEMENT, source_element(scene, "10.1.0.0/16")),
		op_of(OP_ADD, KIND_NFT_ELEMENT, source_element(scene, "192.168.0.0/16")),
	};
	scene->kernel->vt->apply(scene->kernel, &scene->arena, ops, ARRAY_LEN(ops));
	assert_int_equal(ops[0].result, -ECANCELED);
	assert_int_equal(ops[1].result, -EEXIST); /* overlaps 10.0.0.0/8 */
	assert_int_equal(ops[2].result, -ECANCELED);
	assert_true(ops[2].done);
	assert_false(holds(scene, "172.16.0.0/12"));
	assert_true(holds(scene, "nft-element s 10.0.0.0/8"));
}

static void rules_need_their_sets(void **state)
{
	struct scene *scene = *state;
	struct object *set = object_of(scene, nft_set, nft_set_kind, .name = "s", .interval = true);

	build_table(scene);
	assert_int_equal(apply(scene, OP_DELETE, KIND_NFT_SET, set), -ENOENT);
	assert_true(holds(scene, "nft-element s 10.0.0.0/8"));
	struct op ops[] = {
		op_of(OP_DELETE, KIND_NFT_CHAIN,
		      object_of(scene, nft_chain, nft_chain_kind, .name = "nat")),
		op_of(OP_DELETE, KIND_NFT_SET, set),
	};
	scene->kernel->vt->apply(scene->kernel, &scene->arena, ops, ARRAY_LEN(ops));
	assert_int_equal(ops[0].result | ops[1].result, 0);
	assert_false(holds(scene, "nft-element"));
}

static void elements_and_links_have_counters(void **state)
{
	struct scene *scene = *state;
	cleanup_(counted_done) struct counted counted = {0};
	struct link_stats link;

	build_table(scene);
	assert_int_equal(scene->kernel->vt->count(scene->kernel, COUNT_ELEMENTS, &counted, NULL),
			 0);
	assert_int_equal(counted.links.len, 0);
	assert_int_equal(counted.elements.len, 1);
	assert_int_equal(counted.elements.v[0].stats.packets, 1);
	assert_int_equal(counted.elements.v[0].stats.bytes, 84);
	assert_int_equal(scene->kernel->vt->link_stats(scene->kernel, "eth0", &link, NULL), 0);
	assert_int_equal(link.tx_bytes, 1680);
	assert_int_equal(scene->kernel->vt->link_stats(scene->kernel, "none", &link, NULL),
			 -ENODEV);
}

static struct route_answer ask(struct scene *scene, const char *to, const char *from,
			       const char *in_device, bool underlay)
{
	struct route_question question = {.to = addr_of(to), .underlay = underlay};
	struct route_answer answer = {0};

	question.from = addr_of(from);
	snprintf(question.in, sizeof(question.in), "%s", in_device);
	assert_int_equal(scene->kernel->vt->route(scene->kernel, &question, &answer, NULL), 0);
	return answer;
}

static void route_questions_follow_the_rules(void **state)
{
	struct scene *scene = *state;

	build_tunnel(scene);
	assert_string_equal(ask(scene, "180.163.26.39", "0.0.0.0", "", false).device, "eth0");
	apply(scene, OP_ADD, KIND_RULE,
	      object_of(scene, rule, rule_kind, .priority = 7005, .fwmark = OUR_MARK,
			.fwmask = UINT32_MAX, .action = RULE_GOTO, .target = 9999,
			.suppress_prefixlength = SUPPRESS_NONE));
	fake_script_line(scene->fake, "rule 7010 lookup 254 suppress 31");
	fake_script_line(scene->fake, "rule 7011 lookup 7000 suppress 31");
	fake_script_line(scene->fake, "rule 7012 lookup 7000");
	struct route_answer answer = ask(scene, "180.163.26.39", "0.0.0.0", "", false);
	assert_string_equal(answer.device, "tun_a");
	assert_int_equal(answer.source.host, addr_of("192.168.1.1").host);
	assert_int_equal(answer.table, 7000);
	assert_int_equal(answer.mtu, 1480);
	assert_string_equal(ask(scene, "180.163.26.39", "0.0.0.0", "", true).device, "eth0");
	assert_true(ask(scene, "192.168.1.1", "0.0.0.0", "", false).local);
	assert_int_equal(ask(scene, "9.9.9.9", "0.0.0.0", "", false).gateway.host,
			 addr_of("172.16.0.1").host);
	assert_int_equal(ask(scene, "9.9.9.9", "10.0.0.1", "tun_a", false).error, -EHOSTUNREACH);
	fake_script_line(scene->fake, "delete route default");
	assert_int_equal(ask(scene, "9.9.9.9", "0.0.0.0", "", false).error, -ENETUNREACH);
}

static void a_script_fails_what_it_names_until_it_is_replaced(void **state)
{
	struct scene *scene = *state;
	struct op op = op_of(OP_ADD, KIND_LINK, tunnel_link(scene, "tun_a", "172.16.1.62"));

	put_file(scene, "script",
		 "# comment\n\nfail link add tun_* EOPNOTSUPP Unknown device type\n");
	assert_true(fake_script_run(scene->fake));
	assert_false(fake_script_run(scene->fake));
	for (unsigned i = 0; i < 2; i++) {
		scene->kernel->vt->apply(scene->kernel, &scene->arena, &op, 1);
		assert_int_equal(op.result, -EOPNOTSUPP);
		assert_string_equal(op.message, "link tun_a: add: Unknown device type");
	}
	assert_int_equal(apply(scene, OP_ADD, KIND_LINK, tunnel_link(scene, "other", "9.9.9.9")),
			 0);
	put_file(scene, "script", "");
	assert_true(fake_script_run(scene->fake));
	scene->kernel->vt->apply(scene->kernel, &scene->arena, &op, 1);
	assert_int_equal(op.result, 0);
}

static void a_replaced_script_wakes_the_agent_and_its_own_writing_does_not(void **state)
{
	struct scene *scene = *state;
	struct pollfd fd = {scene->kernel->vt->events_fd(scene->kernel), POLLIN, 0};
	struct kernel_events events;
	struct scope scope = {0};

	put_file(scene, "script", "link tun_x mtu 1400\n");
	assert_int_equal(poll(&fd, 1, 1000), 1);
	scene->kernel->vt->events_read(scene->kernel, &scope, &events);
	assert_true(events.look);
	assert_true(holds(scene, "link tun_x driver= "));
	fake_state_save(scene->fake);
	scene->kernel->vt->events_read(scene->kernel, &scope, &events);
	assert_false(events.look);
	assert_int_equal(poll(&fd, 1, 0), 0);
}

static void observe_can_be_refused(void **state)
{
	struct scene *scene = *state;
	struct objects observed = {.arena = &scene->arena};
	struct facts facts = {0};

	put_file(scene, "script", "refuse-observe EINTR\n");
	assert_int_equal(kernel_observe(scene->kernel, &scene->arena, &observed, &facts, NULL),
			 -EINTR);
	put_file(scene, "script", "# nothing\n");
	observe_at(scene, &observed, &facts);
	objects_done(&observed);
	facts_done(&facts);
}

static void an_agent_that_starts_again_finds_what_it_left(void **state)
{
	struct scene *scene = *state;
	cleanup_text struct text before = {0}, after = {0};
	char path[80];

	build_tunnel(scene);
	build_table(scene);
	fake_state_text(scene->fake, &before);
	scene_reopen(scene);
	fake_state_text(scene->fake, &after);
	assert_string_equal(before.s, after.s);
	snprintf(path, sizeof(path), "%s/memory", scene->directory);
	unlink(path);
	scene_reopen(scene);
	assert_false(holds(scene, "tun_a"));
	assert_true(holds(scene, "address lo 127.0.0.1/8"));
}

static void writes_its_state_one_line_an_object(void **state)
{
	struct scene *scene = *state;
	char path[80], line[512] = "";
	unsigned lines = 0;

	build_tunnel(scene);
	snprintf(path, sizeof(path), "%s/state", scene->directory);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	bool found = false;
	while (fgets(line, sizeof(line), file)) {
		found |= strcmp(line, "address tun_a 192.168.1.1/24\n") == 0;
		lines++;
	}
	fclose(file);
	assert_true(found);
	assert_string_equal(line, "sysctl ip_forward value=0\n");
	/* 3 links, 3 addresses, 6 sysctls, 5 routes, ip_forward */
	assert_int_equal(lines, 18);
}

static void boot_id_and_cookie_can_be_given(void **state)
{
	const struct scene *scene = *state;
	uint64_t cookie;
	char boot_id[37];

	assert_int_equal(kernel_namespace_cookie(&cookie), 0);
	assert_int_equal(cookie, 1);
	assert_int_equal(kernel_boot_id(boot_id), 0);
	assert_int_equal(strlen(boot_id), 36);
	put_file(scene, "cookie", "77\n");
	put_file(scene, "boot_id", "11111111-2222-4333-8444-555555555555\n");
	kernel_namespace_cookie(&cookie);
	kernel_boot_id(boot_id);
	assert_int_equal(cookie, 77);
	assert_string_equal(boot_id, "11111111-2222-4333-8444-555555555555");
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(observes_what_was_applied_as_ours),
		scene_test(a_link_that_goes_down_or_away_takes_its_routes),
		scene_test(an_address_that_goes_takes_the_routes_with_it_as_source),
		scene_test(refuses_what_the_kernel_refuses),
		scene_test(a_change_keeps_what_it_does_not_say),
		scene_test(a_sysctl_goes_back_to_what_it_was),
		scene_test(a_batch_of_nft_is_done_whole_or_not_at_all),
		scene_test(rules_need_their_sets),
		scene_test(elements_and_links_have_counters),
		scene_test(route_questions_follow_the_rules),
		scene_test(a_script_fails_what_it_names_until_it_is_replaced),
		scene_test(a_replaced_script_wakes_the_agent_and_its_own_writing_does_not),
		scene_test(observe_can_be_refused),
		scene_test(an_agent_that_starts_again_finds_what_it_left),
		scene_test(writes_its_state_one_line_an_object),
		scene_test(boot_id_and_cookie_can_be_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
