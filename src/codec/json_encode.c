/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs to JSON, by walking their field tables: straight to text, because a tree of values
 * costs more than all else that an answer takes.
 */
#include "codec/json.h"

#include <string.h>
#include <time.h>

enum {
	ESCAPED_MAX = 6,
	MEMBER_MAX = 128, /* a name, and a value that is neither text nor list */
};

static bool continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Bytes of the UTF-8 character at the front of the text, which is not ASCII; 0: it is none. */
static size_t utf8_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return continues(s[1]) ? 2 : 0;
	if ((s[0] & 0xf0) == 0xe0) {
		unsigned char first = s[0] == 0xe0 ? 0xa0 : 0x80; /* else it is too long a form */
		unsigned char last = s[0] == 0xed ? 0x9f : 0xbf;  /* or half of a pair */

		return s[1] >= first && s[1] <= last && continues(s[2]) ? 3 : 0;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		unsigned char first = s[0] == 0xf0 ? 0x90 : 0x80;
		unsigned char last = s[0] == 0xf4 ? 0x8f : 0xbf; /* there are no more */

		return s[1] >= first && s[1] <= last && continues(s[2]) && continues(s[3]) ? 4 : 0;
	}
	return 0;
}

static char *write_escape(char c, char *to)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	static const char hex[] = "0123456789ABCDEF";
	const char *found = strchr(plain, c);

	*to++ = '\\';
	if (found) {
		*to++ = letters[found - plain];
		return to;
	}
	memcpy(to, "u00", 3);
	to[3] = hex[c >> 4];
	to[4] = hex[c & 15];
	return to + 5;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static char *write_string(const char *s, char *to)
{
	for (; *s; s++) {
		if (is_plain(*s)) {
			*to++ = *s;
		} else if ((unsigned char)*s < 0x80) {
			to = write_escape(*s, to);
		} else {
			size_t len = utf8_len(s);

			memcpy(to, len ? s : "?", len ? len : 1);
			to += len ? len : 1;
			s += len ? len - 1 : 0;
		}
	}
	return to;
}

void json_add_string(struct text *text, const char *s)
{
	char *to = text_room(text, strlen(s) * ESCAPED_MAX + 2);

	*to++ = '"';
	to = write_string(s, to);
	*to++ = '"';
	text_end(text, to);
}

static char *write_digits(int number, int digits, char behind, char *to)
{
	for (int i = digits; i-- > 0; number /= 10)
		to[i] = (char)('0' + number % 10);
	to[digits] = behind;
	return to + digits + 1;
}

void json_time(int64_t ms, char buf[static 32])
{
	int64_t seconds = ms / 1000, rest = ms % 1000;
	struct tm tm = {0};

	if (rest < 0) {
		rest += 1000;
		seconds--;
	}
	time_t when = (time_t)seconds;
	gmtime_r(&when, &tm);
	buf = write_digits(tm.tm_year + 1900, 4, '-', buf);
	buf = write_digits(tm.tm_mon + 1, 2, '-', buf);
	buf = write_digits(tm.tm_mday, 2, 'T', buf);
	buf = write_digits(tm.tm_hour, 2, ':', buf);
	buf = write_digits(tm.tm_min, 2, ':', buf);
	buf = write_digits(tm.tm_sec, 2, '.', buf);
	buf = write_digits((int)rest, 3, 'Z', buf);
	*buf = '\0';
}

/* Ours are short, and need no escape. */
static char *write_word(const char *s, char *to)
{
	*to++ = '"';
	while (*s)
		*to++ = *s++;
	*to++ = '"';
	return to;
}

static char *write_comma(const struct text *text, char *to)
{
	if (text->len && to[-1] != '{')
		*to++ = ',';
	return to;
}

void json_add_name(struct text *text, const char *name)
{
	char *to = text_room(text, MEMBER_MAX);

	to = write_word(name, write_comma(text, to));
	*to++ = ':';
	text_end(text, to);
}

void json_member_string(struct text *text, const char *name, const char *s)
{
	json_add_name(text, name);
	json_add_string(text, s);
}

void json_member_number(struct text *text, const char *name, uint64_t number)
{
	json_add_name(text, name);
	text_add_number(text, (int64_t)number);
}

void json_member_time(struct text *text, const char *name, int64_t ms)
{
	char buf[32];

	json_time(ms, buf);
	json_member_string(text, name, buf);
}

static char *write_addr(struct addr addr, char *to)
{
	*to++ = '"';
	to = addr_write(addr, to);
	*to++ = '"';
	return to;
}

static char *write_prefix(struct prefix prefix, char *to)
{
	*to++ = '"';
	to = prefix_write(prefix, to);
	*to++ = '"';
	return to;
}

