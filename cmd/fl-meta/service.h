/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The document that Firecracker's metadata service (MMDS) serves to the guest at 169.254.169.254.
 * Format: docs/mmds of its sources; the paths are flintlock's, /latest/KEY.
 *
 *     if (fl_service_document(&spec, &seed, &ignition, &out, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-meta/seed.h"

/* Adds {"latest":{KEY:text}} with all that the seed and the spec's metadata (may be NULL) hold;
 * Ignition's configuration (may be empty) where its OpenStack provider looks, too. FL_ERR_INVALID for
 * what is not text in UTF-8. */
int fl_service_document(const struct fl_spec *spec, const struct fl_seed *seed,
			const struct fl_str *ignition, struct fl_str *out, struct fl_err *err);
