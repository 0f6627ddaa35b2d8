/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resources come back as they were put: every field, set or not, of every kind. */
#include "unit/store/scratch.h"

#include <errno.h>
#include <string.h>

#include "store/value.h"

enum filling { FILL_REQUIRED, FILL_ALL, FILL_ZERO, FILL_EMPTY_LISTS, FILL_MAX };

static void fill_list(const struct field *field, void *resource, uint32_t len, struct arena *arena)
{
	if (field->type == FIELD_LABELS) {
		struct labels *labels = field_of(field, resource);

		*labels = (struct labels){arena_array(arena, len, sizeof(*labels->v)), len};
		for (uint32_t i = 0; i < len; i++)
			labels->v[i] = (struct label){arena_printf(arena, "key/%u", len - i),
						      i % 2 ? "" : "v'\"=\u00fc"};
		return;
	}
	struct prefixes *list = field_of(field, resource);
	*list = (struct prefixes){arena_array(arena, len, sizeof(*list->v)), len};
	/* neither sorted nor distinct: the order given is kept */
	for (uint32_t i = 0; i < len; i++)
		list->v[i] = (struct prefix){{0x0a000000 + (i * 7919 % 65536) * 256},
					     i % 2 ? 24 : 32};
}

static void fill_text(const struct field *field, void *resource, bool max, struct arena *arena)
{
	size_t len = max ? field->type == FIELD_NAME ? field->size - 1 : (size_t)field->max : 3;
	char *text = arena_alloc(arena, len + 1);

	memset(text, 'n', len);
	if (field->type == FIELD_NAME)
		memcpy(field_of(field, resource), text, len + 1);
	else
		*(const char **)field_of(field, resource) = text;
}

static void fill_field(const struct field *field, void *resource, enum filling filling,
		       struct arena *arena)
{
	bool zero = filling == FILL_ZERO;

	switch (field->type) {
	case FIELD_LABELS:
	case FIELD_PREFIXES:
		fill_list(field, resource,
			  filling == FILL_MAX           ? field->max_count
			  : filling == FILL_EMPTY_LISTS ? 0
							: 3,
			  arena);
		return;
	case FIELD_NAME:
	case FIELD_STRING:
		if (!zero || field->flags & FIELD_KEY)
			fill_text(field, resource, filling == FILL_MAX, arena);
		return;
	case FIELD_ADDR:
		field_store(field, resource, zero ? 0 : 0xfffefdfc);
		return;
	case FIELD_BOOL:
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
	case FIELD_CHOICE:
		field_store(field, resource, zero ? 0 : field->max);
		return;
	case FIELD_PREFIX:
	case FIELD_ROWS:
		break;
	}
	fail_msg("resources have no such field: %s", field->name);
}

static bool is_wanted(const struct field *field, enum filling filling)
{
	if (field->flags & (FIELD_KEY | FIELD_REQUIRED))
		return true;
	return filling == FILL_EMPTY_LISTS ? value_is_list(field) : filling != FILL_REQUIRED;
}

static struct resource *make(const struct kind *kind, enum filling filling, struct arena *arena)
{
	struct resource *resource = arena_alloc(arena, kind->size);

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (is_wanted(&kind->fields[i], filling)) {
			fill_field(&kind->fields[i], resource, filling, arena);
			resource->set |= kind_bit(kind, &kind->fields[i]);
		}
	kind_defaults(kind, resource);
	snprintf(resource->uid, sizeof(resource->uid), "01234567-89ab-4def-8123-456789abcdef");
	/* not declared, so that it needs no tunnel to refer to */
	resource->deleting = true;
	resource->generation = UINT64_MAX;
	resource->revision = (uint64_t)INT64_MAX + 1;
	resource->created_ms = 1700000000123;
	resource->updated_ms = INT64_MAX;
	return resource;
}

static void put(struct scratch *s, const struct kind *kind, const struct resource *resource)
{
	assert_ok(store_begin(s->store, NULL));
	if (store_put(s->store, kind, resource, &s->err))
		fail_msg("%s", s->err.sentence);
	assert_ok(store_commit(s->store, NULL));
}

