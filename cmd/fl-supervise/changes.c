/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/changes.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int open_signal(int dirfd)
{
	int number = SIGRTMIN;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || fcntl(dirfd, F_SETSIG, number) < 0 ||
	    fcntl(dirfd, F_NOTIFY, DN_RENAME | DN_DELETE | DN_MULTISHOT) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* For kernels without dnotify. */
static int open_inotify(const char *path)
{
	fl_cleanup_close int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, path, IN_MOVED_TO | IN_DELETE) < 0)
		return -1;
	return fl_steal_fd(&fd);
}

int fl_changes_open(int dirfd, const char *path, struct fl_err *err)
{
	int fd = open_signal(dirfd);

	if (fd < 0)
		fd = open_inotify(path);
	return fd < 0 ? fl_err_errno(err, errno, "%s: cannot be watched", path) : fd;
}

void fl_changes_drain(int changes)
{
	char what[4096];

	while (read(changes, what, sizeof(what)) > 0)
		;
}
