/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A layer's blob while it is written: compressed, hashed before and after, and only named
 * when it is whole. The one owner of zlib's and zstd's compressors in fl-pack. Equal bytes
 * in give equal bytes out: levels are fixed and no header holds a time.
 *
 *     struct fl_pack_blob blob;
 *     if (fl_pack_blob_open(&blob, blobs, FL_PACK_GZIP, err) == 0 &&
 *         fl_pack_blob_add(&blob, data, size, err) == 0)
 *             rc = fl_pack_blob_publish(&blob, err);       // blob.digest, .diff_id, .size
 *     fl_pack_blob_finish(&blob);
 */
#pragma once

#include "common/atomic.h"
#include "common/digest.h"

#include <stdint.h>

enum fl_pack_compression {
	FL_PACK_KEEP, /* as it comes; gzip for what comes uncompressed */
	FL_PACK_NONE,
	FL_PACK_GZIP,
	FL_PACK_ZSTD,
	FL_PACK_OTHER, /* found in a file, such as xz; never written */
};

struct fl_pack_squeezer;

struct fl_pack_blob {
	char digest[FL_DIGEST_TEXT], diff_id[FL_DIGEST_TEXT];
	uint64_t size;

	struct fl_atomic file; /* the module's own from here */
	struct fl_hasher *stored, *plain;
	struct fl_pack_squeezer *squeezer;
};

/* blobs is the folder blobs/sha256, borrowed. After a failure, finish is still due. */
int fl_pack_blob_open(struct fl_pack_blob *blob, int blobs, enum fl_pack_compression how,
		      struct fl_err *err);

int fl_pack_blob_add(struct fl_pack_blob *blob, const void *data, size_t size,
		     struct fl_err *err);

/* All that fd has from here on; name is what an error calls it. Can be interrupted. */
int fl_pack_blob_copy(struct fl_pack_blob *blob, int fd, const char *name, struct fl_err *err);

/* Ends the stream, fills in digest, diff_id and size, puts all on disk under its name. */
int fl_pack_blob_publish(struct fl_pack_blob *blob, struct fl_err *err);

/* The same for bytes whose digest was known before: FL_ERR_CORRUPT when they have another. */
int fl_pack_blob_publish_as(struct fl_pack_blob *blob, const char *digest, struct fl_err *err);

void fl_pack_blob_finish(struct fl_pack_blob *blob);

/* A small blob at once. */
int fl_pack_blob_write(int blobs, const void *data, size_t size,
		       char digest[static FL_DIGEST_TEXT], struct fl_err *err);

/* The layer's media type for a compression that can be written. */
const char *fl_pack_media_type(enum fl_pack_compression how);
