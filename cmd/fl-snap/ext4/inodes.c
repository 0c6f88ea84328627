/* SPDX-License-Identifier: MPL-2.0 */
/* Inode tables (Documentation/filesystems/ext4/inodes.rst). */
#include "cmd/fl-snap/ext4/inner.h"

#include "common/io.h"

#include <string.h>
#include <sys/stat.h>

#define BLOCK FL_DISK_BLOCK
#define INODE_SIZE 256u
#define IN_INODE 4        /* extents that fit the inode itself */
#define LONGEST_EXTENT 32768u
#define EARLIEST INT32_MIN  /* seconds since 1970 */
#define LATEST 0x37fffffffll
#define LAST_RESERVED 10u /* inodes that libext2fs wrote, but for the root */

static int each_run(const struct fl_disk *disk, const struct fl_extent *extent,
		    fl_disk_each_extent *each, void *arg, struct fl_err *err)
{
	uint64_t index = extent->index;
	uint32_t logical = extent->logical, count = extent->count;

	while (count) {
		uint64_t left, block = fl_disk_block(disk, index, &left);
		uint32_t part = count < left ? count : (uint32_t)left;

		part = part < LONGEST_EXTENT ? part : LONGEST_EXTENT;
		if (each(arg, logical, block, part, err) < 0)
			return -1;
		index += part;
		logical += part;
		count -= part;
	}
	return 0;
}

int fl_disk_extents(const struct fl_disk *disk, const struct fl_disk_plan *plan,
		    const struct fl_inode *inode, fl_disk_each_extent *each, void *arg,
		    struct fl_err *err)
{
	struct fl_extent whole = { .index = plan->first_block + inode->first_block,
				   .count = inode->extent_count };

	if (!S_ISREG(inode->mode))
		return each_run(disk, &whole, each, arg, err);
	for (uint32_t i = 0; i < inode->extent_count; i++)
		if (each_run(disk, &inode->extents[i], each, arg, err) < 0)
			return -1;
	return 0;
}

/* Extents as the inode holds them; what does not fit is only counted. */
struct collect {
	struct ext3_extent *at;
	unsigned count;
	uint64_t blocks;
};

static int collect(void *arg, uint32_t logical, uint64_t block, uint32_t count,
		   struct fl_err *err)
{
	struct collect *to = arg;

	(void)err;
	if (to->count < IN_INODE)
		to->at[to->count] = (struct ext3_extent){ logical, (uint16_t)count,
							  (uint16_t)(block >> 32), (uint32_t)block };
	to->count++;
	to->blocks += count;
	return 0;
}

/* How many extents there are. Above IN_INODE the inode gets none for now. */
static unsigned put_extents(const struct fl_disk *disk, const struct fl_disk_plan *plan,
			    const struct fl_inode *inode, struct ext2_inode_large *out)
{
	struct ext3_extent_header *head = (struct ext3_extent_header *)out->i_block;
	struct collect to = { .at = (struct ext3_extent *)(head + 1) };

	out->i_flags |= EXT4_EXTENTS_FL;
	fl_disk_extents(disk, plan, inode, collect, &to, NULL);
	if (to.count > IN_INODE)
		memset(out->i_block, 0, sizeof(out->i_block));
	head->eh_magic = EXT3_EXT_MAGIC;
	head->eh_max = IN_INODE;
	head->eh_entries = to.count > IN_INODE ? 0 : (uint16_t)to.count;
	out->i_blocks = (uint32_t)(to.blocks * (BLOCK / 512));
	out->osd2.linux2.l_i_blocks_hi = (uint16_t)(to.blocks * (BLOCK / 512) >> 32);
	return to.count;
}

