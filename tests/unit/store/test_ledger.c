/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger and the numbers of `from` prefixes. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <string.h>

static const char boot[] = "6f1c2b1e-0000-4000-8000-000000000001";
static const uint64_t cookie_here = 4026531840;

struct loaded {
	struct arena arena;
	struct objects objects;
};

static void load(struct scratch *s, struct loaded *loaded, const char *boot_id, uint64_t cookie)
{
	*loaded = (struct loaded){0};
	loaded->objects.arena = &loaded->arena;
	if (store_ledger_load(s->store, boot_id, cookie, &loaded->objects, &s->err))
		fail_msg("%s", s->err.sentence);
}

static void loaded_done(struct loaded *loaded)
{
	objects_done(&loaded->objects);
	arena_done(&loaded->arena);
}

static void open_ledger(struct scratch *s)
{
	struct loaded loaded;

	load(s, &loaded, boot, cookie_here);
	loaded_done(&loaded);
}

/* Every byte that the text of the ledger could take for its own. */
static void fill(const struct kind *kind, struct object *object, struct arena *arena)
{
	static const char awkward[] = "a b=%;\"'\n\x7f\xc3\xbc";

	object->set = kind_all(kind);
	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];
		void *p = field_of(field, object);

		if (field->type == FIELD_NAME) {
			memcpy(p, awkward, sizeof(awkward));
		} else if (field->type == FIELD_PREFIX) {
			*(struct prefix *)p = (struct prefix){{0xc0a80101}, 24};
		} else if (field->type == FIELD_ROWS) {
			struct rows *rows = p;
			const struct kind *of = *field->refers_to;

			*rows = (struct rows){arena_array(arena, 3, of->size), 3};
			/* the second row is all unset */
			fill(of, rows->v, arena);
			fill(of, (struct object *)((char *)rows->v + 2 * of->size), arena);
		} else {
			field_store(field, object,
				    field->type == FIELD_S32    ? INT32_MIN
				    : field->type == FIELD_ADDR ? UINT32_MAX
								: field->max);
		}
	}
}

static void every_kind_of_object_comes_back(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct object *put[OBJECT_KIND_END];
	struct loaded loaded;

	open_ledger(s);
	for (unsigned i = OBJECT_KIND_FIRST; i < OBJECT_KIND_END; i++) {
		put[i] = arena_alloc(&arena, kinds[i]->size);
		fill(kinds[i], put[i], &arena);
		put[i]->marks = OBJECT_FOUND | OBJECT_ORPHAN | OBJECT_ADOPT;
		if (store_ledger_put(s->store, i, put[i], &s->err))
			fail_msg("%s: %s", kinds[i]->noun, s->err.sentence);
	}
	scratch_reopen(s);
	load(s, &loaded, boot, cookie_here);
	for (unsigned i = OBJECT_KIND_FIRST; i < OBJECT_KIND_END; i++) {
		struct object *have = objects_find(&loaded.objects, i, put[i]);

		if (!have)
			fail_msg("%s is lost", kinds[i]->noun);
		assert_true(have->set == put[i]->set);
		assert_int_equal(have->marks, OBJECT_FOUND | OBJECT_ORPHAN);
		for (unsigned f = 0; f < kinds[i]->n_fields; f++)
			assert_int_equal(field_compare(&kinds[i]->fields[f], have, put[i]), 0);
	}
	loaded_done(&loaded);
}

static struct sysctl sysctl_of(const char *device, uint32_t value, uint32_t before)
{
	struct sysctl sysctl = {.head.set = kind_all(&sysctl_kind),
				.head.marks = OBJECT_OURS,
				.value = value,
				.before = before};

	snprintf(sysctl.device, sizeof(sysctl.device), "%s", device);
	return sysctl;
}

static void only_set_fields_are_set_again(void **state)
{
	struct scratch *s = *state;
	struct sysctl sysctl = sysctl_of("eth0", 1, 0);
	struct loaded loaded;

	sysctl.head.set &= ~object_bit(sysctl_kind, "value");
	open_ledger(s);
	assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL));
	load(s, &loaded, boot, cookie_here);
	assert_true(loaded.objects.kind[KIND_SYSCTL].v[0]->set == sysctl.head.set);
	loaded_done(&loaded);
}

static void same_key_is_one_row_whatever_is_set(void **state)
{
	struct scratch *s = *state;
	struct sysctl first = sysctl_of("eth0", 1, 0), second = sysctl_of("eth0", 1, 2);
	struct nft_element sparse = {.prefix = {{0x0a000000}, 8}}, full = sparse;
	struct loaded loaded;

	open_ledger(s);
	assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &first.head, NULL));
	assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &second.head, NULL));
	sparse.head.set = object_bit(nft_element_kind, "prefix");
	full.head.set = kind_all(&nft_element_kind);
	assert_ok(store_ledger_put(s->store, KIND_NFT_ELEMENT, &sparse.head, NULL));
	assert_ok(store_ledger_delete(s->store, KIND_NFT_ELEMENT, &full.head, NULL));
	load(s, &loaded, boot, cookie_here);
	assert_int_equal(objects_count(&loaded.objects), 1);
	struct sysctl *have = (struct sysctl *)loaded.objects.kind[KIND_SYSCTL].v[0];
	assert_int_equal(have->before, 2);
	assert_int_equal(have->head.marks, OBJECT_OURS);
	loaded_done(&loaded);
}

