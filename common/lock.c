/* SPDX-License-Identifier: MPL-2.0 */
#include "common/lock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

static int busy(const char *name, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_BUSY, "%s: another process holds the lock", name);
}

/* flock has no deadline of its own: between tries it naps, longer each time. */
static int lock_until(int fd, int operation, int timeout_ms, const char *name, struct fl_err *err)
{
	for (int waited = 0, nap = 1; flock(fd, operation | LOCK_NB) < 0; waited += nap) {
		if (errno == EINTR)
			return fl_err_set(err, FL_ERR_INTERRUPTED, "%s: interrupted", name);
		if (errno != EWOULDBLOCK)
			return fl_err_errno(err, errno, "%s: cannot be locked", name);
		if (waited >= timeout_ms)
			return busy(name, err);
		nap = nap < 20 ? nap * 2 : 20;
		if (nanosleep(&(struct timespec){ .tv_nsec = nap * 1000000L }, NULL) < 0)
			return fl_err_set(err, FL_ERR_INTERRUPTED, "%s: interrupted", name);
	}
	return 0;
}

int fl_lock_fd(int fd, const char *name, enum fl_lock_mode mode, int timeout_ms,
	       struct fl_err *err)
{
	int operation = mode == FL_LOCK_SHARED ? LOCK_SH : LOCK_EX;

	if (timeout_ms >= 0)
		return lock_until(fd, operation, timeout_ms, name, err);
	if (flock(fd, operation) == 0)
		return 0;
	if (errno == EINTR)
		return fl_err_set(err, FL_ERR_INTERRUPTED, "%s: interrupted", name);
	return fl_err_errno(err, errno, "%s: cannot be locked", name);
}

static bool still_named(int fd, int dirfd, const char *name)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && fstatat(dirfd, name, &named, 0) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

int fl_lock_file(int dirfd, const char *name, enum fl_lock_mode mode, int timeout_ms,
		 struct fl_err *err)
{
	for (;;) {
		fl_cleanup_close int fd =
			openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return fl_err_errno(err, errno, "%s: cannot be opened", name);
		if (fl_lock_fd(fd, name, mode, timeout_ms, err) < 0)
			return -1;
		if (still_named(fd, dirfd, name))
			return fl_steal_fd(&fd);
	}
}
