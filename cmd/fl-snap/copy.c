/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/copy.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define AT_ONCE (16 << 20)

static int by_hand(int from, int to, off_t at, off_t end, const char *name, struct fl_err *err)
{
	fl_cleanup_free char *buffer = fl_alloc(1 << 20);

	while (at < end) {
		size_t size = end - at < 1 << 20 ? (size_t)(end - at) : 1 << 20;

		if (fl_io_pread(from, buffer, size, (uint64_t)at, name, err) < 0 ||
		    fl_io_pwrite(to, buffer, size, (uint64_t)at, name, err) < 0)
			return -1;
		at += (off_t)size;
	}
	return 0;
}

/* One run of data. Where the kernel cannot copy between the two, it is done by hand. */
static int copy_run(int from, int to, off_t at, off_t end, const char *name,
		    const struct fl_cancel *cancel, struct fl_err *err)
{
	off_t out = at;

	while (at < end) {
		size_t size = end - at < AT_ONCE ? (size_t)(end - at) : AT_ONCE;
		ssize_t done;

		if (fl_cancel_check(cancel, err) < 0)
			return -1;
		done = copy_file_range(from, &at, to, &out, size, 0);
		if (done == 0 || (done < 0 && (errno == EXDEV || errno == EINVAL ||
					       errno == EOPNOTSUPP || errno == ENOSYS)))
			return by_hand(from, to, at, end, name, err);
		if (done < 0 && errno != EINTR)
			return fl_err_errno(err, errno, "%s: cannot be copied", name);
	}
	return 0;
}

int fl_copy_file(int from, int to, const char *name, const struct fl_cancel *cancel,
		 enum fl_copy_kind *how, struct fl_err *err)
{
	struct stat st;
	off_t data = 0, hole;

	*how = FL_COPY_REFLINK;
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	*how = FL_COPY_SPARSE;
	if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made that large", name);
	while ((data = lseek(from, data, SEEK_DATA)) >= 0) {
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return fl_err_errno(err, errno, "%s: cannot be read", name);
		if (copy_run(from, to, data, hole, name, cancel, err) < 0)
			return -1;
		data = hole;
	}
	/* ENXIO: no data behind. */
	return errno == ENXIO ? 0 : fl_err_errno(err, errno, "%s: cannot be read", name);
}
