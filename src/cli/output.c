/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables, words and numbers as people read them. */
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"

/* A terminal that is too narrow takes from cells of more than CELL_LONG columns, then whole
 * columns from the right, and only then more, down to CELL_MIN. */
enum { GAP = 2, CELL_MIN = 4, CELL_LONG = 20, COLUMNS_KEPT = 2, FOLD_INDENT = 4 };

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t width_of(const char *s, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += !continues(s[i]);
	return width;
}

size_t output_width_of(const char *s)
{
	return width_of(s, strlen(s));
}

void output_add_clean(struct text *out, const char *s)
{
	for (; *s; s++) {
		bool control = (unsigned char)*s < 0x20 || *s == 0x7f;
		/* C1 controls (U+0080 to U+009F) move a terminal too */
		bool c1 = (unsigned char)*s == 0xc2 && (unsigned char)s[1] >= 0x80 &&
			  (unsigned char)s[1] < 0xa0;

		text_add_len(out, control || c1 ? "?" : s, 1);
		s += c1;
	}
}

void output_cell(struct output_table *table, const char *cell)
{
	struct text clean = {0};

	output_add_clean(&clean, cell && cell[0] ? cell : "-");
	vec_push(&table->cells, clean.s);
}

void output_cellf(struct output_table *table, const char *fmt, ...)
{
	char cell[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cell, sizeof(cell), fmt, args);
	va_end(args);
	output_cell(table, cell);
}

void output_table_done(struct output_table *table)
{
	for (size_t i = 0; i < table->cells.len; i++)
		free(table->cells.v[i]);
	vec_done(&table->cells);
}

