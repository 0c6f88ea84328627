/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One image of the store, with all that goes out with it.
 *
 *     fl_cleanup_pick struct fl_pick pick = { 0 };
 *     if (fl_pick(&store, "host/name:1", "linux/amd64", &pick, err) < 0) return -1;
 */
#pragma once

#include "common/image.h"
#include "common/reference.h"

struct fl_pick {
	struct fl_reference reference;
	fl_json *manifest;
	fl_json *descriptor; /* of the manifest, with its platform and without annotations */
	fl_json *blobs;      /* descriptors: layers, config, manifest; each digest once */
	uint64_t size;       /* of all blobs */
};

/* text: a name, or the digest of a manifest, which is for its own platform. FL_ERR_NOT_FOUND when the
 * store does not have it. */
int fl_pick(const struct fl_store *store, const char *text, const char *platform,
	    struct fl_pick *pick, struct fl_err *err);
void fl_pick_finish(struct fl_pick *pick);
#define fl_cleanup_pick FL_CLEANUP(fl_pick_finish)
