/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Layers into an image, of the form that the OCI image specification gives it. Equal
 * options and layers give an equal digest.
 *
 *     struct fl_pack_options options = { .tag = "latest", .platform = "linux/amd64",
 *                                        .output = "layout", .layers = layers, .layer_count = 2 };
 *     struct fl_pack_result result;
 *     if (fl_pack_image(&options, &result, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-pack/document.h"
#include "cmd/fl-pack/tar.h"

struct fl_pack_options {
	const char *output;   /* see layout.h */
	const char *tag;      /* its name in there */
	const char *platform; /* "os/arch" or "os/arch/variant" */
	enum fl_pack_compression compression;
	const char *created;       /* RFC 3339, or NULL for none */
	struct fl_pack_pairs labels, annotations; /* of the config; of the manifest */
	struct fl_pack_tree tree;  /* for layers that are folders */
	const char *const *layers; /* tars, folders, "-" for standard input; bottom first */
	size_t layer_count;
	const char *const *files; /* "path=file": the lowest layer, when there are any */
	size_t file_count;
};

struct fl_pack_result {
	char digest[FL_DIGEST_TEXT]; /* of the manifest */
	uint64_t size;               /* of all layers' blobs */
};

int fl_pack_image(const struct fl_pack_options *options, struct fl_pack_result *result,
		  struct fl_err *err);
