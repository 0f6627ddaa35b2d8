/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which modules there are: /sys/module has those that are loaded or built in, modules.dep those
 * that can be loaded. */
#include "daemon/modules.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MODULES_PATH = 512 };

/* Does the file have a line with that path of a module? */
static enum module_state listed(const char *path, const char *file)
{
	FILE *list = fopen(path, "re");
	char line[1024];
	bool found = false;

	if (!list)
		return MODULE_UNKNOWN;
	while (!found && fgets(line, sizeof(line), list)) {
		line[strcspn(line, ":\n")] = '\0';
		found = strstr(line, file);
	}
	fclose(list);
	return found ? MODULE_THERE : MODULE_MISSING;
}

enum module_state modules_state(const char *root, const char *name)
{
	char path[MODULES_PATH], file[64];
	struct utsname host;

	snprintf(path, sizeof(path), "%s/sys/module/%s", root, name);
	if (access(path, F_OK) == 0)
		return MODULE_THERE;
	uname(&host);
	snprintf(file, sizeof(file), "/%s.ko", name);
	snprintf(path, sizeof(path), "%s/lib/modules/%s/modules.builtin", root, host.release);
	if (listed(path, file) == MODULE_THERE)
		return MODULE_THERE;
	snprintf(path, sizeof(path), "%s/lib/modules/%s/modules.dep", root, host.release);
	return listed(path, file);
}