static void assert_same(const struct kind *kind, const struct resource *want,
			const struct resource *have)
{
	uint64_t differ = kind_differences(kind, want, have);

	if (want->set != have->set || differ)
		fail_msg("%s: set %llx, not %llx; rows %llx differ", kind->noun,
			 (unsigned long long)have->set, (unsigned long long)want->set,
			 (unsigned long long)differ);
	for (unsigned i = 0; i < kind->n_fields; i++)
		assert_int_equal(field_compare(&kind->fields[i], want, have), 0);
	assert_int_equal(want->deleting, have->deleting);
	assert_string_equal(want->uid, have->uid);
	assert_true(want->generation == have->generation);
	assert_true(want->revision == have->revision);
	assert_true(want->created_ms == have->created_ms);
	assert_true(want->updated_ms == have->updated_ms);
}

/* Puts it over what stands there, and looks after a new open. */
static void assert_comes_back(struct scratch *s, const struct kind *kind,
			      const struct resource *resource)
{
	struct declaration declaration = {0};

	put(s, kind, resource);
	scratch_reopen(s);
	if (store_load(s->store, &declaration, &s->err))
		fail_msg("%s", s->err.sentence);
	struct resource *have = declaration_find(&declaration, kind->id, resource->name, NULL);
	assert_non_null(have);
	assert_same(kind, resource, have);
	declaration_done(&declaration);
}

static void assert_round_trip(struct scratch *s, const struct kind *kind)
{
	static const enum filling fillings[] = {FILL_REQUIRED, FILL_ALL,         FILL_ZERO,
						FILL_ALL,      FILL_EMPTY_LISTS, FILL_ALL,
						FILL_REQUIRED, FILL_MAX};
	cleanup_arena struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_LEN(fillings); i++)
		assert_comes_back(s, kind, make(kind, fillings[i], &arena));
}

/* Members go to the store many at a time, and one at a time what is left over. */
static void lists_of_any_length_come_back_in_order(void **state)
{
	static const uint32_t lengths[] = {33, 0, 1, 31, 32, 64, 63, 129, 65, 96, 2};
	cleanup_arena struct arena arena = {0};

	for (unsigned k = 0; k < RESOURCE_KINDS; k++)
		for (size_t l = 0; l < ARRAY_LEN(lengths); l++) {
			struct resource *resource = make(kinds[k], FILL_ALL, &arena);

			for (unsigned i = 0; i < kinds[k]->n_fields; i++) {
				const struct field *field = &kinds[k]->fields[i];

				if (value_is_list(field) && lengths[l] <= field->max_count)
					fill_list(field, resource, lengths[l], &arena);
			}
			assert_comes_back(*state, kinds[k], resource);
		}
}

static void tunnel_comes_back_as_it_was_put(void **state)
{
	assert_round_trip(*state, &tunnel_kind);
}

static void exit_route_comes_back_as_it_was_put(void **state)
{
	assert_round_trip(*state, &exit_route_kind);
}

static void nat_rule_comes_back_as_it_was_put(void **state)
{
	assert_round_trip(*state, &nat_rule_kind);
}

static void defaults_fill_what_was_not_given(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct declaration d = {0};

	put(s, &tunnel_kind, make(&tunnel_kind, FILL_REQUIRED, &arena));
	assert_ok(store_load(s->store, &d, &s->err));
	struct tunnel *tunnel = (struct tunnel *)d.kind[KIND_TUNNEL].v[0];
	assert_int_equal(tunnel->ttl, 64);
	assert_true(tunnel->head.enabled);
	assert_null(tunnel->head.comment);
	declaration_done(&d);
}

static void deleting_a_row_takes_its_lists_along(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *resource = make(&tunnel_kind, FILL_ALL, &arena);

	put(s, &tunnel_kind, resource);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM tunnels_labels"), 3);
	assert_ok(store_begin(s->store, NULL));
	assert_ok(store_delete(s->store, &tunnel_kind, resource->name, NULL));
	assert_ok(store_commit(s->store, NULL));
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM tunnels"), 0);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM tunnels_labels"), 0);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM tunnels_addresses"), 0);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM tunnels_allowed_sources"), 0);
}

