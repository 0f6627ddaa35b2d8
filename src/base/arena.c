/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunked bump allocator. What outlives a pass or request is not here: it is malloc'ed. */
#include "base/arena.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most arenas hold little: a page of the system's is dear where it is filled for a moment. */
enum { FIRST_BYTES = 2 * 1024, CHUNK_BYTES = 64 * 1024, LARGE_BYTES = 1 << 20 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

void out_of_memory(size_t size)
{
	fprintf(stderr, "<2>out of memory: %zu bytes were refused\n", size);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t size)
{
	size_t bytes = arena->chunk ? arena->chunk->size * 2 : FIRST_BYTES;

	if (bytes > CHUNK_BYTES)
		bytes = CHUNK_BYTES;
	if (bytes < size)
		bytes = size;
	struct arena_chunk *chunk = xmalloc(sizeof(*chunk) + bytes);

	*chunk = (struct arena_chunk){.next = arena->chunk, .size = bytes};
	arena->chunk = chunk;
	return chunk;
}

/* Not zeroed: for who fills all of it. */
static void *take(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunk;

	if (size > SIZE_MAX / 2)
		out_of_memory(size);
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!chunk || chunk->size - chunk->used < size)
		chunk = chunk_new(arena, size);
	void *p = chunk->bytes + chunk->used;
	chunk->used += size;
	arena->used_bytes += size;
	return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(take(arena, size), 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	return arena_alloc(arena, bytes);
}

void *arena_memdup(struct arena *arena, const void *from, size_t size)
{
	void *p = take(arena, size);

	if (size)
		memcpy(p, from, size);
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, strlen(s));
}

char *arena_strndup(struct arena *arena, const char *s, size_t len)
{
	char *p = take(arena, len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	char *p = take(arena, (size_t)len + 1);
	vsnprintf(p, (size_t)len + 1, fmt, again);
	va_end(again);
	return p;
}

static void chunks_free(struct arena_chunk *chunk)
{
	while (chunk) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
}

void arena_reset(struct arena *arena)
{
	if (!arena->chunk)
		return;
	chunks_free(arena->chunk->next);
	arena->chunk->next = NULL;
	arena->chunk->used = 0;
	arena->used_bytes = 0;
	if (arena->chunk->size > CHUNK_BYTES)
		arena_done(arena);
}

void arena_done(struct arena *arena)
{
	chunks_free(arena->chunk);
	*arena = (struct arena){0};
}

void arena_give_back(struct arena *arena)
{
	bool large = arena->used_bytes > LARGE_BYTES;

	arena_done(arena);
	if (large)
		malloc_trim(0);
}

void arena_join(struct arena *arena, struct arena *from)
{
	struct arena_chunk **last = &arena->chunk;

	while (*last)
		last = &(*last)->next;
	*last = from->chunk;
	arena->used_bytes += from->used_bytes;
	*from = (struct arena){0};
}
