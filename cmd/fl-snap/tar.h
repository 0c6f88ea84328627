/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The entries of a layer's tar, one after another. The owner of libarchive here.
 * Formats: POSIX pax, GNU and ustar tar, with SCHILY and LIBARCHIVE extended attributes.
 *
 *     struct fl_tar *tar = fl_tar_open(path, diff_id, &budget, err);
 *     while ((more = fl_tar_next(tar, &entry, err)) > 0)
 *             while ((got = fl_tar_data(tar, &data, &offset, err)) > 0) ...
 *     fl_tar_close(tar);
 */
#pragma once

#include "cmd/fl-snap/budget.h"

#include <stdint.h>
#include <sys/types.h>

struct fl_tar;

struct fl_tar_entry {
	const char *path;      /* as in the archive: bytes, not trusted */
	const char *hard_link; /* NULL unless it is one */
	const char *symlink;   /* NULL unless it is one */
	uint32_t mode;         /* with the type's bits */
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t major, minor;
};

/* As fl_stream_open takes them. */
struct fl_tar *fl_tar_open(const char *path, const char *diff_id, struct fl_budget *budget,
			   struct fl_err *err);
void fl_tar_close(struct fl_tar *tar); /* NULL is fine */

/* 1: entry is filled in, pointing into the archive's memory until the next call; 0: the
 * end, everything verified; -1: failure. */
int fl_tar_next(struct fl_tar *tar, struct fl_tar_entry *entry, struct fl_err *err);

/* The next piece of the present file's data and where it belongs; what lies between the
 * pieces is zero. 0 at the end of the file. */
ssize_t fl_tar_data(struct fl_tar *tar, const void **data, uint64_t *offset, struct fl_err *err);

/* The next extended attribute of the present entry; 0 when there is none left. */
int fl_tar_xattr(struct fl_tar *tar, const char **name, const void **value, size_t *size);

/* Packed bytes taken so far; the tar's own, all of them once the end was met. */
uint64_t fl_tar_taken(const struct fl_tar *tar);
uint64_t fl_tar_size(const struct fl_tar *tar);
