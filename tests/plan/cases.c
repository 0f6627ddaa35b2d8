/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the cases of one file. A case is
 *
 *	case NAME
 *	partial			(only where the three hold but a part of what there is)
 *	desired | observed | owned
 *		NOUN FIELD=VALUE … [ours] [found] [orphan] [adopt] [keep] [doomed] [on-ours]
 *	plan
 *		VERB NOUN KEY [: WHY]
 *
 * and its plan must be exactly those ops in that order. WHY is compared where it is given.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "plan/plan.h"

enum section { NOWHERE, DESIRED, OBSERVED, OWNED, PLAN };

struct expected vec_of(char *);

struct test {
	char name[128];
	bool partial;
	struct arena arena;
	struct objects sets[PLAN];
	struct expected expected;
};

static const struct {
	const char *word;
	enum object_mark mark;
} marks[] = {
	{"ours", OBJECT_OURS},       {"found", OBJECT_FOUND}, {"orphan", OBJECT_ORPHAN},
	{"adopt", OBJECT_ADOPT},     {"keep", OBJECT_KEEP},   {"doomed", OBJECT_DOOMED},
	{"on-ours", OBJECT_ON_OURS},
};

static const struct kind *kind_of(const char *noun)
{
	for (unsigned i = OBJECT_KIND_FIRST; i < OBJECT_KIND_END; i++)
		if (strcmp(kinds[i]->noun, noun) == 0)
			return kinds[i];
	return NULL;
}

static int parse_value(const struct field *field, void *object, const char *value)
{
	struct addr addr;

	switch (field->type) {
	case FIELD_NAME:
		snprintf(field_of(field, object), field->size, "%s", value);
		return 0;
	case FIELD_PREFIX:
		return prefix_parse(value, field_of(field, object));
	case FIELD_ADDR:
		if (addr_parse(value, &addr) < 0)
			return -1;
		field_store(field, object, addr.host);
		return 0;
	case FIELD_CHOICE:
		for (uint32_t i = 0; i < field->n_choices; i++)
			if (strcmp(field->choices[i], value) == 0) {
				field_store(field, object, i);
				return 0;
			}
		return -1;
	case FIELD_BOOL:
		field_store(field, object, strcmp(value, "true") == 0);
		return 0;
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		field_store(field, object, strtoll(value, NULL, 0));
		return 0;
	case FIELD_STRING:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		break;
	}
	return -1;
}

static int parse_word(const struct kind *kind, struct object *object, char *word)
{
	char *equals = strchr(word, '=');

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strcmp(marks[i].word, word) == 0) {
			object->marks |= marks[i].mark;
			return 0;
		}
	if (!equals)
		return -1;
	*equals = '\0';
	const struct field *field = kind_field(kind, word);
	if (!field || parse_value(field, object, equals + 1) < 0)
		return -1;
	object->set |= kind_bit(kind, field);
	return 0;
}

static int parse_object(struct test *test, enum section section, char *line)
{
	char *save, *noun = strtok_r(line, " \t", &save), *word;
	const struct kind *kind = noun ? kind_of(noun) : NULL;

	if (!kind)
		return -1;
	struct object *object = objects_add(&test->sets[section], kind->id);
	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].flags & FIELD_KEY)
			object->set |= UINT64_C(1) << i;
	while ((word = strtok_r(NULL, " \t", &save)))
		if (parse_word(kind, object, word) < 0)
			return -1;
	return 0;
}

static char *describe(const struct op *op, struct arena *arena)
{
	return arena_printf(arena, "%s %s %s : %s", op_verb_names[op->verb], kinds[op->kind]->noun,
			    kind_key_text(kinds[op->kind], op_object(op), arena), op->why);
}

static bool matches(const char *expected, const char *actual)
{
	size_t len = strlen(expected);

	if (strstr(expected, " : "))
		return strcmp(expected, actual) == 0;
	return strncmp(expected, actual, len) == 0 && strncmp(actual + len, " : ", 3) == 0;
}

static bool run(struct test *test)
{
	struct ops ops = {0};
	bool ok;

	for (int s = DESIRED; s <= OWNED; s++) {
		test->sets[s].arena = &test->arena;
		objects_sort(&test->sets[s]);
	}
	plan_build(&(struct plan_input){&test->sets[DESIRED], &test->sets[OBSERVED],
					&test->sets[OWNED], test->partial},
		   &test->arena, &ops);
	ok = ops.len == test->expected.len;
	for (size_t i = 0; ok && i < ops.len; i++)
		ok = matches(test->expected.v[i], describe(&ops.v[i], &test->arena));
	printf("%s %s\n", ok ? "ok" : "FAIL", test->name);
	for (size_t i = 0; !ok && i < test->expected.len; i++)
		printf("  expected %s\n", test->expected.v[i]);
	for (size_t i = 0; !ok && i < ops.len; i++)
		printf("  got      %s\n", describe(&ops.v[i], &test->arena));
	vec_done(&ops);
	return ok;
}

static void test_begin(struct test *test, const char *name)
{
	*test = (struct test){0};
	snprintf(test->name, sizeof(test->name), "%s", name);
}

static void test_end(struct test *test)
{
	for (int s = DESIRED; s <= OWNED; s++)
		objects_done(&test->sets[s]);
	vec_done(&test->expected);
	arena_done(&test->arena);
}

static enum section section_of(const char *word)
{
	static const char *const names[] = {"", "desired", "observed", "owned", "plan"};

	for (int s = DESIRED; s <= PLAN; s++)
		if (strcmp(names[s], word) == 0)
			return (enum section)s;
	return NOWHERE;
}

/* One line, without its newline. */
static int feed(struct test *test, enum section *section, char *line)
{
	char *text = line + strspn(line, " \t");
	enum section named = section_of(text);

	if (!*text || *text == '#')
		return 0;
	if (named != NOWHERE) {
		*section = named;
		return 0;
	}
	if (*section == PLAN) {
		vec_push(&test->expected, arena_strdup(&test->arena, text));
		return 0;
	}
	if (*section == NOWHERE) {
		test->partial = strcmp(text, "partial") == 0;
		return test->partial ? 0 : -1;
	}
	test->sets[*section].arena = &test->arena;
	return parse_object(test, *section, text);
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	unsigned passed = 0, failed = 0, number = 0;
	struct test *test = xcalloc(1, sizeof(*test));
	enum section section = NOWHERE;
	char line[1024], original[1024];

	if (!file)
		return 2;
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		snprintf(original, sizeof(original), "%s", line);
		if (strncmp(line, "case ", 5) == 0) {
			if (test->name[0])
				*(run(test) ? &passed : &failed) += 1;
			test_end(test);
			test_begin(test, line + 5);
			section = NOWHERE;
		} else if (feed(test, &section, line) < 0) {
			fprintf(stderr, "%s:%u: not understood: %s\n", argv[1], number, original);
			return 2;
		}
	}
	if (test->name[0])
		*(run(test) ? &passed : &failed) += 1;
	test_end(test);
	free(test);
	fclose(file);
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
