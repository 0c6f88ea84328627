/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A string that grows. data is always NUL-terminated once anything was added,
 * and may hold NULs of its own: len counts bytes.
 *
 *     fl_cleanup_str struct fl_str path = FL_STR_INIT;
 *     fl_str_addf(&path, "%s/%s", folder, name);
 *     open(path.data, O_RDONLY);
 */
#pragma once

#include "common/cleanup.h"
#include "common/macro.h"

#include <stdarg.h>
#include <stdbool.h>

struct fl_str {
	char *data; /* owned; "" (never NULL) after any add */
	size_t len, cap;
};

#define FL_STR_INIT { NULL, 0, 0 }

void fl_str_finish(struct fl_str *str);
#define fl_cleanup_str FL_CLEANUP(fl_str_finish)

void fl_str_add(struct fl_str *str, const char *text);
void fl_str_add_bytes(struct fl_str *str, const void *bytes, size_t size);
void fl_str_addf(struct fl_str *str, const char *fmt, ...) FL_PRINTF(2, 3);
void fl_str_vaddf(struct fl_str *str, const char *fmt, va_list args);

/* Room for size more bytes; returns where they go. Set len yourself afterwards. */
char *fl_str_reserve(struct fl_str *str, size_t size);

/* Empties it; keeps the memory. */
void fl_str_clear(struct fl_str *str);

/* Hands the text over ("" when nothing was added); caller frees. */
char *fl_str_steal(struct fl_str *str) FL_MUST_USE;

/* Whether text starts, or ends, with the other. */
bool fl_str_starts(const char *text, const char *prefix);
bool fl_str_ends(const char *text, const char *suffix);

/* The text at *at up to the separator or the end; caller frees. *at moves behind the separator, or
 * becomes NULL: "a," holds "a" and "". */
char *fl_str_cut(const char **at, char separator) FL_MUST_USE;

/* NULL-safe equality: NULL equals only NULL. */
bool fl_str_equal(const char *a, const char *b);
