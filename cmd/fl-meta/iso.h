/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small ISO 9660 file system with the names of Rock Ridge. Formats: ECMA-119, and RRIP 1991A with
 * SUSP 1.12. Written here, as libarchive's writer puts the time and its version into each.
 *
 *     fl_iso_write(fd, "cloud-init.img", "CIDATA", files, 1, err);
 */
#pragma once

#include "cmd/fl-meta/disk.h"

/* As fl_disk_write, which sees to the limits. */
int fl_iso_write(int fd, const char *name, const char *label, const struct fl_disk_file *files,
		 size_t count, struct fl_err *err);
