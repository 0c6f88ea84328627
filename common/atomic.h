/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files that appear all at once: written aside, then renamed. Nothing half-written is
 * ever seen under its name; what a kill leaves behind starts with ".new-" and is swept.
 *
 *     fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
 *     if (fl_atomic_open(&file, folder, "index.json", 0644, err) < 0) return -1;
 *     if (fl_io_write(file.fd, text, len, "index.json", err) < 0) return -1;
 *     return fl_atomic_publish(&file, true, err);
 *
 * Without publish, the end of the scope removes what was written.
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct fl_atomic {
	int dirfd;  /* borrowed, unless owned */
	bool owns_dirfd;
	int fd;     /* write to this */
	char *name; /* owned */
	char *aside;
	bool synced; /* the content is on disk */
};

#define FL_ATOMIC_INIT { .dirfd = -1, .fd = -1 }

/* Opens a new file beside name in the folder dirfd, which must stay open until publish.
 * The file is opened for reading and writing, with exactly mode. Two writers of the same
 * name, in whatever process, never meet: each has an aside name of its own, and its
 * holder keeps an exclusive flock on it so that sweepers can tell it from a dead one's. */
int fl_atomic_open(struct fl_atomic *file, int dirfd, const char *name, mode_t mode,
		   struct fl_err *err);

/* The same for a path that a user gave, which is refused (FL_ERR_EXISTS) when it is there and no
 * regular file. */
int fl_atomic_open_path(struct fl_atomic *file, const char *path, mode_t mode, struct fl_err *err);

/* Puts the content on disk early, when nobody waits for a lock yet; nothing more is written. */
int fl_atomic_sync(struct fl_atomic *file, struct fl_err *err);

/* Gives the file its name, replacing another; with sync, content and folder are on
 * disk when it returns. fd stays open until finish. */
int fl_atomic_publish(struct fl_atomic *file, bool sync, struct fl_err *err);

void fl_atomic_finish(struct fl_atomic *file);
#define fl_cleanup_atomic FL_CLEANUP(fl_atomic_finish)

/* Open, write, publish. */
int fl_atomic_write(int dirfd, const char *name, mode_t mode, const void *data, size_t size,
		    bool sync, struct fl_err *err);

/* Removes what dead writers left in the folder. */
void fl_atomic_sweep(int dirfd);
