/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over the files of a folder: each as it is, cut at every byte, and with
 * every byte changed in a few ways; of a large file at some of them. A fault is a crash or what
 * a sanitizer says.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"

enum { FILE_MAX = 64 * 1024, PLACES = 512 };

/* In a block of exactly that size, so that a read past the end is seen. */
static void run(const uint8_t *bytes, size_t size)
{
	cleanup_free uint8_t *copy = xmalloc(size);

	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
}

static void run_changed(uint8_t *bytes, size_t size)
{
	static const uint8_t changes[] = {'"', '[', '}', ',', '0', '\\', 0, 0xff};

	run(bytes, size);
	for (size_t i = 0; i < size; i += size / PLACES + 1) {
		uint8_t before = bytes[i];

		run(bytes, i);
		for (size_t j = 0; j < sizeof(changes); j++) {
			bytes[i] = changes[j];
			run(bytes, size);
		}
		bytes[i] = before;
	}
}

static int run_file(const char *folder, const char *name)
{
	static uint8_t bytes[FILE_MAX];
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return 1;
	}
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	run_changed(bytes, size);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *file;
	int ran = 0, failed = 0;

	if (!folder) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	while ((file = readdir(folder))) {
		if (file->d_name[0] == '.')
			continue;
		failed += run_file(argv[1], file->d_name);
		ran++;
	}
	closedir(folder);
	printf("%d files\n", ran);
	return failed || !ran;
}
