/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/volumes.h"

#include "cmd/fl-snap/cache.h"
#include "cmd/fl-snap/copy.h"
#include "cmd/fl-snap/limits.h"
#include "cmd/fl-snap/uuid.h"
#include "common/alloc.h"
#include "common/path.h"
#include "common/progress.h"
#include "common/uuid.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "volumes"

struct work {
	struct fl_step_call *call;
	struct fl_cache cache;
	struct fl_cache_watch watch;
	int folder; /* volumes/ of the microVM */
	fl_json *made; /* host.volumes, kernel, initrd as they will be */
};

/* The image behind a reference, as fl-pull wrote it into the record. */
static int image_of(struct work *work, const char *ref, struct fl_image *image, struct fl_err *err)
{
	const fl_json *images = fl_json_at(work->call->record, "host.images");
	const char *digest = fl_json_text(fl_json_get(fl_json_get(images, ref), "digest"));

	memset(image, 0, sizeof(*image));
	if (!digest || !fl_digest_is_valid(digest))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: not pulled yet; run \"fl-pull up\" "
				  "first", ref);
	return fl_image_load(&work->cache.store, digest, image, err) < 0
		       ? fl_err_prefix(err, "%s", ref)
		       : 0;
}

static int make_file(struct work *work, const char *what, const char *ref, const char *file,
		     struct fl_err *err)
{
	fl_cleanup_image struct fl_image image = { 0 };
	fl_cleanup_free char *path = NULL;
	fl_cleanup_free char *key = fl_asprintf("%s.path", what);

	if (image_of(work, ref, &image, err) < 0)
		return -1;
	if (fl_cache_file(&work->cache, &image, file, &work->watch, &path, err) < 0)
		return fl_err_prefix(err, "%s", ref);
	fl_json_put(work->made, key, fl_json_new_text(path));
	return 0;
}

/* A volume that is there is the microVM's own and never made again, whatever the spec says
 * now: its content cannot be had back. */
static int check_existing(struct work *work, const struct fl_volume *volume, const char *base,
			  struct fl_err *err)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s.base", volume->id);
	const char *was = fl_json_text(fl_json_at(work->call->record, at));

	if (!was || strcmp(was, base) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION,
			  "volume %s was made from another image or size and holds data; put the "
			  "spec back, or make the microVM anew (fl down, fl up)", volume->id);
}

static int copy_base(struct work *work, const char *base, const char *name,
		     const struct fl_uuid *uuid, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_close int from = open(base, O_RDONLY | O_CLOEXEC);
	enum fl_copy_kind how;

	if (from < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", base);
	if (fl_atomic_open(&file, work->folder, name, 0600, err) < 0 ||
	    fl_copy_file(from, file.fd, name, work->watch.cancel, &how, err) < 0 ||
	    fl_ext4_set_uuid(file.fd, name, uuid->byte, err) < 0)
		return -1;
	return fl_atomic_publish(&file, false, err);
}

static bool is_shared_already(struct work *work, const char *base)
{
	const fl_json *volumes = fl_json_get(work->made, "volumes");

	for (void *i = fl_json_first(volumes); i; i = fl_json_next(volumes, i))
		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_value(i), "path")), base))
			return true;
	return false;
}

static void note_volume(struct work *work, const struct fl_volume *volume, const char *path,
			const char *base, const struct fl_uuid *uuid)
{
	fl_json *one = fl_json_new_object();
	fl_cleanup_free char *key = fl_asprintf("volumes.%s", volume->id);
	char text[FL_UUID_TEXT];

	fl_uuid_print(uuid, text);
	fl_json_set(one, "path", fl_json_new_text(path));
	fl_json_set(one, "format", fl_json_new_text("raw"));
	fl_json_set(one, "backend", fl_json_new_text("file"));
	fl_json_set(one, "read_only", fl_json_new_bool(volume->read_only));
	fl_json_set(one, "uuid", fl_json_new_text(text));
	fl_json_set(one, "base", fl_json_new_text(base));
	fl_json_put(work->made, key, one);
}

static int make_volume(struct work *work, const struct fl_volume *volume, struct fl_err *err)
{
	fl_cleanup_image struct fl_image image = { 0 };
	fl_cleanup_free char *base = NULL;
	fl_cleanup_free char *name = fl_asprintf("%s.img", volume->id);
	fl_cleanup_free char *path = fl_asprintf("%s/" FOLDER "/%s", work->call->vm->path, name);
	struct fl_uuid uuid;
	uint64_t mib;

	if (image_of(work, volume->image, &image, err) < 0)
		return -1;
	mib = volume->size_mb ? volume->size_mb : fl_cache_default_mib(&image);
	if (fl_cache_base(&work->cache, &image, mib, &work->watch, &base, err) < 0)
		return fl_err_prefix(err, "%s", volume->image);
	if (volume->read_only && !is_shared_already(work, base)) {
		fl_uuid_of("base", image.chain_id, &uuid);
		note_volume(work, volume, base, base, &uuid);
		return 0;
	}
	fl_uuid_of(work->call->vm->uid, volume->id, &uuid);
	if (faccessat(work->folder, name, F_OK, 0) == 0) {
		if (check_existing(work, volume, base, err) < 0)
			return -1;
	} else if (copy_base(work, base, name, &uuid, err) < 0) {
		return fl_err_prefix(err, "volume %s", volume->id);
	}
	note_volume(work, volume, path, base, &uuid);
	return 0;
}

