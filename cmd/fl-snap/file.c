/* SPDX-License-Identifier: MPL-2.0 */
/* Volumes as files: copies of bases that share what they can, in the microVM's folder. */
#include "cmd/fl-snap/backend.h"
#include "cmd/fl-snap/copy.h"
#include "cmd/fl-snap/uuid.h"
#include "common/alloc.h"
#include "common/path.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static char *name_of(const struct fl_volume_call *call)
{
	return fl_asprintf("%s.img", call->id);
}

static int has(const struct fl_volume_call *call, struct fl_err *err)
{
	fl_cleanup_free char *name = name_of(call);

	return fl_backend_has_file(call, name, err);
}

static int copy_base(const struct fl_volume_call *call, const char *base, const char *name,
		     const struct fl_uuid *uuid, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_close int from = open(base, O_RDONLY | O_CLOEXEC);
	enum fl_copy_kind how;

	if (from < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", base);
	if (fl_atomic_open(&file, call->folder, name, 0600, err) < 0 ||
	    fl_copy_file(from, file.fd, name, call->watch->cancel, &how, err) < 0 ||
	    fl_ext4_set_uuid(file.fd, name, uuid->byte, err) < 0)
		return -1;
	return fl_atomic_publish(&file, false, err);
}

static bool is_shared_already(const struct fl_volume_call *call, const char *base)
{
	for (void *i = fl_json_first(call->others); i; i = fl_json_next(call->others, i))
		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_value(i), "path")), base))
			return true;
	return false;
}

static int make(const struct fl_volume_call *call, struct fl_volume_made *made, struct fl_err *err)
{
	fl_cleanup_free char *name = name_of(call);
	int there = has(call, err);

	if (there < 0)
		return -1;
	fl_uuid_of(call->vm->uid, call->id, &made->uuid);
	made->has_uuid = true;
	made->path = fl_asprintf("%s/" FL_VOLUMES_FOLDER "/%s", call->vm->path, name);
	if (there) {
		made->base = fl_cache_base_path(call->cache, call->image, call->mib);
		return 0;
	}
	if (fl_cache_base(call->cache, call->image, call->mib, call->watch, &made->base, err) < 0)
		return -1;
	if (!call->read_only || is_shared_already(call, made->base))
		return copy_base(call, made->base, name, &made->uuid, err);
	fl_uuid_of("base", call->image->chain_id, &made->uuid);
	free(made->path);
	made->path = fl_strdup(made->base);
	return 0;
}

static int grow(const struct fl_volume_call *call, uint64_t size, struct fl_err *err)
{
	fl_cleanup_free char *name = name_of(call);
	fl_cleanup_close int fd = openat(call->folder, name, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", name);
	if (fl_backend_check_growth(call, (uint64_t)st.st_size, size, err) < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made larger", name);
	return 0;
}

static int remove_all(const struct fl_site *site, const struct fl_vm *vm, struct fl_err *err)
{
	(void)site;
	return fl_path_remove_tree(vm->dirfd, FL_VOLUMES_FOLDER, err);
}

static int plan(const struct fl_site *site, bool read_only, struct fl_str *out, struct fl_err *err)
{
	(void)site;
	(void)err;
	fl_str_add(out, read_only ? "the shared" : "a copy of the");
	return 0;
}

/* Calls each for every base or file that is whole. */
static int each_in(int folder, int (*each)(void *arg, const char *name, const struct stat *st,
					   struct fl_err *err),
		   void *arg, struct fl_err *err)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    each(arg, entry->d_name, &st, err) < 0)
			return -1;
	return 0;
}

struct listing {
	struct fl_table *table;
	const char *kind;
};

static int list_one(void *arg, const char *name, const struct stat *st, struct fl_err *err)
{
	struct listing *listing = arg;
	fl_json *row;

	(void)err;
	if (!S_ISREG(st->st_mode))
		return 0;
	row = fl_json_new_object();
	fl_json_set(row, "kind", fl_json_new_text(listing->kind));
	fl_json_set(row, "name", fl_json_new_text(name));
	fl_json_set(row, "size", fl_json_new_int(st->st_size));
	fl_json_set(row, "used", fl_json_new_int((int64_t)st->st_blocks * 512));
	fl_table_row(listing->table, row);
	return 0;
}

static int list(const struct fl_site *site, struct fl_table *table, struct fl_err *err)
{
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };

	if (fl_cache_open(&cache, site->state_dir, err) < 0 ||
	    each_in(cache.bases, list_one, &(struct listing){ table, "bases" }, err) < 0)
		return -1;
	return each_in(cache.files, list_one, &(struct listing){ table, "files" }, err);
}

