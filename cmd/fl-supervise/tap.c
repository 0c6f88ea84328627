/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/tap.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The numbers of the link's device; 0: it has none. */
static dev_t number_of(const char *link, unsigned index)
{
	fl_cleanup_free char *path =
		fl_asprintf("/sys/class/net/%s/macvtap/tap%u/dev", link, index);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	unsigned major, minor;

	if (fl_io_read_file(AT_FDCWD, path, 64, &text, NULL) < 0 || !text.len ||
	    sscanf(text.data, "%u:%u", &major, &minor) != 2)
		return 0;
	return makedev(major, minor);
}

static int open_if_it_is(int dirfd, const char *path, dev_t number)
{
	fl_cleanup_close int fd = openat(dirfd, path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != number)
		return -1;
	return fl_steal_fd(&fd);
}

int fl_tap_open(int dirfd, const char *link, struct fl_err *err)
{
	unsigned index = if_nametoindex(link);
	dev_t number = index ? number_of(link, index) : 0;
	fl_cleanup_free char *path = fl_asprintf("/dev/tap%u", index);
	fl_cleanup_free char *own = fl_asprintf("%s.tap", link);
	int fd;

	if (!number)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: no such macvtap in this network "
				  "namespace; run \"fl-net up\" first", link);
	fd = open_if_it_is(AT_FDCWD, path, number);
	if (fd >= 0)
		return fd;
	unlinkat(dirfd, own, 0);
	if (mknodat(dirfd, own, S_IFCHR | 0600, number) < 0)
		return fl_err_errno(err, errno, "%s: its device cannot be made", link);
	fd = open_if_it_is(dirfd, own, number);
	return fd < 0 ? fl_err_errno(err, errno, "%s: its device cannot be opened", link) : fd;
}

int fl_tap_give(const char *link, uid_t owner, struct fl_err *err)
{
	fl_cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	/* To ask for it by a name that is not there would make one. */
	if (if_nametoindex(link) == 0)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: no such tap in this network "
				  "namespace; run \"fl-net up\" first", link);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", link);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETOWNER, (unsigned long)owner) < 0 ||
	    ioctl(fd, TUNSETGROUP, (unsigned long)owner) < 0)
		return fl_err_errno(err, errno, "%s: cannot be given to the VMM", link);
	return 0;
}
