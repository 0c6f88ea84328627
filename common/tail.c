/* SPDX-License-Identifier: MPL-2.0 */
#include "common/tail.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static int open_file(const struct fl_tail *tail, const char *name)
{
	return name ? openat(tail->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
}

int fl_tail_open(struct fl_tail *tail, int dirfd, const char *path, const char *name,
		 const char *older, struct fl_err *err)
{
	*tail = (struct fl_tail)FL_TAIL_INIT;
	tail->dirfd = dirfd;
	tail->name = name;
	tail->older = older;
	if (path)
		tail->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* A process that ends closes its lock, which its readers want to know too. */
	if (path &&
	    (tail->inotify < 0 ||
	     inotify_add_watch(tail->inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE |
						    IN_CLOSE_WRITE) < 0))
		return fl_err_errno(err, errno, "%s: cannot be watched", path);
	tail->fd = open_file(tail, older);
	if (tail->fd < 0)
		tail->fd = open_file(tail, name);
	return 0;
}

void fl_tail_finish(struct fl_tail *tail)
{
	if (tail->fd >= 0)
		close(tail->fd);
	if (tail->inotify >= 0)
		close(tail->inotify);
	*tail = (struct fl_tail)FL_TAIL_INIT;
}

static void replace(struct fl_tail *tail, int fd)
{
	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = fd;
}

/* Moves to so many bytes before the end of fd; how many are there at most. */
static uint64_t seek_end(int fd, uint64_t bytes)
{
	struct stat st;
	uint64_t size = fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;

	if (size)
		lseek(fd, (off_t)(size > bytes ? size - bytes : 0), SEEK_SET);
	return size < bytes ? size : bytes;
}

void fl_tail_seek_back(struct fl_tail *tail, uint64_t bytes)
{
	int now = open_file(tail, tail->name);
	uint64_t have = seek_end(now, bytes);
	int before = have < bytes ? open_file(tail, tail->older) : -1;

	if (before >= 0) {
		seek_end(before, bytes - have);
		close(now);
	}
	replace(tail, before >= 0 ? before : now);
}

static bool is_same(int fd, const struct fl_tail *tail, const char *name)
{
	struct stat mine, named;

	return fd >= 0 && name && fstat(fd, &mine) == 0 &&
	       fstatat(tail->dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* What follows the file that was read to its end: the present one, or, when it was rotated
 * twice meanwhile, the older one. False when there is none yet. */
static bool go_on(struct fl_tail *tail)
{
	int next;

	if (is_same(tail->fd, tail, tail->name))
		return false;
	next = tail->fd < 0 || is_same(tail->fd, tail, tail->older) ? open_file(tail, tail->name)
								     : open_file(tail, tail->older);
	if (next < 0 && tail->fd >= 0)
		next = open_file(tail, tail->name);
	if (next < 0)
		return false;
	replace(tail, next);
	return true;
}

static void forget_wakeups(const struct fl_tail *tail)
{
	char events[4096];

	while (read(tail->inotify, events, sizeof(events)) > 0)
		;
}

ssize_t fl_tail_read(struct fl_tail *tail, void *data, size_t size)
{
	ssize_t got = tail->fd >= 0 ? read(tail->fd, data, size) : 0;

	if (got > 0)
		return got;
	/* What is written from here on wakes again. Its last bytes came before its rename. */
	forget_wakeups(tail);
	do {
		got = tail->fd >= 0 ? read(tail->fd, data, size) : 0;
		if (got > 0)
			return got;
	} while (go_on(tail));
	return 0;
}
