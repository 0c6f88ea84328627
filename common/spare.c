/* SPDX-License-Identifier: MPL-2.0 */
#include "common/spare.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define NAME "spare"
#define SIZE (1 << 18) /* a record is some KiB, and gives back what it took */
#define PART 4         /* of what is free it takes no more than that part */

static bool has_room(int dirfd)
{
	struct statvfs fs;

	return fstatvfs(dirfd, &fs) == 0 && fs.f_bavail * fs.f_frsize / PART >= SIZE;
}

void fl_spare_keep(int dirfd)
{
	fl_cleanup_close int fd = -1;
	struct stat st;

	if (fstatat(dirfd, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size >= SIZE)
		return;
	if (!has_room(dirfd))
		return;
	fd = openat(dirfd, NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && posix_fallocate(fd, 0, SIZE) != 0)
		unlinkat(dirfd, NAME, 0);
}

void fl_spare_give(int dirfd)
{
	/* Files that cannot be opened for want of descriptors get no room by it. */
	if (!has_room(dirfd))
		unlinkat(dirfd, NAME, 0);
}