static int remove_base(const struct fl_site *site, const char *name, struct fl_err *err)
{
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };

	if (fl_cache_open(&cache, site->state_dir, err) < 0)
		return -1;
	if (faccessat(cache.bases, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fl_durable_remove(cache.bases, name, err) < 0 ? -1 : 1;
	if (faccessat(cache.files, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fl_durable_remove(cache.files, name, err) < 0 ? -1 : 1;
	return 0;
}

struct sweep {
	struct fl_garbage *garbage;
	const char *kind;
	int folder;
};

static int drop(struct sweep *sweep, const char *name, const struct stat *st, struct fl_err *err)
{
	if (list_one(&(struct listing){ sweep->garbage->table, sweep->kind }, name, st, err) < 0 ||
	    sweep->garbage->is_dry)
		return 0;
	return fl_durable_remove(sweep->folder, name, err);
}

static int collect_base(void *arg, const char *name, const struct stat *st, struct fl_err *err)
{
	struct sweep *sweep = arg;
	fl_cleanup_free char *chain = fl_strndup(name, strcspn(name, "-"));

	return fl_json_get(sweep->garbage->chains, chain) ? 0 : drop(sweep, name, st, err);
}

static int collect_file(void *arg, const char *name, const struct stat *st, struct fl_err *err)
{
	struct sweep *sweep = arg;

	if (!S_ISREG(st->st_mode) || fl_json_get(sweep->garbage->files, name))
		return 0;
	return drop(sweep, name, st, err);
}

/* What led to a file that is gone now. */
static int collect_link(void *arg, const char *name, const struct stat *st, struct fl_err *err)
{
	struct sweep *sweep = arg;

	(void)err;
	if (S_ISLNK(st->st_mode) && faccessat(sweep->folder, name, F_OK, 0) < 0 && errno == ENOENT)
		unlinkat(sweep->folder, name, 0);
	return 0;
}

static int collect(struct fl_garbage *garbage, struct fl_err *err)
{
	struct fl_cache *cache = garbage->cache;
	struct sweep bases = { garbage, "bases", cache->bases };
	struct sweep files = { garbage, "files", cache->files };

	if (each_in(cache->bases, collect_base, &bases, err) < 0 ||
	    each_in(cache->files, collect_file, &files, err) < 0)
		return -1;
	return garbage->is_dry ? 0 : each_in(cache->files, collect_link, &files, err);
}

static bool shares_blocks(const char *dir)
{
	fl_cleanup_close int from = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fl_cleanup_close int to = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char block[4096] = { 1 };

	return from >= 0 && to >= 0 && pwrite(from, block, sizeof(block), 0) == sizeof(block) &&
	       ioctl(to, FICLONE, from) == 0;
}

static void add_numbers(fl_json *row, const struct fl_site *site, const struct statvfs *fs)
{
	uint64_t size = (uint64_t)fs->f_blocks * fs->f_frsize;
	uint64_t used = size - (uint64_t)fs->f_bfree * fs->f_frsize;

	fl_json_set(row, "size", fl_json_new_int((int64_t)size));
	fl_json_set(row, "used", fl_json_new_int((int64_t)used));
	fl_json_set(row, "reflink", fl_json_new_bool(shares_blocks(site->state_dir)));
}

static int status(const struct fl_site *site, struct fl_table *table, struct fl_err *err)
{
	fl_json *row = fl_json_new_object();
	struct statvfs fs = { 0 };
	bool there = statvfs(site->state_dir, &fs) == 0;
	const char *state = !there ? "missing" : fs.f_bavail ? "ok" : "full";

	(void)err;
	fl_json_set(row, "backend", fl_json_new_text("file"));
	fl_json_set(row, "name", fl_json_new_text(site->state_dir));
	fl_json_set(row, "state", fl_json_new_text(state));
	if (there)
		add_numbers(row, site, &fs);
	fl_json_set(row, "text", fl_json_new_text(there ? "" : "nothing has been made yet"));
	fl_table_row(table, row);
	return 0;
}

const struct fl_backend fl_backend_file = {
	.name = "file",
	.has = has,
	.make = make,
	.grow = grow,
	.remove = remove_all,
	.plan = plan,
	.list = list,
	.remove_base = remove_base,
	.collect = collect,
	.status = status,
};
