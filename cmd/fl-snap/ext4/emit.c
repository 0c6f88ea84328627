/* SPDX-License-Identifier: MPL-2.0 */
/* Writes all metadata, in the one order in which checksums come out right. */
#include "cmd/fl-snap/ext4/inner.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#define BLOCK FL_DISK_BLOCK

static void mark_files(struct fl_disk *disk, const struct fl_disk_plan *plan)
{
	uint64_t from = 0, count = 0;

	for (uint32_t i = 0; i < plan->inode_count; i++) {
		const struct fl_inode *inode = plan->inodes[i];

		if (!inode || !S_ISREG(inode->mode))
			continue;
		for (uint32_t k = 0; k < inode->extent_count; k++) {
			const struct fl_extent *extent = &inode->extents[k];

			/* Neighbours are marked together: marking has a cost per call. */
			if (from + count != extent->index) {
				fl_disk_mark(disk, from, count);
				from = extent->index;
				count = 0;
			}
			count += extent->count;
		}
	}
	fl_disk_mark(disk, from, count);
	fl_disk_mark(disk, plan->first_block, plan->block_count);
}

static void punch(struct fl_disk *disk, uint64_t index, uint64_t count)
{
	while (count) {
		uint64_t left, block = fl_disk_block(disk, index, &left);
		uint64_t part = count < left ? count : left;

		/* Where it cannot be done the space is only wasted. */
		if (fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(block * BLOCK), (off_t)(part * BLOCK)) < 0)
			return;
		index += part;
		count -= part;
	}
}

/* Every group's own checksum, and no lazy initialisation left for the guest. */
static void seal_groups(ext2_filsys fs)
{
	for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
		ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
		ext2fs_group_desc_csum_set(fs, group);
	}
	ext2fs_mark_ib_dirty(fs);
	ext2fs_mark_bb_dirty(fs);
	ext2fs_mark_super_dirty(fs);
	fs->super->s_state |= EXT2_VALID_FS;
}

static int emit_plan(struct fl_disk *disk, struct fl_disk_plan *plan, struct fl_err *err)
{
	errcode_t rc;

	if (fl_disk_make_blocks(disk, plan, err) < 0)
		return -1;
	/* What libext2fs made goes out before tables are written behind its back. */
	rc = ext2fs_flush2(disk->fs, EXT2_FLAG_FLUSH_NO_SYNC);
	if (rc)
		return fl_disk_fail(disk, rc, "the metadata cannot be written", err);
	io_channel_set_options(disk->fs->io, "cache=off");
	if (fl_disk_write_inodes(disk, plan, err) < 0)
		return -1;
	ext2fs_flush_icache(disk->fs);
	if (fl_disk_write_blocks(disk, plan, err) < 0)
		return -1;
	mark_files(disk, plan);
	return fl_disk_write_rest(disk, plan, err);
}

int fl_disk_emit(struct fl_disk *disk, struct fl_tree *tree, const struct fl_extent *dead,
		 size_t dead_count, struct fl_err *err)
{
	struct fl_disk_plan plan;
	errcode_t code;
	int rc;

	/* Before metadata is written: some of it will lie there. */
	for (size_t i = 0; i < dead_count; i++)
		punch(disk, dead[i].index, dead[i].count);
	fl_disk_plan_make(&plan, tree);
	rc = emit_plan(disk, &plan, err);
	fl_disk_plan_finish(&plan);
	if (rc < 0)
		return -1;
	seal_groups(disk->fs);
	code = ext2fs_close2(disk->fs, EXT2_FLAG_FLUSH_NO_SYNC);
	disk->fs = NULL;
	return code ? fl_disk_fail(disk, code, "the metadata cannot be written", err) : 0;
}
