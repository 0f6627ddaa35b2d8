/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Device names and indexes of the last look at the links. Above this layer devices go by
 * name; the kernel's messages name them by index.
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

/* A device as it was last seen. */
struct name_row {
	uint32_t index;
	char device[IFNAMSIZ];
	uint32_t mtu, group; /* to tell an event that changes something from noise; to count */
	uint64_t tunnel;     /* digest of what a tunnel of it would be compared with */
	bool up, ours;
	bool removed; /* its last events are still to come */
	uint8_t forwarding, rp_filter;
	uint32_t next_by_index, next_by_device; /* row number + 1, 0: end */
};

struct names {
	struct name_rows vec_of(struct name_row) rows;
	uint32_t *by_index, *by_device; /* row number + 1; buckets of them, a power of two */
	uint32_t buckets;
};

/* Adds or replaces the device of that index; the row is valid until the next put. */
struct name_row *names_put(struct names *names, uint32_t index, const char *device)
	__attribute__((returns_nonnull));
void names_remove(struct names *names, uint32_t index);
/* NULL when there is none */
struct name_row *names_row(const struct names *names, uint32_t index);
/* The removed device that had this index last; NULL when there is none. */
const struct name_row *names_removed(const struct names *names, uint32_t index);
/* 0 when there is none */
uint32_t names_index(const struct names *names, const char *device);
/* Of an index without a device: "if17", as iproute2 writes it; "" for 0. */
void names_device(const struct names *names, uint32_t index, char device[static IFNAMSIZ]);
void names_clear(struct names *names);
void names_done(struct names *names);
