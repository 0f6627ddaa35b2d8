/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of a line of the fake kernel's script. */
#include "fake_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct line line_split(const char *text)
{
	struct line line = {.text = text, .words = xstrdup(text)};
	char *rest = line.words;

	line.words[strcspn(line.words, "#\n")] = '\0';
	for (char *s; (s = strsep(&rest, " \t"));) {
		if (!*s)
			continue;
		if (line.n == ARRAY_LEN(line.v))
			line_bad(&line, "too many words");
		line.v[line.n++] = s;
	}
	return line;
}

void line_done(struct line *line)
{
	free(line->words);
}

noreturn_ void line_bad(const struct line *line, const char *why)
{
	fprintf(stderr, "fake kernel: script: %s: %s\n", line->text, why);
	abort();
}

const char *line_word(struct line *line)
{
	if (line->next == line->n)
		line_bad(line, "a word is missing");
	return line->v[line->next++];
}

bool line_take(struct line *line, const char *wanted)
{
	if (line->next == line->n || strcmp(line->v[line->next], wanted) != 0)
		return false;
	line->next++;
	return true;
}

uint32_t line_number(struct line *line)
{
	char *end;
	unsigned long value = strtoul(line_word(line), &end, 0);

	if (*end)
		line_bad(line, "not a number");
	return (uint32_t)value;
}

struct addr line_address(struct line *line)
{
	struct addr addr = {0};

	if (addr_parse(line_word(line), &addr) < 0)
		line_bad(line, "not an address");
	return addr;
}

struct prefix line_prefix(struct line *line)
{
	struct prefix prefix = {0};

	if (line_take(line, "default"))
		return prefix;
	if (prefix_parse(line_word(line), &prefix) < 0)
		line_bad(line, "not a prefix");
	return prefix;
}

void line_name(struct line *line, char *to, size_t size)
{
	snprintf(to, size, "%s", line_word(line));
}

int line_errno(struct line *line)
{
	const char *wanted = line_word(line);

	for (int i = 1; i < 134; i++) {
		const char *text = strerrorname_np(i);

		if (text && strcmp(text, wanted) == 0)
			return -i;
	}
	line_bad(line, "not an errno");
}

unsigned line_choice(struct line *line, const char *const *choices, size_t n)
{
	for (unsigned i = 0; i < n; i++)
		if (line_take(line, choices[i]))
			return i;
	line_bad(line, "no such word");
}
