/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The field tables are sane: what walks them need not ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "model/object.h"
#include "model/resource.h"

/* Runs a test over every row of every table. */
static void each(void (*test)(const struct kind *kind, const struct field *field))
{
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned f = 0; f < kinds[k]->n_fields; f++)
			test(kinds[k], &kinds[k]->fields[f]);
}

static void kinds_are_at_their_id(void **state)
{
	(void)state;
	for (unsigned k = 0; k < KINDS; k++) {
		assert_non_null(kinds[k]);
		assert_int_equal(kinds[k]->id, k);
		assert_true(kinds[k]->n_fields > 0 && kinds[k]->n_fields < 64);
		for (unsigned other = 0; other < k; other++)
			assert_string_not_equal(kinds[k]->noun, kinds[other]->noun);
	}
	for (unsigned k = 0; k < RESOURCE_KINDS; k++) {
		assert_non_null(kinds[k]->doc);
		assert_non_null(kinds[k]->check);
		assert_ptr_equal(resource_kind_of_path(kinds[k]->path), kinds[k]);
		assert_string_equal(kinds[k]->fields[0].name, "name");
	}
	assert_null(resource_kind_of_path("links"));
}

/* kind_key_compare ends at the first row that is no key. */
static void keys_stand_first(void **state)
{
	(void)state;
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned f = 1; f < kinds[k]->n_fields; f++)
			if (kinds[k]->fields[f].flags & FIELD_KEY)
				assert_true(kinds[k]->fields[f - 1].flags & FIELD_KEY);
}

static void row_is_within_its_struct(const struct kind *kind, const struct field *field)
{
	assert_true(field->size > 0);
	assert_true(field->offset >= sizeof(uint64_t)); /* behind the set mask */
	assert_true(field->offset + field->size <= kind->size);
	for (const struct field *other = kind->fields; other < field; other++)
		assert_true(other->offset + other->size <= field->offset ||
			    field->offset + field->size <= other->offset);
}

static void rows_are_within_their_struct_and_apart(void **state)
{
	(void)state;
	each(row_is_within_its_struct);
}

static void name_is_unique_and_plain(const struct kind *kind, const struct field *field)
{
	assert_true(strspn(field->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(field->name));
	assert_ptr_equal(kind_field(kind, field->name), field);
}

static void names_are_unique_and_plain(void **state)
{
	(void)state;
	each(name_is_unique_and_plain);
}

static void number_has_bounds(const struct kind *kind, const struct field *field)
{
	static const int64_t max[] = {
		[FIELD_U8] = UINT8_MAX,  [FIELD_U16] = UINT16_MAX, [FIELD_U32] = UINT32_MAX,
		[FIELD_S32] = INT32_MAX, [FIELD_BOOL] = 1,
	};

	(void)kind;
	if (field->type > FIELD_S32)
		return;
	assert_true(field->min < field->max);
	assert_true(field->max <= max[field->type]);
	assert_true(field->min >= (field->type == FIELD_S32 ? INT32_MIN : 0));
	if (field->flags & FIELD_WORD) /* no number says the same as the word */
		assert_true(field->word_value < field->min || field->word_value > field->max ||
			    (field->step && field->word_value % field->step));
	else
		assert_true(field->dflt >= field->min && field->dflt <= field->max);
}

static void numbers_have_bounds(void **state)
{
	(void)state;
	each(number_has_bounds);
}

static void choice_is_complete(const struct kind *kind, const struct field *field)
{
	(void)kind;
	if (field->type != FIELD_CHOICE)
		return;
	assert_true(field->n_choices > 1);
	assert_true(field->dflt >= 0 && field->dflt < field->n_choices);
	for (uint32_t i = 0; i < field->n_choices; i++)
		assert_non_null(field->choices[i]);
}

static void choices_are_complete(void **state)
{
	(void)state;
	each(choice_is_complete);
}

static void resources_say_what_a_client_needs(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (unsigned f = 0; f < kinds[k]->n_fields; f++) {
			const struct field *field = &kinds[k]->fields[f];

			assert_non_null(field->doc);
			assert_true(strlen(field->doc) > 3 && strlen(field->doc) < 90);
			if (field->type == FIELD_PREFIXES || field->type == FIELD_LABELS)
				assert_true(field->max_count > 0);
			if (field->type == FIELD_STRING)
				assert_true(field->max > 0);
			if (field->flags & FIELD_WORD)
				assert_non_null(field->word);
			if (field->flags & FIELD_IFNAME)
				assert_int_equal(field->size, IFNAMSIZ);
			assert_int_not_equal(field->type, FIELD_ROWS);
		}
}

static void row_shows_and_compares(const struct kind *kind, const struct field *field)
{
	cleanup_text struct text text = {0};
	uint64_t object[256] = {0};

	assert_true(kind->size <= sizeof(object));
	field_show(field, object, &text);
	assert_int_equal(field_compare(field, object, object), 0);
}

static void every_row_shows_and_compares(void **state)
{
	(void)state;
	each(row_shows_and_compares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_at_their_id),
		cmocka_unit_test(keys_stand_first),
		cmocka_unit_test(rows_are_within_their_struct_and_apart),
		cmocka_unit_test(names_are_unique_and_plain),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(choices_are_complete),
		cmocka_unit_test(resources_say_what_a_client_needs),
		cmocka_unit_test(every_row_shows_and_compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
