/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The failpoints of the test agents. Allocates nothing: allocations are failpoints too. */
#include "failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 2 };

static struct {
	bool armed;
	enum { KILL, STOP, PAUSE, FAIL } action;
	char name[64];
	unsigned long first, last, passed;
	int error; /* negative errno */
	const char *log;
	void (*on_kill)(void);
} point;

noreturn_ static void bad(const char *why)
{
	fprintf(stderr, "IPIPD_FAILPOINT=%s: %s\n", getenv("IPIPD_FAILPOINT"), why);
	abort();
}

static int error_number(const char *wanted)
{
	for (int i = 1; i < 134; i++) {
		const char *text = strerrorname_np(i);

		if (text && strcmp(text, wanted) == 0)
			return -i;
	}
	bad("not an errno");
}

static void read_count(char *s)
{
	char *end;

	point.first = point.last = strtoul(s, &end, 10);
	if (*end == '-')
		point.last = strtoul(end + 1, &end, 10);
	else if (*end == '+')
		point.last = ULONG_MAX, end++;
	if (*end || point.first < 1 || point.last < point.first)
		bad("not a count");
}

static void read_action(const char *what)
{
	static const char *const words[] = {[KILL] = "kill", [STOP] = "stop", [PAUSE] = "pause"};

	for (point.action = KILL; point.action < FAIL; point.action++)
		if (strcmp(what, words[point.action]) == 0)
			return;
	point.error = error_number(what);
}

/* Before main: what the libraries do at their start counts as well. */
__attribute__((constructor)) static void arm(void)
{
	const char *text = getenv("IPIPD_FAILPOINT");
	char *count, *what;

	if (!text || !*text)
		return;
	if (strlen(text) >= sizeof(point.name))
		bad("too long");
	strcpy(point.name, text);
	what = strchr(point.name, '=');
	if (what)
		*what++ = '\0';
	count = strchr(point.name, ':');
	if (count)
		*count++ = '\0';
	point.first = point.last = 1;
	if (count)
		read_count(count);
	read_action(what ? what : "kill");
	point.log = getenv("IPIPD_FAILPOINT_LOG");
	point.armed = true;
}

static bool concerns(const char *name)
{
	return point.armed && name && fnmatch(point.name, name, 0) == 0;
}

static void note(const char *name)
{
	int fd = point.log ? open(point.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	dprintf(fd, "%s\n", name);
	close(fd);
}

static bool is_hit(const char *name)
{
	if (!concerns(name))
		return false;
	point.passed++;
	return point.passed >= point.first && point.passed <= point.last;
}

static void die(const char *name)
{
	note(name);
	if (point.on_kill)
		point.on_kill();
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

void failpoint(const char *name)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};

	if (point.action == FAIL || !is_hit(name))
		return;
	if (point.action == KILL)
		die(name);
	else if (point.action == STOP)
		raise(SIGSTOP);
	else
		nanosleep(&pause, NULL);
}

int failpoint_error(const char *name)
{
	if (point.action != FAIL) {
		failpoint(name);
		return 0;
	}
	if (!is_hit(name))
		return 0;
	int saved = errno;
	note(name);
	errno = saved;
	return point.error;
}

bool failpoint_is_due(const char *name)
{
	return point.action == KILL && concerns(name) && point.passed + 1 >= point.first &&
	       point.passed < point.last;
}

void failpoint_on_kill(void (*hook)(void))
{
	point.on_kill = hook;
}
