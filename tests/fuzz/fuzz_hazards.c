/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as each of the files that tell of hazards. What is kept of them is bounded, says in
 * which line it stands, and is nothing else than what is looked for.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/attributes.h"
#include "daemon/hazard_files.h"

enum { DEVICE = 7 };

static const char *const folders[] = {
	"etc", "etc/modprobe.d", "etc/sysctl.d",      "etc/systemd", "etc/NetworkManager",
	"run", "run/systemd",    "run/systemd/units", "run/udev",    "run/udev/data",
	"lib", "lib/modules",
};

static const char *const files[] = {
	"etc/modprobe.d/a.conf",
	"etc/sysctl.conf",
	"etc/sysctl.d/a.conf",
	"etc/systemd/networkd.conf",
	"etc/NetworkManager/NetworkManager.conf",
	"run/systemd/units/invocation:systemd-networkd.service",
	"run/systemd/units/invocation:NetworkManager.service",
	"run/udev/data/n7",
};

static char root[] = "/tmp/fuzz_hazards.XXXXXX";
static char modules[128]; /* the folder of this kernel's */
static int memory;        /* that all of them lead to */

static char *full(const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", root, path);
	return text;
}

static void clean(void)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		remove(full(files[i]));
	remove(full("modules.dep"));
	remove(full(modules));
	for (size_t i = ARRAY_LEN(folders); i-- > 0;)
		remove(full(folders[i]));
	remove(root);
}

static void make_root(void)
{
	struct utsname host;
	char target[32];
	bool good = mkdtemp(root);

	memory = memfd_create("hazards", 0);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", memory);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		good &= mkdir(full(folders[i]), 0700) == 0;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		good &= symlink(target, full(files[i])) == 0;
	uname(&host);
	snprintf(modules, sizeof(modules), "lib/modules/%s", host.release);
	good &= symlink("../..", full(modules)) == 0; /* to the root itself */
	good &= symlink(target, full("modules.dep")) == 0;
	atexit(clean);
	assert(good && memory >= 0);
}

static bool has_line(const char *where)
{
	const char *colon = strrchr(where, ':');

	return colon && atoi(colon + 1) > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct hazard_files found = {0};

	if (!*modules)
		make_root();
	if (ftruncate(memory, 0) < 0 || pwrite(memory, bytes, size, 0) != (ssize_t)size)
		abort();
	hazard_files_read(root, &found);
	assert(found.networkd && found.network_manager);
	assert(!found.blacklisted || has_line(found.blacklisted));
	assert(found.sysctls.len <= 512 && found.unmanaged.len <= 64);
	for (size_t i = 0; i < found.sysctls.len; i++) {
		assert(strncmp(found.sysctls.v[i].key, "net/ipv4/", 9) == 0);
		assert(has_line(found.sysctls.v[i].where));
	}
	for (size_t i = 0; i < found.unmanaged.len; i++)
		assert(found.unmanaged.v[i][0]);
	hazard_files_done(&found);
	hazard_files_unmanaged(root, DEVICE);
	return 0;
}
