/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Memory of one lifetime (a pass, a request): allocated piece by piece, never freed
 * singly, released at once. Out of memory ends the process with a message: desired state
 * is durable and a restart converges, so every size that a client controls is bounded
 * before it comes here.
 */

#include <stddef.h>

#include "base/attributes.h"
#include "base/cleanup.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* the one in use; {0} is an empty arena */
	size_t used_bytes;
};

/* Zeroed memory, aligned for any type, valid until arena_reset or arena_done. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* count elements of size bytes; ends the process when the product overflows */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));
void *arena_memdup(struct arena *arena, const void *from, size_t size)
	__attribute__((returns_nonnull));
char *arena_strdup(struct arena *arena, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *arena, const char *s, size_t len)
	__attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *fmt, ...) printf_(2, 3)
	__attribute__((returns_nonnull));
/* Forgets all that was allocated, and keeps one chunk for the next use. */
void arena_reset(struct arena *arena);
void arena_done(struct arena *arena);
/* The same; after a large one what is free goes back to the system, and is no loan of ours until
 * the next. To be called last of what is freed together. */
void arena_give_back(struct arena *arena);
/* What was allocated from from lives on in arena; from is empty then. */
void arena_join(struct arena *arena, struct arena *from);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define cleanup_arena          cleanup_(arena_done)

/* malloc, realloc and strdup that end the process with a message when memory is out */
void *xmalloc(size_t size) __attribute__((returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((returns_nonnull));
noreturn_ void out_of_memory(size_t size);
