/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of images: host/name:tag, host/name@sha256:…, both together, or oci:FOLDER[:TAG].
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

struct fl_reference {
	char *host;   /* "127.0.0.1:5000"; NULL for a layout folder */
	char *name;   /* "library/debian" */
	char *tag;    /* "12"; NULL with a digest alone */
	char *digest; /* "sha256:…" or NULL */
	char *folder; /* of an OCI layout; NULL for a registry */
	char *text;   /* all of it, in full form */
};

int fl_reference_parse(const char *text, struct fl_reference *reference, struct fl_err *err);
void fl_reference_finish(struct fl_reference *reference);
#define fl_cleanup_reference FL_CLEANUP(fl_reference_finish)
