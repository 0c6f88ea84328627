/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The documents of an image: descriptors, and what configs, manifests and indexes share.
 * Format: OCI image specification (descriptor.md, manifest.md, image-index.md).
 *
 *     fl_json *descriptor;
 *     if (fl_pack_put_document(blobs, config, FL_PACK_CONFIG, &descriptor, err) < 0) return -1;
 */
#pragma once

#include "common/json.h"

#include <stdint.h>

#define FL_PACK_CONFIG "application/vnd.oci.image.config.v1+json"
#define FL_PACK_INDEX "application/vnd.oci.image.index.v1+json"

/* "key=value" words. */
struct fl_pack_pairs {
	const char *const *items;
	size_t count;
};

/* Caller owns it. */
fl_json *fl_pack_descriptor(const char *type, const char *digest, uint64_t size);

/* Writes the document into the folder blobs/sha256; its descriptor is the caller's. */
int fl_pack_put_document(int blobs, const fl_json *document, const char *type,
			 fl_json **descriptor, struct fl_err *err);

/* "os/arch/variant" into the members that configs and descriptors have. */
int fl_pack_put_platform(const char *text, fl_json *out, struct fl_err *err);

/* Labels or annotations as the member key; none: no member. what is what errors call one. */
int fl_pack_put_pairs(const struct fl_pack_pairs *pairs, const char *what, const char *key,
		      fl_json *out, struct fl_err *err);
