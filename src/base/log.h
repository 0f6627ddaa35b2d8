/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The agent's log: one line on stderr for each event, for the journal with the syslog priority
 * in front ("<4>…", sd-daemon(3)). Only daemon/ and cli/ log: who decides what to do about a
 * failure says once what was attempted on what, then the reason.
 */

#include "base/attributes.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Name of a level ("info") to its number; -EINVAL when there is none of that name. */
int log_level_parse(const char *name) must_check;
void log_set_level(enum log_level level);
/* Control characters of the text are written as \\xNN, so that a line stays a line. */
void log_line(enum log_level level, const char *fmt, ...) printf_(2, 3);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
