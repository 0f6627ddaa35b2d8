/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The declaration and the ledger in SQLite: rows by field table, one connection, one
 * transaction a turn of the loop. A resource's scalars are columns of the table named
 * kind->member; each list is a child table MEMBER_FIELD (resource, position, …).
 * Everything here is durable when store_commit has returned 0, and not before.
 */

#include "model/declaration.h"
#include "model/object.h"

struct store;

/*
 * Opens or creates the database, takes the one-writer lock, checks it, migrates it.
 * -EBUSY: another process has it; -ENOTSUP: made by a newer version; -EUCLEAN: damaged, or
 * another program's. A file that is refused stays as it was. created tells that the file
 * was not there (or empty) before. While it is open no other process can read it either.
 */
int store_open(struct store **store, const char *path, bool *created, struct err *err) must_check;
void store_close(struct store *store);

/* 32 random bits, made with the database: part of each link's alias. */
uint32_t store_database_id(const struct store *store);

/* Of its file and the log beside it. */
uint64_t store_size_bytes(const struct store *store);
/* Transactions, or writes within one, that failed since it was opened. */
uint64_t store_write_failures(const struct store *store);

/* Reads everything: each resource is handed over to the declaration. */
int store_load(struct store *store, struct declaration *declaration, struct err *err) must_check;

/*
 * The turn's transaction: begin is idempotent within a turn. On a full or failing disk
 * SQLite may give all of it up: then every write fails with -EIO, and so does the commit,
 * which ends it like a rollback. After a failed commit the last state stands, and the store
 * can be used. What is written outside a transaction (ledger, numbers, meta) is durable
 * at once, at the price of a commit each.
 */
int store_begin(struct store *store, struct err *err) must_check;
bool store_in_transaction(const struct store *store);
int store_commit(struct store *store, struct err *err) must_check;
void store_rollback(struct store *store);
/* A savepoint inside it for one write; either released or rolled back to. A release that
 * fails (-EINVAL: a reference does not hold) has rolled back to it. */
int store_savepoint(struct store *store, struct err *err) must_check;
int store_release(struct store *store, struct err *err) must_check;
void store_rollback_to(struct store *store);

/*
 * Inserts or replaces the row of that name, with its lists. Inside a transaction. The revision
 * of the declaration is the greatest that a row bears: a write costs one page, not two.
 */
int store_put(struct store *store, const struct kind *kind, const struct resource *resource,
	      struct err *err) must_check;
/* A name that is not there is no error. */
int store_delete(struct store *store, const struct kind *kind, const char *name,
		 struct err *err) must_check;
/* Where rows are deleted: the declaration does not go back to an earlier revision with them. */
int store_set_revision(struct store *store, uint64_t revision, struct err *err) must_check;

/*
 * The ledger: objects whose mark the kernel does not keep. One row an object: its kind, its
 * key, its marks (OURS, FOUND, ORPHAN), and for a sysctl value and before. Rows carry boot
 * id and namespace cookie; store_ledger_load deletes those of another boot or namespace.
 */
int store_ledger_load(struct store *store, const char *boot_id, uint64_t namespace_cookie,
		      struct objects *owned, struct err *err) must_check;
int store_ledger_put(struct store *store, enum kind_id kind, const struct object *object,
		     struct err *err) must_check;
int store_ledger_delete(struct store *store, enum kind_id kind, const struct object *object,
			struct err *err) must_check;

/*
 * What happened: a ring of the newest events. Ids go up by one each, are never given twice,
 * and those of two databases differ. An event of many has names in place of a name.
 */
struct store_event {
	uint64_t id; /* the store's */
	int64_t time_ms;
	const char *type;
	const char *kind, *name, *names; /* NULL: none; names: a JSON list */
	const char *document;            /* further members, as JSON */
};

/* Before the others; kept: at least so many of the newest. */
int store_events_load(struct store *store, unsigned kept, struct err *err) must_check;
/* In a transaction, with which it comes and goes. */
int store_event_add(struct store *store, const struct store_event *event,
		    struct err *err) must_check;
/* The last one that is durable; 0: none. */
uint64_t store_events_newest(const struct store *store);
/* The first one that is there still; 0: none. */
int store_events_oldest(struct store *store, uint64_t *id, struct err *err) must_check;
/*
 * Durable ones behind that id, in order, until `each` has enough. A few hundred at most; how
 * many it were, 0: there are no more.
 */
int store_events_read(struct store *store, uint64_t after,
		      bool (*each)(void *user, const struct store_event *event), void *user,
		      struct err *err) must_check;

/* The table numbers of the distinct `from` prefixes. */
int store_from_load(struct store *store, struct from_numbers *numbers, struct err *err) must_check;
int store_from_put(struct store *store, const struct from_number *number,
		   struct err *err) must_check;
int store_from_delete(struct store *store, struct prefix from, struct err *err) must_check;

/* One text value by name, kept with the database ("host_id"); "" when not set. */
int store_meta_get(struct store *store, const char *name, char *value, size_t size,
		   struct err *err) must_check;
int store_meta_set(struct store *store, const char *name, const char *value,
		   struct err *err) must_check;
