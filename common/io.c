/* SPDX-License-Identifier: MPL-2.0 */
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int fl_io_write(int fd, const void *data, size_t size, const char *name, struct fl_err *err)
{
	const char *at = data;

	while (size) {
		ssize_t done = write(fd, at, size);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fl_err_errno(err, errno, "%s: cannot be written", name);
		at += done;
		size -= done;
	}
	return 0;
}

int fl_io_pwrite(int fd, const void *data, size_t size, uint64_t offset, const char *name,
		 struct fl_err *err)
{
	const char *at = data;

	while (size) {
		ssize_t done = pwrite(fd, at, size, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fl_err_errno(err, errno, "%s: cannot be written", name);
		at += done;
		offset += done;
		size -= done;
	}
	return 0;
}

int fl_io_pread(int fd, void *data, size_t size, uint64_t offset, const char *name,
		struct fl_err *err)
{
	char *at = data;

	while (size) {
		ssize_t done = pread(fd, at, size, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fl_err_errno(err, errno, "%s: cannot be read", name);
		if (done == 0)
			return fl_err_set(err, FL_ERR_CORRUPT, "%s: ends too early", name);
		at += done;
		offset += done;
		size -= done;
	}
	return 0;
}

bool fl_io_is_zero(const void *data, size_t size)
{
	const char *bytes = data;

	return !bytes[0] && memcmp(bytes, bytes + 1, size - 1) == 0;
}

int fl_io_make_empty(int fd, const char *name, struct fl_err *err)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size == 0)
		return 0;
	return ftruncate(fd, 0) < 0 ? fl_err_errno(err, errno, "%s: cannot be written", name) : 0;
}

/* A file's size and a byte more, that its end is seen without another piece; 64 KiB of what has
 * no size, or a large one. */
static size_t piece_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < 1 << 16
		       ? (size_t)st.st_size + 1
		       : 1 << 16;
}

int fl_io_read_all(int fd, size_t limit, struct fl_str *text, const char *name,
		   struct fl_err *err)
{
	size_t total = 0, piece = piece_of(fd);

	for (;;) {
		size_t left = text->cap - text->len, want = left > 1 ? left - 1 : piece;
		ssize_t done = read(fd, fl_str_reserve(text, want), want);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fl_err_errno(err, errno, "%s: cannot be read", name);
		text->len += done;
		text->data[text->len] = 0;
		if (done == 0)
			return 0;
		total += done;
		if (total > limit)
			return fl_err_set(err, FL_ERR_INVALID, "%s: larger than %zu bytes",
					  name, limit);
	}
}

int fl_io_read_file(int dirfd, const char *path, size_t limit, struct fl_str *text,
		    struct fl_err *err)
{
	fl_cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	return fl_io_read_all(fd, limit, text, path, err);
}

int fl_io_write_existing(int dirfd, const char *path, const char *text, struct fl_err *err)
{
	fl_cleanup_close int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	return fl_io_write(fd, text, strlen(text), path, err);
}
