/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Resources that close themselves at the end of their scope.
 *
 *     fl_cleanup_free char *text = fl_strdup("x");
 *     fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     return fl_steal_fd(&fd);             // handed over: nothing is closed
 *
 * Cleaning up never changes errno.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Defines fl_cleanup_NAME_at for use as FL_CLEANUP(NAME): calls finish(&variable). */
#define FL_CLEANUP(finish) __attribute__((cleanup(finish)))

static inline void fl_cleanup_free_at(void *at)
{
	int saved = errno;
	free(*(void **)at);
	errno = saved;
}

static inline void fl_cleanup_close_at(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void fl_cleanup_file_at(FILE **file)
{
	int saved = errno;
	if (*file)
		fclose(*file);
	errno = saved;
}

static inline void fl_cleanup_dir_at(DIR **dir)
{
	int saved = errno;
	if (*dir)
		closedir(*dir);
	errno = saved;
}

#define fl_cleanup_free FL_CLEANUP(fl_cleanup_free_at)
#define fl_cleanup_close FL_CLEANUP(fl_cleanup_close_at)
#define fl_cleanup_file FL_CLEANUP(fl_cleanup_file_at)
#define fl_cleanup_dir FL_CLEANUP(fl_cleanup_dir_at)

/* Hands a descriptor over: the variable no longer closes it. */
static inline int fl_steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void *fl_steal_at(void *at)
{
	void *taken = *(void **)at;
	*(void **)at = NULL;
	return taken;
}

/* Hands a pointer over: the variable becomes NULL. */
#define fl_steal(ptr) ((__typeof__(*(ptr)))fl_steal_at(ptr))
