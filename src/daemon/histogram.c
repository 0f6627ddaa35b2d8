/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buckets from half a millisecond, a small answer, to a minute, the longest wait. */
#include "daemon/histogram.h"

#include <stddef.h>

const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
	500,    1000,   2500,    5000,    10000,   25000,    50000,    100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000,
};

void histogram_add(struct histogram *histogram, uint64_t duration_us)
{
	size_t i = 0;

	while (i < HISTOGRAM_BOUNDS && duration_us > histogram_bounds_us[i])
		i++;
	histogram->buckets[i]++;
	histogram->sum_us += duration_us;
}
