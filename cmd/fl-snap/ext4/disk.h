/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An ext4 file system in the making. Its free blocks have one consecutive count, the index,
 * whatever lies between them; data is placed by index while layers come in, and metadata
 * is written once by fl_disk_emit. The files of this folder own libext2fs.
 *
 *     struct fl_disk *disk = fl_disk_create(fd, name, size, uuid, err);
 *     count = fl_disk_take(disk, 4096, &first);
 *     fl_disk_write(disk, first, data, size, err);
 *     fl_disk_emit(disk, &tree, …, err);
 *     fl_disk_destroy(disk);
 */
#pragma once

#include "cmd/fl-snap/tree.h"

#define FL_DISK_BLOCK 4096u

struct fl_disk;

/* size: bytes, a multiple of 1 MiB. FL_ERR_INVALID when it is too small for any. */
struct fl_disk *fl_disk_create(int fd, const char *name, uint64_t size, const uint8_t uuid[16],
			       struct fl_err *err);
void fl_disk_destroy(struct fl_disk *disk); /* NULL is fine */

/* The number of indexes. */
uint64_t fl_disk_blocks(const struct fl_disk *disk);

/* Up to want consecutive indexes, behind those taken before: none when no more are free. Returns
 * how many. */
uint64_t fl_disk_take(struct fl_disk *disk, uint64_t want, uint64_t *first);

/* Gives back those from first on that were not written: they are free again when nothing was taken
 * behind them. */
void fl_disk_give(struct fl_disk *disk, uint64_t first, uint64_t count);

/* FL_ERR_INVALID: the size is less than the content needs. Returns -1. */
int fl_disk_refuse(const struct fl_disk *disk, struct fl_err *err);

/* Writes whole blocks at an index. From any thread. */
int fl_disk_write(struct fl_disk *disk, uint64_t index, const void *data, size_t size,
		  struct fl_err *err);

/* Writes folders, inodes and maps of the tree, drops the data in dead extents, and closes
 * the file system. dead: of files that an upper layer hid. */
int fl_disk_emit(struct fl_disk *disk, struct fl_tree *tree, const struct fl_extent *dead,
		 size_t dead_count, struct fl_err *err);
