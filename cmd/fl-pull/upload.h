/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Blobs and manifests into a repository. Format: OCI distribution specification, "Push", with
 * monolithic uploads.
 *
 *     int have = fl_upload_has(&registry, digest, err);
 *     if (have == 0 && fl_upload_blob(&registry, digest, &blob, err) < 0) return -1;
 *     return fl_upload_manifest(&registry, "1", media_type, &text, err);
 */
#pragma once

#include "cmd/fl-pull/registry.h"

/* 1 there already, 0 not there, -1. */
int fl_upload_has(struct fl_registry *registry, const char *digest, struct fl_err *err);

int fl_upload_blob(struct fl_registry *registry, const char *digest,
		   const struct fl_http_file *blob, struct fl_err *err);

int fl_upload_manifest(struct fl_registry *registry, const char *tag, const char *media_type,
		       const struct fl_str *text, struct fl_err *err);
