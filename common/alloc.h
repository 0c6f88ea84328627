/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Memory, with one policy for the lack of it: the process ends by abort().
 *
 * No caller could go on without the few bytes it asked for, and what is on disk
 * survives a kill at any moment; so none of these ever returns NULL.
 * A size that comes from outside is checked against a limit before it gets here.
 *
 *     char *copy = fl_strdup(name);        // caller frees with free()
 */
#pragma once

#include "common/macro.h"

/* size bytes, not initialised. Caller frees. */
void *fl_alloc(size_t size) FL_MUST_USE FL_NOT_NULL;

/* count * size bytes of zeros; an overflowing product counts as lack of memory. */
void *fl_alloc_zero(size_t count, size_t size) FL_MUST_USE FL_NOT_NULL;

/* Like realloc for count * size bytes; NULL as ptr allocates. */
void *fl_realloc(void *ptr, size_t count, size_t size) FL_MUST_USE FL_NOT_NULL;

char *fl_strdup(const char *text) FL_MUST_USE FL_NOT_NULL;

/* The first size bytes of text, NUL-terminated. */
char *fl_strndup(const char *text, size_t size) FL_MUST_USE FL_NOT_NULL;

/* The printed text. Caller frees. */
char *fl_asprintf(const char *fmt, ...) FL_PRINTF(1, 2) FL_MUST_USE FL_NOT_NULL;
