/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/volume.h"

#include "cmd/fl-snap/uuid.h"
#include "common/alloc.h"

#include <fcntl.h>
#include <string.h>

#define SUPERBLOCKS 32 /* where a file system may have its UUID, at most */

char *fl_thin_volume_name(const struct fl_vm *vm, const char *id)
{
	return fl_asprintf("%s/%s", vm->uid, id);
}

static void init_row(const struct fl_volume_call *call, const struct fl_thin_row *base,
		     struct fl_thin_row *row)
{
	fl_thin_row_finish(row);
	row->name = fl_thin_volume_name(call->vm, call->id);
	row->device = fl_asprintf("fl-%s-%s", call->vm->uid, call->id);
	row->base = fl_strdup(base->name);
	row->sectors = base->sectors;
	row->read_only = call->read_only;
	fl_uuid_of(call->vm->uid, call->id, &row->uuid);
	row->base_uuid = base->uuid;
}

/* 0 the snapshot is there; 1 the pool has not got the base; -1. */
static int create(const struct fl_thin_pool *pool, const struct fl_thin_row *base,
		  struct fl_thin_row *row, struct fl_err *err)
{
	for (unsigned turn = 0;;) {
		struct fl_err why = { 0 };
		int errnum;

		if (fl_thin_row_claim(pool, row, &turn, err) < 0)
			return -1;
		if (fl_thin_pool_send(pool, &why, "create_snap %u %u", row->id, base->id) == 0)
			return 0;
		errnum = errno;
		if (fl_thin_row_drop(pool, row, err) < 0)
			return -1;
		if (errnum != EEXIST)
			return errnum == ENODATA ? 1 : fl_err_pass(err, &why);
	}
}

/* A pool that was made anew under its old name has nothing of what the table says. */
static int create_from(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
		       const char *name, struct fl_thin_row *row, struct fl_err *err)
{
	/* A full pool would let the first write wait. */
	if (fl_thin_pool_admit(pool, SUPERBLOCKS * pool->block, err) < 0)
		return -1;
	for (int tries = 0; tries < 2; tries++) {
		fl_cleanup_thin_row struct fl_thin_row base = { 0 };
		int rc;

		if (fl_thin_base(pool, call, name, &base, err) < 0)
			return -1;
		init_row(call, &base, row);
		rc = create(pool, &base, row, err);
		if (rc <= 0)
			return rc;
		if (fl_thin_row_drop(pool, &base, err) < 0)
			return -1;
	}
	return fl_err_set(err, FL_ERR_BUSY, "thin pool %s: base %s was taken away meanwhile",
			  pool->name, name);
}

/* The file system's own UUID, unless it has it, or the guest has made another. */
static int set_uuid(const struct fl_thin_row *row, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_thin_path(row);
	fl_cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
	struct fl_uuid now;

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	if (!fl_ext4_get_uuid(fd, now.byte) || memcmp(&now, &row->base_uuid, sizeof(now)) != 0)
		return 0;
	if (fl_ext4_set_uuid(fd, path, row->uuid.byte, err) < 0)
		return -1;
	/* Without a flush, which would cost more than all the rest. */
	if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0)
		return fl_err_errno(err, errno, "%s: cannot be written", path);
	return 0;
}

static int lost(const struct fl_thin_pool *pool, const struct fl_thin_row *row, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_CORRUPT, "thin pool %s has lost device %u, and its data with "
			  "it; make the microVM anew (fl down, fl up)", pool->name, row->id);
}

/* A UUID that a power loss swallowed is mended here, too. */
static int switch_on(const struct fl_thin_pool *pool, const struct fl_thin_row *row,
		     struct fl_err *err)
{
	struct fl_mapper_info info;
	int on = fl_thin_is_on(row, &info, err);

	if (on < 0)
		return -1;
	/* Somebody may have it open read-only. */
	if (!on || row->state != FL_THIN_READY) {
		if (fl_thin_on(pool, row, false, err) < 0)
			return errno == ENODATA ? lost(pool, row, err) : -1;
		if (set_uuid(row, err) < 0)
			return -1;
		if (!row->read_only)
			return 0;
		if (fl_thin_off(row, err) < 0)
			return -1;
	}
	return fl_thin_on(pool, row, row->read_only, err);
}

/* 1 the row is the volume's, and its device is there; 0 it has to be made; -1. */
static int find(const struct fl_thin_pool *pool, const char *name, struct fl_thin_row *row,
		struct fl_err *err)
{
	int found = fl_thin_row_find(pool, name, row, err);

	if (found <= 0 || row->state == FL_THIN_READY)
		return found;
	found = row->state == FL_THIN_CREATING ? fl_thin_is_made(pool, row, err) : 0;
	if (found != 0)
		return found;
	return fl_thin_delete(pool, row, err);
}

int fl_thin_volume(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
		   const char *base, struct fl_thin_row *row, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_thin_volume_name(call->vm, call->id);
	int found = find(pool, name, row, err);

	if (found < 0)
		return -1;
	if (!found && create_from(pool, call, base, row, err) < 0)
		return -1;
	if (switch_on(pool, row, err) < 0)
		return -1;
	if (row->state == FL_THIN_READY)
		return 0;
	/* On disk before the guest writes: what is being created may be made again. */
	row->state = FL_THIN_READY;
	return fl_thin_row_save(pool, row, true, err);
}
