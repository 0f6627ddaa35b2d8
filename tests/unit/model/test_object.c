/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorted sets of objects, and the mark of a link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/object.h"
#include "model/op.h"

static struct link *add_link(struct objects *objects, const char *device, uint32_t mtu)
{
	struct link *link = (struct link *)objects_add(objects, KIND_LINK);

	strncpy(link->device, device, sizeof(link->device) - 1);
	link->mtu = mtu;
	link->head.set = object_bit(link_kind, "device") | object_bit(link_kind, "mtu");
	return link;
}

static const struct link *find_link(const struct objects *objects, const char *device)
{
	struct link key = {0};

	strncpy(key.device, device, sizeof(key.device) - 1);
	return (const struct link *)objects_find(objects, KIND_LINK, &key);
}

static void sorts_and_finds(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct objects objects = {.arena = &arena};
	char name[8];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%03u", i * 337 % 1000);
		add_link(&objects, name, i);
	}
	objects_sort(&objects);
	assert_int_equal(objects_count(&objects), 1000);
	for (size_t i = 1; i < 1000; i++)
		assert_true(kind_key_compare(&link_kind, objects.kind[KIND_LINK].v[i - 1],
					     objects.kind[KIND_LINK].v[i]) < 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%03u", i * 337 % 1000);
		assert_non_null(find_link(&objects, name));
		assert_int_equal(find_link(&objects, name)->mtu, i);
	}
	assert_null(find_link(&objects, "t"));
	assert_null(find_link(&objects, "t1000"));
	objects_done(&objects);
	assert_int_equal(objects_count(&objects), 0);
}

static void keeps_the_first_of_equal_keys(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct objects objects = {.arena = &arena};

	(void)state;
	add_link(&objects, "b", 1);
	add_link(&objects, "a", 2);
	add_link(&objects, "b", 3);
	add_link(&objects, "a", 4);
	add_link(&objects, "a", 5);
	objects_sort(&objects);
	assert_int_equal(objects.kind[KIND_LINK].len, 2);
	assert_int_equal(find_link(&objects, "a")->mtu, 2);
	assert_int_equal(find_link(&objects, "b")->mtu, 1);
	objects_done(&objects);
}

/* Of every length, as runs of every kind, with keys that their ranks do not tell apart. */
static void sorts_runs_and_keeps_the_first(void **state)
{
	enum { LEN_MAX = 70, KEYS = 23 };
	static const unsigned steps[] = {1, KEYS - 1, 7, 0};

	(void)state;
	for (size_t len = 0; len <= LEN_MAX; len++)
		for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
			cleanup_arena struct arena arena = {0};
			struct objects objects = {.arena = &arena};
			size_t first[KEYS];

			memset(first, 0xff, sizeof(first));
			for (size_t i = 0; i < len; i++) {
				unsigned key = (unsigned)(i * steps[s] + i / KEYS) % KEYS;
				struct nft_element *e = (struct nft_element *)objects_add(
					&objects, KIND_NFT_ELEMENT);

				strcpy(e->set_name, "as_long_as_names_of_sets_are___");
				snprintf(e->device, sizeof(e->device), "a_device_%02u", key);
				e->to.host = (uint32_t)i;
				if (first[key] == SIZE_MAX)
					first[key] = i;
			}
			objects_sort(&objects);
			const struct object_list *list = &objects.kind[KIND_NFT_ELEMENT];
			size_t at = 0;
			for (unsigned key = 0; key < KEYS; key++) {
				if (first[key] == SIZE_MAX)
					continue;
				assert_int_equal(((struct nft_element *)list->v[at++])->to.host,
						 first[key]);
			}
			assert_int_equal(at, list->len);
			objects_done(&objects);
		}
}

