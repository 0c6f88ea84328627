/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A growable array of any type. The struct is public so that it is read like an array.
 *
 *     FL_VEC(int) fds = { 0 };
 *     FL_VEC_ADD(&fds, 3);
 *     for (size_t i = 0; i < fds.count; i++) use(fds.items[i]);
 *     free(fds.items);
 */
#pragma once

#include "common/alloc.h"

#define FL_VEC(type)                 \
	struct {                     \
		type *items;         \
		size_t count, space; \
	}

/* Twice as much; of many only a quarter more, as large blocks grow without being copied. */
#define FL_VEC_NEXT(space) ((space) < 4096 ? (space) * 2 + 8 * !(space) : (space) + (space) / 4)

/* Room for one more; evaluates vec more than once. */
#define FL_VEC_GROW(vec)                                                                    \
	do {                                                                                \
		if (!(vec)->items || (vec)->count == (vec)->space) {                        \
			(vec)->space = FL_VEC_NEXT((vec)->space);                           \
			(vec)->items = fl_realloc((vec)->items, (vec)->space,               \
						  sizeof(*(vec)->items));                   \
		}                                                                           \
	} while (0)

#define FL_VEC_ADD(vec, ...)                                  \
	do {                                                  \
		FL_VEC_GROW(vec);                             \
		(vec)->items[(vec)->count++] = (__VA_ARGS__); \
	} while (0)
