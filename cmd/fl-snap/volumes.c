/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/volumes.h"

#include "cmd/fl-snap/existing.h"
#include "cmd/fl-snap/limits.h"
#include "cmd/fl-snap/raw.h"
#include "common/alloc.h"
#include "common/progress.h"
#include "common/share.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER FL_VOLUMES_FOLDER

struct work {
	struct fl_step_call *call;
	struct fl_site site;
	const struct fl_backend *chosen; /* of new volumes, once one is made */
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

/* What is noted: of a volume that has grown, what it has grown to. */
static uint64_t size_now(uint64_t asked, uint64_t base_mib, const struct fl_existing *existing)
{
	uint64_t least = existing->mib ? existing->mib : base_mib;

	return asked > least ? asked : least;
}

static void made_finish(struct fl_volume_made *made)
{
	free(made->path);
	free(made->base);
	free(made->pool);
}

/* mib: its size; 0: not said. */
static void note_volume(struct work *work, const struct fl_volume_call *call, const char *backend,
			const struct fl_volume_made *made, uint64_t mib)
{
	fl_json *one = fl_json_new_object();
	fl_cleanup_free char *key = fl_asprintf("volumes.%s", call->id);
	char text[FL_UUID_TEXT];

	fl_json_set(one, "path", fl_json_new_text(made->path));
	fl_json_set(one, "format", fl_json_new_text(made->format ? made->format : "raw"));
	fl_json_set(one, "backend", fl_json_new_text(backend));
	if (made->pool)
		fl_json_set(one, "pool", fl_json_new_text(made->pool));
	fl_json_set(one, "read_only", fl_json_new_bool(call->read_only));
	if (made->has_uuid) {
		fl_uuid_print(&made->uuid, text);
		fl_json_set(one, "uuid", fl_json_new_text(text));
	}
	fl_json_set(one, "base", fl_json_new_text(made->base));
	if (call->image)
		fl_json_set(one, "chain_id", fl_json_new_text(call->image->chain_id));
	if (mib)
		fl_json_set(one, "size_mb", fl_json_new_int((int64_t)mib));
	fl_json_put(work->made, key, one);
}

static int check_format(const struct work *work, const struct fl_backend *backend,
			struct fl_err *err)
{
	const struct fl_provider *provider = fl_step_provider(work->call);

	if (backend != &fl_backend_qcow2 || !provider || provider->qcow2)
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s reads no qcow2 disks; ask for --backend file or "
			  "thin, or for another provider", provider->name);
}

/* New volumes go where they are asked for; what is there stays where it is. */
static int make_or_find(struct work *work, const struct fl_volume_call *call, struct fl_err *err)
{
	struct fl_volume_call at_first = *call;
	const struct fl_backend *backend;
	struct fl_volume_made made = { 0 };
	struct fl_existing existing;
	int rc = fl_existing_find(work->call->record, call, &existing, err);

	if (rc == 0)
		rc = fl_existing_check(call, &existing, &at_first.mib, err);
	if (rc == 0 && !existing.backend && !work->chosen)
		work->chosen = fl_backend_choose(&work->site, err);
	backend = existing.backend ? existing.backend : work->chosen;
	if (rc < 0 || !backend)
		return fl_err_prefix(err, "volume %s", call->id);
	if (!at_first.mib)
		at_first.mib = fl_cache_default_mib(call->image);
	rc = check_format(work, backend, err) < 0 ? -1 : backend->make(&at_first, &made, err);
	if (rc == 0)
		rc = fl_existing_grow(call, &existing, err);
	if (rc == 0)
		note_volume(work, call, backend->name, &made, size_now(call->mib, at_first.mib, &existing));
	made_finish(&made);
	return rc < 0 ? fl_err_prefix(err, "volume %s", call->id) : 0;
}

/* A volume that is there keeps what the guest wrote, whatever has become of the file. */
static int make_from_file(struct work *work, const struct fl_volume *volume, struct fl_err *err)
{
	struct fl_volume_call call = {
		.site = &work->site, .cache = &work->cache, .watch = &work->watch,
		.vm = work->call->vm, .folder = work->folder, .id = volume->id,
		.read_only = volume->read_only, .mib = volume->size_mb,
	};
	struct fl_volume_made made = { 0 };
	struct fl_existing existing;
	int rc = fl_existing_find(work->call->record, &call, &existing, err);

	if (rc == 0 && existing.backend && existing.backend != &fl_backend_file)
		rc = fl_err_set(err, FL_ERR_PRECONDITION, "it was made from an image and holds data; put the "
				"spec back, or make the microVM anew (fl down, fl up)");
	if (rc == 0)
		rc = fl_existing_check(&call, &existing, &call.mib, err);
	rc = rc < 0 ? -1 : fl_raw_make(&call, volume->file, &made, err);
	if (rc == 0)
		rc = fl_existing_grow(&call, &existing, err);
	if (rc == 0 && volume->mount_point && !made.has_uuid)
		rc = fl_err_set(err, FL_ERR_INVALID, "%s: is no ext4, so that it cannot be mounted at %s; "
				"leave the mount point out, and mount it in the guest", volume->file,
				volume->mount_point);
	if (rc == 0)
		note_volume(work, &call, fl_backend_file.name, &made, size_now(call.mib, 0, &existing));
	made_finish(&made);
	return rc < 0 ? fl_err_prefix(err, "volume %s", call.id) : 0;
}

