/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/raw.h"

#include "cmd/fl-snap/copy.h"
#include "cmd/fl-snap/uuid.h"
#include "common/alloc.h"

#include <fcntl.h>
#include <sys/stat.h>

#define MIB ((off_t)1 << 20)
#define SECTOR 512

/* The size of the volume; -1. */
static off_t size_of(const struct fl_volume_call *call, int from, const char *path,
		     struct fl_err *err)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be looked at", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return fl_err_set(err, FL_ERR_INVALID, "%s: a volume is made out of a file that holds a "
				  "disk; this one is %s", path, S_ISREG(st.st_mode) ? "empty" : "none");
	if (call->mib && (off_t)call->mib * MIB < st.st_size)
		return fl_err_set(err, FL_ERR_INVALID, "%s: has %lld bytes, more than the volume's size "
				  "of %llu MiB", path, (long long)st.st_size,
				  (unsigned long long)call->mib);
	/* VMMs count in sectors. */
	return call->mib ? (off_t)call->mib * MIB : (st.st_size + SECTOR - 1) / SECTOR * SECTOR;
}

static int copy(const struct fl_volume_call *call, const char *path, const char *name,
		struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_close int from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	off_t size = from < 0 ? fl_err_errno(err, errno, "%s: cannot be opened", path)
			      : size_of(call, from, path, err);
	enum fl_copy_kind how;

	if (size < 0 || fl_atomic_open(&file, call->folder, name, 0600, err) < 0 ||
	    fl_copy_file(from, file.fd, name, call->watch->cancel, &how, err) < 0)
		return -1;
	if (ftruncate(file.fd, size) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made as large", name);
	return fl_atomic_publish(&file, false, err);
}

/* What it was made from is in the record. */
static int check_same(const struct fl_volume_call *call, const char *path, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(call->vm, err);
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s.base", call->id);
	const char *was = fl_json_text(fl_json_at(record, at));

	if (!record)
		return -1;
	if (!was || fl_str_equal(was, path))
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "it was made from %s and holds data; put the spec "
			  "back, or make the microVM anew (fl down, fl up)", was);
}

int fl_raw_make(const struct fl_volume_call *call, const char *path, struct fl_volume_made *made,
		struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("%s.img", call->id);
	fl_cleanup_close int fd = openat(call->folder, name, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 ? check_same(call, path, err) < 0 : copy(call, path, name, err) < 0)
		return -1;
	if (fd < 0)
		fd = openat(call->folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", name);
	made->path = fl_asprintf("%s/" FL_VOLUMES_FOLDER "/%s", call->vm->path, name);
	made->base = fl_strdup(path);
	made->has_uuid = fl_ext4_get_uuid(fd, made->uuid.byte);
	return 0;
}
