/* SPDX-License-Identifier: MPL-2.0 */
/* What only few inodes have and libext2fs writes one by one: extent trees, extended
 * attributes. */
#include "cmd/fl-snap/ext4/inner.h"

#include <sys/stat.h>

struct counting {
	unsigned count;
};

static int count_one(void *arg, uint32_t logical, uint64_t block, uint32_t count,
		     struct fl_err *err)
{
	struct counting *counting = arg;

	(void)logical;
	(void)block;
	(void)count;
	(void)err;
	counting->count++;
	return 0;
}

struct inserting {
	struct fl_disk *disk;
	ext2_extent_handle_t handle;
};

static int insert_one(void *arg, uint32_t logical, uint64_t block, uint32_t count,
		      struct fl_err *err)
{
	struct inserting *to = arg;
	struct ext2fs_extent extent = { .e_lblk = logical, .e_pblk = block, .e_len = count };
	errcode_t rc = ext2fs_extent_insert(to->handle, EXT2_EXTENT_INSERT_AFTER, &extent);

	if (!rc)
		rc = ext2fs_extent_fix_parents(to->handle);
	return rc ? fl_disk_fail(to->disk, rc, "an extent tree", err) : 0;
}

static int write_extents(struct fl_disk *disk, const struct fl_disk_plan *plan,
			 const struct fl_inode *inode, struct fl_err *err)
{
	struct counting counting = { 0 };
	struct inserting to = { .disk = disk };
	errcode_t rc;
	int done;

	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		return 0;
	fl_disk_extents(disk, plan, inode, count_one, &counting, NULL);
	if (counting.count <= 4)
		return 0;
	rc = ext2fs_extent_open2(disk->fs, inode->number, NULL, &to.handle);
	if (rc)
		return fl_disk_fail(disk, rc, "an extent tree", err);
	done = fl_disk_extents(disk, plan, inode, insert_one, &to, err);
	ext2fs_extent_free(to.handle);
	return done;
}

static int write_xattrs(struct fl_disk *disk, const struct fl_inode *inode, struct fl_err *err)
{
	struct ext2_xattr_handle *handle;
	errcode_t rc = ext2fs_xattrs_open(disk->fs, inode->number, &handle);

	if (rc)
		return fl_disk_fail(disk, rc, "extended attributes", err);
	rc = ext2fs_xattrs_read(handle);
	for (const struct fl_xattr *one = inode->xattrs; one && !rc; one = one->next)
		rc = ext2fs_xattr_set(handle, one->name, one->value, one->size);
	if (!rc)
		rc = ext2fs_xattrs_write(handle);
	ext2fs_xattrs_close(&handle);
	if (rc == EXT2_ET_EA_NO_SPACE)
		return fl_err_set(err, FL_ERR_UNSUPPORTED,
				  "%s: a file's extended attributes (%s and others) are larger than "
				  "a block", disk->name, inode->xattrs->name);
	return rc ? fl_disk_fail(disk, rc, "extended attributes", err) : 0;
}

int fl_disk_write_rest(struct fl_disk *disk, const struct fl_disk_plan *plan, struct fl_err *err)
{
	for (uint32_t i = 0; i < plan->inode_count; i++) {
		const struct fl_inode *inode = plan->inodes[i];

		if (!inode)
			continue;
		if (write_extents(disk, plan, inode, err) < 0)
			return -1;
		if (inode->xattrs && write_xattrs(disk, inode, err) < 0)
			return -1;
	}
	return 0;
}