static unsigned *measure(const struct output_table *table, bool headers)
{
	unsigned *widths = xcalloc(table->columns, sizeof(*widths));

	for (size_t i = headers ? 0 : table->columns; i < table->cells.len; i++) {
		unsigned width = (unsigned)output_width_of(table->cells.v[i]);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	return widths;
}

/* How many of these columns, from the left, fit when the long ones among them are cut. */
static unsigned fitting(const struct output_table *table, const unsigned *widths, unsigned of,
			unsigned room)
{
	unsigned total = 0, columns = 0;

	for (; columns < of; columns++) {
		bool cut = columns >= table->whole && widths[columns] > CELL_LONG;

		total += (cut ? CELL_LONG : widths[columns]) + (columns ? GAP : 0);
		if (total > room && columns >= COLUMNS_KEPT)
			break;
	}
	return columns;
}

/* Takes from the widest column that may be cut, one by one, until the line fits. */
static void shrink(unsigned *widths, unsigned whole, unsigned columns, unsigned room)
{
	unsigned total = (columns - 1) * GAP;

	for (unsigned c = 0; c < columns; c++)
		total += widths[c];
	while (total > room) {
		unsigned widest = whole;

		for (unsigned c = whole + 1; c < columns; c++)
			if (widths[c] > widths[widest])
				widest = c;
		if (widest >= columns || widths[widest] <= CELL_MIN)
			return;
		widths[widest]--;
		total--;
	}
}

/* at most width characters, the last one an ellipsis when something was cut */
static void add_cut(struct text *out, const char *s, unsigned width)
{
	if (output_width_of(s) <= width) {
		text_add(out, s);
		return;
	}
	const char *end = s;
	for (unsigned kept = 0; *end; end++) {
		if (!continues(*end) && kept++ == width - 1)
			break;
	}
	text_add_len(out, s, (size_t)(end - s));
	text_add(out, "…");
}

static const struct {
	const char *state, *color;
} colors[] = {
	{"ok", "32"},       {"warn", "33"},     {"unknown", "33"},  {"BROKEN", "31"},
	{"ready", "32"},    {"in-sync", "32"},  {"pending", "33"},  {"missing", "33"},
	{"degraded", "33"}, {"failed", "31"},   {"conflict", "31"}, {"disabled", "90"},
	{"deleting", "90"}, {"critical", "31"}, {"warning", "33"},
};

void output_add_state(struct text *out, const char *state, bool color)
{
	for (size_t i = 0; color && i < ARRAY_LEN(colors); i++)
		if (strcmp(colors[i].state, state) == 0) {
			text_addf(out, "\033[%sm%s\033[0m", colors[i].color, state);
			return;
		}
	text_add(out, state);
}

/* Takes blanks from the end, not from before `start`. */
static void trim(struct text *text, size_t start)
{
	while (text->len > start && text->s[text->len - 1] == ' ')
		text_cut(text, text->len - 1);
}

/* The columns that have a width. */
static void add_row(const struct output_table *table, const struct output_style *style,
		    size_t first, const unsigned *widths, struct text *out)
{
	size_t start = out->len;

	for (unsigned c = 0; c < table->columns; c++) {
		if (!widths[c])
			continue;
		const char *cell = table->cells.v[first + c];
		size_t width = output_width_of(cell);
		bool is_state = first && (strcmp(table->cells.v[c], "STATE") == 0 ||
					  strcmp(table->cells.v[c], "VERDICT") == 0);

		if (is_state && width <= widths[c])
			output_add_state(out, cell, style->color);
		else
			add_cut(out, cell, widths[c]);
		text_addf(out, "%*s", GAP + (int)(width < widths[c] ? widths[c] - width : 0), "");
	}
	trim(out, start);
	text_add(out, "\n");
}

void output_render(const struct output_table *table, const struct output_style *style,
		   struct text *out)
{
	cleanup_free unsigned *widths = measure(table, style->headers);

	if (style->width) {
		unsigned of = table->columns - table->keeps_last;
		unsigned last = table->keeps_last ? widths[of] + GAP : 0;
		unsigned room = style->width > last ? style->width - last : 0;
		unsigned columns = fitting(table, widths, of, room);

		shrink(widths, table->whole, columns, room);
		while (columns < of)
			widths[columns++] = 0;
	}
	size_t at = style->headers ? 0 : table->columns;
	for (; at + table->columns <= table->cells.len; at += table->columns)
		add_row(table, style, at, widths, out);
}

void output_print(const struct output_table *table, const struct output_style *style)
{
	cleanup_text struct text out = {0};

	if (table->cells.len <= table->columns)
		return;
	output_render(table, style, &out);
	fputs(text_str(&out), stdout);
}

void output_add_folded(struct text *out, const char *s, size_t at, unsigned width)
{
	const char *blank = "";

	if (!width) {
		text_add(out, s);
		return;
	}
	for (size_t len; *s; s += len + strspn(s + len, " ")) {
		len = strcspn(s, " ");
		size_t columns = width_of(s, len) + strlen(blank);

		if (at > FOLD_INDENT && at + columns > width) {
			trim(out, 0);
			text_addf(out, "\n%*s", FOLD_INDENT, "");
			at = FOLD_INDENT + width_of(s, len);
		} else {
			text_add(out, blank);
			at += columns;
		}
		text_add_len(out, s, len);
		blank = " ";
	}
}

static unsigned terminal_width(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

struct output_style output_style_of_stdout(const char *color, bool headers)
{
	bool terminal = isatty(STDOUT_FILENO);
	const char *no_color = getenv("NO_COLOR");
	struct output_style style = {.headers = headers};

	style.width = terminal ? terminal_width() : 0;
	style.color = terminal && !(no_color && no_color[0]);
	if (strcmp(color, "auto") != 0)
		style.color = strcmp(color, "always") == 0;
	return style;
}

void output_add_age(struct text *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (seconds >= units[i].seconds) {
			text_addf(out, "%lld%c", (long long)(seconds / units[i].seconds),
				  units[i].unit);
			return;
		}
	text_addf(out, "%llds", (long long)(seconds > 0 ? seconds : 0));
}

void output_add_amount(struct text *out, double value, const char *unit)
{
	static const char *const scale[] = {"", "k", "M", "G", "T", "P"};
	size_t i = 0;

	for (; value >= 999.5 && i + 1 < ARRAY_LEN(scale); i++)
		value /= 1000;
	text_addf(out, i && value < 9.95 ? "%.1f %s%s" : "%.0f %s%s", value, scale[i], unit);
}

int64_t output_time(const char *rfc3339)
{
	struct tm tm = {0};
	const char *end = rfc3339 ? strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	return end ? (int64_t)timegm(&tm) : -1;
}
