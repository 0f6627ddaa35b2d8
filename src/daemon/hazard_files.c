/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and directories to struct hazard_files. */
#include "daemon/hazard_files.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/dropins.h"

const char *const hazard_legacy_tables[LEGACY_TABLES] = {"filter", "nat", "mangle", "raw"};

enum {
	FILES_PATH = 512,
	PROCESSES_MAX = 4096, /* that are looked at where no systemd tells what runs */
	SYSCTLS_MAX = 512,
	SPECS_MAX = 64,
	UDEV_MAX = 16 << 10, /* bytes */
};

static bool exists(const char *root, const char *path)
{
	char full[FILES_PATH];
	struct stat unused;

	snprintf(full, sizeof(full), "%s%s", root, path);
	return lstat(full, &unused) == 0; /* a link may lead nowhere */
}

static void read_modules(const char *root, struct hazard_files *files)
{
	char path[FILES_PATH];

	files->ipip = modules_state(root, "ipip");
	files->ipip_loaded = exists(root, "/sys/module/ipip");
	files->rpfilter = exists(root, "/sys/module/ipt_rpfilter");
	for (unsigned i = 0; i < LEGACY_TABLES; i++) {
		snprintf(path, sizeof(path), "/sys/module/iptable_%s", hazard_legacy_tables[i]);
		files->legacy[i] = exists(root, path);
	}
}

/* "blacklist ipip", or "install ipip /bin/false" */
static void read_modprobe(void *user, const struct dropin_line *line)
{
	struct hazard_files *files = user;
	char *rest = line->text;
	const char *verb = strsep(&rest, " \t");

	if (strcmp(verb, "blacklist") != 0 && strcmp(verb, "install") != 0)
		return;
	while (rest && isspace((unsigned char)*rest))
		rest++;
	const char *module = strsep(&rest, " \t");
	if (module && strcmp(module, "ipip") == 0)
		files->blacklisted = arena_printf(&files->arena, "%s:%u", line->file, line->number);
}

/* The name of its service, and of its process. */
struct program {
	const char *name;
	bool *runs;
};

/* A process's name is cut at 15 bytes. */
static bool is_named(const struct text *comm, const char *name)
{
	size_t len = strlen(name) < 15 ? strlen(name) : 15;

	return comm->len == len + 1 && strncmp(text_str(comm), name, len) == 0;
}

static void find_processes(const char *root, const struct program *programs, size_t n)
{
	char path[FILES_PATH];
	unsigned left = PROCESSES_MAX;

	snprintf(path, sizeof(path), "%s/proc", root);
	DIR *directory = opendir(path);
	if (!directory)
		return;
	for (const struct dirent *entry; left-- && (entry = readdir(directory));) {
		cleanup_text struct text comm = {0};

		snprintf(path, sizeof(path), "%s/proc/%.16s/comm", root, entry->d_name);
		if (!isdigit((unsigned char)*entry->d_name) || file_read(path, 64, 0, &comm, NULL))
			continue;
		for (size_t i = 0; i < n; i++)
			*programs[i].runs |= is_named(&comm, programs[i].name);
	}
	closedir(directory);
}

/* systemd has a link for each unit that runs; elsewhere the processes are looked through. */
static void find_programs(const char *root, const struct program *programs, size_t n)
{
	char path[FILES_PATH];

	if (!exists(root, "/run/systemd/units")) {
		find_processes(root, programs, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/run/systemd/units/invocation:%s.service",
			 programs[i].name);
		*programs[i].runs = exists(root, path);
	}
}

static bool is_no(const char *value)
{
	static const char *const words[] = {"no", "false", "off", "0", "n", "f"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], value) == 0)
			return true;
	return false;
}

