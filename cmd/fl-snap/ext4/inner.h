/* SPDX-License-Identifier: MPL-2.0 */
/* What the files of this folder share: libext2fs's handle and the numbered tree. */
#pragma once

#include "cmd/fl-snap/ext4/disk.h"
#include "common/vec.h"

#include <ext2fs/ext2fs.h>
#include <sys/stat.h>

struct fl_disk_run {
	uint64_t index, block, count;
};

struct fl_disk {
	ext2_filsys fs;
	int fd; /* borrowed */
	char *name;
	FL_VEC(struct fl_disk_run) runs; /* the free blocks, in order */
	uint64_t blocks, next;           /* indexes in all; the first never taken */
};

struct fl_disk_folder {
	struct fl_node *node;
	size_t first, count; /* of its children in nodes */
	uint32_t folders;    /* among them */
};

/* The tree with numbers: inodes[n] is inode n + 1. */
struct fl_disk_plan {
	struct fl_node **nodes;
	size_t node_count;
	struct fl_inode **inodes;
	uint32_t inode_count;
	FL_VEC(struct fl_disk_folder) folders;
	uint8_t *blocks; /* of folders and long symbolic links, in order */
	size_t block_count, block_space;
	uint64_t first_block; /* index of blocks[0] */
};

/* libext2fs's code in words of ours; returns -1. */
int fl_disk_fail(const struct fl_disk *disk, errcode_t code, const char *what,
		 struct fl_err *err);

/* The block of an index; *left: how many follow it without a gap. */
uint64_t fl_disk_block(const struct fl_disk *disk, uint64_t index, uint64_t *left);

/* Marks index..index+count used in the block maps. */
void fl_disk_mark(struct fl_disk *disk, uint64_t index, uint64_t count);

/* A symbolic link that its inode has no room for has a block. */
static inline bool fl_disk_is_long_link(const struct fl_inode *inode)
{
	return S_ISLNK(inode->mode) && inode->size >= 60;
}

/* Numbers the inodes, lists the folders. */
void fl_disk_plan_make(struct fl_disk_plan *plan, struct fl_tree *tree);
void fl_disk_plan_finish(struct fl_disk_plan *plan);

/* Makes the blocks of all folders and long symbolic links, without checksums. */
int fl_disk_make_blocks(struct fl_disk *disk, struct fl_disk_plan *plan, struct fl_err *err);

/* Checksums of folders' blocks; inodes must be on the disk. Then writes all blocks. */
int fl_disk_write_blocks(struct fl_disk *disk, struct fl_disk_plan *plan, struct fl_err *err);

/* Inode tables, group by group, and what is not in their first 256 bytes. */
int fl_disk_write_inodes(struct fl_disk *disk, const struct fl_disk_plan *plan,
			 struct fl_err *err);
int fl_disk_write_rest(struct fl_disk *disk, const struct fl_disk_plan *plan, struct fl_err *err);

/* Calls each for the extents of an inode, as blocks; lengths fit an ext4 extent. */
typedef int fl_disk_each_extent(void *arg, uint32_t logical, uint64_t block, uint32_t count,
				struct fl_err *err);
int fl_disk_extents(const struct fl_disk *disk, const struct fl_disk_plan *plan,
		    const struct fl_inode *inode, fl_disk_each_extent *each, void *arg,
		    struct fl_err *err);
