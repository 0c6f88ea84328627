/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether an image is signed with a key, as cosign signs: in any of the places and kinds of
 * cmd/fl-pull/signatures.h.
 *
 *     fl_cleanup_str struct fl_str key = FL_STR_INIT;
 *     if (fl_verify_read_key("cosign.pub", &key, err) < 0) return -1;
 *     if (fl_verify(&source, key.data, digest, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-pull/source.h"

int fl_verify_read_key(const char *file, struct fl_str *key, struct fl_err *err);

/* The manifest of that digest, or the index that led to it, must be signed. FL_ERR_DENIED when
 * neither is, or not with this key. */
int fl_verify(struct fl_source *source, const char *key, const char *digest, struct fl_err *err);