/* The sections do not share keys of these names. */
static void read_networkd(void *user, const struct dropin_line *line)
{
	struct hazard_files *files = user;
	char *key, *value;

	if (!dropins_assignment(line->text, &key, &value))
		return;
	if (strcmp(key, "ManageForeignRoutingPolicyRules") == 0)
		files->networkd_keeps_rules = is_no(value);
	if (strcmp(key, "ManageForeignRoutes") == 0)
		files->networkd_keeps_routes = is_no(value);
}

static void add_specs(struct hazard_files *files, char *value)
{
	for (char *rest = value, *spec; (spec = strsep(&rest, ",; "));)
		if (*spec && files->unmanaged.len < SPECS_MAX)
			vec_push(&files->unmanaged, arena_strdup(&files->arena, spec));
}

/* A section [device-…] that has managed=0 behind its match-device is not looked for. */
static void read_network_manager(void *user, const struct dropin_line *line)
{
	struct hazard_files *files = user;
	char *key, *value;

	if (!dropins_assignment(line->text, &key, &value))
		return;
	if (strcmp(key, "unmanaged-devices") == 0)
		vec_clear(&files->unmanaged);
	if (strcmp(key, "unmanaged-devices") == 0 || strcmp(key, "unmanaged-devices+") == 0)
		add_specs(files, value);
}

/* As sysctl.d(5): where the first separator is a dot, dots and slashes change places. */
static void use_slashes(char *key)
{
	if (key[strcspn(key, "./")] != '.')
		return;
	for (; *key; key++)
		*key = (char)(*key == '.' ? '/' : *key == '/' ? '.' : *key);
}

static void read_sysctl(void *user, const struct dropin_line *line)
{
	struct hazard_files *files = user;
	struct hazard_sysctl sysctl = {0};
	char *key = line->text, *value = NULL;
	bool assigned = dropins_assignment(line->text, &key, &value);

	if (*key == '-')
		key++;
	else if (!assigned)
		return;
	use_slashes(key);
	if (strncmp(key, "net/ipv4/", strlen("net/ipv4/")) != 0 ||
	    files->sysctls.len >= SYSCTLS_MAX)
		return;
	sysctl.key = arena_strdup(&files->arena, key);
	sysctl.value = assigned ? arena_strdup(&files->arena, value) : NULL;
	sysctl.where = arena_printf(&files->arena, "%s:%u", line->file, line->number);
	vec_push(&files->sysctls, sysctl);
}

void hazard_files_read(const char *root, struct hazard_files *files)
{
	struct dropin_reader reader = {root, read_modprobe, files};
	const struct program programs[] = {
		{"systemd-networkd", &files->networkd},
		{"NetworkManager", &files->network_manager},
	};

	find_programs(root, programs, ARRAY_LEN(programs));
	read_modules(root, files);
	dropins_read(&reader, "modprobe.d");
	reader.line = read_networkd;
	if (files->networkd) {
		dropins_read_first(&reader, "systemd/networkd.conf");
		dropins_read(&reader, "systemd/networkd.conf.d");
	}
	reader.line = read_network_manager;
	if (files->network_manager) {
		dropins_read_file(&reader, "/etc/NetworkManager/NetworkManager.conf");
		dropins_read(&reader, "NetworkManager/conf.d");
	}
	reader.line = read_sysctl;
	dropins_read(&reader, "sysctl.d");
	dropins_read_file(&reader, "/etc/sysctl.conf"); /* by sysctl(8) only, and last */
}

bool hazard_files_unmanaged(const char *root, unsigned ifindex)
{
	cleanup_text struct text text = {0};
	char path[FILES_PATH];

	snprintf(path, sizeof(path), "%s/run/udev/data/n%u", root, ifindex);
	return file_read(path, UDEV_MAX, 0, &text, NULL) == 0 &&
	       strstr(text_str(&text), "E:NM_UNMANAGED=1\n");
}

void hazard_files_done(struct hazard_files *files)
{
	vec_done(&files->unmanaged);
	vec_done(&files->sysctls);
	arena_done(&files->arena);
	*files = (struct hazard_files){0};
}
