/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a database. It is refused with a sentence, or can be read and written.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"

static char folder[] = "/dev/shm/ipipd-fuzz.XXXXXX"; /* where fsync costs nothing */
static char path[sizeof(folder) + 8];

static void remove_files(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
	char name[sizeof(path) + 16];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static void end(void)
{
	remove_files();
	rmdir(folder);
}

static void write_file(const uint8_t *bytes, size_t size)
{
	if (!*path) {
		assert(mkdtemp(folder));
		snprintf(path, sizeof(path), "%s/db", folder);
		atexit(end);
	}
	remove_files();
	FILE *file = fopen(path, "wb");
	assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void use(struct store *store)
{
	cleanup_arena struct arena arena = {0};
	struct declaration declaration = {0};
	struct objects ledger = {.arena = &arena};
	struct err err = {0};

	if (store_load(store, &declaration, &err) != 0)
		assert(*err.sentence);
	err = (struct err){0};
	if (store_ledger_load(store, "00000000-0000-0000-0000-000000000000", 1, &ledger, &err) < 0)
		assert(*err.sentence);
	err = (struct err){0};
	if (store_meta_set(store, "fuzz", "1", &err) != 0)
		assert(*err.sentence);
	declaration_done(&declaration);
	objects_done(&ledger);
	store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct store *store = NULL;
	struct err err = {0};
	bool created;

	write_file(bytes, size);
	if (store_open(&store, path, &created, &err) == 0)
		use(store);
	else
		assert(*err.sentence);
	return 0;
}
