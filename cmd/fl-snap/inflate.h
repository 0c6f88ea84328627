/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The bytes of a layer's tar, whatever it was packed with: plain, gzip (RFC 1952, several
 * members too), zstd (RFC 8878, several frames too), told by their first bytes. The owner
 * of ISA-L, zlib and libzstd.
 *
 *     struct fl_inflate *in = fl_inflate_open(path, err);
 *     while ((got = fl_inflate_read(in, buffer, sizeof(buffer), err)) > 0) ...
 *     fl_inflate_close(in);
 */
#pragma once

#include "common/err.h"

#include <stdint.h>
#include <sys/types.h>

struct fl_inflate;

/* NULL on failure. */
struct fl_inflate *fl_inflate_open(const char *path, struct fl_err *err);
void fl_inflate_close(struct fl_inflate *in); /* NULL is fine */

/* The next bytes, as many as are wanted but at the end; 0 at the end, when the packing's
 * own check was right; -1: FL_ERR_CORRUPT or a read error. */
ssize_t fl_inflate_read(struct fl_inflate *in, uint8_t *out, size_t size, struct fl_err *err);

/* Packed bytes read so far; any thread may ask. */
uint64_t fl_inflate_taken(const struct fl_inflate *in);

/* A guess of the unpacked size in bytes: right for gzip below 4 GiB of one member, for zstd as
 * near as frames.h says. */
uint64_t fl_inflate_guess(const char *path);
