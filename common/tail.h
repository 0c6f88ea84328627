/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A file that another process appends to and now and then rotates (renames to its older
 * name, starting a new one): read from its past on, and followed without polling.
 *
 *     fl_cleanup_tail struct fl_tail tail = FL_TAIL_INIT;
 *     if (fl_tail_open(&tail, dirfd, path, "log", "log.1", err) < 0) return -1;
 *     do
 *             while ((got = fl_tail_read(&tail, data, sizeof(data))) > 0) ...
 *     while (fl_cancel_wait(NULL, tail.inotify, -1, err) > 0);
 *
 * A reader that is slower than two rotations loses what lies between.
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"

#include <stdint.h>
#include <sys/types.h>

struct fl_tail {
	int dirfd;               /* borrowed, like the names */
	const char *name, *older; /* older may be NULL */
	int fd;      /* -1: there is no file yet */
	int inotify; /* readable when there may be more */
};

#define FL_TAIL_INIT { .dirfd = -1, .fd = -1, .inotify = -1 }

/* From the oldest byte on; path is the folder's, or NULL: somebody else says when there is more, and
 * inotify stays -1. No file at all is fine. */
int fl_tail_open(struct fl_tail *tail, int dirfd, const char *path, const char *name,
		 const char *older, struct fl_err *err);
void fl_tail_finish(struct fl_tail *tail);
#define fl_cleanup_tail FL_CLEANUP(fl_tail_finish)

/* Goes to where bytes are left to read, as far as there are so many. */
void fl_tail_seek_back(struct fl_tail *tail, uint64_t bytes);

/* 0: nothing for now, and the wake-ups so far are forgotten. */
ssize_t fl_tail_read(struct fl_tail *tail, void *data, size_t size);
