/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/uuid.h"

#include "common/io.h"

#include <ext2fs/ext2fs.h>
#include <stddef.h>
#include <string.h>

#define SUPER_AT 1024

struct change {
	int fd;
	const char *name;
	const uint8_t *uuid;
	fl_ext4_put put;
	void *arg;
};

static int change_at(const struct change *change, uint64_t at, struct fl_err *err)
{
	struct ext2_super_block super;

	if (fl_io_pread(change->fd, &super, sizeof(super), at, change->name, err) < 0)
		return -1;
	if (super.s_magic != EXT2_SUPER_MAGIC)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: a superblock is missing", change->name);
	memcpy(super.s_uuid, change->uuid, sizeof(super.s_uuid));
	super.s_checksum = ext2fs_crc32c_le(~0u, (unsigned char *)&super,
					    offsetof(struct ext2_super_block, s_checksum));
	return change->put(change->arg, at, &super, sizeof(super), err);
}

static bool is_power(uint32_t number, uint32_t base)
{
	while (number > 1 && number % base == 0)
		number /= base;
	return number == 1;
}

/* Backups are in group 1 and the powers of 3, 5 and 7 (sparse_super). */
static bool has_backup(uint32_t group)
{
	return group == 1 || is_power(group, 3) || is_power(group, 5) || is_power(group, 7);
}

int fl_ext4_put_uuid(int fd, const char *name, const uint8_t uuid[static 16], fl_ext4_put put,
		     void *arg, struct fl_err *err)
{
	const struct change change = { fd, name, uuid, put, arg };
	struct ext2_super_block super;
	uint64_t blocks, groups, size;

	if (fl_io_pread(fd, &super, sizeof(super), SUPER_AT, name, err) < 0)
		return -1;
	if (super.s_magic != EXT2_SUPER_MAGIC || !super.s_blocks_per_group ||
	    !(super.s_feature_incompat & EXT4_FEATURE_INCOMPAT_CSUM_SEED))
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: not a base of this toolkit", name);
	blocks = ext2fs_blocks_count(&super);
	groups = (blocks + super.s_blocks_per_group - 1) / super.s_blocks_per_group;
	size = (uint64_t)super.s_blocks_per_group * EXT2_BLOCK_SIZE(&super);
	for (uint32_t group = 1; group < groups; group++)
		if (has_backup(group) && change_at(&change, group * size, err) < 0)
			return -1;
	/* The primary last: with it the copy is whole. */
	return change_at(&change, SUPER_AT, err);
}

struct file {
	int fd;
	const char *name;
};

static int put_into_file(void *arg, uint64_t at, const void *data, size_t count, struct fl_err *err)
{
	const struct file *file = arg;

	return fl_io_pwrite(file->fd, data, count, at, file->name, err);
}

int fl_ext4_set_uuid(int fd, const char *name, const uint8_t uuid[static 16], struct fl_err *err)
{
	struct file file = { fd, name };

	return fl_ext4_put_uuid(fd, name, uuid, put_into_file, &file, err);
}

int fl_ext4_get_uuid(int fd, uint8_t uuid[static 16])
{
	struct ext2_super_block super;

	if (fl_io_pread(fd, &super, sizeof(super), SUPER_AT, "", NULL) < 0 ||
	    super.s_magic != EXT2_SUPER_MAGIC)
		return 0;
	memcpy(uuid, super.s_uuid, sizeof(super.s_uuid));
	return 1;
}