static int make_volume(struct work *work, const struct fl_volume *volume, struct fl_err *err)
{
	fl_cleanup_image struct fl_image image = { 0 };
	struct fl_volume_call call = {
		.site = &work->site, .cache = &work->cache, .watch = &work->watch,
		.vm = work->call->vm, .folder = work->folder, .id = volume->id,
		.read_only = volume->read_only, .image = &image, .mib = volume->size_mb,
		.others = fl_json_get(work->made, "volumes"),
	};

	if (image_of(work, volume->image, &image, err) < 0)
		return -1;
	return make_or_find(work, &call, err);
}

static int make_all(struct work *work, struct fl_err *err)
{
	const struct fl_spec *spec = &work->call->spec;

	if (make_file(work, "kernel", spec->kernel_image, spec->kernel_file, err) < 0)
		return fl_err_prefix(err, "kernel");
	if (spec->initrd_image &&
	    make_file(work, "initrd", spec->initrd_image, spec->initrd_file, err) < 0)
		return fl_err_prefix(err, "initrd");
	for (size_t i = 0; i < spec->volume_count; i++) {
		const struct fl_volume *volume = &spec->volumes[i];

		if ((volume->image && make_volume(work, volume, err) < 0) ||
		    (volume->file && make_from_file(work, volume, err) < 0))
			return -1;
	}
	return 0;
}

/* Before disks are made for a microVM that is not going to run; one that does is left in peace. */
static int check_shares(const struct fl_step_call *call, struct fl_err *err)
{
	const struct fl_spec *spec = &call->spec;

	if (fl_vm_is_supervised(call->vm))
		return 0;
	for (size_t i = 0; i < spec->volume_count; i++) {
		const struct fl_volume *volume = &spec->volumes[i];
		fl_cleanup_free char *folder =
			volume->virtiofs ? fl_share_resolve(volume->virtiofs, err) : NULL;

		if (volume->virtiofs && !folder)
			return fl_err_prefix(err, "volume %s", volume->id);
	}
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

int fl_volumes_open(const struct fl_vm *vm, struct fl_err *err)
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

/* Nothing that is made or found is garbage before the record has it. */
static int make_and_note(struct work *work, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_store_lock(&work->cache.store, false, err);

	if (lock < 0 || make_all(work, err) < 0)
		return -1;
	return fl_vm_change(work->call->vm, FL_SAVE_PLAIN, put_made, work->made, err);
}

int fl_volumes_up(struct fl_step_call *call, struct fl_err *err)
{
	fl_cleanup_json fl_json *made = fl_json_new_object();
	struct fl_progress bar;
	struct work work = { .call = call, .made = made,
			     .watch = { call->cancel, fl_progress_update, &bar } };
	int rc = fl_backend_site(call->args, &work.site, err);

	if (rc < 0 || check_shares(call, err) < 0 ||
	    fl_progress_start(&bar, "layers into a disk", call->args, err) < 0)
		return -1;
	work.site.state_dir = call->vm->state->dir;
	rc = fl_cache_open(&work.cache, call->vm->state->dir, err);
	rc = rc < 0 ? -1 : fl_limits_take(call->args, &work.cache.limits, err);
	work.folder = rc < 0 ? -1 : fl_volumes_open(call->vm, err);
	rc = work.folder < 0 ? -1 : make_and_note(&work, err);
	fl_progress_end(&bar);
	if (work.folder >= 0)
		close(work.folder);
	if (rc == 0)
		fl_cache_settle_later(&work.cache);
	fl_cache_close(&work.cache);
	return rc;
}

int fl_volumes_down(struct fl_step_call *call, struct fl_err *err)
{
	struct fl_site site = { .state_dir = call->vm->state->dir };

	/* A guest that still writes keeps its disks. */
	if (fl_vm_is_supervised(call->vm))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "%s/%s: still runs; \"fl-run down\" comes first",
				  call->vm->name_space, call->vm->name);
	for (size_t i = 0; fl_backends[i]; i++)
		if (fl_backends[i]->remove && fl_backends[i]->remove(&site, call->vm, err) < 0)
			return -1;
	return 0;
}

static int plan_volume(struct fl_site *site, const struct fl_volume *volume,
		       struct fl_str *out, struct fl_err *err)
{
	const struct fl_backend *backend = fl_backend_choose(site, err);

	if (!backend)
		return -1;
	fl_str_addf(out, "# volume %s: ", volume->id);
	if (backend->plan(site, volume->read_only, out, err) < 0)
		return -1;
	fl_str_addf(out, " base of %s", volume->image);
	if (volume->size_mb)
		fl_str_addf(out, ", %u MiB", volume->size_mb);
	fl_str_add(out, "\n");
	return 0;
}

int fl_volumes_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	const struct fl_spec *spec = &call->spec;
	struct fl_site site;

	if (fl_backend_site(call->args, &site, err) < 0)
		return -1;
	fl_str_addf(out, "# files/<sha256>: %s out of %s\n", spec->kernel_file, spec->kernel_image);
	if (spec->initrd_image)
		fl_str_addf(out, "# files/<sha256>: %s out of %s\n", spec->initrd_file,
			    spec->initrd_image);
	for (size_t i = 0; i < spec->volume_count; i++) {
		const struct fl_volume *volume = &spec->volumes[i];

		if (volume->file)
			fl_str_addf(out, "# volume %s: a copy of %s\n", volume->id, volume->file);
		if (volume->image && plan_volume(&site, volume, out, err) < 0)
			return -1;
	}
	return 0;
}
