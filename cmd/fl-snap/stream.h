/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The bytes of a layer's tar, verified against its diff_id (OCI image-spec, config,
 * rootfs.diff_ids). A thread of its own decompresses ahead of the reader, so that the two
 * halves of the work overlap; digest and disk stay with the reader.
 *
 *     struct fl_stream *in = fl_stream_open(path, diff_id, &budget, err);
 *     while ((got = fl_stream_next(in, &data, err)) > 0) ...
 *     fl_stream_close(in);
 */
#pragma once

#include "cmd/fl-snap/budget.h"

#include <stdint.h>
#include <sys/types.h>

struct fl_stream;

/* diff_id may be NULL: nothing is verified. budget (borrowed) pays for the bytes. NULL on
 * failure. */
struct fl_stream *fl_stream_open(const char *path, const char *diff_id,
				 struct fl_budget *budget, struct fl_err *err);
void fl_stream_close(struct fl_stream *in); /* NULL is fine; at any point of the stream */

/* The next piece, valid until the next call; 0 at the end, after packing and diff_id were
 * verified; -1: FL_ERR_CORRUPT, a read error, or what the budget says. */
ssize_t fl_stream_next(struct fl_stream *in, const void **data, struct fl_err *err);

/* Packed bytes taken so far, and unpacked ones that were given to the reader. */
uint64_t fl_stream_taken(const struct fl_stream *in);
uint64_t fl_stream_given(const struct fl_stream *in);
