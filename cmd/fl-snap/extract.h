/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One file out of an image, as its layers together show it; symbolic links are followed
 * inside the image's own tree.
 *
 *     fl_extract_file(layers, count, "boot/vmlinux", fd, &options, err);
 */
#pragma once

#include "cmd/fl-snap/base.h"

/* Writes the file's bytes into the empty file fd; blocks of zeros become holes. Layers whose
 * digest is known are verified by it, the others by their diff_id. Those below the one that
 * has the last word are not unpacked.
 * FL_ERR_NOT_FOUND says what lies near the path; a folder or device is FL_ERR_INVALID. */
int fl_extract_file(const struct fl_base_layer *layers, size_t count, const char *path, int fd,
		    const struct fl_base_options *options, struct fl_err *err);
