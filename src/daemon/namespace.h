/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One agent per network namespace: two would undo each other's work. */

#include "base/err.h"

/* Holds the namespace until the descriptor is closed, by binding the abstract socket
 * "@ipipd". -EADDRINUSE: another agent holds it. */
int namespace_lock(int *fd, struct err *err) must_check;
