/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two hash tables over one array of devices. */
#include "kernel/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static uint32_t hash_index(const struct names *names, uint32_t index)
{
	return (index * UINT32_C(2654435761)) >> 7 & (names->buckets - 1);
}

static uint32_t hash_device(const struct names *names, const char *device)
{
	uint32_t hash = UINT32_C(2166136261); /* FNV-1a */

	for (const char *p = device; *p; p++)
		hash = (hash ^ (unsigned char)*p) * UINT32_C(16777619);
	return (hash ^ hash >> 15) & (names->buckets - 1);
}

static void link_row(struct names *names, uint32_t number)
{
	struct name_row *row = &names->rows.v[number - 1];
	uint32_t *index = &names->by_index[hash_index(names, row->index)];
	uint32_t *device = &names->by_device[hash_device(names, row->device)];

	row->next_by_index = *index;
	row->next_by_device = *device;
	*index = *device = number;
}

static void grow(struct names *names)
{
	names->buckets = names->buckets ? names->buckets * 2 : 256;
	free(names->by_index);
	free(names->by_device);
	names->by_index = xcalloc(names->buckets, sizeof(*names->by_index));
	names->by_device = xcalloc(names->buckets, sizeof(*names->by_device));
	for (uint32_t i = 1; i <= names->rows.len; i++)
		link_row(names, i);
}

static struct name_row *find(const struct names *names, uint32_t index, bool removed)
{
	if (!names->buckets || !index)
		return NULL;
	for (uint32_t i = names->by_index[hash_index(names, index)]; i;
	     i = names->rows.v[i - 1].next_by_index) {
		struct name_row *row = &names->rows.v[i - 1];

		if (row->index == index && row->removed == removed)
			return row;
	}
	return NULL;
}

struct name_row *names_row(const struct names *names, uint32_t index)
{
	return find(names, index, false);
}

const struct name_row *names_removed(const struct names *names, uint32_t index)
{
	return find(names, index, true);
}

/* A removed row stays until the clear. */
void names_remove(struct names *names, uint32_t index)
{
	struct name_row *row = names_row(names, index);

	if (row)
		row->removed = true;
}

struct name_row *names_put(struct names *names, uint32_t index, const char *device)
{
	names_remove(names, index);
	if (names->rows.len >= names->buckets)
		grow(names);
	struct name_row *row = vec_add(&names->rows);
	row->index = index;
	name_copy(row->device, device);
	link_row(names, (uint32_t)names->rows.len);
	return row;
}

uint32_t names_index(const struct names *names, const char *device)
{
	if (!names->buckets)
		return 0;
	for (uint32_t i = names->by_device[hash_device(names, device)]; i;
	     i = names->rows.v[i - 1].next_by_device) {
		const struct name_row *row = &names->rows.v[i - 1];

		if (!row->removed && strcmp(row->device, device) == 0)
			return row->index;
	}
	return 0;
}

void names_device(const struct names *names, uint32_t index, char device[static IFNAMSIZ])
{
	const struct name_row *row = names_row(names, index);

	if (row)
		memcpy(device, row->device, IFNAMSIZ);
	else if (index)
		snprintf(device, IFNAMSIZ, "if%u", index);
	else
		device[0] = '\0';
}

void names_clear(struct names *names)
{
	vec_clear(&names->rows);
	if (!names->buckets)
		return;
	memset(names->by_index, 0, names->buckets * sizeof(*names->by_index));
	memset(names->by_device, 0, names->buckets * sizeof(*names->by_device));
}

void names_done(struct names *names)
{
	vec_done(&names->rows);
	free(names->by_index);
	free(names->by_device);
	*names = (struct names){0};
}
