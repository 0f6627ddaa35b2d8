/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPIP devices. Needs the driver: runs in the lab. */
#include "kernel/ground.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct link tunnel(const char *device, const char *local, const char *remote)
{
	struct link link = {
		.head.set = kind_all(&link_kind),
		.driver = "ipip",
		.local = ground_addr(local),
		.remote = ground_addr(remote),
		.ttl = 64,
		.pmtudisc = true,
		.proto = 4,
		.mtu = 1480,
		.up = true,
		.group = OUR_GROUP,
	};

	snprintf(link.device, sizeof(link.device), "%s", device);
	alias_format(link.alias, 0xcafe, device);
	return link;
}

static struct link *seen(struct ground *ground, const char *device)
{
	ground_look(ground);
	return ground_find(ground, KIND_LINK, device);
}

static void makes_tunnel_as_declared(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &want), 0);
	struct link *link = seen(ground, "tun_a");
	assert_non_null(link);
	assert_int_equal(kind_differences(&link_kind, &want, link), 0);
	assert_int_equal(link->head.marks, OBJECT_OURS);
	assert_true(facts_link(&ground->facts, "tun_a")->ours);
	assert_null(ground_find(ground, KIND_LINK, "tunl0"));
	ground_prints("1\n", "cat /proc/sys/net/ipv6/conf/tun_a/disable_ipv6");
	ground_prints("1\n", "cat /proc/sys/net/ipv4/conf/tun_a/promote_secondaries");
	ground_prints("0\n", "cat /proc/sys/net/ipv4/conf/tun_a/forwarding");
}

static void counts_what_was_just_made(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct counted counted = {0};
	const struct counted_link *made = NULL;

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &want), 0);
	assert_int_equal(ground->kernel->vt->count(ground->kernel, COUNT_LINKS, &counted, NULL), 0);
	for (size_t i = 0; i < counted.links.len; i++)
		if (strcmp(counted.links.v[i].device, "tun_a") == 0)
			made = &counted.links.v[i];
	assert_non_null(made);
	assert_true(made->ours && made->up);
	assert_int_equal(made->mtu, 1480);
	counted_done(&counted);
}

static void change_keeps_the_rest_and_the_mtu(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct op op = {.verb = OP_CHANGE, .kind = KIND_LINK, .want = &want.head};

	want.mtu = 1300;
	want.tos = 0x10;
	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &want), 0);
	op.have = &seen(ground, "tun_a")->head;
	want.remote = ground_addr("192.0.2.3");
	op.differs = object_bit(link_kind, "remote");
	assert_int_equal(ground_apply(ground, &op), 0);
	assert_int_equal(kind_differences(&link_kind, &want, seen(ground, "tun_a")), 0);
	/* what is not wanted in particular stays */
	op.have = &seen(ground, "tun_a")->head;
	want.local = (struct addr){0};
	want.ttl = 7;
	want.head.set &= ~object_bit(link_kind, "local");
	op.differs = object_bit(link_kind, "ttl");
	assert_int_equal(ground_apply(ground, &op), 0);
	assert_int_equal(seen(ground, "tun_a")->local.host, ground_addr("192.0.2.1").host);
	assert_int_equal(seen(ground, "tun_a")->ttl, 7);
	assert_int_equal(seen(ground, "tun_a")->mtu, 1300);
}

static void drift_is_seen_and_repaired(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct op op = {.verb = OP_CHANGE, .kind = KIND_LINK, .want = &want.head};

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &want), 0);
	ground_look(ground);
	ground_quiet(ground);
	ground_sh("ip link set tun_a down mtu 1200 alias x && ip tunnel change tun_a ttl 3");
	assert_true(ground_events(ground, true).look);
	struct link *link = seen(ground, "tun_a");
	op.have = &link->head;
	op.differs = kind_differences(&link_kind, &want, link);
	assert_int_equal(op.differs, object_bit(link_kind, "up") | object_bit(link_kind, "mtu") |
					     object_bit(link_kind, "alias") |
					     object_bit(link_kind, "ttl"));
	assert_int_equal(ground_apply(ground, &op), 0);
	assert_int_equal(kind_differences(&link_kind, &want, seen(ground, "tun_a")), 0);
}

