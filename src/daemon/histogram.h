/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* How long things took: how many took how long at the most. */

#include <stdint.h>

/* Upper bounds of the buckets in µs; there is one bucket more, without a bound. */
enum { HISTOGRAM_BOUNDS = 15 };
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* each for itself */
	uint64_t sum_us;
};

void histogram_add(struct histogram *histogram, uint64_t duration_us);
