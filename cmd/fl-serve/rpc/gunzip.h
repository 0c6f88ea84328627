/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A gzip member of bounded size, unpacked at once. The owner of zlib here.
 *
 *     if (fl_gunzip(data, size, 4 << 20, &text, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

/* Adds what it holds. FL_ERR_EXHAUSTED when that is more than limit bytes, FL_ERR_INVALID
 * when it is not gzip. */
int fl_gunzip(const void *data, size_t size, size_t limit, struct fl_str *out,
	      struct fl_err *err);
