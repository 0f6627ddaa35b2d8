/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Places where a test ends the agent at once, or lets the call that follows fail. The agent
 * links the empty functions of failpoint.c; the test agents bring their own
 * (tests/failpoint.c), which the linker takes instead of the library's. A name is a literal,
 * `where.what`, and stands at one place: tests/crash/failpoints.py collects them from the
 * sources.
 */

#include "base/attributes.h"

void failpoint(const char *name);
/* 0, or the negative errno that the call which follows shall have failed with. */
int failpoint_error(const char *name) must_check;
