/* SPDX-License-Identifier: MPL-2.0 */
/* Volumes as snapshots in a thin pool. A link in the microVM's folder, volumes/ID.thin, says
 * which pool has the volume; it is there before the volume is. */
#include "cmd/fl-snap/thin/pools.h"
#include "cmd/fl-snap/thin/volume.h"

#include "common/alloc.h"
#include "common/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LINK ".thin"
#define UP "../../../../../thin/" /* from vm/NAMESPACE/NAME/UID/volumes */

static char *link_name(const char *id)
{
	return fl_asprintf("%s" LINK, id);
}

/* The key of the pool that has the volume: 1, 0 there is no such volume, -1. */
static int read_link(int folder, const char *name, char key[static FL_MAPPER_UUID + 8],
		     struct fl_err *err)
{
	char target[512];
	ssize_t len = readlinkat(folder, name, target, sizeof(target) - 1);

	if (len < 0)
		return errno == ENOENT ? 0 : fl_err_errno(err, errno, "%s: cannot be read", name);
	target[len] = 0;
	if (!fl_str_starts(target, UP) || target[strlen(UP)] == '.' ||
	    strchr(target + strlen(UP), '/'))
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: does not lead to a pool", name);
	snprintf(key, FL_MAPPER_UUID + 8, "%s", target + strlen(UP));
	return 1;
}

static int has(const struct fl_volume_call *call, struct fl_err *err)
{
	fl_cleanup_free char *name = link_name(call->id);
	char key[FL_MAPPER_UUID + 8];

	return read_link(call->folder, name, key, err);
}

static int find_pool(const struct fl_site *site, struct fl_thin_pool *pool, struct fl_err *err)
{
	int found = fl_thin_pool_find(*site->found ? site->found : site->pool, pool, err);

	return found == 0 ? fl_err_set(err, FL_ERR_PRECONDITION, "the thin pool is gone") : found;
}

static int make_link(const struct fl_volume_call *call, const struct fl_thin_pool *pool,
		     struct fl_err *err)
{
	fl_cleanup_free char *name = link_name(call->id);
	fl_cleanup_free char *target = fl_asprintf(UP "%s", pool->key);

	if (symlinkat(target, call->folder, name) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made", name);
	return 0;
}

/* The pool of a volume that is there, or the one for a new volume. */
static int open_pool(const struct fl_volume_call *call, struct fl_thin_pool *pool,
		     struct fl_err *err)
{
	fl_cleanup_free char *name = link_name(call->id);
	char key[FL_MAPPER_UUID + 8];
	int there = read_link(call->folder, name, key, err);

	if (there)
		return there < 0 ? -1 : fl_thin_pool_open_key(pool, call->site->state_dir, key, err);
	if (find_pool(call->site, pool, err) < 0 ||
	    fl_thin_pool_open(pool, call->site->state_dir, true, err) < 0)
		return -1;
	return make_link(call, pool, err);
}

static int make(const struct fl_volume_call *call, struct fl_volume_made *made, struct fl_err *err)
{
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	fl_cleanup_thin_row struct fl_thin_row row = { 0 };
	fl_cleanup_free char *path =
		fl_cache_base_path(call->cache, call->image, call->mib);
	const char *base = fl_path_last(path);

	if (open_pool(call, &pool, err) < 0 ||
	    fl_thin_volume(&pool, call, base, &row, err) < 0)
		return -1;
	made->path = fl_thin_path(&row);
	made->base = fl_strdup(base);
	made->pool = fl_strdup(pool.name);
	made->uuid = row.uuid;
	made->has_uuid = true;
	return 0;
}

static int grow(const struct fl_volume_call *call, uint64_t size, struct fl_err *err)
{
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	fl_cleanup_thin_row struct fl_thin_row row = { 0 };
	fl_cleanup_free char *name = fl_thin_volume_name(call->vm, call->id);
	struct fl_mapper_info info;
	int found, on;

	if (open_pool(call, &pool, err) < 0)
		return -1;
	found = fl_thin_row_find(&pool, name, &row, err);
	if (found <= 0 || row.state != FL_THIN_READY)
		return found < 0 ? -1
				 : fl_err_set(err, FL_ERR_PRECONDITION, "volume %s is not made yet; "
					      "run \"fl-snap up\" first", call->id);
	if (fl_backend_check_growth(call, row.sectors * FL_SECTOR, size, err) < 0)
		return -1;
	row.sectors = size / FL_SECTOR;
	if (fl_thin_row_save(&pool, &row, true, err) < 0)
		return -1;
	on = fl_thin_is_on(&row, &info, err);
	return on > 0 ? fl_thin_on(&pool, &row, row.read_only, err) : on;
}

static int remove_one(const struct fl_site *site, const struct fl_vm *vm, int folder,
		      const char *link, struct fl_err *err)
{
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	fl_cleanup_thin_row struct fl_thin_row row = { 0 };
	fl_cleanup_free char *id = fl_strndup(link, strlen(link) - strlen(LINK));
	fl_cleanup_free char *name = fl_thin_volume_name(vm, id);
	char key[FL_MAPPER_UUID + 8];
	struct fl_err why = { 0 };
	int found;

	found = read_link(folder, link, key, err);
	if (found <= 0)
		return found;
	/* Without a folder the pool is gone for good: whoever removed it said so. */
	if (fl_thin_pool_open_key(&pool, site->state_dir, key, &why) < 0)
		return why.kind == FL_ERR_NOT_FOUND ? 0 : fl_err_pass(err, &why);
	found = fl_thin_row_find(&pool, name, &row, err);
	if (found < 0 || (found && fl_thin_delete(&pool, &row, err) < 0))
		return -1;
	if (unlinkat(folder, link, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", link);
	return 0;
}

static int remove_all(const struct fl_site *site, const struct fl_vm *vm, struct fl_err *err)
{
	int folder = openat(vm->dirfd, FL_VOLUMES_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;

	if (folder < 0 && errno == ENOENT)
		return 0;
	if (!dir)
		return fl_err_errno(err, errno, "%s/" FL_VOLUMES_FOLDER ": cannot be read", vm->path);
	while ((entry = readdir(dir)))
		if (fl_str_ends(entry->d_name, LINK) &&
		    remove_one(site, vm, folder, entry->d_name, err) < 0)
			return fl_err_prefix(err, "%s/%s", vm->name_space, vm->name);
	return 0;
}

static int plan(const struct fl_site *site, bool read_only, struct fl_str *out, struct fl_err *err)
{
	struct fl_thin_pool pool = FL_THIN_POOL_INIT;

	if (find_pool(site, &pool, err) < 0)
		return -1;
	fl_str_addf(out, "%s snapshot in thin pool %s of the", read_only ? "a read-only" : "a",
		    pool.name);
	return 0;
}

const struct fl_backend fl_backend_thin = {
	.name = "thin",
	.has = has,
	.make = make,
	.grow = grow,
	.remove = remove_all,
	.plan = plan,
	.list = fl_thin_list,
	.remove_base = fl_thin_remove_base,
	.collect = fl_thin_collect,
	.status = fl_thin_status,
};
