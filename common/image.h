/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The local store of images, an OCI image layout in STATE/images, and what manifests say.
 * Format: OCI image specification (image-layout, index, manifest, config); Docker's schema
 * 2 manifests are read as well.
 *
 *     struct fl_store store;
 *     if (fl_store_open(&store, state_dir, true, err) < 0) return -1;
 *     struct fl_image image;
 *     if (fl_image_load(&store, digest, &image, err) < 0) ...
 *     fl_image_finish(&image);
 *     fl_store_close(&store);
 */
#pragma once

#include "common/digest.h"
#include "common/durable.h"
#include "common/json.h"

#include <stdint.h>

#define FL_MANIFEST_LIMIT (4 << 20) /* bytes of a manifest or config; the distribution's own limit */

struct fl_store {
	char *path;
	int dirfd, blobs; /* images/ and images/blobs/sha256/ */
};

/* Opens STATE/images; with make, what is missing is made. */
int fl_store_open(struct fl_store *store, const char *state_dir, bool make, struct fl_err *err);
/* Any other layout folder, to write into: made when it is missing, FL_ERR_EXISTS when it holds
 * other things. */
int fl_store_open_folder(struct fl_store *store, const char *path, struct fl_err *err);
void fl_store_close(struct fl_store *store);
#define fl_cleanup_store FL_CLEANUP(fl_store_close)

/* Shared: blobs that are there stay there. Exclusive is for the garbage collector and
 * answers FL_ERR_BUSY at once. Returns a descriptor that holds the lock. */
int fl_store_lock(const struct fl_store *store, bool exclusive, struct fl_err *err);

/* Whether the blob is there with that size. */
bool fl_store_has(const struct fl_store *store, const char *digest, uint64_t size);

/* Opens a blob for reading; FL_ERR_NOT_FOUND when a foreign tool took it. */
int fl_store_open_blob(const struct fl_store *store, const char *digest, struct fl_err *err);

/* A small blob as a document, its digest verified. Caller owns it. */
fl_json *fl_store_read(const struct fl_store *store, const char *digest, struct fl_err *err);

/* Publishes bytes as a blob; its digest into digest. */
int fl_store_put(const struct fl_store *store, const void *data, size_t size,
		 char digest[static FL_DIGEST_TEXT], struct fl_err *err);

/* The descriptor of index.json whose name is text and whose platform fits best, as a copy
 * that the caller owns; NULL when there is none. */
fl_json *fl_store_find(const struct fl_store *store, const char *text, const char *platform);

/* All descriptors of index.json; caller owns the list. */
fl_json *fl_store_list(const struct fl_store *store, struct fl_err *err);

/* Puts the descriptor (taken; its annotations stay) under the name text into index.json, in
 * place of another of that name and platform; one without a platform is for all. */
int fl_store_name(const struct fl_store *store, const char *text, fl_json *descriptor,
		  struct fl_err *err);

/* Leaves in index.json only the descriptors that keep says so of; how many went, or -1. */
int fl_store_keep(const struct fl_store *store, bool (*keep)(void *arg, const fl_json *descriptor),
		  void *arg, struct fl_err *err);

/* The annotation that names a descriptor (OCI image specification, annotations.md). */
#define FL_STORE_NAME "org.opencontainers.image.ref.name"

/* The name of a descriptor of index.json, or NULL, and whether it is text. */
const char *fl_store_name_of(const fl_json *descriptor);
bool fl_store_is_named(const fl_json *descriptor, const char *text);

/* Puts on disk, in a process of its own, what was published here: blobs, then names. */
void fl_store_settle_later(const struct fl_store *store);

struct fl_layer {
	char *digest, *diff_id, *media_type;
	uint64_t size; /* bytes, as stored */
};

struct fl_image {
	char digest[FL_DIGEST_TEXT]; /* of the manifest */
	char config[FL_DIGEST_TEXT];
	char chain_id[FL_DIGEST_TEXT];
	char *platform;
	struct fl_layer *layers; /* bottom first */
	size_t layer_count;
	uint64_t size; /* of all layers */
};

/* Reads manifest and config out of the store; FL_ERR_CORRUPT or FL_ERR_UNSUPPORTED by name
 * when they are not what the specification says. */
int fl_image_load(const struct fl_store *store, const char *digest, struct fl_image *image,
		  struct fl_err *err);
void fl_image_finish(struct fl_image *image);
#define fl_cleanup_image FL_CLEANUP(fl_image_finish)

/* The layers' descriptors and the config's, checked one by one for form (media type,
 * digest, size): what must be fetched before fl_image_load can work. */
int fl_image_check_manifest(const fl_json *manifest, const char *name, struct fl_err *err);

#define FL_IMAGE_MANIFEST "application/vnd.oci.image.manifest.v1+json"

/* Whether the media type is an index or manifest list. */
bool fl_image_is_index(const char *media_type);

/* Whether an index's descriptor is no image, but what a builder says of one: its platform is "unknown". */
bool fl_image_is_attestation(const fl_json *descriptor);

/* How well a platform (object with os, architecture, variant, as in descriptors and configs)
 * is the one asked for, "os/arch" or "os/arch/variant": 0 not at all, more is better. Below
 * FL_IMAGE_FITS_EXACTLY: for an older machine of the kind (arm/v6 for arm/v7), or for a
 * variant when none was asked for. "arm" is arm/v7, "arm64" is arm64/v8. */
#define FL_IMAGE_FITS_EXACTLY 50
int fl_image_rank(const fl_json *platform, const char *wanted);

/* "os/arch" or "os/arch/variant" of such an object; caller frees. */
char *fl_image_platform_text(const fl_json *platform);

/* The image's platform as such an object; caller owns it. */
fl_json *fl_image_platform(const struct fl_image *image);
