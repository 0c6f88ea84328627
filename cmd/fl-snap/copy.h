/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A file's copy, as cheap as its file system allows: shared extents, else the data alone.
 *
 *     enum fl_copy_kind how;
 *     fl_copy_file(from, to, "root.img", cancel, &how, err);
 */
#pragma once

#include "common/cancel.h"

enum fl_copy_kind { FL_COPY_REFLINK, FL_COPY_SPARSE };

/* to is an empty file. Holes stay holes. */
int fl_copy_file(int from, int to, const char *name, const struct fl_cancel *cancel,
		 enum fl_copy_kind *how, struct fl_err *err);
