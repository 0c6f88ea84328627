/* SPDX-License-Identifier: MPL-2.0 */
/* The empty file system, and its free blocks. */
#include "cmd/fl-snap/ext4/inner.h"

#include "common/alloc.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>

#define BLOCK FL_DISK_BLOCK
#define INODE_RATIO 16384
#define FIRST_INODE 11 /* lost+found; ours come behind */
#define JOURNAL_BLOCKS 16384

int fl_disk_fail(const struct fl_disk *disk, errcode_t code, const char *what, struct fl_err *err)
{
	if (code > 0 && code < 1000)
		return fl_err_errno(err, (int)code, "%s: %s", disk->name, what);
	if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL ||
	    code == EXT2_ET_TOOSMALL || code == EXT2_ET_TOO_MANY_INODES)
		return fl_err_set(err, FL_ERR_INVALID,
				  "%s: the file system is too small for its content; ask for a "
				  "larger size", disk->name);
	return fl_err_set(err, FL_ERR_SYSTEM, "%s: %s: %s", disk->name, what, error_message(code));
}

static void set_features(struct ext2_super_block *super, uint64_t size)
{
	ext2fs_blocks_count_set(super, size / BLOCK);
	super->s_rev_level = EXT2_DYNAMIC_REV;
	super->s_log_block_size = super->s_log_cluster_size = 2;
	super->s_inode_size = 256;
	super->s_inodes_count = (uint32_t)(size / INODE_RATIO < 1024 ? 1024 : size / INODE_RATIO);
	super->s_log_groups_per_flex = 4;
	super->s_reserved_gdt_blocks = 256;
	super->s_desc_size = 64;
	super->s_min_extra_isize = super->s_want_extra_isize = 32;
	super->s_checksum_type = EXT2_CRC32C_CHKSUM;
	super->s_feature_compat = EXT2_FEATURE_COMPAT_RESIZE_INODE |
				  EXT2_FEATURE_COMPAT_DIR_INDEX | EXT2_FEATURE_COMPAT_EXT_ATTR;
	super->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE |
				    EXT3_FEATURE_INCOMPAT_EXTENTS |
				    EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_64BIT |
				    EXT4_FEATURE_INCOMPAT_CSUM_SEED;
	super->s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
		EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
		EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

/* libext2fs leaves the checksum type unset; the seed must be there before any checksum. */
static void set_identity(ext2_filsys fs, const uint8_t uuid[16])
{
	struct ext2_super_block *super = fs->super;

	memcpy(super->s_uuid, uuid, 16);
	memcpy(super->s_hash_seed, uuid, 16);
	super->s_checksum_type = EXT2_CRC32C_CHKSUM;
	super->s_checksum_seed = ext2fs_crc32c_le(~0u, super->s_uuid, 16);
	super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	super->s_flags |= EXT2_FLAGS_UNSIGNED_HASH;
	super->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	super->s_max_mnt_count = (uint16_t)-1;
	super->s_min_extra_isize = super->s_want_extra_isize = 32;
	super->s_errors = EXT2_ERRORS_CONTINUE;
	/* The same bytes at any time. */
	fs->now = 1;
	super->s_mkfs_time = super->s_wtime = super->s_lastcheck = 1;
	ext2fs_init_csum_seed(fs);
	fs->flags &= ~EXT2_FLAG_SUPER_ONLY;
}

static errcode_t make_reserved(ext2_filsys fs)
{
	uint64_t blocks = ext2fs_blocks_count(fs->super);
	unsigned journal = blocks >= 16 * JOURNAL_BLOCKS ? JOURNAL_BLOCKS : (unsigned)(blocks / 32);
	errcode_t rc = ext2fs_allocate_tables(fs);

	for (ext2_ino_t i = 1; !rc && i <= FIRST_INODE; i++)
		ext2fs_inode_alloc_stats2(fs, i, +1, i == EXT2_ROOT_INO || i == FIRST_INODE);
	if (!rc)
		rc = ext2fs_create_resize_inode(fs);
	if (!rc && journal >= 1024)
		rc = ext2fs_add_journal_inode2(fs, journal, 0,
					       EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK);
	return rc ? rc : ext2fs_update_bb_inode(fs, NULL);
}

static void list_runs(struct fl_disk *disk)
{
	ext2_filsys fs = disk->fs;
	blk64_t at = fs->super->s_first_data_block, last = ext2fs_blocks_count(fs->super) - 1;
	blk64_t from, to;

	while (at <= last &&
	       !ext2fs_find_first_zero_block_bitmap2(fs->block_map, at, last, &from)) {
		if (ext2fs_find_first_set_block_bitmap2(fs->block_map, from, last, &to))
			to = last + 1;
		FL_VEC_ADD(&disk->runs, (struct fl_disk_run){ disk->blocks, from, to - from });
		disk->blocks += to - from;
		at = to;
	}
}

struct fl_disk *fl_disk_create(int fd, const char *name, uint64_t size, const uint8_t uuid[16],
			       struct fl_err *err)
{
	struct fl_disk *disk = fl_alloc_zero(1, sizeof(*disk));
	fl_cleanup_free char *path = fl_asprintf("/proc/self/fd/%d", fd);
	struct ext2_super_block super = { 0 };
	errcode_t rc;

	disk->fd = fd;
	disk->name = fl_strdup(name);
	initialize_ext2_error_table();
	set_features(&super, size);
	rc = ftruncate(fd, (off_t)size) < 0 ? errno : 0;
	if (!rc)
		rc = ext2fs_initialize(path, EXT2_FLAG_64BITS, &super, unix_io_manager, &disk->fs);
	if (!rc) {
		set_identity(disk->fs, uuid);
		rc = make_reserved(disk->fs);
	}
	if (rc) {
		fl_disk_fail(disk, rc, "the file system cannot be made", err);
		fl_disk_destroy(disk);
		return NULL;
	}
	list_runs(disk);
	return disk;
}

void fl_disk_destroy(struct fl_disk *disk)
{
	if (!disk)
		return;
	if (disk->fs)
		ext2fs_free(disk->fs);
	free(disk->runs.items);
	free(disk->name);
	free(disk);
}

uint64_t fl_disk_blocks(const struct fl_disk *disk)
{
	return disk->blocks;
}

uint64_t fl_disk_take(struct fl_disk *disk, uint64_t want, uint64_t *first)
{
	uint64_t left = disk->blocks - disk->next, count = want < left ? want : left;

	*first = disk->next;
	disk->next += count;
	return count;
}

void fl_disk_give(struct fl_disk *disk, uint64_t first, uint64_t count)
{
	if (first + count == disk->next)
		disk->next = first;
}

int fl_disk_refuse(const struct fl_disk *disk, struct fl_err *err)
{
	return fl_disk_fail(disk, EXT2_ET_BLOCK_ALLOC_FAIL, "", err);
}

uint64_t fl_disk_block(const struct fl_disk *disk, uint64_t index, uint64_t *left)
{
	size_t low = 0, high = disk->runs.count - 1;
	const struct fl_disk_run *run;

	while (low < high) {
		size_t middle = (low + high + 1) / 2;

		if (disk->runs.items[middle].index <= index)
			low = middle;
		else
			high = middle - 1;
	}
	run = &disk->runs.items[low];
	*left = run->index + run->count - index;
	return run->block + (index - run->index);
}

int fl_disk_write(struct fl_disk *disk, uint64_t index, const void *data, size_t size,
		  struct fl_err *err)
{
	const char *at = data;

	while (size) {
		uint64_t left, block = fl_disk_block(disk, index, &left);
		size_t part = size < left * BLOCK ? size : (size_t)left * BLOCK;

		if (fl_io_pwrite(disk->fd, at, part, block * BLOCK, disk->name, err) < 0)
			return -1;
		at += part;
		size -= part;
		index += part / BLOCK;
	}
	return 0;
}

void fl_disk_mark(struct fl_disk *disk, uint64_t index, uint64_t count)
{
	while (count) {
		uint64_t left, block = fl_disk_block(disk, index, &left);
		uint64_t part = count < left ? count : left;

		ext2fs_block_alloc_stats_range(disk->fs, block, (blk_t)part, +1);
		index += part;
		count -= part;
	}
}
