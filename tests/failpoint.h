/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the failpoints of a test agent do, as the environment variable IPIPD_FAILPOINT says:
 *
 *   NAME[:FIRST[-LAST|+]][=kill|stop|pause|ERRNO]
 *
 * NAME is a glob; passings of all names that match are counted together, from 1. Those from
 * FIRST (1 when it is not given) to LAST (the same; `+`: without end) are hit: the process
 * gets SIGKILL, as when nothing is said, stops until SIGCONT, pauses for 2 ms, or the call
 * fails with that errno ("ENOSPC"). Names at which no call can fail take no notice of an errno.
 * With IPIPD_FAILPOINT_LOG the name of each kill and failure is added to that file, a line each.
 */

#include "base/failpoint.h"

#include <stdbool.h>

/* Will the next passing of that name kill? Does not count. */
bool failpoint_is_due(const char *name);
/* Called before the process gets its SIGKILL; one, the last that was given. */
void failpoint_on_kill(void (*hook)(void));