static void replace_makes_another_device(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct op op = {.verb = OP_REPLACE, .kind = KIND_LINK, .want = &want.head};

	ground_sh("modprobe ipip; ip link add tun_a type ipip local 192.0.2.1 external");
	op.have = &seen(ground, "tun_a")->head;
	assert_true(((const struct link *)op.have)->external);
	assert_int_equal(ground_apply(ground, &op), 0);
	assert_int_equal(kind_differences(&link_kind, &want, seen(ground, "tun_a")), 0);
}

static void underlay_goes_by_name(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");

	ground_sh("ip link add e0 type veth peer name e1");
	snprintf(want.underlay, sizeof(want.underlay), "e0");
	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &want), 0);
	assert_string_equal(seen(ground, "tun_a")->underlay, "e0");
	ground_sh("ip link del e0");
	assert_memory_equal(seen(ground, "tun_a")->underlay, "if", 2);
	snprintf(want.underlay, sizeof(want.underlay), "none");
	struct link other = tunnel("tun_b", "192.0.2.1", "192.0.2.3");
	snprintf(other.underlay, sizeof(other.underlay), "none");
	struct op op = {.verb = OP_ADD, .kind = KIND_LINK, .want = &other.head};
	assert_int_equal(ground_apply(ground, &op), -ENODEV);
	assert_string_equal(op.message, "link tun_b: create: no underlay device none");
}

static void same_endpoints_name_their_holder(void **state)
{
	struct ground *ground = *state;
	struct link first = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct link second = tunnel("tun_b", "192.0.2.1", "192.0.2.2");
	struct op op = {.verb = OP_ADD, .kind = KIND_LINK, .want = &second.head};

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &first), 0);
	assert_int_equal(ground_apply(ground, &op), -EEXIST);
	assert_string_equal(op.message, "link tun_b: create: endpoints 192.0.2.1 > 192.0.2.2 "
					"are held by tun_a");
	assert_true(op.duplicate);
	assert_null(seen(ground, "tun_b"));
}

static void a_change_to_the_endpoints_of_another_says_so(void **state)
{
	struct ground *ground = *state;
	struct link first = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct link second = tunnel("tun_b", "192.0.2.1", "192.0.2.3");
	struct link moved = tunnel("tun_b", "192.0.2.1", "192.0.2.2");
	struct op op = {
		.verb = OP_CHANGE, .kind = KIND_LINK, .want = &moved.head, .have = &second.head};

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &first), 0);
	assert_int_equal(ground_add(ground, KIND_LINK, &second), 0);
	assert_int_equal(ground_apply(ground, &op), -EEXIST);
	assert_true(op.duplicate);
}

static void taken_name_is_left_alone(void **state)
{
	struct ground *ground = *state;
	struct link want = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct op op = {.verb = OP_ADD, .kind = KIND_LINK, .want = &want.head};

	ground_look(ground);
	ground_sh("ip link add tun_a type veth peer name p");
	assert_int_equal(ground_apply(ground, &op), -EEXIST);
	assert_string_equal(op.message,
			    "link tun_a: create: the name is held by another device (veth)");
	assert_false(op.duplicate);
	struct link *link = seen(ground, "tun_a");
	assert_string_equal(link->driver, "veth");
	assert_string_equal(link->alias, "");
	assert_false(link->up);
}

static uint32_t index_of(const char *device)
{
	return if_nametoindex(device);
}

/* The kernel's next index is known from the last, so we can be there first. */
static void taken_index_is_tried_again_with_another(void **state)
{
	struct ground *ground = *state;
	struct link first = tunnel("tun_a", "192.0.2.1", "192.0.2.2");
	struct link second = tunnel("tun_b", "192.0.2.1", "192.0.2.3");

	ground_look(ground);
	assert_int_equal(ground_add(ground, KIND_LINK, &first), 0);
	uint32_t taken = index_of("tun_a") + 1;
	assert_true(taken > 0x20000000);
	ground_sh("ip link add foreign index %u type veth peer name p", taken);
	assert_int_equal(ground_add(ground, KIND_LINK, &second), 0);
	assert_int_equal(kind_differences(&link_kind, &second, seen(ground, "tun_b")), 0);
	assert_int_equal(index_of("tun_b"), taken + 1);
	struct link *foreign = seen(ground, "foreign");
	assert_int_equal(index_of("foreign"), taken);
	assert_string_equal(foreign->alias, "");
	assert_int_equal(foreign->group, 0);
	assert_false(foreign->up);
}

enum { MANY = 200 };