static void finds_near_what_it_finds_anywhere(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct objects objects = {.arena = &arena};

	(void)state;
	for (uint32_t i = 1; i < 12; i += 2)
		((struct rule *)objects_add(&objects, KIND_RULE))->priority = i;
	objects_sort(&objects);
	for (size_t near = 0; near < 8; near++)
		for (uint32_t i = 0; i < 13; i++) {
			const struct rule key = {.priority = i};
			size_t at = near;
			struct object *found = objects_find_near(&objects, KIND_RULE, &key, &at);

			assert_ptr_equal(found, objects_find(&objects, KIND_RULE, &key));
			assert_true(!found == !(i % 2 && i < 12));
			assert_true(!found || objects.kind[KIND_RULE].v[at] == found);
		}
	objects_done(&objects);
}

static void finds_nothing_in_nothing(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct objects objects = {.arena = &arena};

	(void)state;
	objects_sort(&objects);
	assert_null(find_link(&objects, "a"));
	objects_done(&objects);
}

static void keeps_kinds_apart(void **state)
{
	cleanup_arena struct arena arena = {0};
	struct objects objects = {.arena = &arena};

	(void)state;
	add_link(&objects, "a", 1);
	struct address *address = (struct address *)objects_add(&objects, KIND_ADDRESS);
	strcpy(address->device, "a");
	objects_sort(&objects);
	assert_int_equal(objects.kind[KIND_LINK].len, 1);
	assert_int_equal(objects.kind[KIND_ADDRESS].len, 1);
	assert_int_equal(objects_count(&objects), 2);
	objects_done(&objects);
}

static void reads_the_alias_that_it_writes(void **state)
{
	char alias[ALIAS_TEXT], name[64] = {0};
	uint32_t id = 0;

	(void)state;
	alias_format(alias, 0x00c0ffee, "tun_a");
	assert_string_equal(alias, "ipipd:00c0ffee:tun_a");
	assert_true(alias_parse(alias, &id));
	assert_int_equal(id, 0x00c0ffee);
	memset(name, 'x', sizeof(name) - 1);
	alias_format(alias, UINT32_MAX, name);
	assert_int_equal(strlen(alias), 6 + 8 + 1 + 63);
	assert_true(alias_parse(alias, &id));
	assert_true(id == UINT32_MAX);
}

static void takes_no_other_alias_for_ours(void **state)
{
	static const char *const others[] = {
		"",
		"ipipd",
		"ipipd:",
		"ipipd:00c0ffee",
		"ipipd:0c0ffee:tun_a",
		"ipipd:00c0ffeee:tun_a",
		"ipipd:00C0FFEE:tun_a",
		"ipipd:0x123456:tun_a",
		"ipipd: 0c0ffee:tun_a",
		"ipipd:-0c0ffee:tun_a",
		"Ipipd:00c0ffee:tun_a",
		" ipipd:00c0ffee:tun_a",
		"wan uplink",
	};
	uint32_t id = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (alias_parse(others[i], &id))
			fail_msg("\"%s\" was taken for ours", others[i]);
	assert_int_equal(id, 7);
}

static void knows_what_an_op_depends_on(void **state)
{
	struct link link = {.device = "tun_a"};
	struct rule rule = {.priority = 7000};
	struct nft_element element = {.device = "tun_a"};
	struct op op = {.have = &link.head};

	(void)state;
	assert_ptr_equal(op_object(&op), &link.head);
	assert_string_equal(object_device(KIND_LINK, &link), "tun_a");
	assert_null(object_device(KIND_RULE, &rule));
	assert_null(object_device(KIND_NFT_ELEMENT, &element)); /* nft goes by name */
	for (unsigned verb = OP_ADD; verb <= OP_CONFLICT; verb++)
		assert_non_null(op_verb_names[verb]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_and_finds),
		cmocka_unit_test(keeps_the_first_of_equal_keys),
		cmocka_unit_test(sorts_runs_and_keeps_the_first),
		cmocka_unit_test(finds_near_what_it_finds_anywhere),
		cmocka_unit_test(finds_nothing_in_nothing),
		cmocka_unit_test(keeps_kinds_apart),
		cmocka_unit_test(reads_the_alias_that_it_writes),
		cmocka_unit_test(takes_no_other_alias_for_ours),
		cmocka_unit_test(knows_what_an_op_depends_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
