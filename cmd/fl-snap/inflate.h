/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The bytes of a layer's tar, whatever it was packed with: plain, gzip (RFC 1952, several
 * members too), zstd (RFC 8878, several frames too), told by their first bytes. The owner
 * of ISA-L, zlib and libzstd.
 *
 *     struct fl_inflate *in = fl_inflate_open(path, diff_id, err);
 *     while ((got = fl_inflate_next(in, &data, err)) > 0) ...
 *     fl_inflate_close(in);
 */
#pragma once

#include "common/err.h"

#include <stdint.h>
#include <sys/types.h>

struct fl_inflate;

/* diff_id may be NULL. NULL on failure. */
struct fl_inflate *fl_inflate_open(const char *path, const char *diff_id, struct fl_err *err);
void fl_inflate_close(struct fl_inflate *in); /* NULL is fine */

/* The next piece, valid until the next call; 0 at the end, after packing and diff_id were
 * verified; -1: FL_ERR_CORRUPT or a read error. */
ssize_t fl_inflate_next(struct fl_inflate *in, const void **data, struct fl_err *err);

/* Packed bytes taken so far. */
uint64_t fl_inflate_taken(const struct fl_inflate *in);

/* A guess of the unpacked size in bytes: right for files below 4 GiB of one member. */
uint64_t fl_inflate_guess(const char *path);
