/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One write(2) for each line, so that lines of several processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum log_level threshold = LOG_LEVEL_INFO;

int log_level_parse(const char *name)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"error", LOG_LEVEL_ERROR},   {"warning", LOG_LEVEL_WARNING},
		{"notice", LOG_LEVEL_NOTICE}, {"info", LOG_LEVEL_INFO},
		{"debug", LOG_LEVEL_DEBUG},
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(levels[i].name, name) == 0)
			return (int)levels[i].level;
	return -EINVAL;
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

/* Of whom systemd says that he reads it, by device and inode. */
static bool journal_reads(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat own;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &own) == 0 && own.st_dev == device && own.st_ino == inode;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char raw[1024], line[sizeof(raw) * 4 + 8];
	va_list args;

	if (level > threshold)
		return;
	va_start(args, fmt);
	vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	int len = journal_reads() ? snprintf(line, sizeof(line), "<%d>", (int)level) : 0;
	for (const char *s = raw; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			len += snprintf(line + len, sizeof(line) - (size_t)len, "\\x%02x",
					(unsigned char)*s);
		else
			line[len++] = *s;
	}
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return; /* nobody reads the log: nothing can be said about it */
}
