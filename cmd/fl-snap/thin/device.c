/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/device.h"

#include "cmd/fl-snap/uuid.h"
#include "common/alloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Nobody else's device has a UUID of ours. */
#define PREFIX "FLINTLOCK-"

char *fl_thin_path(const struct fl_thin_row *row)
{
	return fl_asprintf(FL_MAPPER_FOLDER "/%s", row->device);
}

int fl_thin_is_on(const struct fl_thin_row *row, struct fl_mapper_info *info, struct fl_err *err)
{
	fl_cleanup_free char *uuid = fl_asprintf(PREFIX "%s", row->device);
	int found = fl_mapper_look(row->device, info, err);

	if (found == 1 && strcmp(info->uuid, uuid) != 0)
		return fl_err_set(err, FL_ERR_EXISTS, "%s: a device of that name is there and not "
				  "ours", row->device);
	/* Made, and then killed before it had a table. */
	if (found == 1 && !*info->type)
		return fl_mapper_remove(row->device, err);
	return found;
}

static bool is_same(const struct fl_mapper_info *info, const struct fl_mapper_device *device,
		    const char *params)
{
	return strcmp(info->type, "thin") == 0 && strcmp(info->params, params) == 0 &&
	       info->sectors == device->sectors && info->read_only == device->read_only;
}

int fl_thin_on(const struct fl_thin_pool *pool, const struct fl_thin_row *row, bool read_only,
	       struct fl_err *err)
{
	fl_cleanup_free char *uuid = fl_asprintf(PREFIX "%s", row->device);
	struct fl_mapper_device device = { row->device, uuid, row->sectors, read_only };
	struct fl_mapper_info info;
	char params[48];
	int on = fl_thin_is_on(row, &info, err);

	snprintf(params, sizeof(params), "%u:%u %u", pool->major, pool->minor, row->id);
	if (on < 0 || (on == 1 && is_same(&info, &device, params))) {
		errno = 0;
		return on < 0 ? -1 : 0;
	}
	return on ? fl_mapper_replace(&device, "thin", params, err)
		  : fl_mapper_create(&device, "thin", params, err);
}

int fl_thin_off(const struct fl_thin_row *row, struct fl_err *err)
{
	struct fl_mapper_info info;
	int on = fl_thin_is_on(row, &info, err);

	return on > 0 ? fl_mapper_remove(row->device, err) : on;
}

/* A snapshot of a base of ours has its file system, or the one that we made of it. */
static int holds_ours(const struct fl_thin_row *row, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_thin_path(row);
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct fl_uuid uuid;

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	return fl_ext4_get_uuid(fd, uuid.byte) &&
	       (memcmp(&uuid, &row->uuid, sizeof(uuid)) == 0 ||
		memcmp(&uuid, &row->base_uuid, sizeof(uuid)) == 0);
}

/* A base is noted as being filled before the first write to it. */
static int is_empty(const struct fl_thin_row *row, struct fl_err *err)
{
	uint64_t mapped;

	return fl_mapper_thin_mapped(row->device, &mapped, err) < 0 ? -1 : mapped == 0;
}

int fl_thin_is_made(const struct fl_thin_pool *pool, const struct fl_thin_row *row,
		    struct fl_err *err)
{
	struct fl_err why = { 0 };
	int rc;

	if (fl_thin_on(pool, row, false, &why) < 0)
		return errno == ENODATA ? 0 : fl_err_pass(err, &why);
	rc = row->base ? holds_ours(row, err) : is_empty(row, err);
	if (rc == 0 && fl_thin_off(row, err) < 0)
		return -1;
	return rc;
}

int fl_thin_delete(const struct fl_thin_pool *pool, struct fl_thin_row *row, struct fl_err *err)
{
	int made = row->state == FL_THIN_CREATING ? fl_thin_is_made(pool, row, err) : 1;

	if (made <= 0)
		return made < 0 ? -1 : fl_thin_row_drop(pool, row, err);
	if (row->state != FL_THIN_REMOVING) {
		row->state = FL_THIN_REMOVING;
		if (fl_thin_row_save(pool, row, false, err) < 0)
			return -1;
	}
	if (fl_thin_off(row, err) < 0)
		return -1;
	if (fl_thin_pool_send(pool, err, "delete %u", row->id) < 0 && errno != ENODATA)
		return -1;
	return fl_thin_row_drop(pool, row, err);
}
