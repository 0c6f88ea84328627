/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/netns.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#define OWN "/proc/self/ns/net"

int fl_netns_open(const char *path, struct fl_err *err)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct statfs fs;

	if (fd < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	/* A plain file is left when a kill came between making and binding. */
	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no such network namespace", path);
	return fl_steal_fd(&fd);
}

bool fl_netns_exists(const char *path)
{
	fl_cleanup_close int fd = fl_netns_open(path, NULL);

	return fd >= 0;
}

/* Back where we came from; without that, all that follows would happen elsewhere. */
static int go_back(int own, struct fl_err *err)
{
	if (setns(own, CLONE_NEWNET) == 0)
		return 0;
	return fl_err_errno(err, errno, "the way back from a network namespace is cut");
}

static int bind_new(const char *path, struct fl_err *err)
{
	fl_cleanup_close int own = open(OWN, O_RDONLY | O_CLOEXEC);
	int errnum = 0;

	if (own < 0)
		return fl_err_errno(err, errno, OWN);
	if (unshare(CLONE_NEWNET) < 0)
		return fl_err_errno(err, errno, "%s: no network namespace can be made; CNI takes "
				    "CAP_SYS_ADMIN, as root has it", path);
	if (mount(OWN, path, "none", MS_BIND, NULL) < 0)
		errnum = errno;
	if (go_back(own, err) < 0)
		return -1;
	return errnum ? fl_err_errno(err, errnum, "%s: cannot be bound to a network namespace", path)
		      : 0;
}

int fl_netns_make(const char *path, struct fl_err *err)
{
	fl_cleanup_free char *folder = fl_strndup(path, (size_t)(strrchr(path, '/') - path));
	fl_cleanup_close int fd = -1;

	if (fl_netns_exists(path))
		return 0;
	if (fl_path_make_folders(folder, 0755, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be made", path);
	return bind_new(path, err);
}

struct fl_links *fl_netns_links(int netns, struct fl_err *err)
{
	fl_cleanup_close int own = open(OWN, O_RDONLY | O_CLOEXEC);
	struct fl_links *links;

	if (own < 0 || setns(netns, CLONE_NEWNET) < 0) {
		fl_err_errno(err, errno, "the network namespace cannot be entered");
		return NULL;
	}
	links = fl_links_open(err);
	if (go_back(own, err) == 0)
		return links;
	fl_links_close(links);
	return NULL;
}

int fl_netns_remove(const char *path, struct fl_err *err)
{
	if (fl_netns_exists(path) && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return fl_err_errno(err, errno, "%s: cannot be unmounted", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	return 0;
}