static void loaded_objects_are_sorted(void **state)
{
	static const char *const devices[] = {"tun10", "eth0", "tun9", "lan-1", "Eth0"};
	struct scratch *s = *state;
	struct loaded loaded;

	open_ledger(s);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		struct sysctl sysctl = sysctl_of(devices[i], 1, 0);

		assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL));
	}
	load(s, &loaded, boot, cookie_here);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		struct sysctl sysctl = sysctl_of(devices[i], 0, 0);

		assert_non_null(objects_find(&loaded.objects, KIND_SYSCTL, &sysctl));
	}
	loaded_done(&loaded);
}

static void rows_of_another_boot_are_dropped_for_good(void **state)
{
	struct scratch *s = *state;
	struct sysctl sysctl = sysctl_of("eth0", 1, 0);
	struct loaded loaded;

	open_ledger(s);
	assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL));
	load(s, &loaded, "another-boot", cookie_here);
	assert_int_equal(objects_count(&loaded.objects), 0);
	loaded_done(&loaded);
	load(s, &loaded, boot, cookie_here);
	assert_int_equal(objects_count(&loaded.objects), 0);
	loaded_done(&loaded);
}

static void rows_of_another_namespace_are_dropped(void **state)
{
	struct scratch *s = *state;
	struct sysctl sysctl = sysctl_of("eth0", 1, 0);
	struct loaded loaded;

	load(s, &loaded, boot, UINT64_MAX);
	loaded_done(&loaded);
	assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL));
	load(s, &loaded, boot, UINT64_MAX);
	assert_int_equal(objects_count(&loaded.objects), 1);
	loaded_done(&loaded);
	load(s, &loaded, boot, UINT64_MAX - 1);
	assert_int_equal(objects_count(&loaded.objects), 0);
	loaded_done(&loaded);
}

static void intent_is_part_of_the_transaction(void **state)
{
	struct scratch *s = *state;
	struct sysctl sysctl = sysctl_of("eth0", 1, 0);

	open_ledger(s);
	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL));
	store_rollback(s->store);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM ledger"), 0);
}

static void put_before_load_is_refused(void **state)
{
	struct scratch *s = *state;
	struct sysctl sysctl = sysctl_of("eth0", 1, 0);

	assert_int_equal(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL), -EINVAL);
}

static void damaged_rows_are_refused(void **state)
{
	static const char *const damages[] = {
		"kind = 'tunnel'",          "object = 'device'",           "object = 'nothing=1'",
		"object = 'value=x'",       "object = 'device=%4'",        "object = 'device=%zz'",
		"object = 'name=whatever'", "object = 'value=4294967296'",
	};
	struct scratch *s = *state;

	open_ledger(s);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct sysctl sysctl = sysctl_of("eth0", 1, 0);
		struct loaded loaded = {.objects.arena = &loaded.arena};
		char text[128];

		assert_ok(store_ledger_put(s->store, KIND_SYSCTL, &sysctl.head, NULL));
		snprintf(text, sizeof(text), "UPDATE ledger SET %s", damages[i]);
		scratch_sql(s, text);
		assert_int_equal(
			store_ledger_load(s->store, boot, cookie_here, &loaded.objects, &s->err),
			-EUCLEAN);
		loaded_done(&loaded);
		scratch_sql(s, "DELETE FROM ledger");
	}
}

static void from_numbers_come_back_until_they_are_deleted(void **state)
{
	const struct from_number a = {{{0x0a000000}, 8}, OUR_TABLE_FIRST + 2};
	const struct from_number b = {{{0x0a000000}, 9}, OUR_TABLE_FIRST + 1};
	struct scratch *s = *state;
	struct from_numbers numbers = {0};

	assert_ok(store_from_put(s->store, &a, NULL));
	assert_ok(store_from_put(s->store, &a, NULL));
	assert_ok(store_from_put(s->store, &b, NULL));
	scratch_reopen(s);
	assert_ok(store_from_load(s->store, &numbers, NULL));
	assert_int_equal(numbers.len, 2);
	assert_int_equal(prefix_compare(&numbers.v[1].from, &a.from), 0);
	assert_int_equal(numbers.v[1].table, a.table);
	vec_clear(&numbers);
	assert_ok(store_from_delete(s->store, a.from, NULL));
	assert_ok(store_from_load(s->store, &numbers, NULL));
	assert_int_equal(numbers.len, 1);
	assert_int_equal(numbers.v[0].table, b.table);
	vec_done(&numbers);
}

static void one_table_is_not_given_to_two_prefixes(void **state)
{
	const struct from_number a = {{{0x0a000000}, 8}, OUR_TABLE_FIRST + 1};
	const struct from_number b = {{{0x0b000000}, 8}, OUR_TABLE_FIRST + 1};
	struct scratch *s = *state;

	assert_ok(store_from_put(s->store, &a, NULL));
	assert_int_equal(store_from_put(s->store, &b, &s->err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(every_kind_of_object_comes_back),
		scratch_test(only_set_fields_are_set_again),
		scratch_test(same_key_is_one_row_whatever_is_set),
		scratch_test(loaded_objects_are_sorted),
		scratch_test(rows_of_another_boot_are_dropped_for_good),
		scratch_test(rows_of_another_namespace_are_dropped),
		scratch_test(intent_is_part_of_the_transaction),
		scratch_test(put_before_load_is_refused),
		scratch_test(damaged_rows_are_refused),
		scratch_test(from_numbers_come_back_until_they_are_deleted),
		scratch_test(one_table_is_not_given_to_two_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
