/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where an image comes from, a registry or a layout, and which of an index it is.
 *
 *     fl_cleanup_source struct fl_source source = FL_SOURCE_INIT;
 *     if (fl_source_open_layout(&source, &reference, "linux/amd64", err) < 0) return -1;
 *     fl_json *manifest = fl_source_manifest(&source, &text, err);
 */
#pragma once

#include "cmd/fl-pull/layout.h"
#include "cmd/fl-pull/registry.h"
#include "common/digest.h"
#include "common/reference.h"

struct fl_source {
	const struct fl_reference *reference; /* borrowed */
	const char *wanted;                   /* platform; borrowed */
	struct fl_registry registry;          /* .http is NULL for a layout */
	struct fl_layout layout;
	fl_json *index;    /* that led to the manifest; NULL: there was none */
	char index_digest[FL_DIGEST_TEXT]; /* "": there was no index */
	fl_json *platform; /* what it says of the manifest, or NULL */
	char *own_name;    /* of the image, as its layout says it in full; or NULL */
};

#define FL_SOURCE_INIT { .layout = FL_LAYOUT_INIT }

/* host and name: the reference's own, or a mirror's. All must outlive the source. */
void fl_source_open_registry(struct fl_source *source, const struct fl_reference *reference,
			     const char *host, const char *name, const char *wanted,
			     const struct fl_registry_options *options,
			     const struct fl_cancel *cancel);
int fl_source_open_layout(struct fl_source *source, const struct fl_reference *reference,
			  const char *wanted, const struct fl_cancel *cancel, struct fl_err *err);
void fl_source_close(struct fl_source *source);
#define fl_cleanup_source FL_CLEANUP(fl_source_close)

/* The manifest for the platform, its descriptors checked for form; its bytes into text.
 * Caller owns it; NULL with err. */
fl_json *fl_source_manifest(struct fl_source *source, struct fl_str *text, struct fl_err *err);

/* The manifest under another tag, for what is kept beside an image; FL_ERR_NOT_FOUND. */
int fl_source_tag(struct fl_source *source, const char *tag, struct fl_str *text,
		  struct fl_err *err);

/* The manifest of a digest, verified. */
int fl_source_digest(struct fl_source *source, const char *digest, struct fl_str *text,
		     struct fl_err *err);

/* The index of what refers to the manifest of a digest (OCI distribution specification, listing
 * referrers, and the referrers tag schema where a registry does not list any; a layout has only
 * the latter). Caller owns it; NULL: FL_ERR_NOT_FOUND when nothing does. */
fl_json *fl_source_referrers(struct fl_source *source, const char *digest, struct fl_err *err);

/* A small blob's bytes, verified. */
int fl_source_blob(struct fl_source *source, const char *digest, struct fl_str *text,
		   struct fl_err *err);