static void list_that_did_not_change_is_not_written(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *resource = make(&exit_route_kind, FILL_ALL, &arena);

	put(s, &exit_route_kind, resource);
	int before = sqlite3_total_changes(s->store->database.db);
	((struct exit_route *)resource)->destinations.v[1].len = 30;
	put(s, &exit_route_kind, resource);
	/* the row itself, and one destination */
	assert_int_equal(sqlite3_total_changes(s->store->database.db) - before, 2);
}

static void statements_are_prepared_once(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *resource = make(&tunnel_kind, FILL_ALL, &arena);
	const struct table *table = &s->store->tables[KIND_TUNNEL];

	for (int i = 0; i < 5; i++)
		put(s, &tunnel_kind, resource);
	assert_int_equal(sqlite3_stmt_status(table->add, SQLITE_STMTSTATUS_RUN, 0), 5);
	assert_int_equal(sqlite3_stmt_status(table->add, SQLITE_STMTSTATUS_REPREPARE, 0), 0);
	assert_int_equal(sqlite3_stmt_status(table->change, SQLITE_STMTSTATUS_RUN, 0), 4);
}

/* Of a new one there is nothing to trim; of one that was there before, there may be. */
static void lists_of_a_new_resource_are_not_searched(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *resource = make(&tunnel_kind, FILL_ALL, &arena);
	const struct field *field = kind_field(&tunnel_kind, "addresses");

	put(s, &tunnel_kind, resource);
	const struct list_table *list =
		&s->store->tables[KIND_TUNNEL].lists[field - tunnel_kind.fields];
	assert_null(list->trim);
	put(s, &tunnel_kind, resource);
	assert_int_equal(sqlite3_stmt_status(list->trim, SQLITE_STMTSTATUS_RUN, 0), 1);
}

static void put_outside_a_transaction_is_refused(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *resource = make(&tunnel_kind, FILL_ALL, &arena);

	assert_int_equal(store_put(s->store, &tunnel_kind, resource, &s->err), -EINVAL);
	assert_int_equal(store_delete(s->store, &tunnel_kind, "x", &s->err), -EINVAL);
	assert_int_equal(scratch_number(s, "SELECT count(*) FROM tunnels"), 0);
}

static void the_revision_is_the_greatest_of_the_rows_and_what_was_set(void **state)
{
	static const struct {
		uint64_t rows[2], set, loaded;
	} cases[] = {{{3, 5}, 0, 5}, {{5, 3}, 0, 5}, {{5, 3}, 4, 5}, {{3, 5}, 6, 6}};
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct resource *t = make(&tunnel_kind, FILL_REQUIRED, &arena);
		struct resource *n = make(&nat_rule_kind, FILL_REQUIRED, &arena);
		struct declaration d = {0};

		t->revision = cases[i].rows[0];
		n->revision = cases[i].rows[1];
		put(s, &tunnel_kind, t);
		put(s, &nat_rule_kind, n);
		if (cases[i].set)
			assert_ok(store_set_revision(s->store, cases[i].set, NULL));
		scratch_reopen(s);
		assert_ok(store_load(s->store, &d, NULL));
		assert_int_equal(d.revision, cases[i].loaded);
		declaration_done(&d);
	}
}

static void load_hands_over_sorted_and_with_the_revision(void **state)
{
	static const char *const names[] = {"b", "B", "a.1", "10", "9"};
	static const char *const sorted[] = {"10", "9", "B", "a.1", "b"};
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct declaration d = {0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct resource *resource = make(&nat_rule_kind, FILL_ALL, &arena);

		snprintf(resource->name, sizeof(resource->name), "%s", names[i]);
		put(s, &nat_rule_kind, resource);
	}
	assert_ok(store_set_revision(s->store, UINT64_MAX, NULL));
	scratch_reopen(s);
	assert_ok(store_load(s->store, &d, NULL));
	assert_true(d.revision == UINT64_MAX);
	assert_int_equal(d.kind[KIND_NAT_RULE].len, ARRAY_LEN(sorted));
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
		assert_string_equal(d.kind[KIND_NAT_RULE].v[i]->name, sorted[i]);
	declaration_done(&d);
}

