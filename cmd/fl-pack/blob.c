/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/blob.h"

#include "common/alloc.h"
#include "common/cancel.h"
#include "common/hasher.h"
#include "common/io.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE (256 << 10)
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3
#define GZIP_HEADER 16 /* added to the window bits: a gzip header, with no time and no name */

struct fl_pack_squeezer {
	enum fl_pack_compression how;
	z_stream gzip;
	ZSTD_CCtx *zstd;
	unsigned char out[128 << 10];
};

static struct fl_pack_squeezer *squeezer_create(enum fl_pack_compression how)
{
	struct fl_pack_squeezer *self = fl_alloc_zero(1, sizeof(*self));

	self->how = how;
	/* Both fail for lack of memory only, as the parameters are constants. */
	if (how == FL_PACK_GZIP &&
	    deflateInit2(&self->gzip, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + GZIP_HEADER, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	if (how == FL_PACK_ZSTD) {
		self->zstd = ZSTD_createCCtx();
		if (!self->zstd)
			abort();
		ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(self->zstd, ZSTD_c_checksumFlag, 1);
	}
	return self;
}

static void squeezer_destroy(struct fl_pack_squeezer *self)
{
	if (!self)
		return;
	if (self->how == FL_PACK_GZIP)
		deflateEnd(&self->gzip);
	ZSTD_freeCCtx(self->zstd);
	free(self);
}

static int store(struct fl_pack_blob *blob, const void *data, size_t size, struct fl_err *err)
{
	fl_hasher_add(blob->stored, data, size);
	blob->size += size;
	return fl_io_write(blob->file.fd, data, size, "the layer's blob", err);
}

static int squeeze_gzip(struct fl_pack_blob *blob, const void *data, size_t size, bool end,
			struct fl_err *err)
{
	struct fl_pack_squeezer *self = blob->squeezer;

	self->gzip.next_in = (unsigned char *)data;
	self->gzip.avail_in = (uInt)size;
	do {
		self->gzip.next_out = self->out;
		self->gzip.avail_out = sizeof(self->out);
		deflate(&self->gzip, end ? Z_FINISH : Z_NO_FLUSH);
		if (store(blob, self->out, sizeof(self->out) - self->gzip.avail_out, err) < 0)
			return -1;
	} while (self->gzip.avail_out == 0);
	return 0;
}

static int squeeze_zstd(struct fl_pack_blob *blob, const void *data, size_t size, bool end,
			struct fl_err *err)
{
	struct fl_pack_squeezer *self = blob->squeezer;
	ZSTD_inBuffer in = { data, size, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { self->out, sizeof(self->out), 0 };

		left = ZSTD_compressStream2(self->zstd, &out, &in,
					    end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return fl_err_set(err, FL_ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(left));
		if (store(blob, self->out, out.pos, err) < 0)
			return -1;
	} while (end ? left > 0 : in.pos < in.size);
	return 0;
}

static int squeeze(struct fl_pack_blob *blob, const void *data, size_t size, bool end,
		   struct fl_err *err)
{
	switch (blob->squeezer->how) {
	case FL_PACK_GZIP:
		return squeeze_gzip(blob, data, size, end, err);
	case FL_PACK_ZSTD:
		return squeeze_zstd(blob, data, size, end, err);
	default:
		return size ? store(blob, data, size, err) : 0;
	}
}

int fl_pack_blob_open(struct fl_pack_blob *blob, int blobs, enum fl_pack_compression how,
		      struct fl_err *err)
{
	*blob = (struct fl_pack_blob){ .file = FL_ATOMIC_INIT };
	/* The true name is known at the end. */
	if (fl_atomic_open(&blob->file, blobs, "layer", 0444, err) < 0)
		return -1;
	blob->stored = fl_hasher_create();
	blob->plain = fl_hasher_create();
	blob->squeezer = squeezer_create(how);
	return 0;
}

int fl_pack_blob_add(struct fl_pack_blob *blob, const void *data, size_t size, struct fl_err *err)
{
	/* zlib counts in 32 bits. */
	const size_t most = 1 << 30;

	fl_hasher_add(blob->plain, data, size);
	for (size_t done = 0; done < size;) {
		size_t part = size - done < most ? size - done : most;

		if (squeeze(blob, (const char *)data + done, part, false, err) < 0)
			return -1;
		done += part;
	}
	return 0;
}

int fl_pack_blob_copy(struct fl_pack_blob *blob, int fd, const char *name, struct fl_err *err)
{
	fl_cleanup_free char *data = fl_alloc(PIECE);
	ssize_t got;

	while ((got = read(fd, data, PIECE)) > 0)
		if (fl_cancel_check(NULL, err) < 0 ||
		    fl_pack_blob_add(blob, data, (size_t)got, err) < 0)
			return -1;
	return got < 0 ? fl_err_errno(err, errno, "%s: cannot be read", name) : 0;
}

static int end(struct fl_pack_blob *blob, struct fl_err *err)
{
	if (squeeze(blob, NULL, 0, true, err) < 0)
		return -1;
	fl_hasher_end(blob->stored, blob->digest);
	fl_hasher_end(blob->plain, blob->diff_id);
	free(blob->file.name);
	blob->file.name = fl_strdup(fl_digest_hex(blob->digest));
	return 0;
}

int fl_pack_blob_publish(struct fl_pack_blob *blob, struct fl_err *err)
{
	return end(blob, err) < 0 ? -1 : fl_atomic_publish(&blob->file, true, err);
}

int fl_pack_blob_publish_as(struct fl_pack_blob *blob, const char *digest, struct fl_err *err)
{
	if (end(blob, err) < 0)
		return -1;
	if (strcmp(blob->digest, digest) != 0)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: the bytes there have another digest, %s",
				  digest, blob->digest);
	return fl_atomic_publish(&blob->file, true, err);
}

void fl_pack_blob_finish(struct fl_pack_blob *blob)
{
	fl_atomic_finish(&blob->file);
	fl_hasher_destroy(blob->stored);
	fl_hasher_destroy(blob->plain);
	squeezer_destroy(blob->squeezer);
}

int fl_pack_blob_write(int blobs, const void *data, size_t size,
		       char digest[static FL_DIGEST_TEXT], struct fl_err *err)
{
	fl_digest_of(data, size, digest);
	return fl_atomic_write(blobs, fl_digest_hex(digest), 0444, data, size, true, err);
}

const char *fl_pack_media_type(enum fl_pack_compression how)
{
	switch (how) {
	case FL_PACK_GZIP:
		return "application/vnd.oci.image.layer.v1.tar+gzip";
	case FL_PACK_ZSTD:
		return "application/vnd.oci.image.layer.v1.tar+zstd";
	default:
		return "application/vnd.oci.image.layer.v1.tar";
	}
}
