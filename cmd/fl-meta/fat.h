/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small FAT16 file system with long names. Format: Microsoft's FAT specification (fatgen103).
 *
 *     fl_fat_write(fd, "cloud-init.img", "CIDATA", files, 1, err);
 */
#pragma once

#include "cmd/fl-meta/disk.h"

/* As fl_disk_write, which sees to the limits. */
int fl_fat_write(int fd, const char *name, const char *label, const struct fl_disk_file *files,
		 size_t count, struct fl_err *err);