/* What SQLite's own check cannot see: values that are none of their field. */
static void damaged_values_are_named(void **state)
{
	static const struct {
		const char *sql, *field;
	} cases[] = {
		{"UPDATE tunnels SET remote = '1.2.3'", "remote"},
		{"UPDATE tunnels SET ttl = 256", "ttl"},
		{"UPDATE tunnels SET rp_filter = 'maybe'", "rp_filter"},
		{"UPDATE tunnels SET device = 'sixteen-bytes-xx'", "device"},
		{"UPDATE tunnels SET addresses = 2", "addresses"},
		{"UPDATE tunnels SET addresses = 4", "addresses"},
		{"UPDATE tunnels SET addresses = -1", "addresses"},
		{"UPDATE tunnels SET addresses = 1000000", "addresses"},
		{"UPDATE tunnels_addresses SET prefix = '10.0.0.0/33'", "addresses"},
		{"DELETE FROM tunnels_labels WHERE position = 1", "labels"},
		{"PRAGMA foreign_keys = 0;"
		 "INSERT INTO tunnels_addresses VALUES ('', 0, '10.0.0.0/8')",
		 "addresses"},
	};
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *resource = make(&tunnel_kind, FILL_ALL, &arena);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct declaration d = {0};

		put(s, &tunnel_kind, resource);
		scratch_sql(s, cases[i].sql);
		assert_int_equal(store_load(s->store, &d, &s->err), -EUCLEAN);
		if (!strstr(s->err.sentence, cases[i].field))
			fail_msg("%s: %s", cases[i].sql, s->err.sentence);
		assert_int_equal(d.kind[KIND_TUNNEL].len, 0);
		declaration_done(&d);
		/* "unchanged" members are not written again, so begin anew */
		scratch_sql(s, "PRAGMA foreign_keys = 1; DELETE FROM tunnels;"
			       "DELETE FROM tunnels_addresses");
	}
}

static void refuses_to_load(struct scratch *s, const char *sql, const char *named)
{
	struct declaration d = {0};

	scratch_sql(s, sql);
	assert_int_equal(store_load(s->store, &d, &s->err), -EUCLEAN);
	assert_non_null(strstr(s->err.sentence, named));
	declaration_done(&d);
}

static void what_belongs_to_nobody_is_refused(void **state)
{
	struct scratch *s = *state;
	cleanup_arena struct arena arena = {0};
	struct resource *route = make(&exit_route_kind, FILL_ALL, &arena);

	route->deleting = false;
	put(s, &tunnel_kind, make(&tunnel_kind, FILL_ALL, &arena));
	put(s, &exit_route_kind, route);
	refuses_to_load(s, "UPDATE exit_routes SET labels = NULL", "labels");
	put(s, &exit_route_kind, route);
	scratch_sql(s, "PRAGMA foreign_keys = 0");
	refuses_to_load(s, "INSERT INTO tunnels_addresses VALUES ('zzz', 0, '10.0.0.0/8')", "zzz");
	refuses_to_load(s,
			"DELETE FROM tunnels_addresses WHERE resource = 'zzz';"
			"UPDATE exit_routes SET tunnel = 'nobody'",
			route->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(tunnel_comes_back_as_it_was_put),
		scratch_test(exit_route_comes_back_as_it_was_put),
		scratch_test(nat_rule_comes_back_as_it_was_put),
		scratch_test(lists_of_any_length_come_back_in_order),
		scratch_test(defaults_fill_what_was_not_given),
		scratch_test(deleting_a_row_takes_its_lists_along),
		scratch_test(list_that_did_not_change_is_not_written),
		scratch_test(statements_are_prepared_once),
		scratch_test(lists_of_a_new_resource_are_not_searched),
		scratch_test(put_outside_a_transaction_is_refused),
		scratch_test(the_revision_is_the_greatest_of_the_rows_and_what_was_set),
		scratch_test(load_hands_over_sorted_and_with_the_revision),
		scratch_test(damaged_values_are_named),
		scratch_test(what_belongs_to_nobody_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
