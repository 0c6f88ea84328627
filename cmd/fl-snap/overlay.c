/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Volumes as qcow2 files that hold what differs from their base: there at once where the file system
 * cannot share blocks, for VMMs that take them. The base is part of such a disk.
 */
#include "cmd/fl-snap/backend.h"
#include "cmd/fl-snap/qcow2.h"
#include "cmd/fl-snap/uuid.h"
#include "common/alloc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char *name_of(const struct fl_volume_call *call)
{
	return fl_asprintf("%s.qcow2", call->id);
}

static int has(const struct fl_volume_call *call, struct fl_err *err)
{
	fl_cleanup_free char *name = name_of(call);

	return fl_backend_has_file(call, name, err);
}

static int fill(int fd, int below, const char *name, const struct fl_volume_made *made,
		struct fl_err *err)
{
	struct stat st;
	struct fl_qcow2 *disk;
	int rc;

	if (fstat(below, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be looked at", made->base);
	disk = fl_qcow2_begin(fd, name, below, (uint64_t)st.st_size);
	rc = fl_ext4_put_uuid(below, made->base, made->uuid.byte, fl_qcow2_put, disk, err);
	rc = rc < 0 ? -1 : fl_qcow2_end(disk, made->base, err);
	fl_qcow2_destroy(disk);
	return rc;
}

static int create(const struct fl_volume_call *call, const char *name,
		  const struct fl_volume_made *made, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_close int below = open(made->base, O_RDONLY | O_CLOEXEC);

	if (below < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", made->base);
	if (fl_atomic_open(&file, call->folder, name, 0600, err) < 0 ||
	    fill(file.fd, below, name, made, err) < 0)
		return -1;
	return fl_atomic_publish(&file, true, err);
}

/* Caller frees; NULL with err. */
static char *below_of(const struct fl_volume_call *call, const char *name, struct fl_err *err)
{
	fl_cleanup_close int fd = openat(call->folder, name, O_RDONLY | O_CLOEXEC);
	char *below = NULL;

	if (fd < 0)
		fl_err_errno(err, errno, "%s: cannot be opened", name);
	else
		fl_qcow2_below(fd, name, &below, err);
	return below;
}

/* The base that the disk leads to: the image's, which a power loss may have torn, and which is built
 * again then, to the same bytes; or one that another version built, as long as it is whole. A disk that
 * the record does not know yet may have been made of what the spec said before. */
static int find_base(const struct fl_volume_call *call, const char *name, struct fl_volume_made *made,
		     struct fl_err *err)
{
	fl_cleanup_free char *base = fl_cache_base_path(call->cache, call->image, call->mib);
	fl_cleanup_free char *below = below_of(call, name, err);

	if (!below)
		return -1;
	if (strcmp(below, base) == 0)
		return fl_cache_base(call->cache, call->image, call->mib, call->watch, &made->base, err);
	if (fl_cache_has_other_base(call->cache, call->image, call->mib, below)) {
		made->base = fl_steal(&below);
		return 0;
	}
	return fl_err_set(err, FL_ERR_PRECONDITION, "its disk leads to %s, not to %s; put the spec, or the "
			  "state folder, back, or make the microVM anew (fl down, fl up)", below, base);
}

/* What is only read is shared as it is. */
static int make(const struct fl_volume_call *call, struct fl_volume_made *made, struct fl_err *err)
{
	fl_cleanup_free char *name = name_of(call);
	int there = has(call, err), rc;

	if (there < 0)
		return -1;
	if (!there && call->read_only)
		return fl_backend_file.make(call, made, err);
	rc = there ? find_base(call, name, made, err)
		   : fl_cache_base(call->cache, call->image, call->mib, call->watch, &made->base, err);
	if (rc < 0)
		return -1;
	fl_uuid_of(call->vm->uid, call->id, &made->uuid);
	made->has_uuid = true;
	made->format = "qcow2";
	made->path = fl_asprintf("%s/" FL_VOLUMES_FOLDER "/%s", call->vm->path, name);
	return there ? 0 : create(call, name, made, err);
}

/* A VMM that has it open makes it larger itself, and nobody else may. */
static int grow(const struct fl_volume_call *call, uint64_t size, struct fl_err *err)
{
	fl_cleanup_free char *name = name_of(call);
	fl_cleanup_close int fd = openat(call->folder, name, O_RDWR | O_CLOEXEC);
	uint64_t now;

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", name);
	if (fl_qcow2_size(fd, name, &now, err) < 0 ||
	    fl_backend_check_growth(call, now, size, err) < 0)
		return -1;
	return fl_vm_is_supervised(call->vm) ? 0 : fl_qcow2_grow(fd, name, size, err);
}

static int plan(const struct fl_site *site, bool read_only, struct fl_str *out, struct fl_err *err)
{
	(void)site;
	(void)err;
	fl_str_add(out, read_only ? "the shared" : "a qcow2 disk over the");
	return 0;
}

static int status(const struct fl_site *site, struct fl_table *table, struct fl_err *err)
{
	/* The place is that of files. */
	return strcmp(site->backend, "auto") == 0 ? 0 : fl_backend_file.status(site, table, err);
}

/* Its files are in the folder that goes with those of "file", and so are its bases. */
const struct fl_backend fl_backend_qcow2 = {
	.name = "qcow2",
	.vmm_grows = true,
	.has = has,
	.make = make,
	.grow = grow,
	.plan = plan,
	.status = status,
};
