/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Large files that can be made again (blobs, bases): published at once, before they are
 * on disk, and yet never trusted after a power loss that may have torn them.
 *
 * Beside NAME stands .pending/NAME while NAME is made (its lock is held then) and until
 * NAME is known to be on disk; it holds the boot id of the publisher. A file with the mark
 * of another boot is made again. Two processes that want one NAME make it once.
 *
 *     fl_cleanup_durable struct fl_durable base = FL_DURABLE_INIT;
 *     int have = fl_durable_begin(&base, folder, name, true, cancel, err);
 *     if (have != 0) return have < 0 ? -1 : 0;          // failed, or there already
 *     fl_atomic_open(&file, folder, name, 0444, err) …  // write file.fd
 *     return fl_durable_publish(&base, &file, err);
 */
#pragma once

#include "common/atomic.h"
#include "common/cancel.h"

struct fl_durable {
	int dirfd; /* borrowed */
	int lock;  /* on .pending/NAME */
	char *name;
};

#define FL_DURABLE_INIT { -1, -1, NULL }

/* 1: it is there and good; 0: make it, nobody else will meanwhile; -1: error or a reason
 * to stop. While another makes it: with wait, waits; without, FL_ERR_BUSY at once. Who
 * waits for one must hold none, lest two wait for each other. */
int fl_durable_begin(struct fl_durable *durable, int dirfd, const char *name, bool wait,
		     const struct fl_cancel *cancel, struct fl_err *err);

/* Gives file its name. It is not on disk yet: fl_durable_settle_later. */
int fl_durable_publish(struct fl_durable *durable, struct fl_atomic *file, struct fl_err *err);

void fl_durable_finish(struct fl_durable *durable);
#define fl_cleanup_durable FL_CLEANUP(fl_durable_finish)

/* Whether NAME is there and good, without waiting for anyone. */
bool fl_durable_is_good(int dirfd, const char *name);

/* For a file that is replaced: notes that what NAME is now may not be on disk yet. Settling
 * takes the note away. fl_durable_is_noted: of this boot; one of another boot says nothing
 * any more, as what is read now is on disk. */
int fl_durable_note(int dirfd, const char *name, struct fl_err *err);
bool fl_durable_is_noted(int dirfd, const char *name);

/* Settles in a process of its own, of the lowest priority, all that waits for it in the folders, so
 * that nobody else has to wait for the disk. For programs with one thread. */
void fl_durable_settle_later(const int *dirfds, size_t count);

/* Notes that NAME was of use now, as its time of modification; fine where that cannot be. */
void fl_durable_touch(int dirfd, const char *name);

/* Takes NAME away, mark and all. Nobody may be making it. */
int fl_durable_remove(int dirfd, const char *name, struct fl_err *err);

/* Puts NAME on disk now and drops its mark. */
int fl_durable_settle(int dirfd, const char *name, struct fl_err *err);
