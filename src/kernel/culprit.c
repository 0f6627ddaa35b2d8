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

/* The first line of /proc/PID/NAME; false, and "", when there is no such process. */
static bool proc_line(uint32_t pid, const char *name, char *line, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, line, size - 1);
	line[len < 0 ? 0 : len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return len >= 0;
}

void culprit_words(const struct culprit *culprit, char words[static CULPRIT_WORDS])
{
	char comm[32], cgroup[256] = "";
	uint32_t pid = pid_of(culprit);
	/* most have ended by now, and have no name any more: ip, nft */
	bool runs = pid && proc_line(pid, "comm", comm, sizeof(comm));
	const char *name = culprit->nft_pid ? culprit->nft_process : comm;

	words[0] = '\0';
	if (!pid || (pid > PID_MAX_LIMIT && !culprit->nft_pid))
		return;
	/* it may have ended since, and its id be another's, or be of another namespace */
	if (runs && strcmp(name, comm) == 0)
		proc_line(pid, "cgroup", cgroup, sizeof(cgroup));
	const char *unit = strrchr(cgroup, '/');
	bool is_unit = unit && unit[1];
	snprintf(words, CULPRIT_WORDS, "pid %u%s%.20s%s%s%.60s", pid, *name ? " (" : "", name,
		 *name ? ")" : "", is_unit ? ", " : "", is_unit ? unit + 1 : "");
}
