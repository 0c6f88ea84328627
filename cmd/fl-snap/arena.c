/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/arena.h"

#include "common/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256 << 10)

struct fl_arena_chunk {
	struct fl_arena_chunk *next;
};

static void *take(struct fl_arena *arena, size_t size, size_t align)
{
	size_t pad = (size_t)(-(uintptr_t)arena->at & (align - 1));
	void *taken;

	if (arena->left < size + pad) {
		size_t want = size + sizeof(struct fl_arena_chunk) + align;
		struct fl_arena_chunk *chunk = fl_alloc(want > CHUNK ? want : CHUNK);

		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->size += want > CHUNK ? want : CHUNK;
		arena->at = (char *)(chunk + 1);
		arena->left = (want > CHUNK ? want : CHUNK) - sizeof(*chunk);
		pad = (size_t)(-(uintptr_t)arena->at & (align - 1));
	}
	taken = arena->at + pad;
	arena->at += size + pad;
	arena->left -= size + pad;
	return taken;
}

void *fl_arena_zero(struct fl_arena *arena, size_t size)
{
	return memset(take(arena, size, 8), 0, size);
}

void *fl_arena_copy(struct fl_arena *arena, const void *data, size_t size)
{
	void *copy = take(arena, size, 8);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *fl_arena_text(struct fl_arena *arena, const char *text, size_t size)
{
	char *copy = take(arena, size + 1, 1);

	memcpy(copy, text, size);
	copy[size] = 0;
	return copy;
}

void fl_arena_finish(struct fl_arena *arena)
{
	while (arena->chunks) {
		struct fl_arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	*arena = (struct fl_arena){ 0 };
}
