/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A base: an ext4 file system written straight from an image's layers, without root, never
 * mounted. Layers run side by side; the data of each goes where it will stay, and metadata
 * is written once at the end.
 * Formats: OCI image specification (layer.md), ext4 (Documentation/filesystems/ext4).
 *
 *     struct fl_base_layer layers[] = { { "blobs/sha256/…", "sha256:…" } };
 *     struct fl_base_options options = { .size = 10ull << 30, .threads = 2 };
 *     struct fl_base_result result;
 *     if (fl_base_build(fd, "base", layers, 1, &options, &result, err) < 0) ...
 *
 * The same layers and the same options give the same bytes, whatever packs them.
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct fl_base_layer {
	const char *path;    /* a tar, plain or as gzip or zstd; borrowed */
	const char *diff_id; /* "sha256:…" of the tar; NULL: not verified; borrowed */
	const char *digest;  /* "sha256:…" of path as it is; NULL: not known; borrowed */
};

struct fl_base_options {
	uint64_t size; /* bytes of the file system; 0: as much as the content needs, and room */
	uint8_t uuid[16];
	unsigned threads;     /* layers at once; 0: 2 */
	uint64_t max_bytes, max_entries; /* of all layers, unpacked; 0: as in budget.h */
	/* Asked between two pieces of work, from several threads; true: FL_ERR_ABORTED. */
	bool (*cancelled)(void *arg);
	/* Compressed bytes read so far and in all, from several threads. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct fl_base_result {
	uint64_t size;    /* bytes of the file system */
	uint64_t entries; /* of all layers */
};

/* Writes into the empty file fd. FL_ERR_INVALID: size is less than the content needs;
 * FL_ERR_CORRUPT: a layer is not what it should be; FL_ERR_EXHAUSTED: no space, or more than
 * the layers may unpack to. name is what errors call the file. */
int fl_base_build(int fd, const char *name, const struct fl_base_layer *layers, size_t count,
		  const struct fl_base_options *options, struct fl_base_result *result,
		  struct fl_err *err);
