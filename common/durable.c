/* SPDX-License-Identifier: MPL-2.0 */
#include "common/durable.h"

#include "common/alloc.h"
#include "common/boot.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PENDING ".pending"
#define MOST_INHERITED 256 /* descriptors of a program that settles */

static int open_pending(int dirfd, struct fl_err *err)
{
	int fd;

	if (mkdirat(dirfd, PENDING, 0755) < 0 && errno != EEXIST)
		return fl_err_errno(err, errno, PENDING ": folder cannot be made");
	fd = openat(dirfd, PENDING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fl_err_errno(err, errno, PENDING ": cannot be opened") : fd;
}

/* 1 good, 0 absent or of another boot. */
static int judge(int dirfd, const char *name)
{
	fl_cleanup_free char *mark = fl_asprintf(PENDING "/%s", name);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char boot[FL_BOOT_ID_TEXT];

	if (faccessat(dirfd, name, F_OK, 0) < 0)
		return 0;
	if (faccessat(dirfd, mark, F_OK, 0) < 0)
		return 1;
	fl_boot_id(boot);
	return fl_io_read_file(dirfd, mark, 256, &text, NULL) == 0 &&
	       fl_str_equal(text.data, boot);
}

bool fl_durable_is_good(int dirfd, const char *name)
{
	return judge(dirfd, name) == 1;
}

static int take_lock(int pending, const char *name, bool wait, const struct fl_cancel *cancel,
		     struct fl_err *err)
{
	struct fl_err why;

	for (;;) {
		int lock = fl_lock_file(pending, name, FL_LOCK_EXCLUSIVE, wait ? 100 : 0, &why);
		if (lock >= 0)
			return lock;
		if (!wait || (why.kind != FL_ERR_BUSY && why.kind != FL_ERR_INTERRUPTED)) {
			if (err)
				*err = why;
			return -1;
		}
		if (fl_cancel_check(cancel, err) < 0)
			return -1;
	}
}

int fl_durable_begin(struct fl_durable *durable, int dirfd, const char *name, bool wait,
		     const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_close int pending = -1;

	*durable = (struct fl_durable){ .dirfd = dirfd, .lock = -1, .name = fl_strdup(name) };
	if (judge(dirfd, name) == 1)
		return 1;
	pending = open_pending(dirfd, err);
	if (pending < 0)
		return -1;
	durable->lock = take_lock(pending, name, wait, cancel, err);
	if (durable->lock < 0)
		return -1;
	/* Another may have made it while this one waited. */
	if (judge(dirfd, name) == 1)
		return 1;
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be replaced", name);
	return 0;
}

int fl_durable_publish(struct fl_durable *durable, struct fl_atomic *file, struct fl_err *err)
{
	char boot[FL_BOOT_ID_TEXT];

	fl_boot_id(boot);
	if (ftruncate(durable->lock, 0) < 0)
		return fl_err_errno(err, errno, "%s: its mark cannot be written", durable->name);
	if (fl_io_pwrite(durable->lock, boot, strlen(boot), 0, durable->name, err) < 0)
		return -1;
	sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return fl_atomic_publish(file, false, err);
}

void fl_durable_finish(struct fl_durable *durable)
{
	int saved = errno;

	/* Made in vain: without the file its mark is of no use. */
	if (durable->lock >= 0 && faccessat(durable->dirfd, durable->name, F_OK, 0) < 0) {
		fl_cleanup_free char *mark = fl_asprintf(PENDING "/%s", durable->name);
		unlinkat(durable->dirfd, mark, 0);
	}
	if (durable->lock >= 0)
		close(durable->lock);
	free(durable->name);
	*durable = (struct fl_durable)FL_DURABLE_INIT;
	errno = saved;
}

int fl_durable_settle(int dirfd, const char *name, struct fl_err *err)
{
	fl_cleanup_free char *mark = fl_asprintf(PENDING "/%s", name);
	fl_cleanup_close int fd = -1, lock = -1;

	if (faccessat(dirfd, mark, F_OK, 0) < 0)
		return 0;
	lock = fl_lock_file(dirfd, mark, FL_LOCK_EXCLUSIVE, 0, err);
	if (lock < 0 || judge(dirfd, name) != 1)
		return lock < 0 ? -1 : 0;
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0 || fsync(dirfd) < 0)
		return fl_err_errno(err, errno, "%s: cannot be put on disk", name);
	unlinkat(dirfd, mark, 0);
	return 0;
}

/* What waits in the folder; false when nothing does. */
static bool each_pending(int dirfd, bool settle)
{
	int pending = openat(dirfd, PENDING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = pending < 0 ? NULL : fdopendir(pending);
	struct dirent *entry;
	bool any = false;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		any = true;
		if (settle)
			fl_durable_settle(dirfd, entry->d_name, NULL);
	}
	return any;
}

static bool is_among(int fd, const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

static FL_NORETURN void settle_all(const int *dirfds, size_t count)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Whoever reads our output, or waits for a lock of ours, must not wait for this one. */
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < MOST_INHERITED; fd++)
		if (!is_among(fd, dirfds, count))
			close(fd);
	setsid();
	for (size_t i = 0; i < count; i++)
		each_pending(dirfds[i], true);
	_exit(0);
}

void fl_durable_settle_later(const int *dirfds, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= each_pending(dirfds[i], false);
	if (any && fork() == 0)
		settle_all(dirfds, count);
}
