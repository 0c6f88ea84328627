/* SPDX-License-Identifier: MPL-2.0 */
/*
 * All the places where an image may come from: the mirrors of its host in their order and the
 * host itself, or its layout.
 *
 *     struct fl_origin origin = { .reference = &reference, .wanted = "linux/amd64", … };
 *     if (fl_origin_use(&origin, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-pull/source.h"

struct fl_origin {
	const struct fl_reference *reference;
	const char *wanted; /* platform */
	const struct fl_registry_options *options;
	const struct fl_cancel *cancel;
	/* Called with one source after the other until it returns 0, or fails for a reason that
	 * is the image's and not the mirror's. */
	int (*use)(void *arg, struct fl_source *source, struct fl_err *err);
	void *arg;
};

/* The error is that of the last source: the host's own. */
int fl_origin_use(const struct fl_origin *origin, struct fl_err *err);
