/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody is better named than somebody else. What is made of the words is the daemon's. */
#include "kernel/culprit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* No id is larger (include/linux/threads.h); a process's second socket has a port that is. */
enum { PID_MAX_LIMIT = 4 * 1024 * 1024 };

static void add(struct culprit *culprit, uint32_t *port, uint32_t by)
{
	culprit->several |= *port && by && *port != by;
	if (!*port)
		*port = by;
}

void culprit_add(struct culprit *culprit, uint32_t port)
{
	culprit->changed = true;
	add(culprit, &culprit->port, port);
}

void culprit_add_nft(struct culprit *culprit, uint32_t port)
{
	culprit->changed = true;
	add(culprit, &culprit->nft_port, port);
}

void culprit_tell_nft(struct culprit *culprit, uint32_t port, uint32_t pid, const char *process)
{
	if (!port || port != culprit->nft_port)
		return;
	culprit->nft_pid = pid;
	snprintf(culprit->nft_process, sizeof(culprit->nft_process), "%s", process);
}

void culprit_join(struct culprit *culprit, const struct culprit *other)
{
	add(culprit, &culprit->port, other->port);
	add(culprit, &culprit->nft_port, other->nft_port);
	if (other->nft_pid)
		culprit_tell_nft(culprit, other->nft_port, other->nft_pid, other->nft_process);
	culprit->several |= other->several;
	culprit->changed |= other->changed;
}

static uint32_t pid_of(const struct culprit *culprit)
{
	uint32_t nft = culprit->nft_pid ? culprit->nft_pid : culprit->nft_port;
	bool differ = nft && culprit->port && nft != culprit->port;

	if (culprit->several || differ)
		return 0;
	return nft ? nft : culprit->port;
}

/* The begin of /proc/PID/NAME; false, and "", when there is no such process. */
static bool read_proc(uint32_t pid, const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);
	text[len < 0 ? 0 : len] = '\0';
	return len >= 0;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len > end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* Of a path the last part that is called as units are: below it may be what the unit made. */
static void take_unit(const char *path, const char *end, char unit[static CULPRIT_UNIT])
{
	while (path < end) {
		size_t len = strcspn(++path, "/\n");

		if (ends_with(path, len, ".service") || ends_with(path, len, ".scope"))
			snprintf(unit, CULPRIT_UNIT, "%.*s", (int)len, path);
		path += len;
	}
}

void culprit_unit(const char *cgroups, char unit[static CULPRIT_UNIT])
{
	unit[0] = '\0';
	for (const char *line = cgroups, *end; *line && !unit[0]; line = *end ? end + 1 : end) {
		const char *of = strchr(line, ':'), *path = of ? strchr(of + 1, ':') : NULL;

		end = line + strcspn(line, "\n");
		if (path && path < end &&
		    (path == of + 1 || strncmp(of, ":name=systemd:", 14) == 0))
			take_unit(path + 1, end, unit);
	}
}

void culprit_words(const struct culprit *culprit, char words[static CULPRIT_WORDS])
{
	char comm[32] = "", cgroups[4096] = "", unit[CULPRIT_UNIT];
	uint32_t pid = pid_of(culprit);
	/* most have ended by now, and have no name any more: ip, nft */
	bool runs = pid && read_proc(pid, "comm", comm, sizeof(comm));
	const char *name = culprit->nft_pid ? culprit->nft_process : comm;

	comm[strcspn(comm, "\n")] = '\0';
	words[0] = '\0';
	if (!pid || (pid > PID_MAX_LIMIT && !culprit->nft_pid))
		return;
	/* it may have ended since, and its id be another's, or be of another namespace */
	if (runs && strcmp(name, comm) == 0)
		read_proc(pid, "cgroup", cgroups, sizeof(cgroups));
	culprit_unit(cgroups, unit);
	snprintf(words, CULPRIT_WORDS, "pid %u%s%.20s%s%s%s", pid, *name ? " (" : "", name,
		 *name ? ")" : "", *unit ? ", " : "", unit);
}