static void make_many(struct ground *ground, struct link *links, struct op *ops)
{
	char device[IFNAMSIZ];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(device, sizeof(device), "t%u", i);
		links[i] = tunnel(device, "192.0.2.1", "198.51.100.0");
		links[i].remote.host += i + 1;
		ops[i] = (struct op){.verb = OP_ADD, .kind = KIND_LINK, .want = &links[i].head};
	}
	ground->kernel->vt->apply(ground->kernel, &ground->arena, ops, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(ops[i].result, 0);
}

static void makes_and_deletes_many_and_nothing_else(void **state)
{
	struct ground *ground = *state;
	struct link *links = arena_array(&ground->arena, MANY, sizeof(*links));
	struct op *ops = arena_array(&ground->arena, MANY, sizeof(*ops));

	ground_sh("ip link add foreign type ipip local 192.0.2.1 remote 192.0.2.2");
	ground_look(ground);
	make_many(ground, links, ops);
	ground_look(ground);
	for (unsigned i = 0; i < MANY; i++) {
		struct object *have = objects_find(&ground->observed, KIND_LINK, &links[i]);

		assert_non_null(have);
		assert_int_equal(kind_differences(&link_kind, &links[i], have), 0);
		ops[i] = (struct op){.verb = OP_DELETE, .kind = KIND_LINK, .have = have};
	}
	ground->kernel->vt->apply(ground->kernel, &ground->arena, ops, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(ops[i].result, 0);
	ground_prints("foreign lo tunl0 \n", "ls /sys/class/net >/dev/null; ip -br link | "
					     "sed 's/[@ ].*//' | sort | tr '\\n' ' '; echo");
}

static void delete_three(struct ground *ground, struct link *links)
{
	struct op ops[3];

	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		ops[i] = (struct op){.verb = OP_DELETE, .kind = KIND_LINK, .have = &links[i].head};
	ground->kernel->vt->apply(ground->kernel, &ground->arena, ops, ARRAY_LEN(ops));
	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		assert_int_equal(ops[i].result, 0);
}

static void add_stranger(void)
{
	ground_sh("ip link add foreign type veth peer name p && ip link set foreign group %d",
		  OUR_DOOMED_GROUP);
}

/* Many of ours, that were looked at. */
static struct link *have_many(struct ground *ground)
{
	struct link *links = arena_array(&ground->arena, MANY, sizeof(*links));
	struct op *ops = arena_array(&ground->arena, MANY, sizeof(*ops));

	ground_look(ground);
	make_many(ground, links, ops);
	ground_look(ground);
	return links;
}

static void stranger_in_the_doomed_group_survives(void **state)
{
	struct ground *ground = *state;
	struct link *links = have_many(ground);

	add_stranger();
	delete_three(ground, links);
	assert_non_null(seen(ground, "foreign"));
	assert_null(seen(ground, "t2"));
	assert_non_null(seen(ground, "t3"));
}

/* No event tells of a group that a device joins which is down. */
static void stranger_that_comes_between_two_chunks_survives(void **state)
{
	struct ground *ground = *state;
	struct link *links = have_many(ground);

	delete_three(ground, links);
	add_stranger();
	delete_three(ground, links + 3);
	assert_non_null(seen(ground, "foreign"));
	assert_null(seen(ground, "t5"));
	assert_non_null(seen(ground, "t6"));
}

/* Their events come in the name of nobody, when their names are forgotten already. */
static void what_we_delete_wakes_nothing(void **state)
{
	struct ground *ground = *state;
	struct link *links = have_many(ground);

	ground_sh("ip addr add 10.0.0.1/24 dev t1");
	ground_look(ground);
	ground_quiet(ground);
	delete_three(ground, links);
	assert_false(ground_events(ground, false).look);
	delete_three(ground, links + 3);
	assert_false(ground_events(ground, false).look);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_new, ground_free)
	TEST(makes_tunnel_as_declared),
	TEST(counts_what_was_just_made),
	TEST(change_keeps_the_rest_and_the_mtu),
	TEST(drift_is_seen_and_repaired),
	TEST(replace_makes_another_device),
	TEST(underlay_goes_by_name),
	TEST(same_endpoints_name_their_holder),
	TEST(a_change_to_the_endpoints_of_another_says_so),
	TEST(taken_name_is_left_alone),
	TEST(taken_index_is_tried_again_with_another),
	TEST(makes_and_deletes_many_and_nothing_else),
	TEST(stranger_in_the_doomed_group_survives),
	TEST(stranger_that_comes_between_two_chunks_survives),
	TEST(what_we_delete_wakes_nothing),
};

int main(void)
{
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
