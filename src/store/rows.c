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

enum { LIST_ROWS = 32 }; /* that one statement puts: it halves what each of them takes */

/* the pieces of a child table's statements, by what its list is of */
struct list_text {
	unsigned n_columns;
	const char *columns, *assign, *differ;
};

static const struct list_text prefixes_text = {
	1,
	"prefix",
	"prefix = excluded.prefix",
	"prefix <> excluded.prefix",
};

static const struct list_text labels_text = {
	2,
	"key, value",
	"key = excluded.key, value = excluded.value",
	"key <> excluded.key OR value <> excluded.value",
};

static const struct list_text *text_of(const struct field *field)
{
	return field->type == FIELD_LABELS ? &labels_text : &prefixes_text;
}

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

/* ?1 is the resource, ?2 the first row's position, from ?3 on are its members. */
static int prepare_members(struct store *store, const struct kind *kind, const struct field *field,
			   unsigned n_rows, struct err *err)
{
	struct list_table *list = &store->tables[kind->id].lists[field - kind->fields];
	sqlite3_stmt **put = &list->put[n_rows > 1];
	const struct list_text *of = text_of(field);
	cleanup_text struct text text = {0};

	if (*put)
		return 0;
	text_addf(&text, "INSERT INTO \"%s_%s\" (resource, position, %s) VALUES ", kind->member,
		  field->name, of->columns);
	for (unsigned i = 0; i < n_rows; i++) {
		text_addf(&text, "%s(?1, ?2 + %u", i ? ", " : "", i);
		for (unsigned k = 0; k < of->n_columns; k++)
			text_addf(&text, ", ?%u", 3 + i * of->n_columns + k);
		text_add_char(&text, ')');
	}
	text_addf(&text, " ON CONFLICT (resource, position) DO UPDATE SET %s WHERE %s", of->assign,
		  of->differ);
	return sql_prepare(store->database.db, text.s, put, err);
}

static int prepare_trim(struct store *store, const struct kind *kind, const struct field *field,
			struct err *err)
{
	struct list_table *list = &store->tables[kind->id].lists[field - kind->fields];
	cleanup_text struct text text = {0};

	if (list->trim)
		return 0;
	text_addf(&text, "DELETE FROM \"%s_%s\" WHERE resource = ?1 AND position >= ?2",
		  kind->member, field->name);
	return sql_prepare(store->database.db, text.s, &list->trim, err);
}

static uint32_t list_length(const struct kind *kind, const struct field *field,
			    const struct resource *resource)
{
	const void *p = field_in(field, resource);

	if (!(resource->set & kind_bit(kind, field)))
		return 0;
	return field->type == FIELD_LABELS ? ((const struct labels *)p)->len
					   : ((const struct prefixes *)p)->len;
}

static void bind_member(sqlite3_stmt *put, int first, const struct field *field,
			const struct resource *resource, uint32_t i)
{
	const void *p = field_in(field, resource);
	char buf[PREFIX_TEXT];

	if (field->type == FIELD_LABELS) {
		const struct label *label = &((const struct labels *)p)->v[i];

		sql_bind_text(put, first, label->key);
		sql_bind_text(put, first + 1, label->value);
	} else {
		sql_bind_copy(put, first, prefix_text(((const struct prefixes *)p)->v[i], buf));
	}
}

static int put_members(struct store *store, const struct kind *kind, const struct field *field,
		       const struct resource *resource, struct err *err)
{
	const struct list_table *list = &store->tables[kind->id].lists[field - kind->fields];
	uint32_t len = list_length(kind, field, resource), n;
	int width = (int)text_of(field)->n_columns;

	for (uint32_t i = 0; i < len; i += n) {
		n = len - i < LIST_ROWS ? 1 : LIST_ROWS;
		int result = prepare_members(store, kind, field, n, err);
		if (result)
			return result;
		sqlite3_stmt *put = list->put[n > 1];
		sql_bind_text(put, 1, resource->name);
		sqlite3_bind_int64(put, 2, i);
		for (uint32_t k = 0; k < n; k++)
			bind_member(put, 3 + (int)k * width, field, resource, i + k);
		result = sql_run(put, err);
		if (result)
			return result;
	}
	return 0;
}

