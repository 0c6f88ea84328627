/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Blobs on their way into the store: side by side, verified while they stream, published
 * only when size and digest are right. Two processes fetch each blob once.
 *
 *     struct fl_fetch_blob blobs[] = { { digest, size } };
 *     fl_fetch(&store, &source, blobs, 1, &options, err);
 */
#pragma once

#include "cmd/fl-pull/get.h"
#include "cmd/fl-pull/source.h"

struct fl_fetch_blob {
	const char *digest;
	uint64_t size;
};

int fl_fetch(const struct fl_store *store, struct fl_source *source,
	     const struct fl_fetch_blob *blobs, size_t count,
	     const struct fl_get_options *options, struct fl_err *err);
