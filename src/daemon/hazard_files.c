/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and directories to struct hazard_files. */
#include "daemon/hazard_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const hazard_legacy_tables[LEGACY_TABLES] = {"filter", "nat", "mangle", "raw"};

enum { FILES_PATH = 512 };

static void read_modules(const char *root, struct hazard_files *files)
{
	char path[FILES_PATH];

	files->ipip = modules_state(root, "ipip");
	for (unsigned i = 0; i < LEGACY_TABLES; i++) {
		snprintf(path, sizeof(path), "%s/sys/module/iptable_%s", root,
			 hazard_legacy_tables[i]);
		files->legacy[i] = access(path, F_OK) == 0;
	}
}

void hazard_files_read(const char *root, struct hazard_files *files)
{
	read_modules(root, files);
}

void hazard_files_done(struct hazard_files *files)
{
	arena_done(&files->arena);
	*files = (struct hazard_files){0};
}
