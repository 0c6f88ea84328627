/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files from elsewhere, known by their digest.
 *
 *     fl_cleanup_str struct fl_str bytes = FL_STR_INIT;
 *     if (fl_download(host, url, name, sha256, &bytes, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-provision/host.h"

/* The file's bytes: of --offline's folder, of --mirror, or else of the folder that url names
 * (with a slash at its end). HTTPS only, but for loopback. FL_ERR_CORRUPT when the digest is
 * another, FL_ERR_UNAVAILABLE when it does not come whole. */
int fl_download(const struct fl_host *host, const char *url, const char *name, const char *sha256,
		struct fl_str *bytes, struct fl_err *err);

/* What the list SHA256SUMS (as sha256sum(1) prints it) of --offline's folder says of a file;
 * NULL: nothing. Caller frees. */
char *fl_download_listed(const struct fl_host *host, const char *name);
