/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resources as rows, by walking the field tables: column i of a table is row i of its
 * kind, then come the agent's own. NULL is a field that was not given. A list's column
 * holds its length, its members are rows of the child table. Only what differs is written,
 * so a new label on an exit route leaves its 100,000 destinations alone.
 */
#include "store/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "store/connection.h"
#include "store/value.h"

const char *const rows_agent_columns[ROWS_AGENT_COLUMNS] = {
	[ROWS_DELETING] = "deleting",     [ROWS_UID] = "uid",
	[ROWS_GENERATION] = "generation", [ROWS_REVISION] = "revision",
	[ROWS_CREATED_MS] = "created_ms", [ROWS_UPDATED_MS] = "updated_ms",
};

/* the pieces of a child table's statements, by what its list is of */
struct list_text {
	const char *columns, *parameters, *assign, *differ;
};

static const struct list_text prefixes_text = {
	"prefix",
	"?3",
	"prefix = excluded.prefix",
	"prefix <> excluded.prefix",
};

static const struct list_text labels_text = {
	"key, value",
	"?3, ?4",
	"key = excluded.key, value = excluded.value",
	"key <> excluded.key OR value <> excluded.value",
};

static unsigned column_count(const struct kind *kind)
{
	return kind->n_fields + ROWS_AGENT_COLUMNS;
}

static const char *column_name(const struct kind *kind, unsigned i)
{
	return i < kind->n_fields ? kind->fields[i].name : rows_agent_columns[i - kind->n_fields];
}

static void add_columns(struct text *text, const struct kind *kind)
{
	for (unsigned i = 0; i < column_count(kind); i++)
		text_addf(text, "%s\"%s\"", i ? ", " : "", column_name(kind, i));
}

/* add leaves a row of that name alone, change writes over it: parameter i + 1 is column i. */
static int prepare_put(struct store *store, const struct kind *kind, struct err *err)
{
	struct table *table = &store->tables[kind->id];
	cleanup_text struct text add = {0}, change = {0};

	assert(kind->n_fields <= CONNECTION_FIELDS_MAX);
	if (table->change)
		return 0;
	text_addf(&add, "INSERT INTO \"%s\" (", kind->member);
	add_columns(&add, kind);
	text_add(&add, ") VALUES (");
	for (unsigned i = 0; i < column_count(kind); i++)
		text_add(&add, i ? ", ?" : "?");
	text_addf(&add, ") ON CONFLICT (\"%s\") DO NOTHING", column_name(kind, 0));
	text_addf(&change, "UPDATE \"%s\" SET ", kind->member);
	for (unsigned i = 1; i < column_count(kind); i++)
		text_addf(&change, "%s\"%s\" = ?%u", i > 1 ? ", " : "", column_name(kind, i),
			  i + 1);
	text_addf(&change, " WHERE \"%s\" = ?1", column_name(kind, 0));
	int result = sql_prepare(store->database.db, add.s, &table->add, err);
	return result ? result : sql_prepare(store->database.db, change.s, &table->change, err);
}

static int prepare_remove(struct store *store, const struct kind *kind, struct err *err)
{
	struct table *table = &store->tables[kind->id];
	cleanup_text struct text text = {0};

	if (table->remove)
		return 0;
	text_addf(&text, "DELETE FROM \"%s\" WHERE \"%s\" = ?1", kind->member,
		  column_name(kind, 0));
	return sql_prepare(store->database.db, text.s, &table->remove, err);
}

static int prepare_load(struct store *store, const struct kind *kind, struct err *err)
{
	struct table *table = &store->tables[kind->id];
	cleanup_text struct text text = {0};

	if (table->load)
		return 0;
	text_add(&text, "SELECT ");
	add_columns(&text, kind);
	text_addf(&text, " FROM \"%s\" ORDER BY \"%s\"", kind->member, column_name(kind, 0));
	return sql_prepare(store->database.db, text.s, &table->load, err);
}

static int prepare_list(struct store *store, const struct kind *kind, const struct field *field,
			struct err *err)
{
	struct list_table *list = &store->tables[kind->id].lists[field - kind->fields];
	const struct list_text *of = field->type == FIELD_LABELS ? &labels_text : &prefixes_text;
	cleanup_text struct text put = {0}, trim = {0}, load = {0};

	if (list->load)
		return 0;
	text_addf(&put,
		  "INSERT INTO \"%s_%s\" (resource, position, %s) VALUES (?1, ?2, %s)"
		  " ON CONFLICT (resource, position) DO UPDATE SET %s WHERE %s",
		  kind->member, field->name, of->columns, of->parameters, of->assign, of->differ);
	text_addf(&trim, "DELETE FROM \"%s_%s\" WHERE resource = ?1 AND position >= ?2",
		  kind->member, field->name);
	text_addf(&load, "SELECT %s FROM \"%s_%s\" WHERE resource = ?1 ORDER BY position",
		  of->columns, kind->member, field->name);
	int result = sql_prepare(store->database.db, put.s, &list->put, err);
	if (!result)
		result = sql_prepare(store->database.db, trim.s, &list->trim, err);
	if (!result)
		result = sql_prepare(store->database.db, load.s, &list->load, err);
	return result;
}

