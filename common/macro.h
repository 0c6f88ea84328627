/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Words for the compiler: what a function promises, said in its type.
 *
 *     FL_PRINTF(2, 3) int fl_str_addf(struct fl_str *str, const char *fmt, ...);
 */
#pragma once

#include <stddef.h>

#define FL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define FL_MUST_USE __attribute__((warn_unused_result))
#define FL_NOT_NULL __attribute__((returns_nonnull))
#define FL_NORETURN __attribute__((noreturn))

/* The number of elements of a true array. */
#define FL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* a < b, a == b, a > b as -1, 0, 1: what qsort wants, without overflow. */
#define FL_COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
