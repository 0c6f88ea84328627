/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small disk that holds a few files: what a seed and a config drive are.
 *
 *     struct fl_disk_file files[] = { { "user-data", text, size }, { "a/b/more", text, size } };
 *     fl_disk_write(fd, "cloud-init.img", FL_DISK_VFAT, "CIDATA", files, 2, err);
 */
#pragma once

#include "common/err.h"

#include <stddef.h>

#define FL_DISK_MOST (16u << 20) /* bytes of all files together */
#define FL_DISK_FILES 20u

enum fl_disk_format { FL_DISK_VFAT, FL_DISK_ISO9660, FL_DISK_FORMATS };

/* As the kernel calls it: "vfat" or "iso9660"; and back, where other text is FL_ERR_USAGE. */
const char *fl_disk_format_name(enum fl_disk_format format);
int fl_disk_format_of(const char *text, enum fl_disk_format *format, struct fl_err *err);

struct fl_disk_file {
	const char *name; /* ASCII; each part up to 26 characters */
	const void *data; /* borrowed */
	size_t size;
};

/* Writes the file system into the empty file fd, which errors call name. Files of one folder stand
 * together. label: up to 11 upper-case characters. The same content gives the same bytes. More than
 * FL_DISK_MOST or FL_DISK_FILES is FL_ERR_INVALID. */
int fl_disk_write(int fd, const char *name, enum fl_disk_format format, const char *label,
		  const struct fl_disk_file *files, size_t count, struct fl_err *err);
