/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Memory that is freed all at once: an image has many small things that live together.
 *
 *     struct fl_arena arena = { 0 };
 *     struct node *node = fl_arena_zero(&arena, sizeof(*node));
 *     fl_arena_finish(&arena);
 */
#pragma once

#include <stddef.h>

struct fl_arena {
	struct fl_arena_chunk *chunks;
	size_t left, size; /* of the newest chunk; of all */
	char *at;
};

void *fl_arena_zero(struct fl_arena *arena, size_t size);
void *fl_arena_copy(struct fl_arena *arena, const void *data, size_t size);

/* NUL-terminated copy; not aligned, to pack names densely. */
char *fl_arena_text(struct fl_arena *arena, const char *text, size_t size);
void fl_arena_finish(struct fl_arena *arena);
