/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of the database: written beside it under another name, and renamed when they are whole. */
#include "store/backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "store/files.h"
#include "store/sql.h"

static void add_name(struct text *text, const char *path, unsigned version)
{
	text_addf(text, "%s.schema-%u", path, version);
}

/* VACUUM reads all of it, what the WAL holds included, and writes into a file that is empty. */
static int copy(sqlite3 *db, const char *path, struct err *err)
{
	cleanup_finalize sqlite3_stmt *vacuum = NULL;

	unlink(path); /* of a backup that was cut short */
	cleanup_fd int fd = files_make(path);
	if (fd < 0)
		return err_set(err, fd, "%s", strerror(-fd));
	int result = sql_prepare(db, "VACUUM INTO ?1", &vacuum, err);
	failpoint("backup.made");
	if (result)
		return result;
	sql_bind_text(vacuum, 1, path);
	result = sql_run(vacuum, err);
	failpoint("backup.copied");
	if (result)
		return result;
	/* which VACUUM leaves to us */
	int fault = failpoint_error("backup.sync");
	if (fault || fsync(fd) < 0)
		return err_set(err, fault ? fault : -errno, "%s", strerror(fault ? -fault : errno));
	return 0;
}

int backup_make(sqlite3 *db, unsigned version, struct err *err)
{
	const char *path = sqlite3_db_filename(db, "main");
	cleanup_text struct text name = {0}, unfinished = {0};
	struct err cause = {0};

	add_name(&name, path, version);
	text_addf(&unfinished, "%s.new", name.s);
	int result = copy(db, unfinished.s, &cause);
	failpoint("backup.synced");
	if (!result && rename(unfinished.s, name.s) < 0)
		result = err_set(&cause, -errno, "%s", strerror(errno));
	failpoint("backup.renamed");
	if (result) {
		unlink(unfinished.s);
		return err_set(err, result,
			       "database %s is not migrated: its backup %s cannot be made: %s",
			       path, name.s, cause.sentence);
	}
	files_sync_name(name.s);
	return 0;
}

void backup_add_advice(sqlite3 *db, unsigned version, struct text *text)
{
	const char *path = sqlite3_db_filename(db, "main");
	cleanup_text struct text name = {0};

	for (; version; version--) {
		text_clear(&name);
		add_name(&name, path, version);
		if (access(name.s, F_OK) == 0)
			break;
	}
	text_add(text, "start the newer version again");
	/* without its WAL, which SQLite would take for the backup's */
	if (version)
		text_addf(text,
			  ", or go back to what was declared before: rm -f %s-wal && mv %s %s",
			  path, name.s, path);
}
