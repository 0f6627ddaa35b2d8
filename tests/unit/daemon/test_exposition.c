/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text format, to the letter. */
#include "daemon/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/histogram.h"

struct thing {
	const char *name;
	uint64_t n, us;
	struct histogram took;
};

struct things {
	const struct thing *v;
	size_t len;
};

static bool of_thing(const void *from, size_t number, struct metric_row *row)
{
	const struct things *things = from;

	if (number >= things->len)
		return false;
	row->labels[0] = things->v[number].name;
	row->labels[1] = "x";
	row->base = &things->v[number];
	return true;
}

static bool once(const void *from, size_t number, struct metric_row *row)
{
	row->base = ((const struct things *)from)->v;
	return number == 0;
}

static bool of_thing_or_none(const void *from, size_t number, struct metric_row *row)
{
	if (!of_thing(from, number, row))
		return false;
	if (!*row->labels[0])
		row->base = NULL;
	return true;
}

static const struct metric_rows plain = {{NULL}, once}, labelled = {{"name", "other"}, of_thing};

static char *written(const struct metric *metric, const struct thing *v, size_t len, size_t bytes)
{
	const struct things things = {v, len};
	struct exposition exposition = {.metrics = metric, .n = 1, .from = &things};
	struct text all = {0}, piece = {0};

	do {
		text_clear(&piece);
		exposition_write(&exposition, &piece, bytes);
		text_add(&all, text_str(&piece));
	} while (piece.len);
	text_done(&piece);
	return all.s;
}

static void assert_written(const struct metric *metric, const struct thing *v, size_t len,
			   const char *expected)
{
	cleanup_free char *whole = written(metric, v, len, SIZE_MAX);
	cleanup_free char *in_pieces = written(metric, v, len, 1);

	assert_string_equal(whole, expected);
	assert_string_equal(in_pieces, expected);
}

static void sample_without_labels_has_no_braces(void **state)
{
	const struct metric metric = {.name = "a_total",
				      .help = "What.",
				      .rows = &plain,
				      .offset = METRIC_AT(struct thing, n)};
	const struct thing thing = {.n = 12000000000};
	(void)state;

	assert_written(&metric, &thing, 1,
		       "# HELP a_total What.\n# TYPE a_total counter\na_total 12000000000\n");
}

static void label_values_are_escaped(void **state)
{
	const struct metric metric = {.name = "a",
				      .type = METRIC_GAUGE,
				      .help = "What.",
				      .rows = &labelled,
				      .offset = METRIC_AT(struct thing, n)};
	const struct thing things[] = {
		{.name = "a\"b\\c\nd", .n = 1}, {.name = "\\", .n = 2},      {.name = ""},
		{.name = "\n\n\"", .n = 4},     {.name = "plain é", .n = 5},
	};
	(void)state;

	assert_written(&metric, things, 5,
		       "# HELP a What.\n# TYPE a gauge\n"
		       "a{name=\"a\\\"b\\\\c\\nd\",other=\"x\"} 1\n"
		       "a{name=\"\\\\\",other=\"x\"} 2\n"
		       "a{name=\"\",other=\"x\"} 0\n"
		       "a{name=\"\\n\\n\\\"\",other=\"x\"} 4\n"
		       "a{name=\"plain é\",other=\"x\"} 5\n");
}

static void a_row_without_a_number_is_left_out(void **state)
{
	static const struct metric_rows some = {{"name", "other"}, of_thing_or_none};
	const struct metric metric = {.name = "a",
				      .type = METRIC_GAUGE,
				      .help = "What.",
				      .rows = &some,
				      .offset = METRIC_AT(struct thing, n)};
	const struct thing things[] = {{.name = ""}, {.name = "b", .n = 0}, {.name = "", .n = 1}};
	(void)state;

	assert_written(&metric, things, 3,
		       "# HELP a What.\n# TYPE a gauge\na{name=\"b\",other=\"x\"} 0\n");
}

static void times_are_said_in_seconds(void **state)
{
	const struct metric metric = {.name = "a",
				      .type = METRIC_GAUGE,
				      .help = "What.",
				      .rows = &labelled,
				      .offset = METRIC_AT(struct thing, us),
				      .unit = METRIC_US,
				      .omits_zero = true};
	struct metric in_ms = metric;
	const struct thing things[] = {
		{.name = "b", .us = 1},       {.name = "c", .us = 1500000},
		{.name = "d", .us = 3000000}, {.name = "none", .us = 0},
		{.name = "e", .us = 1010},
	};
	const struct thing then = {.name = "f", .us = 1795726613812};
	(void)state;

	assert_written(&metric, things, 5,
		       "# HELP a What.\n# TYPE a gauge\n"
		       "a{name=\"b\",other=\"x\"} 0.000001\na{name=\"c\",other=\"x\"} 1.5\n"
		       "a{name=\"d\",other=\"x\"} 3\na{name=\"e\",other=\"x\"} 0.00101\n");
	in_ms.unit = METRIC_MS;
	assert_written(&in_ms, &then, 1,
		       "# HELP a What.\n# TYPE a gauge\n"
		       "a{name=\"f\",other=\"x\"} 1795726613.812\n");
}

static void histogram_is_cumulative(void **state)
{
	const struct metric metric = {.name = "a_seconds",
				      .type = METRIC_HISTOGRAM,
				      .help = "What.",
				      .rows = &plain,
				      .offset = offsetof(struct thing, took)};
	struct thing thing = {0};
	(void)state;

	histogram_add(&thing.took, 500); /* a bound is in its bucket */
	histogram_add(&thing.took, 501);
	histogram_add(&thing.took, 60000000);
	histogram_add(&thing.took, 60000001);
	assert_written(&metric, &thing, 1,
		       "# HELP a_seconds What.\n# TYPE a_seconds histogram\n"
		       "a_seconds_bucket{le=\"0.0005\"} 1\na_seconds_bucket{le=\"0.001\"} 2\n"
		       "a_seconds_bucket{le=\"0.0025\"} 2\na_seconds_bucket{le=\"0.005\"} 2\n"
		       "a_seconds_bucket{le=\"0.01\"} 2\na_seconds_bucket{le=\"0.025\"} 2\n"
		       "a_seconds_bucket{le=\"0.05\"} 2\na_seconds_bucket{le=\"0.1\"} 2\n"
		       "a_seconds_bucket{le=\"0.25\"} 2\na_seconds_bucket{le=\"0.5\"} 2\n"
		       "a_seconds_bucket{le=\"1\"} 2\na_seconds_bucket{le=\"2.5\"} 2\n"
		       "a_seconds_bucket{le=\"5\"} 2\na_seconds_bucket{le=\"10\"} 2\n"
		       "a_seconds_bucket{le=\"60\"} 3\na_seconds_bucket{le=\"+Inf\"} 4\n"
		       "a_seconds_sum 120.001002\na_seconds_count 4\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sample_without_labels_has_no_braces),
	cmocka_unit_test(label_values_are_escaped),
	cmocka_unit_test(a_row_without_a_number_is_left_out),
	cmocka_unit_test(times_are_said_in_seconds),
	cmocka_unit_test(histogram_is_cumulative),
};

int main(void)
{
	return cmocka_run_group_tests_name("exposition", tests, NULL, NULL);
}