static uint32_t list_length(const struct field *field, const void *resource)
{
	const void *p = field_in(field, resource);

	return field->type == FIELD_LABELS ? ((const struct labels *)p)->len
					   : ((const struct prefixes *)p)->len;
}

static void bind_member(sqlite3_stmt *put, const struct field *field, const void *resource,
			uint32_t i)
{
	const void *p = field_in(field, resource);
	char buf[PREFIX_TEXT];

	if (field->type == FIELD_LABELS) {
		const struct label *label = &((const struct labels *)p)->v[i];

		sql_bind_text(put, 3, label->key);
		sql_bind_text(put, 4, label->value);
	} else {
		sql_bind_text(put, 3, prefix_text(((const struct prefixes *)p)->v[i], buf));
	}
}

static int put_list(struct store *store, const struct kind *kind, const struct field *field,
		    const struct resource *resource, bool is_new, struct err *err)
{
	struct list_table *list = &store->tables[kind->id].lists[field - kind->fields];
	uint32_t len = resource->set & kind_bit(kind, field) ? list_length(field, resource) : 0;
	int result = prepare_list(store, kind, field, err);

	for (uint32_t i = 0; i < len && !result; i++) {
		sql_bind_text(list->put, 1, resource->name);
		sqlite3_bind_int64(list->put, 2, i);
		bind_member(list->put, field, resource, i);
		result = sql_run(list->put, err);
	}
	if (result || is_new) /* a search for more of it would cost more than all the rest */
		return result;
	sql_bind_text(list->trim, 1, resource->name);
	sqlite3_bind_int64(list->trim, 2, len);
	return sql_run(list->trim, err);
}

static void bind_fields(sqlite3_stmt *put, const struct kind *kind, const struct resource *resource)
{
	cleanup_text struct text text = {0};

	for (unsigned i = 0; i < kind->n_fields; i++) {
		if (!(resource->set & kind_bit(kind, &kind->fields[i])))
			continue;
		text_clear(&text);
		value_format(&kind->fields[i], resource, &text);
		sql_bind_text(put, (int)i + 1, text_str(&text));
	}
}

static void bind_agent_columns(sqlite3_stmt *put, int first, const struct resource *resource)
{
	sqlite3_bind_int64(put, first + ROWS_DELETING, resource->deleting);
	sql_bind_text(put, first + ROWS_UID, resource->uid);
	sqlite3_bind_int64(put, first + ROWS_GENERATION, (int64_t)resource->generation);
	sqlite3_bind_int64(put, first + ROWS_REVISION, (int64_t)resource->revision);
	sqlite3_bind_int64(put, first + ROWS_CREATED_MS, resource->created_ms);
	sqlite3_bind_int64(put, first + ROWS_UPDATED_MS, resource->updated_ms);
}

static int put_row(sqlite3_stmt *put, const struct kind *kind, const struct resource *resource,
		   struct err *err)
{
	bind_fields(put, kind, resource);
	bind_agent_columns(put, (int)kind->n_fields + 1, resource);
	return sql_run(put, err);
}

/* A row and its lists are many statements: outside a transaction a failure would leave half. */
static int check_transaction(struct store *store, struct err *err)
{
	if (!store->begun)
		return err_set(err, -EINVAL, "database: no transaction is open");
	return connection_check(store, err);
}

int store_put(struct store *store, const struct kind *kind, const struct resource *resource,
	      struct err *err)
{
	const struct table *table = &store->tables[kind->id];
	int result = check_transaction(store, err);

	if (!result)
		result = prepare_put(store, kind, err);
	if (!result)
		result = put_row(table->add, kind, resource, err);
	bool is_new = !result && sqlite3_changes(store->database.db) > 0;
	if (!result && !is_new)
		result = put_row(table->change, kind, resource, err);
	for (unsigned i = 0; i < kind->n_fields && !result; i++)
		if (value_is_list(&kind->fields[i]))
			result = put_list(store, kind, &kind->fields[i], resource, is_new, err);
	return result;
}

/* The lists go by cascade. */
int store_delete(struct store *store, const struct kind *kind, const char *name, struct err *err)
{
	int result = check_transaction(store, err);

	if (!result)
		result = prepare_remove(store, kind, err);
	if (result)
		return result;
	sql_bind_text(store->tables[kind->id].remove, 1, name);
	return sql_run(store->tables[kind->id].remove, err);
}

