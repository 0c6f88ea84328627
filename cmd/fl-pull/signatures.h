/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Signatures as cosign makes them: what is said of an image's digest, and where it lies beside the
 * image. What cannot be read hides no good one behind it.
 *
 *     enum fl_signed is = fl_signed_referrers(source, key, digest, err);
 *     if (is == FL_SIGNED_GOOD) …
 */
#pragma once

#include "cmd/fl-pull/source.h"

/* The higher, the more it says: of several the highest counts. */
enum fl_signed {
	FL_SIGNED_NONE,      /* there is no signature of the kind */
	FL_SIGNED_OTHERWISE, /* none is good, of this digest, and made with the key */
	FL_SIGNED_UNKNOWN,   /* with err: it cannot be found out */
	FL_SIGNED_GOOD,
};

/* How the media types of bundles begin, whatever their version. */
#define FL_SIGNED_BUNDLE_TYPE "application/vnd.dev.sigstore.bundle."

/* Of one place, more are not looked at. */
#define FL_SIGNATURES_MOST 100

/* Where they are looked for. key: a public key, PEM. err: empty, or with an earlier failure. */
typedef enum fl_signed fl_signed_place(struct fl_source *source, const char *key,
				       const char *digest, struct fl_err *err);

/* Under the tag sha256-<digest>.sig (cosign's SIGNATURE_SPEC.md). */
fl_signed_place fl_signed_tag;
/* What refers to the image (OCI distribution specification; cosign's BUNDLE_SPEC.md). */
fl_signed_place fl_signed_referrers;

/* A manifest of the kind; FL_SIGNED_NONE: it is of another. */
typedef enum fl_signed fl_signed_kind(struct fl_source *source, const char *key,
				      const char *digest, const fl_json *manifest,
				      struct fl_err *err);

/* Layers that are payloads ("simple signing"), with the signatures as annotations. Format:
 * cosign's SIGNATURE_SPEC.md. */
fl_signed_kind fl_signed_payloads;
/* A Sigstore bundle: a DSSE envelope around an in-toto statement. What cosign 3 makes. Formats:
 * DSSE's protocol.md, in-toto's Statement v1. */
fl_signed_kind fl_signed_bundle;

/* What the text of a bundle says. */
enum fl_signed fl_signed_envelope(const char *text, size_t size, const char *key,
				  const char *digest);

/* What a failure to read something makes of it: what is gone or broken is no good signature, else it
 * is unknown, with err, which keeps the first. */
enum fl_signed fl_signed_unread(const struct fl_err *why, struct fl_err *err);

enum fl_signed fl_signed_higher(enum fl_signed a, enum fl_signed b);
