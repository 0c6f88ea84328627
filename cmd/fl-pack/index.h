/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Images for several platforms into one index, with their blobs where it is.
 *
 *     struct fl_pack_index_options options = { .tag = "1", .output = "layout",
 *                                              .sources = sources, .source_count = 2 };
 *     if (fl_pack_index(&options, digest, &count, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-pack/document.h"
#include "common/digest.h"

struct fl_pack_index_options {
	const char *output, *tag;    /* as fl_pack_options have them */
	const char *const *sources;  /* "oci:FOLDER[:TAG]" */
	size_t source_count;
	struct fl_pack_pairs annotations;
};

/* digest: of the index; count: its images. FL_ERR_INVALID when two are for one platform. */
int fl_pack_index(const struct fl_pack_index_options *options, char digest[static FL_DIGEST_TEXT],
		  size_t *count, struct fl_err *err);