static int damaged(struct err *err, const struct kind *kind, const char *name,
		   const struct field *field)
{
	return err_set(err, -EUCLEAN, "database: %s %s: the value of %s is damaged", kind->noun,
		       name, field->name);
}

/* What a list is read into: room for as many members as its column says. */
static void *make_list(const struct field *field, void *resource, uint32_t len, struct arena *arena)
{
	void *p = field_of(field, resource);

	if (field->type == FIELD_LABELS) {
		struct label *labels = arena_array(arena, len, sizeof(*labels));

		*(struct labels *)p = (struct labels){labels, len};
		return labels;
	}
	struct prefix *prefixes = arena_array(arena, len, sizeof(*prefixes));
	*(struct prefixes *)p = (struct prefixes){prefixes, len};
	return prefixes;
}

static int read_member(sqlite3_stmt *load, const struct field *field, void *list, uint32_t i,
		       struct arena *arena)
{
	if (field->type == FIELD_PREFIXES)
		return prefix_parse(sql_text(load, 0), (struct prefix *)list + i);
	const char *key = arena_strdup(arena, sql_text(load, 0));
	((struct label *)list)[i] = (struct label){key, arena_strdup(arena, sql_text(load, 1))};
	return 0;
}

static int read_list(struct store *store, const struct kind *kind, const struct field *field,
		     struct resource *resource, struct arena *arena)
{
	const struct table *table = &store->tables[kind->id];
	ptrdiff_t column = field - kind->fields;
	int64_t len = sqlite3_column_int64(table->load, (int)column), i = 0;
	int result;

	if (len < 0 || len > field->max_count)
		return -EUCLEAN;
	void *list = make_list(field, resource, (uint32_t)len, arena);
	cleanup_reset sqlite3_stmt *load = table->lists[column].load;
	sql_bind_text(load, 1, resource->name);
	while ((result = sql_next(load, NULL)) > 0)
		if (i == len || read_member(load, field, list, (uint32_t)i++, arena))
			return -EUCLEAN;
	return result == 0 && i < len ? -EUCLEAN : result;
}

static int read_field(struct store *store, const struct kind *kind, unsigned i,
		      struct resource *resource, struct arena *arena)
{
	const struct field *field = &kind->fields[i];
	sqlite3_stmt *load = store->tables[kind->id].load;

	if (sql_is_null(load, (int)i))
		return 0;
	resource->set |= kind_bit(kind, field);
	if (value_is_list(field))
		return read_list(store, kind, field, resource, arena);
	return value_parse(field, resource, sql_text(load, (int)i), arena);
}

static void read_agent_columns(sqlite3_stmt *load, int first, struct resource *resource)
{
	resource->deleting = sqlite3_column_int64(load, first + ROWS_DELETING) != 0;
	snprintf(resource->uid, sizeof(resource->uid), "%s", sql_text(load, first + ROWS_UID));
	resource->generation = (uint64_t)sqlite3_column_int64(load, first + ROWS_GENERATION);
	resource->revision = (uint64_t)sqlite3_column_int64(load, first + ROWS_REVISION);
	resource->created_ms = sqlite3_column_int64(load, first + ROWS_CREATED_MS);
	resource->updated_ms = sqlite3_column_int64(load, first + ROWS_UPDATED_MS);
}

static int read_row(struct store *store, const struct kind *kind, struct declaration *declaration,
		    struct arena *arena, struct err *err)
{
	struct resource *resource = arena_alloc(arena, kind->size);

	for (unsigned i = 0; i < kind->n_fields; i++) {
		int result = read_field(store, kind, i, resource, arena);

		if (result == -EINVAL || result == -EUCLEAN)
			return damaged(err, kind, resource->name, &kind->fields[i]);
		if (result)
			return sql_failure(store->database.db, err);
	}
	kind_defaults(kind, resource);
	read_agent_columns(store->tables[kind->id].load, (int)kind->n_fields, resource);
	declaration_put(declaration, kind->id, kind_copy(kind, resource, NULL));
	return 0;
}

int rows_load(struct store *store, const struct kind *kind, struct declaration *declaration,
	      struct err *err)
{
	cleanup_arena struct arena arena = {0};
	int result = prepare_load(store, kind, err);

	for (unsigned i = 0; i < kind->n_fields && !result; i++)
		if (value_is_list(&kind->fields[i]))
			result = prepare_list(store, kind, &kind->fields[i], err);
	if (result)
		return result;
	cleanup_reset sqlite3_stmt *load = store->tables[kind->id].load;
	while ((result = sql_next(load, err)) > 0) {
		result = read_row(store, kind, declaration, &arena, err);
		if (result)
			return result;
		arena_reset(&arena);
	}
	return result;
}
