/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What this process uses of the host, and may use. */

#include <stdint.h>

struct usage {
	uint64_t cpu_us; /* user and system */
	uint64_t resident_bytes;
	uint64_t open_fds, max_fds;
	uint64_t start_ms; /* since the epoch */
};

/* What cannot be read is 0. A start that is known already stays. */
void usage_read(struct usage *usage);
