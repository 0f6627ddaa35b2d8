/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's default VFS in the test agents: the system's own, with failpoints around each
 * write, truncation and sync. With IPIPD_VFS_DROP=SEED a kill by a failpoint is one by the
 * power: of what was written since the last sync each write is kept or lost by chance.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "failpoint.h"

/* What a write or a truncation (no bytes) since the last sync did to the file. */
struct change {
	sqlite3_int64 at, size_before;
	int len;
	char *bytes;
	int len_before; /* of what stood there, which may have been shorter */
	char *before;
};

struct shim {
	sqlite3_file file; /* SQLite's view, first */
	struct vec_of(struct change) changes;
	struct shim *next;   /* of all that are open */
	sqlite3_file real[]; /* as large as the system's VFS says */
};

static sqlite3_vfs *system_vfs;
static struct shim *opened;
static unsigned drop_seed; /* 0: nothing is dropped */

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct shim *)file)->real;
}

static int code_of(int error, int other)
{
	return error == -ENOSPC ? SQLITE_FULL : other;
}

static void forget(struct shim *shim)
{
	for (size_t i = 0; i < shim->changes.len; i++) {
		free(shim->changes.v[i].bytes);
		free(shim->changes.v[i].before);
	}
	vec_clear(&shim->changes);
}

static void remember(struct shim *shim, const void *bytes, int len, sqlite3_int64 at)
{
	struct change *change;
	sqlite3_int64 size = 0;

	if (!drop_seed)
		return;
	shim->real->pMethods->xFileSize(shim->real, &size);
	change = vec_add(&shim->changes);
	*change = (struct change){.at = at, .size_before = size, .len = len};
	if (bytes) {
		change->bytes = xmalloc((size_t)len);
		memcpy(change->bytes, bytes, (size_t)len);
	}
	if (at < size) {
		sqlite3_int64 stood = size - at;

		change->len_before = bytes && stood > len ? len : (int)stood;
		change->before = xmalloc((size_t)change->len_before);
		shim->real->pMethods->xRead(shim->real, change->before, change->len_before, at);
	}
}

static void undo(sqlite3_file *real, const struct change *change)
{
	if (change->before)
		real->pMethods->xWrite(real, change->before, change->len_before, change->at);
	if (change->bytes)
		real->pMethods->xTruncate(real, change->size_before);
}

static void redo(sqlite3_file *real, const struct change *change)
{
	if (change->bytes)
		real->pMethods->xWrite(real, change->bytes, change->len, change->at);
	else
		real->pMethods->xTruncate(real, change->at);
}

static void lose_power(void)
{
	for (struct shim *shim = opened; shim; shim = shim->next) {
		for (size_t i = shim->changes.len; i-- > 0;)
			undo(shim->real, &shim->changes.v[i]);
		for (size_t i = 0; i < shim->changes.len; i++)
			if (rand_r(&drop_seed) & 0x100)
				redo(shim->real, &shim->changes.v[i]);
	}
}

static int shim_close(sqlite3_file *file)
{
	struct shim *shim = (struct shim *)file, **at = &opened;

	while (*at && *at != shim)
		at = &(*at)->next;
	if (*at)
		*at = shim->next;
	forget(shim);
	vec_done(&shim->changes);
	return shim->real->pMethods->xClose(shim->real);
}

static int shim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
	int error = failpoint_error("vfs.write");

	remember((struct shim *)file, from, error ? len / 2 : len, at);
	if (error) { /* a disk that fills up takes what fits */
		real_of(file)->pMethods->xWrite(real_of(file), from, len / 2, at);
		return code_of(error, SQLITE_IOERR_WRITE);
	}
	int code = real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
	failpoint("vfs.written");
	return code;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int error = failpoint_error("vfs.truncate");

	if (error)
		return code_of(error, SQLITE_IOERR_TRUNCATE);
	remember((struct shim *)file, NULL, 0, size);
	int code = real_of(file)->pMethods->xTruncate(real_of(file), size);
	failpoint("vfs.truncated");
	return code;
}

static int shim_sync(sqlite3_file *file, int flags)
{
	int error = failpoint_error("vfs.sync");

	if (error)
		return code_of(error, SQLITE_IOERR_FSYNC);
	int code = real_of(file)->pMethods->xSync(real_of(file), flags);
	if (code == SQLITE_OK)
		forget((struct shim *)file);
	failpoint("vfs.synced");
	return code;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *is_reserved)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

static int shim_control(sqlite3_file *file, int what, void *argument)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int shim_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_device(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1, without shared memory: with the exclusive locking mode a WAL needs none. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_device,
};

static int shim_open(unused_ sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		     int *flags_out)
{
	struct shim *shim = (struct shim *)file;

	memset(shim, 0, sizeof(*shim));
	int code = system_vfs->xOpen(system_vfs, name, shim->real, flags, flags_out);
	if (!shim->real->pMethods)
		return code;
	shim->file.pMethods = &methods;
	shim->next = opened;
	opened = shim;
	return code;
}

__attribute__((constructor)) static void take_over(void)
{
	static sqlite3_vfs vfs;
	const char *seed = getenv("IPIPD_VFS_DROP");

	system_vfs = sqlite3_vfs_find(NULL);
	if (!system_vfs) /* no memory was given to SQLite: it begins later, and without this */
		return;
	vfs = *system_vfs;
	vfs.zName = "shim";
	vfs.szOsFile = (int)sizeof(struct shim) + system_vfs->szOsFile;
	vfs.xOpen = shim_open;
	sqlite3_vfs_register(&vfs, 1);
	if (!seed)
		return;
	drop_seed = (unsigned)strtoul(seed, NULL, 10) | 1;
	failpoint_on_kill(lose_power);
}
