/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The device of a row: made in the pool, switched on as /dev/mapper/NAME, off, deleted.
 *
 *     if (fl_thin_on(&pool, &row, false, err) < 0) return -1;
 *     fl_cleanup_free char *path = fl_thin_path(&row);
 *     fl_thin_off(&row, err);
 */
#pragma once

#include "cmd/fl-snap/thin/row.h"

/* Path of its node when it is switched on; caller frees. */
char *fl_thin_path(const struct fl_thin_row *row);

/* Switches it on with the size of its row; one that is on already as it should be stays so.
 * -1 with errno ENODATA: the pool has no device of this id. */
int fl_thin_on(const struct fl_thin_pool *pool, const struct fl_thin_row *row, bool read_only,
	       struct fl_err *err);

/* Whether it is switched on: 1, 0, -1. Another's device of its name is FL_ERR_EXISTS. */
int fl_thin_is_on(const struct fl_thin_row *row, struct fl_mapper_info *info,
		  struct fl_err *err);

int fl_thin_off(const struct fl_thin_row *row, struct fl_err *err);

/* For a row that was being created when its maker was killed: 1 the device is there and ours,
 * 0 it was not made, or the id is a stranger's; -1. Leaves it switched on when it is ours. */
int fl_thin_is_made(const struct fl_thin_pool *pool, const struct fl_thin_row *row,
		    struct fl_err *err);

/* Switches it off, deletes it from the pool, and drops its row. What is gone is fine; a
 * stranger's device stays. */
int fl_thin_delete(const struct fl_thin_pool *pool, struct fl_thin_row *row, struct fl_err *err);