static int make_all(struct work *work, struct fl_err *err)
{
	const struct fl_spec *spec = &work->call->spec;

	if (make_file(work, "kernel", spec->kernel_image, spec->kernel_file, err) < 0)
		return fl_err_prefix(err, "kernel");
	if (spec->initrd_image &&
	    make_file(work, "initrd", spec->initrd_image, spec->initrd_file, err) < 0)
		return fl_err_prefix(err, "initrd");
	for (size_t i = 0; i < spec->volume_count; i++)
		if (spec->volumes[i].image && make_volume(work, &spec->volumes[i], err) < 0)
			return -1;
	return 0;
}

static fl_json *mount_of(const char *path)
{
	fl_json *mount = fl_json_new_object();

	fl_json_set(mount, "type", fl_json_new_text("HOSTPATH"));
	fl_json_set(mount, "source", fl_json_new_text(path));
	return mount;
}

static void put_status_file(fl_json *record, const fl_json *made, const char *what,
			    const char *status)
{
	const char *path = fl_json_text(fl_json_get(fl_json_get(made, what), "path"));
	fl_json *host = fl_json_get(record, "host");

	fl_json_set(host, what, path ? fl_json_copy(fl_json_get(made, what)) : NULL);
	fl_json_put(record, status, path ? mount_of(path) : NULL);
}

static int put_made(void *arg, fl_json *record, struct fl_err *err)
{
	const fl_json *made = arg, *volumes = fl_json_get(made, "volumes");

	(void)err;
	put_status_file(record, made, "kernel", "status.kernel_mount");
	put_status_file(record, made, "initrd", "status.initrd_mount");
	fl_json_put(record, "host.volumes", volumes ? fl_json_copy(volumes) : NULL);
	fl_json_put(record, "status.volumes", NULL);
	for (void *i = fl_json_first(volumes); i; i = fl_json_next(volumes, i)) {
		fl_json *all = fl_json_at(record, "status.volumes");
		fl_json *one = fl_json_new_object();
		const char *path = fl_json_text(fl_json_get(fl_json_value(i), "path"));

		if (!all) {
			all = fl_json_new_object();
			fl_json_put(record, "status.volumes", all);
		}
		fl_json_set(one, "mount", mount_of(path));
		fl_json_set(all, fl_json_key(i), one);
	}
	return 0;
}

static int open_volumes(const struct fl_vm *vm, struct fl_err *err)
{
	int fd;

	if (mkdirat(vm->dirfd, FOLDER, 0700) < 0 && errno != EEXIST)
		return fl_err_errno(err, errno, "%s/" FOLDER ": cannot be made", vm->path);
	fd = openat(vm->dirfd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s/" FOLDER ": cannot be opened", vm->path);
	fl_atomic_sweep(fd);
	return fd;
}

int fl_volumes_up(struct fl_step_call *call, struct fl_err *err)
{
	fl_cleanup_json fl_json *made = fl_json_new_object();
	struct fl_progress bar;
	struct work work = { .call = call, .made = made,
			     .watch = { call->cancel, fl_progress_update, &bar } };
	int rc = fl_progress_start(&bar, "layers into a disk", call->args, err);

	if (rc < 0)
		return -1;
	rc = fl_cache_open(&work.cache, call->vm->state->dir, err);
	rc = rc < 0 ? -1 : fl_limits_take(call->args, &work.cache.limits, err);
	work.folder = rc < 0 ? -1 : open_volumes(call->vm, err);
	rc = work.folder < 0 ? -1 : make_all(&work, err);
	fl_progress_end(&bar);
	if (work.folder >= 0)
		close(work.folder);
	if (rc == 0)
		fl_cache_settle_later(&work.cache);
	fl_cache_close(&work.cache);
	return rc < 0 ? -1 : fl_vm_change(call->vm, FL_SAVE_PLAIN, put_made, made, err);
}

int fl_volumes_down(struct fl_step_call *call, struct fl_err *err)
{
	/* A guest that still writes keeps its disks. */
	if (fl_vm_is_supervised(call->vm))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "%s/%s: still runs; \"fl-run down\" comes first",
				  call->vm->name_space, call->vm->name);
	return fl_path_remove_tree(call->vm->dirfd, FOLDER, err);
}

int fl_volumes_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	const struct fl_spec *spec = &call->spec;

	(void)err;
	fl_str_addf(out, "# files/<sha256>: %s out of %s\n", spec->kernel_file, spec->kernel_image);
	if (spec->initrd_image)
		fl_str_addf(out, "# files/<sha256>: %s out of %s\n", spec->initrd_file,
			    spec->initrd_image);
	for (size_t i = 0; i < spec->volume_count; i++) {
		const struct fl_volume *volume = &spec->volumes[i];

		if (!volume->image)
			continue;
		fl_str_addf(out, "# volume %s: %s base of %s", volume->id,
			    volume->read_only ? "the shared" : "a copy of the", volume->image);
		if (volume->size_mb)
			fl_str_addf(out, ", %u MiB", volume->size_mb);
		fl_str_add(out, "\n");
	}
	return 0;
}