static int trim_list(struct store *store, const struct kind *kind, const struct field *field,
		     const struct resource *resource, struct err *err)
{
	int result = prepare_trim(store, kind, field, err);

	if (result)
		return result;
	sqlite3_stmt *trim = store->tables[kind->id].lists[field - kind->fields].trim;
	sql_bind_text(trim, 1, resource->name);
	sqlite3_bind_int64(trim, 2, list_length(kind, field, resource));
	return sql_run(trim, err);
}

static void bind_fields(sqlite3_stmt *put, const struct kind *kind, const struct resource *resource)
{
	cleanup_text struct text text = {0};

	for (unsigned i = 0; i < kind->n_fields; i++) {
		if (!(resource->set & kind_bit(kind, &kind->fields[i])))
			continue;
		text_clear(&text);
		value_format(&kind->fields[i], resource, &text);
		sql_bind_copy(put, (int)i + 1, text_str(&text));
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
	for (unsigned i = 0; i < kind->n_fields && !result; i++) {
		const struct field *field = &kind->fields[i];

		if (!value_is_list(field))
			continue;
		result = put_members(store, kind, field, resource, err);
		if (!result && !is_new) /* where none is, the search would cost more than all */
			result = trim_list(store, kind, field, resource, err);
	}
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

/*
 * A table and the child tables of its lists, each read once and all in the order of the
 * resources' names: a resource's members are what stands next in each.
 */
struct reading {
	sqlite3 *db;
	const struct kind *kind;
	struct arena arena; /* of one resource */
	sqlite3_stmt *rows;
	struct members {
		sqlite3_stmt *rows;
		bool stands;              /* on a member that nobody took yet */
	} members[CONNECTION_FIELDS_MAX]; /* at the index of the field */
};

static int damaged(struct err *err, const struct kind *kind, const char *name,
		   const struct field *field)
{
	return err_set(err, -EUCLEAN, "database: %s %s: the value of %s is damaged", kind->noun,
		       name, field->name);
}

static int next_member(struct members *members, struct err *err)
{
	int result = sql_next(members->rows, err);

	members->stands = result > 0;
	return result < 0 ? result : 0;
}

static int begin_members(struct reading *reading, unsigned i, struct err *err)
{
	const struct field *field = &reading->kind->fields[i];
	struct members *members = &reading->members[i];
	cleanup_text struct text text = {0};

	text_addf(&text, "SELECT resource, %s FROM \"%s_%s\" ORDER BY resource, position",
		  text_of(field)->columns, reading->kind->member, field->name);
	int result = sql_prepare(reading->db, text.s, &members->rows, err);
	return result ? result : next_member(members, err);
}

static int reading_begin(struct reading *reading, struct err *err)
{
	const struct kind *kind = reading->kind;
	cleanup_text struct text text = {0};

	text_add(&text, "SELECT ");
	add_columns(&text, kind);
	text_addf(&text, " FROM \"%s\" ORDER BY \"%s\"", kind->member, column_name(kind, 0));
	int result = sql_prepare(reading->db, text.s, &reading->rows, err);
	for (unsigned i = 0; i < kind->n_fields && !result; i++)
		if (value_is_list(&kind->fields[i]))
			result = begin_members(reading, i, err);
	return result;
}

static void reading_done(struct reading *reading)
{
	sqlite3_finalize(reading->rows);
	for (unsigned i = 0; i < reading->kind->n_fields; i++)
		sqlite3_finalize(reading->members[i].rows);
	arena_done(&reading->arena);
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

static int read_member(sqlite3_stmt *rows, const struct field *field, void *list, uint32_t i,
		       struct arena *arena)
{
	if (field->type == FIELD_PREFIXES)
		return prefix_parse(sql_text(rows, 1), (struct prefix *)list + i);
	const char *key = arena_strdup(arena, sql_text(rows, 1));
	((struct label *)list)[i] = (struct label){key, arena_strdup(arena, sql_text(rows, 2))};
	return 0;
}

static int read_list(struct reading *reading, unsigned column, struct resource *resource)
{
	const struct field *field = &reading->kind->fields[column];
	struct members *members = &reading->members[column];
	int64_t len = sqlite3_column_int64(reading->rows, (int)column), i = 0;
	int result = 0;

	if (len < 0 || len > field->max_count)
		return -EUCLEAN;
	void *list = make_list(field, resource, (uint32_t)len, &reading->arena);
	while (!result && members->stands &&
	       strcmp(sql_text(members->rows, 0), resource->name) == 0) {
		if (i == len ||
		    read_member(members->rows, field, list, (uint32_t)i++, &reading->arena))
			return -EUCLEAN;
		result = next_member(members, NULL);
	}
	return !result && i < len ? -EUCLEAN : result;
}

static int read_field(struct reading *reading, unsigned i, struct resource *resource)
{
	const struct field *field = &reading->kind->fields[i];

	if (sql_is_null(reading->rows, (int)i))
		return 0;
	resource->set |= kind_bit(reading->kind, field);
	if (value_is_list(field))
		return read_list(reading, i, resource);
	return value_parse(field, resource, sql_text(reading->rows, (int)i), &reading->arena);
}

static void read_agent_columns(sqlite3_stmt *rows, int first, struct resource *resource)
{
	resource->deleting = sqlite3_column_int64(rows, first + ROWS_DELETING) != 0;
	snprintf(resource->uid, sizeof(resource->uid), "%s", sql_text(rows, first + ROWS_UID));
	resource->generation = (uint64_t)sqlite3_column_int64(rows, first + ROWS_GENERATION);
	resource->revision = (uint64_t)sqlite3_column_int64(rows, first + ROWS_REVISION);
	resource->created_ms = sqlite3_column_int64(rows, first + ROWS_CREATED_MS);
	resource->updated_ms = sqlite3_column_int64(rows, first + ROWS_UPDATED_MS);
}

static int read_row(struct reading *reading, struct declaration *declaration, struct err *err)
{
	const struct kind *kind = reading->kind;
	struct resource *resource = arena_alloc(&reading->arena, kind->size);

	for (unsigned i = 0; i < kind->n_fields; i++) {
		int result = read_field(reading, i, resource);

		if (result == -EINVAL || result == -EUCLEAN)
			return damaged(err, kind, resource->name, &kind->fields[i]);
		if (result)
			return sql_failure(reading->db, err);
	}
	kind_defaults(kind, resource);
	read_agent_columns(reading->rows, (int)kind->n_fields, resource);
	declaration_put(declaration, kind->id, kind_copy(kind, resource, NULL));
	return 0;
}

/* A member whose resource is not there stops its list, so it is left at the end. */
static int check_taken(const struct reading *reading, struct err *err)
{
	for (unsigned i = 0; i < reading->kind->n_fields; i++)
		if (reading->members[i].stands)
			return damaged(err, reading->kind, sql_text(reading->members[i].rows, 0),
				       &reading->kind->fields[i]);
	return 0;
}

int rows_load(struct store *store, const struct kind *kind, struct declaration *declaration,
	      struct err *err)
{
	struct reading reading = {.db = store->database.db, .kind = kind};
	int result = reading_begin(&reading, err);

	while (!result && (result = sql_next(reading.rows, err)) > 0) {
		result = read_row(&reading, declaration, err);
		arena_reset(&reading.arena);
	}
	if (!result)
		result = check_taken(&reading, err);
	reading_done(&reading);
	return result;
}
