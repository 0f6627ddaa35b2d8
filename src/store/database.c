/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The database file: directory, lock, connection, identity, health. SQLite 3.40 can
 * corrupt a WAL that two connections write (fixed in 3.51.3), hence two locks: flock on a
 * file beside it keeps a second agent out, the exclusive locking mode everybody else; it
 * also keeps the WAL's index on the heap instead of in mapped memory. The schema is
 * migrate.c's.
 */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "store/backup.h"
#include "store/files.h"
#include "store/sql.h"

struct setting {
	const char *name, *value;
};

/* before the first read: what makes reading safe */
static const struct setting read_settings[] = {
	{"locking_mode", "exclusive"}, {"mmap_size", "0"},    {"temp_store", "2"},
	{"cell_size_check", "1"},      {"foreign_keys", "1"}, {"trusted_schema", "0"},
};

/* once the file is known to be ours */
static const struct setting write_settings[] = {
	{"journal_mode", "wal"},
	{"synchronous", "2"},
	{"wal_autocheckpoint", "1000"},
	{"journal_size_limit", "16777216"},
};

/* until the file is known to be ours, closing it must not checkpoint it */
static const struct {
	int option, value;
} options[] = {
	{SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
	{SQLITE_DBCONFIG_DEFENSIVE, 1},
	{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
	{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
	{SQLITE_DBCONFIG_ENABLE_FKEY, 1},
	{SQLITE_DBCONFIG_DQS_DML, 0},
	{SQLITE_DBCONFIG_DQS_DDL, 0},
};

static int take_lock(const char *path, int *lock_fd, struct err *err)
{
	cleanup_text struct text name = {0};

	text_addf(&name, "%s.lock", path);
	cleanup_fd int fd = files_make(name.s);
	if (fd == -EEXIST && (fd = open(name.s, O_RDWR | O_NOFOLLOW | O_CLOEXEC)) < 0)
		fd = -errno;
	if (fd < 0)
		return err_set(err, fd, "cannot open %s: %s", name.s, strerror(-fd));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*lock_fd = take_fd(&fd);
		return 0;
	}
	if (errno == EWOULDBLOCK)
		return err_set(err, -EBUSY, "database %s is in use by another process", path);
	return err_set(err, -errno, "cannot lock %s: %s", name.s, strerror(errno));
}

/* SQLite would create it 0644. Done before SQLite has it open: closing any descriptor of a
 * file drops all POSIX locks that the process has on it. */
static int make_file(const char *path, struct err *err)
{
	cleanup_fd int fd = files_make(path);

	if (fd >= 0 || fd == -EEXIST)
		return 0;
	return err_set(err, fd, "cannot create database %s: %s", path, strerror(-fd));
}

static int set_option(sqlite3 *db, int option, int value, struct err *err)
{
	int now = -1;

	if (sqlite3_db_config(db, option, value, &now) || now != value)
		return err_set(err, -EIO, "database: option %d is not taken", option);
	return 0;
}

static int set_pragma(sqlite3 *db, const struct setting *setting, struct err *err)
{
	cleanup_finalize sqlite3_stmt *statement = NULL;
	char text[80];

	snprintf(text, sizeof(text), "PRAGMA %s = %s", setting->name, setting->value);
	int result = sql_once(db, text, err);
	if (result)
		return result;
	snprintf(text, sizeof(text), "PRAGMA %s", setting->name);
	result = sql_prepare(db, text, &statement, err);
	if (result)
		return result;
	result = sql_next(statement, err);
	if (result < 0)
		return result;
	if (result == 0 || strcasecmp(sql_text(statement, 0), setting->value) != 0)
		return err_set(err, -EIO, "database: %s is %s instead of %s", setting->name,
			       sql_text(statement, 0), setting->value);
	return 0;
}

static int set_pragmas(sqlite3 *db, const struct setting *settings, size_t count, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < count && !result; i++)
		result = set_pragma(db, &settings[i], err);
	return result;
}

static int refuse_newer(sqlite3 *db, int64_t schema, unsigned version, struct err *err)
{
	cleanup_text struct text advice = {0};

	backup_add_advice(db, version, &advice);
	return err_set(err, -ENOTSUP,
		       "database %s has schema %lld, this version knows up to %u: %s",
		       sqlite3_db_filename(db, "main"), (long long)schema, version, advice.s);
}

/* An empty file is going to be ours; anything else must say that it is. */
static int check_identity(sqlite3 *db, const char *path, unsigned version, struct err *err)
{
	int64_t application, schema, tables;
	int result = sql_integer(db, "PRAGMA application_id", &application, err);

	if (!result)
		result = sql_integer(db, "PRAGMA user_version", &schema, err);
	if (!result)
		result = sql_integer(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (result)
		return result;
	if (application == 0 && schema == 0 && tables == 0)
		return 0;
	if (application != DATABASE_APPLICATION_ID || schema < 0)
		return err_set(err, -EUCLEAN, "%s is not a database of ipipd", path);
	return schema > version ? refuse_newer(db, schema, version, err) : 0;
}

static int check_health(sqlite3 *db, const char *path, struct err *err)
{
	cleanup_finalize sqlite3_stmt *pages = NULL;
	int result = sql_prepare(db, "PRAGMA quick_check(1)", &pages, err);

	if (!result)
		result = sql_next(pages, err);
	if (result < 0)
		return result;
	if (strcmp(sql_text(pages, 0), "ok") != 0)
		return err_set(err, -EUCLEAN, "database %s is damaged: %s", path,
			       sql_text(pages, 0));
	return 0;
}

static int close_file_to_others(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 077) == 0)
		return 0;
	if (chmod(path, 0600) == 0)
		return 0;
	return err_set(err, -errno, "cannot set the mode of %s: %s", path, strerror(errno));
}

static int prepare_connection(sqlite3 *db, const char *path, unsigned version, struct err *err)
{
	int result = 0;

	sqlite3_extended_result_codes(db, 1);
	for (size_t i = 0; i < ARRAY_LEN(options) && !result; i++)
		result = set_option(db, options[i].option, options[i].value, err);
	if (!result)
		result = set_pragmas(db, read_settings, ARRAY_LEN(read_settings), err);
	if (!result)
		result = check_identity(db, path, version, err);
	if (!result)
		result = check_health(db, path, err);
	if (!result)
		result = close_file_to_others(path, err);
	if (!result)
		result = set_pragmas(db, write_settings, ARRAY_LEN(write_settings), err);
	if (!result)
		result = set_option(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, err);
	return result;
}

int database_open(struct database *database, const char *path, unsigned version, struct err *err)
{
	struct database opened = {.lock_fd = -1};

	/* one thread needs no locks around each page and allocation, and nobody asks how many
	 * there are; refused, which is no loss, where SQLite is in use already */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	int result = files_make_directory_of(path, err);

	failpoint("database.directory");
	if (!result)
		result = take_lock(path, &opened.lock_fd, err);
	failpoint("database.lock");
	if (!result)
		result = make_file(path, err);
	failpoint("database.file");
	if (!result &&
	    sqlite3_open_v2(path, &opened.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
		result = sql_failure(opened.db, err);
	if (!result)
		result = prepare_connection(opened.db, path, version, err);
	failpoint("database.open");
	if (result)
		database_close(&opened);
	else
		*database = opened;
	return result;
}

void database_close(struct database *database)
{
	sqlite3_close(database->db);
	if (database->lock_fd >= 0)
		close(database->lock_fd);
	*database = (struct database){.lock_fd = -1};
}
