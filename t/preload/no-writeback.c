/* SPDX-License-Identifier: MPL-2.0 */
/* Preloaded, it is a disk that is so busy that what is asked to be written soon is not, and
 * who waits for it in the background, in a session of its own, waits for ever. */
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

int sync_file_range(int fd, off64_t from, off64_t count, unsigned flags)
{
	(void)fd;
	(void)from;
	(void)count;
	(void)flags;
	return 0;
}

int fsync(int fd)
{
	int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

	return getsid(0) == getpid() ? pause() : next(fd);
}
