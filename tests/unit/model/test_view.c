/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A view stays as it was opened, whatever is written, and nothing outlives the last one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/view.h"

static struct declaration d;

static void put(const char *name, uint32_t remote)
{
	struct tunnel t = {.remote = {remote}};

	strncpy(t.head.name, name, sizeof(t.head.name) - 1);
	declaration_put(&d, KIND_TUNNEL, kind_copy(&tunnel_kind, &t, NULL));
	d.revision++;
}

static void assert_view(const struct view *view, const char *want)
{
	const struct resources *list = &view->kind[KIND_TUNNEL];
	char text[200] = "";

	for (size_t i = 0; i < list->len; i++) {
		const struct tunnel *t = (const struct tunnel *)list->v[i];
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%u ", t->head.name, t->remote.host);
	}
	assert_string_equal(text, want);
}

static int end(void **state)
{
	(void)state;
	declaration_done(&d);
	d = (struct declaration){0};
	return 0;
}

static void one_moment_has_one_view(void **state)
{
	(void)state;
	put("a", 1);
	struct view *first = view_open(&d), *second = view_open(&d);
	assert_ptr_equal(first, second);
	put("b", 1);
	struct view *third = view_open(&d);
	assert_ptr_not_equal(first, third);
	assert_int_equal(first->revision, 1);
	assert_int_equal(third->revision, 2);
	view_close(&d, first);
	assert_view(second, "a1 ");
	view_close(&d, second);
	view_close(&d, third);
	assert_null(d.views);
}

static void keeps_what_is_replaced_and_removed(void **state)
{
	(void)state;
	put("a", 1);
	put("b", 1);
	struct view *view = view_open(&d);
	put("a", 2);
	declaration_remove(&d, KIND_TUNNEL, "b");
	put("c", 1);
	assert_view(view, "a1 b1 ");
	struct view *later = view_open(&d);
	assert_view(later, "a2 c1 ");
	view_close(&d, later);
	view_close(&d, view);
}

/* What the newer view has kept may be known to the older one only, or to both. */
static void either_view_may_be_closed_first(void **state)
{
	for (int newer_first = 0; newer_first < 2; newer_first++) {
		put("a", 1);
		put("b", 1);
		struct view *old = view_open(&d);
		put("a", 2);
		struct view *new = view_open(&d);
		put("a", 3);
		put("b", 2);
		view_close(&d, newer_first ? new : old);
		put("a", 4);
		declaration_remove(&d, KIND_TUNNEL, "b");
		assert_view(newer_first ? old : new, newer_first ? "a1 b1 " : "a2 b1 ");
		view_close(&d, newer_first ? old : new);
		end(state);
	}
}

static void survives_that_the_whole_is_replaced(void **state)
{
	struct declaration stored = {.revision = 1};

	(void)state;
	put("a", 1);
	struct view *view = view_open(&d);
	declaration_replace(&d, &stored);
	assert_int_equal(d.kind[KIND_TUNNEL].len, 0);
	put("a", 2);
	assert_view(view, "a1 ");
	view_close(&d, view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_moment_has_one_view, end),
		cmocka_unit_test_teardown(keeps_what_is_replaced_and_removed, end),
		cmocka_unit_test_teardown(either_view_may_be_closed_first, end),
		cmocka_unit_test_teardown(survives_that_the_whole_is_replaced, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
