/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the exposition: names, labels, numbers. Which metrics there are is the table's. */
#include "daemon/exposition.h"

#include "daemon/histogram.h"

enum { US = 1000000, MS_IN_US = 1000 };

const char *const metric_type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

static void add_seconds(struct text *text, uint64_t us)
{
	char digits[NUMBER_TEXT], *end;
	uint64_t fraction = us % US;

	text_add_number(text, (int64_t)(us / US));
	if (!fraction)
		return;
	end = number_write((int64_t)(US + fraction), digits);
	while (end[-1] == '0')
		end--;
	digits[0] = '.'; /* in place of the 1, which kept the zeros behind it */
	text_add_len(text, digits, (size_t)(end - digits));
}

static void add_escaped(struct text *text, const char *value)
{
	for (; *value; value++) {
		size_t plain = strcspn(value, "\\\"\n");

		text_add_len(text, value, plain);
		value += plain;
		if (!*value)
			return;
		text_add_char(text, '\\');
		text_add_char(text, *value == '\n' ? 'n' : *value);
	}
}

static void add_label(struct text *text, char before, const char *name, const char *value)
{
	text_add_char(text, before);
	text_add(text, name);
	text_add_len(text, "=\"", 2);
	add_escaped(text, value);
	text_add_char(text, '"');
}

/* The labels of a row, and le where it is given; the separator that comes next. */
static char add_labels(struct text *text, const struct metric *metric, const struct metric_row *row)
{
	char before = '{';

	for (size_t i = 0; i < METRIC_LABELS && metric->rows->labels[i]; i++) {
		add_label(text, before, metric->rows->labels[i], row->labels[i]);
		before = ',';
	}
	return before;
}

static void end_line(struct text *text, const struct metric *metric, uint64_t value)
{
	text_add_char(text, ' ');
	switch (metric->unit) {
	case METRIC_NUMBER:
		text_add_number(text, (int64_t)value);
		break;
	case METRIC_US:
		add_seconds(text, value);
		break;
	case METRIC_MS:
		add_seconds(text, value * MS_IN_US);
		break;
	}
	text_add_char(text, '\n');
}

static void add_sample(struct text *text, const struct metric *metric, const struct metric_row *row)
{
	uint64_t value = *(const uint64_t *)((const char *)row->base + metric->offset);

	if (!value && metric->omits_zero)
		return;
	text_add(text, metric->name);
	if (add_labels(text, metric, row) == ',')
		text_add_char(text, '}');
	end_line(text, metric, value);
}

static void add_bucket(struct text *text, const struct metric *metric, const struct metric_row *row,
		       const char *bound, uint64_t n)
{
	text_add(text, metric->name);
	text_add(text, "_bucket");
	add_label(text, add_labels(text, metric, row), "le", bound);
	text_add(text, "} ");
	text_add_number(text, (int64_t)n);
	text_add_char(text, '\n');
}

/* _sum and _count */
static void add_total(struct text *text, const struct metric *metric, const struct metric_row *row,
		      const char *suffix)
{
	text_add(text, metric->name);
	text_add(text, suffix);
	if (add_labels(text, metric, row) == ',')
		text_add_char(text, '}');
	text_add_char(text, ' ');
}

static void add_histogram(struct text *text, const struct metric *metric,
			  const struct metric_row *row)
{
	const struct histogram *histogram = (const struct histogram *)((const char *)row->base +
								       metric->offset);
	uint64_t n = 0;

	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		cleanup_text struct text bound = {0};

		n += histogram->buckets[i];
		add_seconds(&bound, histogram_bounds_us[i]);
		add_bucket(text, metric, row, bound.s, n);
	}
	n += histogram->buckets[HISTOGRAM_BOUNDS];
	add_bucket(text, metric, row, "+Inf", n);
	add_total(text, metric, row, "_sum");
	add_seconds(text, histogram->sum_us);
	text_add_char(text, '\n');
	add_total(text, metric, row, "_count");
	text_add_number(text, (int64_t)n);
	text_add_char(text, '\n');
}

static void add_header(struct text *text, const struct metric *metric)
{
	text_addf(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
		  metric_type_names[metric->type]);
}

void exposition_write(struct exposition *exposition, struct text *text, size_t bytes)
{
	while (exposition->metric < exposition->n && text->len < bytes) {
		const struct metric *metric = &exposition->metrics[exposition->metric];
		struct metric_row row = {0};

		if (exposition->row == 0)
			add_header(text, metric);
		if (!metric->rows->row(exposition->from, exposition->row++, &row)) {
			exposition->metric++;
			exposition->row = 0;
		} else if (!row.base) {
			continue;
		} else if (metric->type == METRIC_HISTOGRAM) {
			add_histogram(text, metric, &row);
		} else {
			add_sample(text, metric, &row);
		}
	}
}

void exposition_describe(const struct metric *metrics, size_t n, struct text *text)
{
	text_add(text, "| metric | type | labels | what |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < n; i++) {
		const struct metric *metric = &metrics[i];

		text_addf(text, "| `%s` | %s |", metric->name, metric_type_names[metric->type]);
		for (size_t l = 0; l < METRIC_LABELS && metric->rows->labels[l]; l++)
			text_addf(text, "%s %s", l ? "," : "", metric->rows->labels[l]);
		text_addf(text, " | %s |\n", metric->help);
	}
}