static void put_device(const struct fl_inode *inode, struct ext2_inode_large *out)
{
	uint32_t major = inode->major, minor = inode->minor;

	if (major < 256 && minor < 256)
		out->i_block[0] = major << 8 | minor;
	else
		out->i_block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

/* Seconds have 34 bits, signed in their low 32; nanoseconds sit above the two others. What does not
 * fit is the first or last second that does, as Linux has it. */
static void put_times(const struct fl_inode *inode, struct ext2_inode_large *out)
{
	bool is_early = inode->mtime <= EARLIEST, fits = !is_early && inode->mtime < LATEST;
	int64_t seconds = fits ? inode->mtime : is_early ? EARLIEST : LATEST;
	uint32_t nanoseconds = fits ? inode->mtime_ns : 0;
	uint32_t extra = nanoseconds << 2 | (uint32_t)((seconds - (int32_t)seconds) >> 32 & 3);

	out->i_mtime = out->i_atime = out->i_ctime = out->i_crtime = (uint32_t)seconds;
	out->i_mtime_extra = out->i_atime_extra = out->i_ctime_extra = out->i_crtime_extra = extra;
}

static void fill(const struct fl_disk *disk, const struct fl_disk_plan *plan,
		 const struct fl_inode *inode, struct ext2_inode_large *out)
{
	out->i_mode = inode->mode;
	out->i_uid = (uint16_t)inode->uid;
	out->osd2.linux2.l_i_uid_high = (uint16_t)(inode->uid >> 16);
	out->i_gid = (uint16_t)inode->gid;
	out->osd2.linux2.l_i_gid_high = (uint16_t)(inode->gid >> 16);
	out->i_size = (uint32_t)inode->size;
	out->i_size_high = (uint32_t)(inode->size >> 32);
	/* A folder with too many folders counts as 1 (dir_nlink). */
	out->i_links_count = S_ISDIR(inode->mode) && inode->links >= EXT2_LINK_MAX ? 1 : inode->links;
	out->i_extra_isize = 32;
	put_times(inode, out);
	if (inode->hashed)
		out->i_flags |= EXT2_INDEX_FL;
	if (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || fl_disk_is_long_link(inode))
		put_extents(disk, plan, inode, out);
	else if (S_ISLNK(inode->mode))
		memcpy(out->i_block, inode->symlink, inode->size);
	else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		put_device(inode, out);
}

static void count_group(struct fl_disk *disk, const struct fl_disk_plan *plan, dgrp_t group,
			uint32_t from, uint32_t to)
{
	ext2_filsys fs = disk->fs;
	uint32_t folders = 0, end = (group + 1) * fs->super->s_inodes_per_group;

	for (uint32_t i = from; i < to; i++) {
		folders += plan->inodes[i] && S_ISDIR(plan->inodes[i]->mode);
		ext2fs_mark_inode_bitmap2(fs->inode_map, i + 1);
	}
	ext2fs_bg_free_inodes_count_set(fs, group,
					ext2fs_bg_free_inodes_count(fs, group) - (to - from));
	ext2fs_bg_used_dirs_count_set(fs, group, ext2fs_bg_used_dirs_count(fs, group) + folders);
	ext2fs_bg_itable_unused_set(fs, group, end - to);
	ext2fs_bg_flags_clear(fs, group, EXT2_BG_INODE_UNINIT);
	fs->super->s_free_inodes_count -= to - from;
}

/* Reserved inodes were written by libext2fs; the root among them is ours. */
static int write_table(struct fl_disk *disk, dgrp_t group, uint32_t from, uint32_t to,
		       const uint8_t *table, struct fl_err *err)
{
	uint32_t base = group * disk->fs->super->s_inodes_per_group;
	uint64_t at = ext2fs_inode_table_loc(disk->fs, group) * BLOCK;

	if (from == 0) {
		if (fl_io_pwrite(disk->fd, table + INODE_SIZE, INODE_SIZE, at + INODE_SIZE,
				 disk->name, err) < 0)
			return -1;
		from = LAST_RESERVED;
	}
	return fl_io_pwrite(disk->fd, table + (size_t)(from - base) * INODE_SIZE,
			    (size_t)(to - from) * INODE_SIZE,
			    at + (uint64_t)(from - base) * INODE_SIZE, disk->name, err);
}

int fl_disk_write_inodes(struct fl_disk *disk, const struct fl_disk_plan *plan,
			 struct fl_err *err)
{
	uint32_t per_group = disk->fs->super->s_inodes_per_group;
	fl_cleanup_free uint8_t *table = fl_alloc(per_group * INODE_SIZE);

	if (plan->inode_count > disk->fs->super->s_inodes_count)
		return fl_disk_fail(disk, EXT2_ET_INODE_ALLOC_FAIL, "", err);
	for (uint32_t from = 0, to; from < plan->inode_count; from = to) {
		dgrp_t group = from / per_group;

		to = (group + 1) * per_group;
		to = to < plan->inode_count ? to : plan->inode_count;
		memset(table, 0, per_group * INODE_SIZE);
		for (uint32_t i = from; i < to; i++) {
			struct ext2_inode_large *out =
				(void *)(table + (size_t)(i - from) * INODE_SIZE);

			if (!plan->inodes[i])
				continue;
			fill(disk, plan, plan->inodes[i], out);
			ext2fs_inode_csum_set(disk->fs, i + 1, out);
		}
		if (write_table(disk, group, from, to, table, err) < 0)
			return -1;
		if (to > LAST_RESERVED + 1)
			count_group(disk, plan, group, from ? from : LAST_RESERVED + 1, to);
	}
	return 0;
}
