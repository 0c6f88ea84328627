/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The forms in which cosign's signatures lie beside an image, each with one function that looks
 * for those of a digest.
 *
 *     if (fl_signed_bundle(source, key, digest, err) == FL_SIGNED_GOOD) …
 */
#pragma once

#include "cmd/fl-pull/source.h"

enum fl_signed {
	FL_SIGNED_FAILED = -1, /* with err: it cannot be found out */
	FL_SIGNED_NONE,        /* there is no signature of this form */
	FL_SIGNED_OTHERWISE,   /* none is good, of this digest, and made with the key */
	FL_SIGNED_GOOD,
};

/* Of one place, more are not looked at. */
#define FL_SIGNATURES_MOST 100

/* key: a public key, PEM. */
typedef enum fl_signed fl_signed_form(struct fl_source *source, const char *key,
				      const char *digest, struct fl_err *err);

/* Under the tag sha256-<digest>.sig a manifest whose layers are payloads ("simple signing") and
 * carry the signatures as annotations. Format: cosign's SIGNATURE_SPEC.md. */
fl_signed_form fl_signed_simple;

/* Manifests that refer to the image (OCI distribution specification, referrers), each with a
 * Sigstore bundle: a DSSE envelope around an in-toto statement. What cosign 3 makes. Format:
 * cosign's BUNDLE_SPEC.md, DSSE's protocol.md, in-toto's Statement v1. */
fl_signed_form fl_signed_bundle;
