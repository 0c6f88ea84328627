/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of images: host/name:tag, host/name@sha256:…, both together, oci:FOLDER[:TAG],
 * oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG].
 * Format: the OCI distribution specification's <name> and <reference>; without a host the
 * habits of docker are followed (docker.io, library/, latest).
 *
 *     struct fl_reference ref;
 *     if (fl_reference_parse("127.0.0.1:5000/debian:12", &ref, err) < 0) return -1;
 *     ref.host, ref.name, ref.tag …
 *     fl_reference_finish(&ref);
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>

struct fl_reference {
	char *host;   /* "127.0.0.1:5000"; NULL for a layout or an archive */
	char *name;   /* "library/debian" */
	char *tag;    /* "12"; NULL with a digest alone */
	char *digest; /* "sha256:…" or NULL */
	char *folder; /* of an OCI layout, or NULL */
	char *archive; /* a tar, or NULL */
	bool is_docker; /* the archive is what "docker save" writes */
	char *text;   /* all of it, in full form: with host and tag, or the whole path */
};

int fl_reference_parse(const char *text, struct fl_reference *reference, struct fl_err *err);
/* Of an image that is known by its digest (fl_digest_is_valid) alone: that, and as text. */
struct fl_reference fl_reference_of_digest(const char *digest);

void fl_reference_finish(struct fl_reference *reference);
#define fl_cleanup_reference FL_CLEANUP(fl_reference_finish)
