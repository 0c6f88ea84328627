/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Strict numbers: the whole text must be one, and in range. No sign where none makes
 * sense, no white space, no "0x".
 *
 *     uint64_t bytes;
 *     if (fl_num_size("10G", 1, UINT64_MAX, &bytes, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"

#include <stdint.h>

/* Decimal, min..max. */
int fl_num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct fl_err *err);
int fl_num_i64(const char *text, int64_t min, int64_t max, int64_t *value, struct fl_err *err);

/* Bytes with an optional K, M, G or T, with or without "iB" (powers of 1024). */
int fl_num_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes,
		struct fl_err *err);

/* Milliseconds of "250ms", "30s", "5m", "1h", or a plain number of seconds. */
int fl_num_duration(const char *text, uint64_t *milliseconds, struct fl_err *err);

/* Bytes for people: "1.5 MiB" into out. */
void fl_num_print_size(uint64_t bytes, char out[static 16]);
