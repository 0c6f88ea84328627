/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What "docker save" writes, seen as an OCI image layout. Format: manifest.json names configs,
 * tags and uncompressed layers (Docker image specification 1.2, combined image and file system).
 *
 *     if (fl_docker_arrange(&layout, err) < 0) return -1;   // index.json and blobs are there now
 */
#pragma once

#include "cmd/fl-pull/layout.h"

/* Fills in the layout's texts and places. */
int fl_docker_arrange(struct fl_layout *layout, struct fl_err *err);
