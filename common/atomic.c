/* SPDX-License-Identifier: MPL-2.0 */
#include "common/atomic.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define ASIDE ".new-"

static char *aside_name(const char *name)
{
	unsigned long long random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		abort();
	return fl_asprintf(ASIDE "%016llx-%.180s", random, name);
}

/* A new file under its aside name, locked; a sweeper that came between making and locking
 * it has taken its name away: then once more. */
static int open_aside(struct fl_atomic *file, mode_t mode)
{
	struct stat st = { 0 };

	do {
		if (file->fd >= 0)
			close(file->fd);
		free(file->aside);
		file->aside = aside_name(file->name);
		file->fd = openat(file->dirfd, file->aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
				  mode);
		if (file->fd < 0)
			return -1;
		flock(file->fd, LOCK_EX | LOCK_NB);
	} while (fstat(file->fd, &st) == 0 && st.st_nlink == 0);
	return 0;
}

int fl_atomic_open(struct fl_atomic *file, int dirfd, const char *name, mode_t mode,
		   struct fl_err *err)
{
	*file = (struct fl_atomic){ .dirfd = dirfd, .fd = -1 };
	file->name = fl_strdup(name);
	if (open_aside(file, mode) < 0) {
		int saved = errno;
		free(fl_steal(&file->aside));
		return fl_err_errno(err, saved, "%s: cannot be written", name);
	}
	fchmod(file->fd, mode);
	return 0;
}

/* What a name may stand for that is given to a file: publishing replaces whatever has it, which for
 * root may be a disk, /dev/null, or the link /dev/stdout that the whole host has. */
static int check_target(const char *path, struct fl_err *err)
{
	char link[8];
	struct stat st;

	if (strcmp(path, "-") == 0)
		return fl_err_set(err, FL_ERR_USAGE, "-: standard output is not written to here; "
						     "a file of this name is ./-");
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return fl_err_set(err, FL_ERR_EXISTS, "%s: is %s, which is not replaced by a file", path,
				  S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
	if (readlink(path, link, sizeof(link)) >= 6 && strncmp(link, "/proc/", 6) == 0)
		return fl_err_set(err, FL_ERR_EXISTS, "%s: leads to what a process has open; name the "
						      "file itself", path);
	return 0;
}

int fl_atomic_open_path(struct fl_atomic *file, const char *path, mode_t mode, struct fl_err *err)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *folder = slash ? fl_strndup(path, (size_t)(slash - path) + 1)
					     : fl_strdup(".");
	int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*file = (struct fl_atomic)FL_ATOMIC_INIT;
	if (dirfd < 0)
		return fl_err_errno(err, errno, "%s: its folder cannot be opened", path);
	if (check_target(path, err) < 0 ||
	    fl_atomic_open(file, dirfd, slash ? slash + 1 : path, mode, err) < 0) {
		close(dirfd);
		file->dirfd = -1;
		return -1;
	}
	file->owns_dirfd = true;
	return 0;
}

int fl_atomic_sync(struct fl_atomic *file, struct fl_err *err)
{
	if (fsync(file->fd) < 0)
		return fl_err_errno(err, errno, "%s: cannot be put on disk", file->name);
	file->synced = true;
	return 0;
}

int fl_atomic_publish(struct fl_atomic *file, bool sync, struct fl_err *err)
{
	if (sync && !file->synced && fl_atomic_sync(file, err) < 0)
		return -1;
	if (renameat(file->dirfd, file->aside, file->dirfd, file->name) < 0)
		return fl_err_errno(err, errno, "%s: cannot be published", file->name);
	free(fl_steal(&file->aside));
	if (sync && fsync(file->dirfd) < 0)
		return fl_err_errno(err, errno, "%s: its folder cannot be put on disk", file->name);
	return 0;
}

void fl_atomic_finish(struct fl_atomic *file)
{
	int saved = errno;

	if (file->aside)
		unlinkat(file->dirfd, file->aside, 0);
	if (file->fd >= 0)
		close(file->fd);
	if (file->owns_dirfd)
		close(file->dirfd);
	free(file->name);
	free(file->aside);
	*file = (struct fl_atomic)FL_ATOMIC_INIT;
	errno = saved;
}

int fl_atomic_write(int dirfd, const char *name, mode_t mode, const void *data, size_t size,
		    bool sync, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	if (fl_atomic_open(&file, dirfd, name, mode, err) < 0 ||
	    fl_io_write(file.fd, data, size, name, err) < 0)
		return -1;
	return fl_atomic_publish(&file, sync, err);
}

static void sweep_one(int dirfd, const char *name)
{
	fl_cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(dirfd, name, 0);
}

void fl_atomic_sweep(int dirfd)
{
	int again = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (fl_str_starts(entry->d_name, ASIDE))
			sweep_one(dirfd, entry->d_name);
}
