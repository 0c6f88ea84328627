/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small FAT16 file system with long names, holding a few files in its root: what a
 * NoCloud seed disk is. Format: Microsoft's FAT specification (fatgen103).
 *
 *     struct fl_fat_file files[] = { { "user-data", text, size } };
 *     fl_fat_write(fd, "cloud-init.img", "CIDATA", files, 1, err);
 */
#pragma once

#include "common/err.h"

#include <stdint.h>

#define FL_FAT_MOST (16u << 20) /* bytes of all files together */

struct fl_fat_file {
	const char *name; /* ASCII, up to 26 characters */
	const void *data; /* borrowed */
	size_t size;
};

/* Writes the file system into the empty file fd. label: up to 11 upper-case characters.
 * The same content gives the same bytes. More than FL_FAT_MOST is FL_ERR_INVALID. */
int fl_fat_write(int fd, const char *name, const char *label, const struct fl_fat_file *files,
		 size_t count, struct fl_err *err);
