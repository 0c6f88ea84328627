/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Preloaded, it kills the process at the Nth call that changes state: FL_KILL_AT=N, in the
 * program named FL_KILL_IN. With FL_KILL_ALSO=writes what changes a file that is open
 * counts, too, but for words on standard output and error, and so do unmounts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int calls;

static void count(void)
{
	const char *at = getenv("FL_KILL_AT"), *in = getenv("FL_KILL_IN");

	if (!at || !in || strcmp(program_invocation_short_name, in) != 0)
		return;
	if (++calls == atoi(at))
		kill(getpid(), SIGKILL);
}

static void count_write(int fd)
{
	if (fd > STDERR_FILENO && getenv("FL_KILL_ALSO"))
		count();
}

#define NEXT(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

static int changes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
}

#define OPEN(name)                                                       \
	int name(const char *path, int flags, ...)                       \
	{                                                                \
		va_list args;                                            \
		mode_t mode;                                             \
		va_start(args, flags);                                   \
		mode = va_arg(args, mode_t);                             \
		va_end(args);                                            \
		if (changes(flags))                                      \
			count();                                         \
		return NEXT(int, name, const char *, int, ...)(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                     \
	int name(int dir, const char *path, int flags, ...)              \
	{                                                                \
		va_list args;                                            \
		mode_t mode;                                             \
		va_start(args, flags);                                   \
		mode = va_arg(args, mode_t);                             \
		va_end(args);                                            \
		if (changes(flags))                                      \
			count();                                         \
		return NEXT(int, name, int, const char *, int, ...)(dir, path, flags, mode); \
	}
OPENAT(openat)
OPENAT(openat64)

int renameat(int a, const char *from, int b, const char *to)
{
	count();
	return NEXT(int, renameat, int, const char *, int, const char *)(a, from, b, to);
}

int unlinkat(int dir, const char *path, int flags)
{
	count();
	return NEXT(int, unlinkat, int, const char *, int)(dir, path, flags);
}

int unlink(const char *path)
{
	count();
	return NEXT(int, unlink, const char *)(path);
}

int rmdir(const char *path)
{
	count();
	return NEXT(int, rmdir, const char *)(path);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	count();
	return NEXT(int, mkdirat, int, const char *, mode_t)(dir, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
	count();
	return NEXT(int, mkdir, const char *, mode_t)(path, mode);
}

int symlink(const char *to, const char *path)
{
	count();
	return NEXT(int, symlink, const char *, const char *)(to, path);
}

int symlinkat(const char *to, int dir, const char *path)
{
	count();
	return NEXT(int, symlinkat, const char *, int, const char *)(to, dir, path);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	count();
	return NEXT(int, linkat, int, const char *, int, const char *, int)(a, from, b, to, flags);
}

int bind(int fd, const void *address, unsigned size)
{
	count();
	return NEXT(int, bind, int, const void *, unsigned)(fd, address, size);
}

ssize_t sendmsg(int fd, const void *message, int flags)
{
	count();
	return NEXT(ssize_t, sendmsg, int, const void *, int)(fd, message, flags);
}

/* Device-mapper's questions: of its version, devices, and their status, tables and targets. */
static int asks_mapper(unsigned long request)
{
	static const unsigned char questions[] = { 0, 2, 7, 11, 12, 13 };

	return _IOC_TYPE(request) == 0xfd &&
	       memchr(questions, (int)_IOC_NR(request), sizeof(questions));
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!asks_mapper(request))
		count();
	return NEXT(int, ioctl, int, unsigned long, ...)(fd, request, arg);
}

long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_clone3)
		count();
	return NEXT(long, syscall, long, ...)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t write(int fd, const void *data, size_t size)
{
	count_write(fd);
	return NEXT(ssize_t, write, int, const void *, size_t)(fd, data, size);
}

int fsync(int fd)
{
	count_write(fd);
	return NEXT(int, fsync, int)(fd);
}

int fchmod(int fd, mode_t mode)
{
	count_write(fd);
	return NEXT(int, fchmod, int, mode_t)(fd, mode);
}

int fchown(int fd, uid_t user, gid_t group)
{
	count_write(fd);
	return NEXT(int, fchown, int, uid_t, gid_t)(fd, user, group);
}

#define FTRUNCATE(name)                                     \
	int name(int fd, off_t size)                        \
	{                                                   \
		count_write(fd);                            \
		return NEXT(int, name, int, off_t)(fd, size); \
	}
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

int umount2(const char *path, int flags)
{
	if (getenv("FL_KILL_ALSO"))
		count();
	return NEXT(int, umount2, const char *, int)(path, flags);
}
