/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A file's content into a new thin device, in whole blocks of its pool: what a block held
 * for another before is never left beside what is written.
 *
 *     uint64_t used;
 *     fl_fill_measure(from, block, &used);
 *     fl_fill(from, "/dev/mapper/fl-base-…", block, cancel, &used, err);
 */
#pragma once

#include "common/cancel.h"

#include <stdint.h>

/* The bytes of all blocks that may hold data. */
int fl_fill_measure(int from, uint64_t block, uint64_t *bytes, struct fl_err *err);

/* Blocks without data, or with zeros alone, are not written: they read as zeros. On disk when
 * it returns; *written is in bytes. */
int fl_fill(int from, const char *device, uint64_t block, const struct fl_cancel *cancel,
	    uint64_t *written, struct fl_err *err);