static void add_prefixes(struct text *text, const struct prefixes *list)
{
	char *to = text_room(text, list->len * (size_t)(PREFIX_TEXT + 2) + 2);

	*to++ = '[';
	for (uint32_t i = 0; i < list->len; i++) {
		if (i)
			*to++ = ',';
		to = write_prefix(list->v[i], to);
	}
	*to++ = ']';
	text_end(text, to);
}

static void add_labels(struct text *text, const struct labels *labels)
{
	for (uint32_t i = 0; i < labels->len; i++) {
		text_add_char(text, i ? ',' : '{');
		json_add_string(text, labels->v[i].key);
		text_add_char(text, ':');
		json_add_string(text, labels->v[i].value);
	}
	text_add(text, labels->len ? "}" : "{}");
}

/* Rows have no mask of what is set: what is zero is left out. */
static uint64_t rows_not_zero(const struct kind *kind, const void *row)
{
	static const char zero[64];
	uint64_t mask = 0;

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (memcmp(field_in(&kind->fields[i], row), zero, kind->fields[i].size) != 0)
			mask |= UINT64_C(1) << i;
	return mask;
}

static void add_rows(struct text *text, const struct kind *kind, const struct rows *rows)
{
	const char *row = rows->v;

	text_add_char(text, '[');
	for (uint32_t i = 0; i < rows->len; i++, row += kind->size) {
		text_add(text, i ? ",{" : "{");
		json_add_members(text, kind, row, rows_not_zero(kind, row));
		text_add_char(text, '}');
	}
	text_add_char(text, ']');
}

/* Of the types that have no bound. */
static void add_long(struct text *text, const struct field *field, const void *object)
{
	const void *p = field_in(field, object);
	const char *string;

	if (field->type == FIELD_STRING) {
		string = *(const char *const *)p;
		json_add_string(text, string ? string : "");
	} else if (field->type == FIELD_PREFIXES) {
		add_prefixes(text, p);
	} else if (field->type == FIELD_LABELS) {
		add_labels(text, p);
	} else if (field->type == FIELD_ROWS) {
		add_rows(text, *field->refers_to, p);
	}
}

/* Of the other types; of those nothing. */
static char *write_value(const struct field *field, const void *object, char *to)
{
	const void *p = field_in(field, object);

	if (field->flags & FIELD_WORD && field_number(field, object) == field->word_value)
		return write_word(field->word, to);
	switch (field->type) {
	case FIELD_BOOL:
		memcpy(to, *(const bool *)p ? "true" : "fals", 4);
		to += 4;
		if (!*(const bool *)p)
			*to++ = 'e';
		return to;
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
		return number_write(field_number(field, object), to);
	case FIELD_NAME:
		*to++ = '"';
		to = write_string(p, to);
		*to++ = '"';
		return to;
	case FIELD_CHOICE:
		return write_word(field->choices[*(const uint8_t *)p], to);
	case FIELD_ADDR:
		return write_addr(*(const struct addr *)p, to);
	case FIELD_PREFIX:
		return write_prefix(*(const struct prefix *)p, to);
	case FIELD_STRING:
	case FIELD_PREFIXES:
	case FIELD_LABELS:
	case FIELD_ROWS:
		break;
	}
	return to;
}

/* A copy of fixed length takes a fraction of one that must look where the name ends. */
static char *write_field_name(const struct field *field, char *to)
{
	*to++ = '"';
	memcpy(to, field->name, sizeof(field->name));
	to += field->name_len;
	*to++ = '"';
	*to++ = ':';
	return to;
}

void json_add_members(struct text *text, const struct kind *kind, const void *object, uint64_t rows)
{
	for (; rows; rows &= rows - 1) {
		const struct field *field = &kind->fields[__builtin_ctzll(rows)];
		char *to = text_room(text, MEMBER_MAX + field->size * (size_t)ESCAPED_MAX);

		to = write_field_name(field, write_comma(text, to));
		text_end(text, write_value(field, object, to));
		add_long(text, field, object);
	}
}

void json_add_value(struct text *text, const struct field *field, const void *object)
{
	char *to = text_room(text, MEMBER_MAX + field->size * (size_t)ESCAPED_MAX);

	text_end(text, write_value(field, object, to));
	add_long(text, field, object);
}

void json_add_declared(struct text *text, const struct kind *kind, const struct resource *resource)
{
	json_add_members(text, kind, resource, resource->set | 1);
}

void json_add_object(struct text *text, const struct kind *kind, const void *object)
{
	uint64_t rows = field_set_mask(object);

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].flags & FIELD_KEY)
			rows |= UINT64_C(1) << i;
	text_add_char(text, '{');
	json_add_members(text, kind, object, rows & kind_all(kind));
	text_add_char(text, '}');
}

json_t *json_encode(const struct kind *kind, const struct resource *resource)
{
	cleanup_text struct text text = {0};

	text_add_char(&text, '{');
	json_add_declared(&text, kind, resource);
	text_add_char(&text, '}');
	return json_loadb(text.s, text.len, 0, NULL);
}
