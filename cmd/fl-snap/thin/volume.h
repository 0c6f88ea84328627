/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A microVM's volume in a pool: a snapshot of a base with a file system UUID of its own.
 *
 *     fl_cleanup_thin_row struct fl_thin_row row = { 0 };
 *     if (fl_thin_volume(&pool, call, base_name, &row, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-snap/thin/base.h"

/* "UID/VOLUME", by which it is found in the table of ids; caller frees. */
char *fl_thin_volume_name(const struct fl_vm *vm, const char *id);

/* Its row, with the device switched on; made when it is missing, of the base of that name. */
int fl_thin_volume(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
		   const char *base, struct fl_thin_row *row, struct fl_err *err);
