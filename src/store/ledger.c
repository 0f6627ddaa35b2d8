/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger, and the numbers of `from` prefixes: what the agent knows besides the
 * declaration. An object is kept as the text of its set fields, "device=tun_a
 * name=forwarding value=1"; bytes that would be read as syntax are %XX. Rows of a chain
 * are such texts themselves, each closed by ";", as one value.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/connection.h"
#include "store/value.h"

enum { LEDGER_MARKS = OBJECT_OURS | OBJECT_FOUND | OBJECT_ORPHAN };

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       strchr("._-/:@", c);
}

static void add_escaped(struct text *text, const char *s)
{
	while (*s) {
		size_t plain = 0;

		while (s[plain] && is_plain(s[plain]))
			plain++;
		text_add_len(text, s, plain);
		s += plain;
		if (*s)
			text_addf(text, "%%%02X", (unsigned char)*s++);
	}
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
		if (low < 0)
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		s += 2;
	}
	*to = '\0';
	return 0;
}

static void encode(const struct kind *kind, const void *object, uint64_t mask, struct text *text);

static void encode_rows(const struct kind *kind, const struct rows *rows, struct text *text)
{
	const char *row = rows->v;

	for (uint32_t i = 0; i < rows->len; i++, row += kind->size) {
		encode(kind, row, field_set_mask(row), text);
		text_add(text, ";");
	}
}

/* The fields of mask. Rows hold no rows, so this goes two levels deep. */
static void encode(const struct kind *kind, const void *object, uint64_t mask, struct text *text)
{
	cleanup_text struct text value = {0};
	const char *separator = "";

	for (unsigned i = 0; i < kind->n_fields; i++) {
		const struct field *field = &kind->fields[i];

		if (!(mask >> i & 1))
			continue;
		text_clear(&value);
		if (field->type == FIELD_ROWS)
			encode_rows(*field->refers_to, field_in(field, object), &value);
		else
			value_format(field, object, &value);
		text_add(text, separator);
		text_add(text, field->name);
		text_add(text, "=");
		add_escaped(text, text_str(&value));
		separator = " ";
	}
}

static int decode(const struct kind *kind, struct object *object, char *s, struct arena *arena);

static int decode_rows(const struct kind *kind, struct rows *rows, char *s, struct arena *arena)
{
	uint32_t count = 0;
	char *row, *end;

	for (const char *p = s; (p = strchr(p, ';')); p++)
		count++;
	row = arena_array(arena, count, kind->size);
	*rows = (struct rows){row, count};
	for (; (end = strchr(s, ';')); s = end + 1, row += kind->size) {
		*end = '\0';
		int result = decode(kind, (struct object *)row, s, arena);
		if (result)
			return result;
	}
	return *s ? -EINVAL : 0;
}

static int decode_field(const struct kind *kind, struct object *object, char *name,
			struct arena *arena)
{
	char *value = strchr(name, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	const struct field *field = kind_field(kind, name);
	if (!field || unescape(value))
		return -EINVAL;
	object->set |= kind_bit(kind, field);
	if (field->type == FIELD_ROWS)
		return decode_rows(*field->refers_to, field_of(field, object), value, arena);
	return value_parse(field, object, value, arena);
}

static int decode(const struct kind *kind, struct object *object, char *s, struct arena *arena)
{
	char *next = s, *name;
	int result = 0;

	while (!result && (name = strsep(&next, " ")))
		if (*name)
			result = decode_field(kind, object, name, arena);
	return result;
}

static const struct kind *object_kind(const char *noun)
{
	for (unsigned i = OBJECT_KIND_FIRST; i < OBJECT_KIND_END; i++)
		if (strcmp(kinds[i]->noun, noun) == 0)
			return kinds[i];
	return NULL;
}

/* All KEY fields, set or not: equal keys are equal texts. */
static void encode_key(const struct kind *kind, const struct object *object, struct text *text)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < kind->n_fields; i++)
		if (kind->fields[i].flags & FIELD_KEY)
			mask |= UINT64_C(1) << i;
	encode(kind, object, mask, text);
}

static int drop_others(struct store *store, struct err *err)
{
	sqlite3_stmt *drop = NULL;
	int result = connection_statement(store, STATEMENT_LEDGER_DROP, &drop, err);

	if (result)
		return result;
	sql_bind_text(drop, 1, store->boot_id);
	sqlite3_bind_int64(drop, 2, (int64_t)store->namespace_cookie);
	return sql_run(drop, err);
}

