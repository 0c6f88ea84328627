/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/fill.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define AT_ONCE (4u << 20)
#define ALIGNMENT 4096

/* The next run of blocks with data from *at on: [*at, *end). 1; 0 at the end; -1. */
static int next_run(int from, uint64_t block, uint64_t *at, uint64_t *end, struct fl_err *err)
{
	off_t data = lseek(from, (off_t)*at, SEEK_DATA), hole;

	if (data < 0)
		return errno == ENXIO ? 0 : fl_err_errno(err, errno, "a base cannot be read");
	hole = lseek(from, data, SEEK_HOLE);
	if (hole < 0)
		return fl_err_errno(err, errno, "a base cannot be read");
	if (*at < (uint64_t)data / block * block)
		*at = (uint64_t)data / block * block;
	*end = ((uint64_t)hole + block - 1) / block * block;
	return 1;
}

int fl_fill_measure(int from, uint64_t block, uint64_t *bytes, struct fl_err *err)
{
	uint64_t at = 0, end = 0;
	int rc;

	for (*bytes = 0; (rc = next_run(from, block, &at, &end, err)) > 0; at = end)
		*bytes += end - at;
	return rc;
}

/* Of size bytes at data, the ones up to the next block of the other kind. */
static size_t same_kind(const char *data, size_t size, uint64_t block, bool *zero)
{
	size_t len = size < block ? size : (size_t)block;

	*zero = fl_io_is_zero(data, len);
	while (len < size) {
		size_t more = size - len < block ? size - len : (size_t)block;

		if (fl_io_is_zero(data + len, more) != *zero)
			break;
		len += more;
	}
	return len;
}

struct fill {
	int from, to;
	const char *device;
	uint64_t block, size; /* size: of the file, and of the device */
	char *buffer;
	size_t room;
	uint64_t written;
};

static int write_blocks(struct fill *fill, const char *data, size_t size, uint64_t at,
			struct fl_err *err)
{
	while (size) {
		bool zero;
		size_t len = same_kind(data, size, fill->block, &zero);

		if (!zero && fl_io_pwrite(fill->to, data, len, at, fill->device, err) < 0)
			return -1;
		fill->written += zero ? 0 : len;
		data += len;
		at += len;
		size -= len;
	}
	return 0;
}

static int copy_run(struct fill *fill, uint64_t at, uint64_t end, const struct fl_cancel *cancel,
		    struct fl_err *err)
{
	if (end > fill->size)
		end = fill->size;
	while (at < end) {
		size_t len = end - at < fill->room ? (size_t)(end - at) : fill->room;

		if (fl_cancel_check(cancel, err) < 0 ||
		    fl_io_pread(fill->from, fill->buffer, len, at, fill->device, err) < 0 ||
		    write_blocks(fill, fill->buffer, len, at, err) < 0)
			return -1;
		at += len;
	}
	return 0;
}

static int copy_all(struct fill *fill, const struct fl_cancel *cancel, struct fl_err *err)
{
	uint64_t at = 0, end = 0;
	int rc;

	while ((rc = next_run(fill->from, fill->block, &at, &end, err)) > 0) {
		if (copy_run(fill, at, end, cancel, err) < 0)
			return -1;
		at = end;
	}
	if (rc == 0 && fsync(fill->to) < 0)
		return fl_err_errno(err, errno, "%s: cannot be put on disk", fill->device);
	return rc;
}

int fl_fill(int from, const char *device, uint64_t block, const struct fl_cancel *cancel,
	    uint64_t *written, struct fl_err *err)
{
	/* Past the page cache: what is written is read through other devices. */
	fl_cleanup_close int to = open(device, O_WRONLY | O_DIRECT | O_CLOEXEC);
	fl_cleanup_free char *buffer = NULL;
	struct fill fill = { .from = from, .to = to, .device = device, .block = block };
	struct stat st;

	if (to < 0 || fstat(from, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", device);
	fill.size = (uint64_t)st.st_size;
	fill.room = (size_t)(block > AT_ONCE ? block : AT_ONCE / block * block);
	buffer = aligned_alloc(ALIGNMENT, fill.room);
	if (!buffer)
		return fl_err_errno(err, ENOMEM, "%s: no memory to copy with", device);
	fill.buffer = buffer;
	if (copy_all(&fill, cancel, err) < 0)
		return -1;
	*written = fill.written;
	return 0;
}
