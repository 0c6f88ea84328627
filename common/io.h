/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading and writing whole things, with short transfers and EINTR taken care of.
 *
 *     fl_cleanup_str struct fl_str text = FL_STR_INIT;
 *     if (fl_io_read_file(AT_FDCWD, "spec.json", 1 << 20, &text, err) < 0)
 *             return -1;
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Writes all size bytes. name is what the error calls the file. */
int fl_io_write(int fd, const void *data, size_t size, const char *name, struct fl_err *err);
int fl_io_pwrite(int fd, const void *data, size_t size, uint64_t offset, const char *name,
		 struct fl_err *err);

/* Reads exactly size bytes at offset; an early end is FL_ERR_CORRUPT. */
int fl_io_pread(int fd, void *data, size_t size, uint64_t offset, const char *name,
		struct fl_err *err);

/* Of at least one byte. */
bool fl_io_is_zero(const void *data, size_t size);

/* Takes away what a file holds. One that is empty is left alone: ext4 takes the truncation of any to
 * nothing for the beginning of its replacement, and writes what follows to the disk when it is closed. */
int fl_io_make_empty(int fd, const char *name, struct fl_err *err);

/* Adds all that fd still gives to text; more than limit bytes is FL_ERR_INVALID. */
int fl_io_read_all(int fd, size_t limit, struct fl_str *text, const char *name,
		   struct fl_err *err);

/* The content of a file, path relative to the folder dirfd (or AT_FDCWD). */
int fl_io_read_file(int dirfd, const char *path, size_t limit, struct fl_str *text,
		    struct fl_err *err);

/* Writes text into a file that exists already, such as one under /proc or /sys. */
int fl_io_write_existing(int dirfd, const char *path, const char *text, struct fl_err *err);