static int read_object(sqlite3_stmt *load, struct objects *owned, struct err *err)
{
	const struct kind *kind = object_kind(sql_text(load, 0));
	char *text = arena_strdup(owned->arena, sql_text(load, 1));

	if (!kind)
		return err_set(err, -EUCLEAN, "database: the ledger has a row of an unknown kind");
	struct object *object = objects_add(owned, kind->id);
	object->marks = (uint32_t)sqlite3_column_int64(load, 2) & LEDGER_MARKS;
	if (decode(kind, object, text, owned->arena))
		return err_set(err, -EUCLEAN, "database: the ledger's %s \"%s\" is damaged",
			       kind->noun, sql_text(load, 1));
	return 0;
}

int store_ledger_load(struct store *store, const char *boot_id, uint64_t namespace_cookie,
		      struct objects *owned, struct err *err)
{
	cleanup_reset sqlite3_stmt *load = NULL;
	int result;

	if (!*boot_id || strlen(boot_id) >= sizeof(store->boot_id))
		return err_set(err, -EINVAL, "database: not a boot id: \"%s\"", boot_id);
	snprintf(store->boot_id, sizeof(store->boot_id), "%s", boot_id);
	store->namespace_cookie = namespace_cookie;
	result = drop_others(store, err);
	if (!result)
		result = connection_statement(store, STATEMENT_LEDGER_LOAD, &load, err);
	if (result)
		return result;
	while ((result = sql_next(load, err)) > 0) {
		result = read_object(load, owned, err);
		if (result)
			return result;
	}
	objects_sort(owned);
	return result;
}

int store_ledger_put(struct store *store, enum kind_id kind, const struct object *object,
		     struct err *err)
{
	cleanup_text struct text key = {0}, text = {0};
	sqlite3_stmt *put = NULL;

	if (!*store->boot_id)
		return err_set(err, -EINVAL, "database: the ledger was not loaded");
	int result = connection_statement(store, STATEMENT_LEDGER_PUT, &put, err);
	if (result)
		return result;
	encode_key(kinds[kind], object, &key);
	encode(kinds[kind], object, object->set, &text);
	sql_bind_text(put, 1, kinds[kind]->noun);
	sql_bind_text(put, 2, text_str(&key));
	sql_bind_text(put, 3, text_str(&text));
	sqlite3_bind_int64(put, 4, object->marks & LEDGER_MARKS);
	sql_bind_text(put, 5, store->boot_id);
	sqlite3_bind_int64(put, 6, (int64_t)store->namespace_cookie);
	return sql_run(put, err);
}

int store_ledger_delete(struct store *store, enum kind_id kind, const struct object *object,
			struct err *err)
{
	cleanup_text struct text key = {0};
	sqlite3_stmt *remove = NULL;
	int result = connection_statement(store, STATEMENT_LEDGER_DELETE, &remove, err);

	if (result)
		return result;
	encode_key(kinds[kind], object, &key);
	sql_bind_text(remove, 1, kinds[kind]->noun);
	sql_bind_text(remove, 2, text_str(&key));
	return sql_run(remove, err);
}

int store_from_load(struct store *store, struct from_numbers *numbers, struct err *err)
{
	cleanup_reset sqlite3_stmt *load = NULL;
	int result = connection_statement(store, STATEMENT_FROM_LOAD, &load, err);

	if (result)
		return result;
	while ((result = sql_next(load, err)) > 0) {
		struct from_number number = {.table = (uint32_t)sqlite3_column_int64(load, 1)};

		if (prefix_parse(sql_text(load, 0), &number.from))
			return err_set(err, -EUCLEAN, "database: \"%s\" is no prefix",
				       sql_text(load, 0));
		if (number.table <= OUR_TABLE_FIRST || number.table > OUR_TABLE_LAST)
			return err_set(err, -EUCLEAN, "database: %u is no table of ours",
				       number.table);
		vec_push(numbers, number);
	}
	return result;
}

int store_from_put(struct store *store, const struct from_number *number, struct err *err)
{
	sqlite3_stmt *put = NULL;
	char buf[PREFIX_TEXT];
	int result = connection_statement(store, STATEMENT_FROM_PUT, &put, err);

	if (result)
		return result;
	sql_bind_text(put, 1, prefix_text(number->from, buf));
	sqlite3_bind_int64(put, 2, number->table);
	return sql_run(put, err);
}

int store_from_delete(struct store *store, struct prefix from, struct err *err)
{
	sqlite3_stmt *remove = NULL;
	char buf[PREFIX_TEXT];
	int result = connection_statement(store, STATEMENT_FROM_DELETE, &remove, err);

	if (result)
		return result;
	sql_bind_text(remove, 1, prefix_text(from, buf));
	return sql_run(remove, err);
}
